# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: how many GPUs Ray is told to offer on a node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ray_gpu_count
short_description: How many GPUs Ray is told to offer on a node
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - The number that the unit of P(rackforge.gpu_cluster.ray_unit#filter) has for the same settings.
positional: _input
options:
  _input:
    description: The settings, as for P(rackforge.gpu_cluster.ray_unit#filter). V(num_gpus), V(gpu), V(gpu_vendor) and V(environment) count.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show how many GPUs Ray offers
  ansible.builtin.debug:
    msg: "{{ {'gpu': ansible_facts['gpu']} | rackforge.gpu_cluster.ray_gpu_count }}"
"""

RETURN = r"""
_value:
  description: The number; null where it is left to Ray.
  type: int
"""

from collections.abc import Callable, Mapping
from typing import Any, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_command import (
    RayCommandError,
    gpu_count,
)


def ray_gpu_count(settings: Mapping[str, Any]) -> Optional[int]:
    """Return the number; AnsibleFilterError says which setting is wrong."""
    try:
        return gpu_count(settings)
    except RayCommandError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"ray_gpu_count": ray_gpu_count}
