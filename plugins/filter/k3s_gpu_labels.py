# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: a node's GPUs as labels of Kubernetes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_gpu_labels
short_description: A node's GPUs as labels of Kubernetes
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - The device plugins run where C(rackforge.io/gpu-nvidia) or C(rackforge.io/gpu-amd) is V(true). C(nvidia.com/gpu.present) is the label by which
    NVIDIA's charts choose nodes. C(rackforge.io/gpu-model) and C(rackforge.io/gpu-count) are for those who write pods.
  - A node none of whose GPUs can be used gets no label.
positional: _input
options:
  _input:
    description: The fact C(gpu), as M(rackforge.gpu_cluster.gpu_info) gathers it. A node without it has none.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the labels
  ansible.builtin.debug:
    msg: "{{ ansible_facts['gpu'] | default({}) | rackforge.gpu_cluster.k3s_gpu_labels }}"
"""

RETURN = r"""
_value:
  description: Names and values of the labels.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_gpu_labels import (
    gpu_labels,
)


def k3s_gpu_labels(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels."""
    return gpu_labels(facts)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_gpu_labels": k3s_gpu_labels}
