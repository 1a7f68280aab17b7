# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: how the hosts of the inventory must show in their k3s cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_expected_nodes
short_description: How hosts must show in their k3s cluster
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Makes of the hosts' variables and facts the list that M(rackforge.gpu_cluster.k3s_cluster_info) takes as O(ignore:expected).
  - A host with C(has_gpu) must offer as many GPUs as M(rackforge.gpu_cluster.gpu_info) found on it; where that has not run, its GPUs
    are not judged. Neither are NVIDIA's where C(k3s_nvidia_mig_strategy) is C(single) or C(mixed), since parts of GPUs are offered then.
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
  version:
    description:
      - The version that all of them run. When it is not given, each host's C(k3s_version), and where there is none the version is
        not judged.
    type: str
    default: ""
  with_gpus:
    description: Whether GPUs are judged. False where no device plugin offers them.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show what is expected of the cluster
  ansible.builtin.debug:
    msg: "{{ hostvars | rackforge.gpu_cluster.k3s_expected_nodes(groups['k3s_server'], groups['k3s_agent'], 'v1.33.5+k3s1') }}"
"""

RETURN = r"""
_value:
  description: Name, host, kind, version and address of each host, and its GPUs where they are judged.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_inventory import expected


def k3s_expected_nodes(
    hostvars: Mapping[str, Any],
    servers: Sequence[str],
    agents: Sequence[str],
    version: str = "",
    with_gpus: bool = True,
) -> list[dict[str, Any]]:
    """Return how each host must show in its cluster."""
    return expected(hostvars, list(servers), list(agents), version, with_gpus)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_expected_nodes": k3s_expected_nodes}
