# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the few variables of the members that describe the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_members
short_description: The few variables of the members that describe the cluster
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Keeps of each member C(ansible_host) and what M(rackforge.gpu_cluster.node_probe) says of its name, node address and interface.
  - Made once in a run, it serves P(rackforge.gpu_cluster.cluster_hosts#filter), P(rackforge.gpu_cluster.cluster_no_proxy#filter) and
    P(rackforge.gpu_cluster.cluster_firewall#filter) in the place of C(hostvars). Asking for the variables of all hosts again for each
    host takes minutes with hundreds of them.
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
- name: Work out once who the members are
  ansible.builtin.set_fact:
    cluster_view: "{{ hostvars | rackforge.gpu_cluster.cluster_members(ansible_play_hosts_all) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The members by name, each in the shape of its variables.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

FACTS = ("hostname", "node_address", "node_interface")


def cluster_members(hostvars: Mapping[str, Any], members: Sequence[str]) -> dict[str, Any]:
    """Return the members in the shape of hostvars."""
    return {str(member): _slim(hostvars[member]) for member in members}


def _slim(variables: Mapping[str, Any]) -> dict[str, Any]:
    node = variables.get("ansible_facts", {}).get("gpu_cluster", {})
    facts = {name: node[name] for name in FACTS if node.get(name)}
    slim: dict[str, Any] = {"ansible_facts": {"gpu_cluster": facts}} if facts else {}
    address = variables.get("ansible_host") or variables.get("ansible_ssh_host")
    if address:
        slim["ansible_host"] = address
    return slim


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"cluster_members": cluster_members}
