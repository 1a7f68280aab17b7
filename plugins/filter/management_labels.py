# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: which nodes carry which label of the management profile."""

from __future__ import annotations

DOCUMENTATION = r"""
name: management_labels
short_description: Which nodes carry which label of the management profile
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - The databases of the profile run on labelled nodes. C(registry=yes) is for the bundle C(db), C(metrics-db=yes) for the bundle C(metrics-db).
  - Where no nodes are named, as many agents are taken as the bundle has replicas, the first ones of the inventory.

positional: _input, agents, registry_nodes, metrics_nodes
options:
  _input:
    description: The bundles, as for P(rackforge.gpu_cluster.management_manifests#filter). A label is given only where its bundle is in the list.
    type: list
    elements: dict
    required: true
  agents:
    description: Hosts of the inventory that are agents.
    type: list
    elements: str
    required: true
  registry_nodes:
    description: Hosts for the databases of the registries; empty for the first agents.
    type: list
    elements: str
    default: []
  metrics_nodes:
    description: Hosts for the databases of the metrics; empty for the first agents.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show who carries what
  ansible.builtin.debug:
    msg: "{{ management_bundles | rackforge.gpu_cluster.management_labels(groups['k3s_agent']) }}"
"""

RETURN = r"""
_value:
  description: Labels by host; hosts without one are left out.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.management_services import (
    ManagementError,
    choose_nodes,
    labels_of,
    parse_bundles,
)


def management_labels(
    bundles: Sequence[Mapping[str, Any]],
    agents: Sequence[str],
    registry_nodes: Sequence[str] = (),
    metrics_nodes: Sequence[str] = (),
) -> dict[str, dict[str, str]]:
    """Return the labels by host; AnsibleFilterError says what is wrong with a bundle."""
    try:
        parsed = parse_bundles(bundles)
    except ManagementError as error:
        raise AnsibleFilterError(f"management_bundles: {error}") from error
    choice = choose_nodes(parsed, agents, {"db": registry_nodes, "metrics-db": metrics_nodes})
    hosts = dict.fromkeys(host for chosen in choice.values() for host in chosen)
    return {host: labels_of(choice, host) for host in hosts}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"management_labels": management_labels}
