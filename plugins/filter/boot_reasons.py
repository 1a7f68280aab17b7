# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: why a node waits for a boot."""

from __future__ import annotations

DOCUMENTATION = r"""
name: boot_reasons
short_description: Why a node waits for a boot
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Reads what the collection's roles register where something holds from the next boot on only. These are kernel arguments and SELinux's mode
    (os_base), the drivers (nvidia, rocm), and packages that an upgrade has brought
    (os_base).
positional: _input
options:
  _input:
    description: Variables of one host (an entry of C(hostvars)).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show why this node waits for a boot
  ansible.builtin.debug:
    msg: "{{ hostvars[inventory_hostname] | rackforge.gpu_cluster.boot_reasons }}"
"""

RETURN = r"""
_value:
  description: The reasons; empty where the node does not wait.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.boot_reasons import (
    boot_reasons,
)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"boot_reasons": boot_reasons}
