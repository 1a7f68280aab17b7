# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what members of the cluster reach without a proxy."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_no_proxy
short_description: What members of the cluster reach without a proxy
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Lists the machine itself (C(localhost), C(127.0.0.1), C(::1)), the cluster network, the owner's own entries, and of each member
    the inventory's name, its hostname, its node address and the address it is managed by (C(ansible_host)). Each stands there once,
    in an order that does not change.
  - Hostname and node address are known of members that M(rackforge.gpu_cluster.node_probe) has asked.
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
  subnet:
    description: The cluster network, such as V(10.1.0.0/24).
    type: str
  extras:
    description: Entries of the owner's own, such as V(.lab.example) or a registry's name.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what is reached without the proxy
  ansible.builtin.debug:
    msg: "{{ hostvars | rackforge.gpu_cluster.cluster_no_proxy(groups['all'], '10.1.0.0/24', ['.lab.example']) }}"
"""

RETURN = r"""
_value:
  description: Names, domains, addresses and networks.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.web_proxy import cluster_direct


def cluster_no_proxy(
    hostvars: Mapping[str, Any],
    members: Sequence[str],
    subnet: Optional[str] = None,
    extras: Sequence[str] = (),
) -> list[str]:
    """Return what members reach without a proxy."""
    return cluster_direct((_names(member, hostvars[member]) for member in members), subnet, extras)


def _names(member: str, variables: Mapping[str, Any]) -> list[Optional[str]]:
    node = variables.get("ansible_facts", {}).get("gpu_cluster", {})
    return [
        member,
        node.get("hostname"),
        node.get("node_address"),
        variables.get("ansible_host") or variables.get("ansible_ssh_host"),
    ]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"cluster_no_proxy": cluster_no_proxy}
