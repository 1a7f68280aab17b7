# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the hosts of an inventory that are nodes of the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_nodes
short_description: The hosts of an inventory that are nodes of the cluster
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Returns the hosts of C(ray_head), C(ray_worker), C(k3s_server), C(k3s_agent) and C(monitoring), in this order, each once.
  - Groups that the inventory does not have are empty.
positional: _input, part
options:
  _input:
    description: Hosts by group (C(groups)).
    type: dict
    required: true
  part:
    description: V(ray) and V(k3s) return the nodes of that cluster only.
    type: str
    choices: [all, ray, k3s]
    default: all
"""

EXAMPLES = r"""
- name: Prepare the nodes
  hosts: "{{ groups | rackforge.gpu_cluster.cluster_nodes | default('!all', true) }}"
"""

RETURN = r"""
_value:
  description: Names of hosts.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    EXPANSIONS,
    K3S_NODES,
    MEMBERS,
    RAY_NODES,
)

_PARTS = {"all": MEMBERS, "ray": EXPANSIONS[RAY_NODES], "k3s": EXPANSIONS[K3S_NODES]}


def cluster_nodes(groups: Mapping[str, Sequence[str]], part: str = "all") -> list[str]:
    """Return the nodes' names; AnsibleFilterError for a part that there is not."""
    if part not in _PARTS:
        raise AnsibleFilterError(f"saw the part {part!r}, expected one of {', '.join(_PARTS)}")
    names = (name for group in _PARTS[part] for name in groups.get(group) or ())
    return list(dict.fromkeys(names))


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filter under its name."""
        return {"cluster_nodes": cluster_nodes}
