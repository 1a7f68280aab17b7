#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read how Ray runs on one node, and judge it where asked to."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_node_info
short_description: Read how Ray runs on a node
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Reads the unit's state, and the version and address of the Ray that really runs, from the running process itself.
  - With O(expect) it judges the node and fails with what is wrong and the last lines of the node's Ray log.
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  name:
    description: The node's name in messages.
    type: str
    required: true
  expect:
    description: What the node should be; leave it out to read without judging.
    type: dict
    suboptions:
      address:
        description: The node address.
        type: str
        required: true
      version:
        description: Ray's version.
        type: str
        required: true
      gpus:
        description:
          - GPUs that Ray must offer here. Where the head sees another number, or Ray did not find their model by itself, Ray's own Python is
            asked what it finds (NVIDIA's library through C(ray._private.thirdparty.pynvml)), and the answer is part of the failure.
          - When not given, GPUs are not judged.
        type: int
      gpu_vendor:
        description: Who made them; only for NVIDIA's Ray's own look at the driver is judged.
        type: str
  runtime:
    description: How Ray runs, which says where its Python is.
    type: str
    choices: [container, venv]
    default: container
  cluster_nodes:
    description: The RV(rackforge.gpu_cluster.ray_cluster_info#module:nodes) that the head sees.
    type: list
    elements: dict
    default: []
  timeout:
    description: Seconds that O(expect) gives a unit that was just started until its Ray node process runs.
    type: int
    default: 60
  log_lines:
    description: How many of the log's last lines a failure shows.
    type: int
    default: 15
  token_file:
    description: File with the cluster's token, blotted out of the log lines.
    type: path
    default: /etc/ray/auth_token
"""

EXAMPLES = r"""
- name: Read how Ray runs here
  rackforge.gpu_cluster.ray_node_info:
    name: "{{ inventory_hostname }}"
"""

RETURN = r"""
unit_state:
  description: State of C(ray.service), V(missing) where there is none, V(drained) where it is stopped because the node is drained.
  returned: always
  type: str
  sample: active
restarts:
  description: How often systemd restarted it since its last start by hand.
  returned: always
  type: int
  sample: 0
drained:
  description: Since when the node is drained, why and by whom, null for a node in service. A drain that has not ended yet counts.
  returned: always
  type: dict
  sample: {since: "2026-11-23T06:55:00Z", reason: maintenance, by: ops}
active_seconds:
  description: For how long the unit is active; null when it is not.
  returned: always
  type: float
  sample: 86400.5
stopped_at:
  description: When it ended the last time since the node's boot, in seconds since 1970 by the node's clock; null when it never did.
  returned: always
  type: float
  sample: 1795500000.5
version:
  description: Version of the running Ray; null when none runs.
  returned: always
  type: str
  sample: 2.60.0
address:
  description: Node address of the running Ray; null when none runs.
  returned: always
  type: str
  sample: 192.0.2.11
"""

import time
from dataclasses import asdict
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_cluster import judge_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_drain import (
    MARK,
    parse_mark,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_gpu_view import (
    GPU_SCRIPT,
    RayGpuView,
    judge_gpus,
    needs_a_look,
    parse_gpu_view,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_running import (
    Raylet,
    read_raylets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import read_text

UNIT = "ray.service"
PROC = "/proc"
POLL_SECONDS = 1.0
# NVIDIA's library takes up to 3 seconds for each GPU without persistence, and Python its own time.
GPU_SECONDS = 60
VENV_GROUPS = ("video",)
_PROPERTIES = "LoadState,ActiveState,SubState,NRestarts"
_TIMES = "ActiveEnterTimestampMonotonic,ActiveExitTimestampMonotonic"


def read_unit(command: Command) -> dict[str, Any]:
    """Return the unit's state and its number of restarts."""
    result = command.run(["systemctl", "show", UNIT, "--property", f"{_PROPERTIES},{_TIMES}"])
    lines = dict(line.split("=", 1) for line in result.out.splitlines() if "=" in line)
    loaded = lines.get("LoadState") == "loaded"
    state = lines.get("ActiveState", "unknown") if loaded else "missing"
    if lines.get("SubState") == "auto-restart":
        state = "restarting"
    mark = parse_mark(read_text(MARK))
    if mark and state in ("inactive", "failed"):
        state = "drained"
    entered = int(lines.get("ActiveEnterTimestampMonotonic") or 0)
    left = int(lines.get("ActiveExitTimestampMonotonic") or 0)
    up = time.clock_gettime(time.CLOCK_MONOTONIC)
    booted = time.time() - up
    return {
        "unit_state": state,
        "restarts": int(lines.get("NRestarts") or 0),
        "drained": asdict(mark) if mark else None,
        "active_seconds": round(up - entered / 1e6, 1) if state == "active" and entered else None,
        "stopped_at": round(booted + left / 1e6, 1) if left else None,
    }


def read_process(address: Optional[str]) -> Raylet:
    """Return the raylet that runs here, one that knows nothing where none does.

    Where several run (a user's own Ray beside ours), it is the one with ``address``, if any has it.
    """
    found = read_raylets(PROC)
    ours = [raylet for raylet in found if raylet.address == address]
    return (ours or found or [Raylet(None, None, None)])[0]


def look(command: Command, address: Optional[str], timeout: int) -> dict[str, Any]:
    """Return how Ray runs; wait for the process of a unit that is active but has none yet."""
    started = time.monotonic()
    while True:
        seen = {**read_unit(command), **asdict(read_process(address))}
        settled = seen["version"] or seen["unit_state"] != "active"
        if settled or time.monotonic() - started >= timeout:
            return seen
        time.sleep(POLL_SECONDS)


def look_at_gpus(command: Command, runtime: str, python: Optional[str]) -> RayGpuView:
    """Return what Ray's own Python finds of the GPUs, in the container or the environment of Ray."""
    inside = ["docker", "exec", "ray", "python"]
    if runtime == "venv":
        groups = [word for group in VENV_GROUPS for word in ("--supp-group", group)]
        inside = ["runuser", "--user", "ray", *groups, "--", python or "python3"]
    result = command.run(["timeout", str(GPU_SECONDS), *inside, "-c", GPU_SCRIPT])
    return parse_gpu_view(result.rc, result.out, result.err)


def judge(
    command: Command, params: dict[str, Any], seen: dict[str, Any], python: Optional[str]
) -> list[str]:
    """Return what is wrong with the node, a sentence each."""
    name, expect, nodes = params["name"], params["expect"], params["cluster_nodes"]
    wrong = judge_node(name, expect, seen, nodes)
    view = RayGpuView()
    if needs_a_look(expect, nodes):
        view = look_at_gpus(command, params["runtime"], python)
    return [*wrong, *judge_gpus(name, expect, nodes, view)]


def log_tail(command: Command, lines: int, token_file: str) -> str:
    """Return the end of the unit's log, without the token."""
    result = command.run(
        ["journalctl", "--unit", UNIT, "--lines", str(lines), "--output", "cat", "--no-pager"]
    )
    text = result.out.strip() or result.err.strip() or "(the log is empty)"
    try:
        with open(token_file, encoding="utf-8") as file:
            token = file.read().strip()
    except OSError:
        token = ""
    return text.replace(token, "********") if token else text


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "expect": {
                "type": "dict",
                "options": {
                    "address": {"type": "str", "required": True},
                    "version": {"type": "str", "required": True},
                    "gpus": {"type": "int"},
                    "gpu_vendor": {"type": "str"},
                },
            },
            "runtime": {"type": "str", "choices": ["container", "venv"], "default": "container"},
            "cluster_nodes": {"type": "list", "elements": "dict", "default": []},
            "timeout": {"type": "int", "default": 60},
            "log_lines": {"type": "int", "default": 15},
            "token_file": {"type": "path", "default": "/etc/ray/auth_token", "no_log": False},
        },
        supports_check_mode=True,
    )
    params, command = module.params, Command(module)
    expect = params["expect"]
    seen = look(command, expect["address"] if expect else None, params["timeout"] if expect else 0)
    python = seen.pop("python")
    if expect:
        wrong = judge(command, params, seen, python)
        if wrong:
            tail = log_tail(command, params["log_lines"], params["token_file"])
            module.fail_json(
                msg="\n".join([*wrong, f"Last lines of {params['name']}'s Ray log:", tail]), **seen
            )
    module.exit_json(changed=False, **seen)


if __name__ == "__main__":
    main()
