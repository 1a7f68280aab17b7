# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what Kubernetes calls the hosts of an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_node_names
short_description: What Kubernetes calls the hosts of an inventory
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - C(k3s_node_name) of each host, and where it is not set the host's name as Kubernetes accepts it.
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
"""

EXAMPLES = r"""
- name: Show who is who
  ansible.builtin.debug:
    msg: "{{ hostvars | rackforge.gpu_cluster.k3s_node_names(groups['k3s_agent']) }}"
"""

RETURN = r"""
_value:
  description: Names in Kubernetes by names in the inventory.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_inventory import node_name


def k3s_node_names(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> dict[str, str]:
    """Return the names by host."""
    return {str(host): node_name(str(host), hostvars[host]) for host in hosts}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_node_names": k3s_node_names}
