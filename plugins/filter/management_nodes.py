# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: members of a k3s cluster as the management profile judges them."""

from __future__ import annotations

DOCUMENTATION = r"""
name: management_nodes
short_description: Members of a k3s cluster as the management profile judges them
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Takes memory and disk of each host from the facts that M(rackforge.gpu_cluster.node_probe) gathered with O(ignore:survey).
positional: _input, servers, agents
options:
  _input:
    description: Variables of all hosts (C(hostvars)).
    type: dict
    required: true
  servers:
    description: Hosts that are servers.
    type: list
    elements: str
    required: true
  agents:
    description: Hosts that are agents.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the members
  ansible.builtin.debug:
    msg: "{{ hostvars | rackforge.gpu_cluster.management_nodes(groups['k3s_server'], groups['k3s_agent']) }}"
"""

RETURN = r"""
_value:
  description: Host, name, is_agent, memory_mib and disk_mib of each; sizes are null where they are not known.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.management_check import (
    member_rows,
)


def management_nodes(
    hostvars: Mapping[str, Any], servers: Sequence[str], agents: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the members."""
    return member_rows(hostvars, servers, agents)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"management_nodes": management_nodes}
