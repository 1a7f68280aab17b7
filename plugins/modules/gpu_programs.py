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
"""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_processes import (
    read_processes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_work import (
    Process,
    gpu_processes,
)

PROC = "/proc"
POLL_SECONDS = 0.5


def programs() -> tuple[Process, ...]:
    """Return the programs that compute on a GPU now."""
    return gpu_processes(read_processes(PROC))


def send(found: Sequence[Process], number: int) -> None:
    """Send a signal to programs that may have ended meanwhile."""
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def left_after(seconds: int) -> tuple[Process, ...]:
    """Return what still computes on a GPU after the time, none as soon as there is none."""
    deadline = time.monotonic() + seconds
    while True:
        found = programs()
        if not found or time.monotonic() >= deadline:
            return found
        time.sleep(POLL_SECONDS)


def end(found: Sequence[Process], timeout: int) -> tuple[Process, ...]:
    """End programs; return those that are still there, or came back."""
    left: Sequence[Process] = found
    for number in (signal.SIGTERM, signal.SIGKILL):
        send(left, number)
        left = left_after(timeout)
        if not left:
            break
    return tuple(left)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"timeout": {"type": "int", "default": 30}}, supports_check_mode=True
    )
    found = programs()
    left = () if module.check_mode or not found else end(found, module.params["timeout"])
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
        diff={"before": "".join(f"{each}\n" for each in words), "after": ""},
    )


if __name__ == "__main__":
    main()
