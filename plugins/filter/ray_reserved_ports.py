# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the ports that the kernel must not hand out to others."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ray_reserved_ports
short_description: The value of net.ipv4.ip_local_reserved_ports for a Ray node
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Five of Ray's fixed ports lie inside Linux's default range of ephemeral ports (32768 to 60999), so any outgoing
    connection can take them first. Reserved ports are never handed out.
positional: _input
options:
  _input:
    description: Variables of a host; those that move a port of the catalogue count, every other port has the catalogue's number.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the reserved ports
  ansible.builtin.debug:
    msg: "{{ {'ray_gcs_port': 6380} | rackforge.gpu_cluster.ray_reserved_ports }}"
"""

RETURN = r"""
_value:
  description: Ports and ranges, sorted and merged, in the kernel's notation.
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_command import (
    RayCommandError,
    reserved_ports,
)


def ray_reserved_ports(variables: Mapping[str, Any]) -> str:
    """Return the ports; AnsibleFilterError says which variable is no port."""
    try:
        return reserved_ports(variables)
    except RayCommandError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"ray_reserved_ports": ray_reserved_ports}
