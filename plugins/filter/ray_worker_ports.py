# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the range of ports that Ray's workers have on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ray_worker_ports
short_description: The range of ports of Ray's workers on a host
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Ray's workers bind ports of their range whenever they start, and k3s binds its fixed ports whenever it starts. On a host that gets both,
    the range begins above all fixed ports of k3s, the last of which is 10259 (k3s documentation, Requirements), so that neither finds its own
    ports taken.
  - On every other host the range is that of the port catalogue.
  - A variable of the host that is set counts more than both.
positional: _input, groups
options:
  _input:
    description: Variables of the host. C(ray_min_worker_port) and C(ray_max_worker_port) count.
    type: dict
    required: true
  groups:
    description: The groups of the host, C(group_names) in a playbook.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show where Ray's workers listen on a host of both kinds
  ansible.builtin.debug:
    msg: "{{ {} | rackforge.gpu_cluster.ray_worker_ports(['ray_worker', 'k3s_agent']) }}"
"""

RETURN = r"""
_value:
  description: C(ray_min_worker_port) and C(ray_max_worker_port).
  type: dict
  sample: {ray_min_worker_port: 10300, ray_max_worker_port: 20000}
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_shared import worker_ports


def ray_worker_ports(variables: Mapping[str, Any], groups: Sequence[str]) -> dict[str, Any]:
    """Return both inputs by their names."""
    return worker_ports([str(name) for name in groups], variables)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"ray_worker_ports": ray_worker_ports}
