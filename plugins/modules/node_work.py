#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what a boot of a node, or the removal of its driver, would end."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_work
short_description: Read what a boot of a node would end
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Returns the running containers that are not the collection's, the programs that have a GPU open (C(/dev/nvidia0) and so on, C(/dev/kfd)), and with
    both what keeps the node from being booted.
  - Services of the driver, monitoring and desktops are no work, nor are Ray's own processes; Ray's jobs are handed in.
  - A node without Docker Engine has no containers. Programs of other users are seen by root only.
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  own_containers:
    description: Names of containers that may be ended.
    type: list
    elements: str
    default: [ray, rackforge-gpu-exporter]
  ends_programs:
    description: Whether M(rackforge.gpu_cluster.gpu_programs) is called next, so that the programs which it ends are no obstacle.
    type: bool
    default: false
  jobs:
    description:
      - The RV(rackforge.gpu_cluster.ray_cluster_info#module:unfinished_jobs) of the cluster.
      - When not given, the head could not be asked, and a node on which C(ray.service) runs is not booted.
    type: list
    elements: dict
  control:
    description:
      - C(machine_id) (C(/etc/machine-id)) and C(boot_id) (C(/proc/sys/kernel/random/boot_id)) of the machine that Ansible runs on. Where both are the node's,
        the node is that machine.
    type: dict
    suboptions:
      machine_id:
        description: Its machine id.
        type: str
        default: ""
      boot_id:
        description: Its boot id.
        type: str
        default: ""
  connection:
    description: How Ansible reaches the node; V(local) is the machine that Ansible runs on.
    type: str
    default: ssh
"""

EXAMPLES = r"""
- name: Find out what a boot would end
  rackforge.gpu_cluster.node_work:
    jobs: "{{ __ray_cluster_seen.unfinished_jobs }}"
    connection: "{{ ansible_connection }}"
  register: work
"""

RETURN = r"""
obstacles:
  description: Why the node is not booted, a sentence each; empty where a boot ends no work.
  returned: always
  type: list
  elements: str
  sample: ["containers of yours run: postgres"]
containers:
  description: Names of running containers that are not among O(own_containers).
  returned: always
  type: list
  elements: str
  sample: [postgres]
gpu_processes:
  description: Number and command of the programs that have a GPU open, with the container where they are in one.
  returned: always
  type: list
  elements: str
  sample: ["4711 python train.py"]
"""

from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_processes import (
    read_processes,
    read_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_work import (
    OWN_CONTAINERS,
    Machine,
    Work,
    boot_obstacles,
    gpu_processes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.running_containers import (
    running_containers,
    with_names,
)

PROC = "/proc"
MACHINE_ID = "/etc/machine-id"


def read_work(command: Command, own: list[str]) -> Work:
    """Return what runs on the node."""
    state = command.run(["systemctl", "is-active", "ray.service"])
    return Work(
        machine=Machine(read_text(MACHINE_ID), read_text(f"{PROC}/sys/kernel/random/boot_id")),
        ray_active=state.out.strip() == "active",
        containers=tuple(x for x in running_containers(command).values() if x not in own),
        processes=gpu_processes(with_names(command, read_processes(PROC))),
    )


def main() -> None:
    """Run the module."""
    identity: dict[str, Any] = {"type": "str", "default": ""}
    module = AnsibleModule(
        argument_spec={
            "own_containers": {"type": "list", "elements": "str", "default": list(OWN_CONTAINERS)},
            "ends_programs": {"type": "bool", "default": False},
            "jobs": {"type": "list", "elements": "dict"},
            "control": {
                "type": "dict",
                "options": {"machine_id": identity, "boot_id": identity},
            },
            "connection": {"type": "str", "default": "ssh"},
        },
        supports_check_mode=True,
    )
    params = module.params
    own = params["own_containers"]
    work = read_work(Command(module), own)
    staying = [x for x in work.processes if not (params["ends_programs"] and x.may_be_ended(own))]
    obstacles = boot_obstacles(
        replace(work, processes=tuple(staying)),
        Machine(**(params["control"] or {})),
        params["connection"],
        params["jobs"],
    )
    module.exit_json(
        changed=False,
        obstacles=obstacles,
        containers=list(work.containers),
        gpu_processes=[process.words for process in work.processes],
    )


if __name__ == "__main__":
    main()
