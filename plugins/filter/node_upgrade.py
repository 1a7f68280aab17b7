# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: what an upgrade of a node would change below Ray and k3s."""

from __future__ import annotations

DOCUMENTATION = r"""
name: node_upgrade
short_description: What an upgrade of a node would change below Ray and k3s
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Reads what the entries look of os_base, docker, nvidia and rocm have registered for a host, and the record of an upgrade that has begun.
positional: _input
options:
  _input:
    description: Variables of one host (an entry of C(hostvars)).
    type: dict
    required: true
  alone:
    description: Whether the node is upgraded alone, after those that are upgraded in batches.
    type: bool
    default: false
  boots:
    description: Whether the node is booted whatever changes.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what would change on this node
  ansible.builtin.debug:
    msg: "{{ (hostvars[inventory_hostname] | rackforge.gpu_cluster.node_upgrade).rows }}"
"""

RETURN = r"""
_value:
  description:
    - C(rows), each with host, component, found, wanted, reboot, order and note; C(refusals), each with host, component, found, wanted and reason; and
      C(due), which says whether the node is touched.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_upgrade import (
    node_upgrade,
)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"node_upgrade": node_upgrade}
