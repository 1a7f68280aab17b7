# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: who must reach which ports of a node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_firewall
short_description: What a node must let in from whom, by the port catalogue
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns the rows of the port catalogue that are about a host's groups into sources and ports, for M(rackforge.gpu_cluster.node_firewall).
  - Addresses and interfaces are those that M(rackforge.gpu_cluster.node_probe) found. A member without such facts, for which nobody
    asked in this run, is named instead. The module on the node remembers its address from an earlier run.
  - A node of k3s lets in its own pods at all ports, by their network and flannel's bridge. With C(k3s_flannel_backend=none) the pods' way is
    left to the owner.
positional: _input, members, groups, host, variables
options:
  _input:
    description: Variables of all hosts (C(hostvars)), or what P(rackforge.gpu_cluster.cluster_members#filter) keeps of them.
    type: dict
    required: true
  members:
    description: Names of the members in the inventory.
    type: list
    elements: str
    required: true
  groups:
    description: Groups of the inventory and their hosts (C(groups)).
    type: dict
    required: true
  host:
    description: The node that lets in.
    type: str
    required: true
  variables:
    description:
      - Variables of O(host), of which those that move a port of the catalogue count, and C(k3s_cluster_cidr) and C(k3s_flannel_backend).
      - Taken from the input when not set.
    type: dict
  control:
    description: Addresses and networks that count as the control node. V(connection) is the address from which the SSH connection comes.
    type: list
    elements: str
    default: [connection]
  developers:
    description: Addresses and networks of those who use the Ray client. Nobody when empty.
    type: list
    elements: str
    default: []
  profiles:
    description:
      - Profiles beside those that the groups make, as a list or a text with commas. V(management) opens the range of NodePorts between
        the nodes of k3s, V(lan) all ports between all members.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show who may reach what on this node
  ansible.builtin.debug:
    msg: "{{ hostvars | rackforge.gpu_cluster.cluster_firewall(groups['all'], groups, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: Groups of clients, each with name, interface, sources and ports.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Union

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_profiles import (
    chosen_profiles,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import (
    Member,
    Topology,
    rules_for,
)


def cluster_firewall(
    hostvars: Mapping[str, Any],
    members: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    host: str,
    variables: Optional[Mapping[str, Any]] = None,
    control: Sequence[str] = ("connection",),
    developers: Sequence[str] = (),
    profiles: Union[str, Sequence[str]] = (),
) -> list[dict[str, Any]]:
    """Return the groups of clients; AnsibleFilterError says what is no port, or no profile."""
    try:
        topology = Topology(
            tuple(member_of(name, hostvars[name]) for name in members),
            groups,
            tuple(control),
            tuple(developers),
            tuple(chosen_profiles(profiles)),
        )
        return rules_for(host, topology, hostvars[host] if variables is None else variables)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


def member_of(name: str, variables: Mapping[str, Any]) -> Member:
    """Return the member that a host's variables describe."""
    node = variables.get("ansible_facts", {}).get("gpu_cluster", {})
    return Member(name, node.get("node_address") or "", node.get("node_interface") or "")


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"cluster_firewall": cluster_firewall}
