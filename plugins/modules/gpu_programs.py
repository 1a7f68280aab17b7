#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""End the programs that compute on a node's GPUs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_programs
short_description: End the programs that compute on a node's GPUs
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Asks the programs that M(rackforge.gpu_cluster.node_work) names to end (SIGTERM), waits, and ends those that are left (SIGKILL). What they had not
    saved is lost. A program that comes back, such as one with a unit of its own, is an error that names it.
  - Services of the driver, monitoring, desktops and Ray's own processes are left alone.
  - So are programs in containers, which may take their container with them, and in other PID namespaces. They are named in RV(left).
attributes:
  check_mode:
    support: full
    description: Names the programs and ends none.
  diff_mode:
    support: full
    description: Lists the programs.
  idempotent:
    support: full
    description: Without such a program nothing is done.
options:
  own_containers:
    description: Names of containers in which programs are ended all the same.
    type: list
    elements: str
    default: [ray, rackforge-gpu-exporter]
  timeout:
    description: Seconds that a program gets to end by itself, and seconds that it may take to vanish after SIGKILL.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: End what uses the GPUs
  rackforge.gpu_cluster.gpu_programs:
"""

RETURN = r"""
ended:
  description: Number and command of the programs that were ended, or would be.
  returned: success
  type: list
  elements: str
  sample: ["4711 python train.py"]
left:
  description: Number, command and container of the programs that are left alone since they are in a container that is not ours.
  returned: success
  type: list
  elements: str
  sample: ["4712 python serve.py (in container web)"]
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_processes import (
    read_processes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_work import (
    OWN_CONTAINERS,
    Process,
    gpu_processes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.running_containers import (
    with_names,
)

PROC = "/proc"
POLL_SECONDS = 0.5


Programs = tuple[Process, ...]


def programs(command: Command, own: Sequence[str]) -> tuple[Programs, Programs]:
    """Return the programs that compute on a GPU now: those to end, and those in containers."""
    found = gpu_processes(with_names(command, read_processes(PROC)))
    ending = tuple(process for process in found if process.may_be_ended(own))
    return ending, tuple(process for process in found if process not in ending)


def send(found: Sequence[Process], number: int) -> None:
    """Send a signal to programs that may have ended meanwhile."""
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def left_after(seconds: int, look: Callable[[], Programs]) -> Programs:
    """Return what still computes on a GPU after the time, none as soon as there is none."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if not found or time.monotonic() >= deadline:
            return found
        time.sleep(POLL_SECONDS)


def end(found: Programs, timeout: int, look: Callable[[], Programs]) -> Programs:
    """End programs; return those that are still there, or came back."""
    left = found
    for number in (signal.SIGTERM, signal.SIGKILL):
        send(left, number)
        left = left_after(timeout, look)
        if not left:
            break
    return left


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "own_containers": {"type": "list", "elements": "str", "default": list(OWN_CONTAINERS)},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    command, own = Command(module), module.params["own_containers"]
    found, kept = programs(command, own)
    left: Programs = ()
    if found and not module.check_mode:
        left = end(found, module.params["timeout"], lambda: programs(command, own)[0])
    words = [process.words for process in found]
    if left:
        names = ", ".join(process.words for process in left)
        module.fail_json(
            msg=f"These programs use a GPU although they were ended: {names}. Stop what starts "
            "them ('systemctl status PID' on the node names its unit), and run this again"
        )
    module.exit_json(
        changed=bool(found),
        ended=words,
        left=[process.words for process in kept],
        diff={"before": "".join(f"{each}\n" for each in words), "after": ""},
    )


if __name__ == "__main__":
    main()
