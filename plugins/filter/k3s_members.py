# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the nodes of a k3s cluster with the labels and taints of the inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_members
short_description: Nodes of a k3s cluster with the labels and taints of the inventory
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Makes of the hosts' variables C(k3s_node_name), C(k3s_labels) and C(k3s_taints) the list that M(rackforge.gpu_cluster.k3s_node)
    takes as O(ignore:nodes).
  - In an INI file labels may be text such as V(registry=yes,disk=ssd), and taints V(dedicated=gpu:NoSchedule,slow:PreferNoSchedule).
positional: _input, hosts
options:
  _input:
    description: Variables of all hosts (C(hostvars)).
    type: dict
    required: true
  hosts:
    description: Names of the hosts in the inventory.
    type: list
    elements: str
    required: true
  extra:
    description: More labels by host. What the inventory says of the same label counts more.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show who gets which labels
  ansible.builtin.debug:
    msg: "{{ hostvars | rackforge.gpu_cluster.k3s_members(ansible_play_hosts) }}"
"""

RETURN = r"""
_value:
  description: Name, labels and taints of each host.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_inventory import (
    InventoryError,
    members,
)


def k3s_members(
    hostvars: Mapping[str, Any],
    hosts: Sequence[str],
    extra: Optional[Mapping[str, Mapping[str, str]]] = None,
) -> list[dict[str, Any]]:
    """Return name, labels and taints of each host; AnsibleFilterError says which is wrong."""
    try:
        return members(hostvars, [str(host) for host in hosts], extra)
    except InventoryError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_members": k3s_members}
