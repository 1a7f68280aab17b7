# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: members of the cluster as /etc/hosts names them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_hosts
short_description: Members of the cluster, node address to names
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Takes the members' node addresses from the facts that M(rackforge.gpu_cluster.node_probe) gathered. Members without such
    facts are left out.
  - A name that means the machine itself everywhere (C(localhost)) and an address in the place of a name are left out too.
positional: _input, members
options:
  _input:
    description: Variables of all hosts (C(hostvars)).
    type: dict
    required: true
  members:
    description: Names of the members in the inventory.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the members
  ansible.builtin.debug:
    msg: "{{ hostvars | rackforge.gpu_cluster.cluster_hosts(groups['all']) }}"
"""

RETURN = r"""
_value:
  description: For each node address the inventory's name of the node, and its own hostname where that differs.
  type: dict
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def cluster_hosts(hostvars: Mapping[str, Any], members: Sequence[str]) -> dict[str, list[str]]:
    """Return node addresses and the names of each."""
    entries: dict[str, list[str]] = {}
    for member in members:
        node = hostvars[member].get("ansible_facts", {}).get("gpu_cluster", {})
        if not node.get("node_address"):
            continue
        names = [name for name in (member, node.get("hostname", "")) if _is_a_members_name(name)]
        if names:
            entries[node["node_address"]] = list(dict.fromkeys(names))
    return entries


def _is_a_members_name(name: str) -> bool:
    """Tell names that single out a member from localhost and from addresses used as names."""
    if not name or name == "localhost" or name.startswith("localhost."):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"cluster_hosts": cluster_hosts}
