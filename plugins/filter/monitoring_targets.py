# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what the monitoring host asks each node for."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monitoring_targets
short_description: What the monitoring host asks each node for
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns the port catalogue and the groups of the inventory into scrape targets, for M(rackforge.gpu_cluster.scrape_targets).
  - Every target carries the labels C(node), the host's name in the inventory, and C(cluster).
  - A node whose address this run has not asked for (M(rackforge.gpu_cluster.node_probe)) is left out.
positional: _input, hosts, groups, cluster
options:
  _input:
    description: Variables of all hosts (C(hostvars)).
    type: dict
    required: true
  hosts:
    description: Names of the nodes in the inventory.
    type: list
    elements: str
    required: true
  groups:
    description: Groups of the inventory and their hosts (C(groups)).
    type: dict
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    default: gpu-cluster
"""

EXAMPLES = r"""
- name: Show what would be asked
  ansible.builtin.debug:
    msg: "{{ hostvars | rackforge.gpu_cluster.monitoring_targets(ansible_play_hosts, groups, 'lab') }}"
"""

RETURN = r"""
_value:
  description: For each host, for each job, the groups of targets in the form of Prometheus' C(file_sd_configs).
  type: dict
  sample:
    node2:
      node: [{targets: ["198.18.1.12:9100"], labels: {node: node2, cluster: lab}}]
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.scrape_plan import (
    INPUTS,
    scrape_plan,
)


def monitoring_targets(
    hostvars: Mapping[str, Any],
    hosts: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    cluster: str = "gpu-cluster",
) -> dict[str, Any]:
    """Return the targets by host and job; AnsibleFilterError says which input is no port."""
    names = [str(host) for host in hosts]
    plain = {str(group): [str(host) for host in members] for group, members in groups.items()}
    try:
        return scrape_plan(
            {name: _address(hostvars[name]) for name in names},
            plain,
            {name: _own(hostvars[name]) for name in names},
            str(cluster),
        )
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


def _address(variables: Mapping[str, Any]) -> str:
    node = variables.get("ansible_facts", {}).get("gpu_cluster", {})
    return str(node.get("node_address") or "")


def _own(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the host's variables that decide about its targets, each worked out once."""
    return {name: variables[name] for name in INPUTS if name in variables}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"monitoring_targets": monitoring_targets}
