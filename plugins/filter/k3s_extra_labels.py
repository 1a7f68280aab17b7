# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: labels that nodes carry besides those of the inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_extra_labels
short_description: Labels that nodes carry besides those of the inventory
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Those of their GPUs, as P(rackforge.gpu_cluster.k3s_gpu_labels#filter) has them, and those of the management profile.
  - Every playbook that labels nodes hands over the same ones, since a label that is no longer handed over is taken off the node.
  - So a host with C(has_gpu) whose GPUs have not been looked at is refused.
positional: _input, hosts, management
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
  management:
    description: Labels of the management profile by host, as P(rackforge.gpu_cluster.management_labels#filter) has them.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the labels
  ansible.builtin.debug:
    msg: "{{ hostvars | rackforge.gpu_cluster.k3s_extra_labels(ansible_play_hosts) }}"
"""

RETURN = r"""
_value:
  description: Labels by host, for P(rackforge.gpu_cluster.k3s_members#filter).
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_gpu_labels import (
    GpuLabelError,
    labels_of_hosts,
)


def k3s_extra_labels(
    hostvars: Mapping[str, Any],
    hosts: Sequence[str],
    management: Optional[Mapping[str, Mapping[str, str]]] = None,
) -> dict[str, dict[str, str]]:
    """Return the labels by host; AnsibleFilterError names a host whose GPUs are not known."""
    try:
        return labels_of_hosts(hostvars, hosts, management or {})
    except GpuLabelError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_extra_labels": k3s_extra_labels}
