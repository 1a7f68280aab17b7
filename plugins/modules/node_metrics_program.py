#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have the collector of a node's GPU metrics on the node, with its settings."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_metrics_program
short_description: Have the collector of GPU metrics on a node
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Makes one file of the parts of this collection that the collector consists of, brings it to the node where it differs, and adds their
    compiled form for the Python of the node. It needs nothing but that Python.
  - Writes the collector's settings beside it. A systemd timer is to run it; this module starts nothing.
  - "How many GPUs the node is to have is remembered: the most that were found in any run, unless O(expected_gpus) says otherwise. So a GPU
    that is lost stays missing, whatever is run."
attributes:
  check_mode:
    support: full
    description: Says whether program and settings would change.
  diff_mode:
    support: full
    description: Shows the settings before and after, and the program's digests.
  idempotent:
    support: full
    description: Equal files are left alone, and nothing travels for them.
options:
  path:
    description: Where the program lies.
    type: path
    default: /usr/local/lib/rackforge/node-metrics.pyz
  config_path:
    description: Where its settings lie.
    type: path
    default: /etc/rackforge-node-metrics/collector.json
  directory:
    description: Directory into which the collector writes, which is the node exporter's textfile directory.
    type: path
    default: /var/lib/rackforge-node-metrics
  gpus:
    description:
      - What is told of GPUs. V(all) is everything, V(own) leaves out what NVIDIA's dcgm-exporter tells (names that begin with C(DCGM_FI)),
        V(none) leaves out all.
    type: str
    choices: [all, own, none]
    default: all
  expected_gpus:
    description: How many GPUs the node is to have.
    type: int
  found_gpus:
    description: How many were found now, such as by M(rackforge.gpu_cluster.gpu_info).
    type: int
  certificates:
    description: Paths of certificates (PEM) whose end is told, with C(*) for any characters. What is not there is passed over.
    type: list
    elements: str
    default: []
  digest:
    description: Digest of the program's sources; filled in by the control node's half.
    type: str
  source_file:
    description: The program on the node; filled in by the control node's half.
    type: path
"""

EXAMPLES = r"""
- name: Have the collector
  rackforge.gpu_cluster.node_metrics_program:
    found_gpus: "{{ ansible_facts['gpu']['count'] }}"
    certificates: [/etc/ssl/private/cluster.crt]
"""

RETURN = r"""
python:
  description: The Python that runs the program.
  returned: success
  type: str
  sample: /usr/bin/python3
expected_gpus:
  description: How many GPUs the node is to have; null where nobody knows.
  returned: success
  type: int
  sample: 8
"""

import os
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_state import (
    Config,
    ConfigError,
    config_text,
    expected_count,
    parse_config,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.program_file import (
    ProgramError,
    compiled,
    interpreter,
    is_current,
    source_digest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    make_parents,
    place_text,
    read_text,
    shown,
)

PROGRAM_MODE = 0o755


def content(path: str) -> Optional[bytes]:
    """Return what a file holds, None when there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def recorded(text: Optional[str]) -> Optional[int]:
    """Return how many GPUs earlier settings expect, None when they say nothing that counts."""
    try:
        return parse_config(text or "").expected_gpus
    except ConfigError:
        return None


def wanted_config(params: dict[str, Any], before: Optional[str]) -> Config:
    """Return the settings as they are to be."""
    return Config(
        directory=params["directory"],
        gpus=params["gpus"],
        expected_gpus=expected_count(
            params["expected_gpus"], recorded(before), params["found_gpus"]
        ),
        certificates=tuple(params["certificates"]),
    )


def digest_of(program: Optional[bytes]) -> str:
    """Return the digest of a program's sources as the diff shows it."""
    try:
        return f"{source_digest(program)}\n" if program is not None else ""
    except ProgramError:
        return "(something else)\n"


def place(path: str, program: bytes) -> None:
    """Have the program at its path, whole or not at all."""
    make_parents(path)
    draft = f"{path}.new"
    with open(draft, "wb") as file:
        file.write(compiled(program, path))
    os.chmod(draft, PROGRAM_MODE)
    os.replace(draft, path)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Have program and settings, and return the result."""
    params = module.params
    path, config_path = params["path"], params["config_path"]
    present, before = content(path), read_text(config_path)
    config = wanted_config(params, before)
    after = config_text(config)
    due = not is_current(present, params["digest"])
    new = content(params["source_file"]) if params["source_file"] else None
    if not module.check_mode:
        if due and new is None:
            return {"changed": True, "needs_source": True}
        if due and new is not None:
            place(path, new)
        if before != after:
            place_text(module, config_path, after)
    diff = [shown(config_path, before, after)] if before != after else []
    if due:
        diff.append(shown(path, digest_of(present), f"{params['digest']}\n"))
    return {
        "changed": due or before != after,
        "python": interpreter(),
        "expected_gpus": config.expected_gpus,
        "diff": diff,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/usr/local/lib/rackforge/node-metrics.pyz"},
            "config_path": {
                "type": "path",
                "default": "/etc/rackforge-node-metrics/collector.json",
            },
            "directory": {"type": "path", "default": "/var/lib/rackforge-node-metrics"},
            "gpus": {"type": "str", "choices": ["all", "own", "none"], "default": "all"},
            "expected_gpus": {"type": "int"},
            "found_gpus": {"type": "int"},
            "certificates": {"type": "list", "elements": "str", "default": []},
            "digest": {"type": "str"},
            "source_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (ProgramError, OSError) as error:
        module.fail_json(
            msg=f"Could not bring the collector to {module.params['path']}: {error}; is there "
            "room, and may root write there (df -h, mount)?"
        )
        return
    module.exit_json(**result)


if __name__ == "__main__":
    main()
