# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what speaks against the management profile in this cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: management_findings
short_description: What speaks against the management profile in this cluster
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Judges the document's prerequisites in one pass, which is at least three workers with a disk of 40 GB and 8 GB of memory, an API that answers
    and nodes that are Ready, which they are only with a network between pods.
  - Judges as well whether the nodes for the labels are members, and whether each NodePort of the services is in the range and free.

positional: _input
options:
  _input:
    description:
      - "C(bundles), C(services), C(labels) (of P(rackforge.gpu_cluster.management_labels#filter)), C(nodes) (host, name, memory_mib, disk_mib and
        is_agent of each member), C(cluster) (the result of
        M(rackforge.gpu_cluster.k3s_cluster_info)), C(kubectl) (as for P(rackforge.gpu_cluster.management_table#filter), empty where nothing answers),
        C(node_ports) (first and last), C(minimum_workers) (3)."
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the findings
  ansible.builtin.debug:
    msg: "{{ settings | rackforge.gpu_cluster.management_findings }}"
"""

RETURN = r"""
_value:
  description: The report as C(text), how many findings there are in words as C(summary), and the number of C(errors).
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Severity,
    render_findings,
    summarise,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.management_check import (
    WORKERS,
    Cluster,
    Worker,
    check_management,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.management_services import (
    LABELS,
    ManagementError,
    parse_bundles,
    parse_seen,
    parse_services,
)


def management_findings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report; AnsibleFilterError says which input makes no sense."""
    try:
        findings = check_management(_cluster(settings))
    except ManagementError as error:
        raise AnsibleFilterError(f"the management profile: {error}") from error
    errors = sum(each.severity is Severity.ERROR for each in findings)
    return {"text": render_findings(findings), "errors": errors, "summary": summarise(findings)}


def _cluster(settings: Mapping[str, Any]) -> Cluster:
    nodes, seen = settings["nodes"], settings["cluster"]
    text = str(settings.get("kubectl") or "")
    return Cluster(
        reachable=bool(seen.get("reachable")),
        error=str(seen.get("error") or ""),
        nodes=seen.get("nodes") or [],
        workers=[_worker(node) for node in nodes if node.get("is_agent")],
        bundles=parse_bundles(settings["bundles"]),
        choice={
            label: [host for host, labels in settings["labels"].items() if label in labels]
            for label in LABELS.values()
        },
        services=parse_services(settings["services"]),
        seen=parse_seen(text) if text else [],
        node_ports=(int(settings["node_ports"][0]), int(settings["node_ports"][1])),
        members=frozenset(node["host"] for node in nodes),
        least_workers=int(settings.get("minimum_workers", WORKERS)),
    )


def _worker(node: Mapping[str, Any]) -> Worker:
    return Worker(node["host"], node["name"], node.get("memory_mib"), node.get("disk_mib"))


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"management_findings": management_findings}
