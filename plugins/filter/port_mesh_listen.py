# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the ports that each node listens to in the port mesh."""

from __future__ import annotations

DOCUMENTATION = r"""
name: port_mesh_listen
short_description: The ports that each node listens to in the port mesh
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Merges what P(rackforge.gpu_cluster.port_mesh_plan#filter) says into one list of ports for each node and protocol, without those
    that nobody in the mesh tries.
positional: _input
options:
  _input:
    description: What P(rackforge.gpu_cluster.port_mesh_plan#filter) returned.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Work out once what every node listens to
  ansible.builtin.set_fact:
    mesh_ports: "{{ mesh_plan | rackforge.gpu_cluster.port_mesh_listen }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - For each node of the plan its ports of each protocol, in the kernel's notation. Empty texts where nobody tries any.
    - C(units) has, by systemd unit, those TCP ports that the unit's services need at its start.
  type: dict
  sample:
    gpu-head:
      tcp: "6379,8000,8076-8079,8265,10002-20000,44217,44227,52365,54311,56999"
      udp: ""
      units: {ray.service: "6379,8076-8078,8265,10001,52365,54311,56999"}
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    listener_from_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_plan import (
    all_listen_ports,
    ports_of_units,
)


def port_mesh_listen(plan: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the ports of every node of the plan."""
    listeners = [listener_from_plain(each) for each in plan]
    units = ports_of_units(listeners)
    ports = all_listen_ports(listeners)
    return {host: {**mine, "units": units[host]} for host, mine in ports.items()}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"port_mesh_listen": port_mesh_listen}
