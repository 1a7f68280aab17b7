#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the version of the Docker Engine that answers on a node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_info
short_description: Read which Docker Engine answers, and what it holds
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Waits, a bounded time, until Docker Engine answers, and returns its version. Fails at once where there is no C(docker)
    command, unless O(required=false).
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  timeout:
    description: Seconds to wait for the engine.
    type: int
    default: 60
  required:
    description: Whether a node without a C(docker) command is an error.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Have an engine that answers
  rackforge.gpu_cluster.docker_engine_info:
"""

RETURN = r"""
version:
  description: The engine's version; null where there is none.
  returned: success
  type: str
  sample: 28.2.2
containers:
  description: Names of all containers, stopped ones too.
  returned: success
  type: list
  elements: str
  sample: [ray]
volumes:
  description: Names of volumes that were given a name.
  returned: success
  type: list
  elements: str
  sample: []
"""

import re
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command

POLL_SECONDS = 1.0


def contents(command: Command) -> dict[str, list[str]]:
    """Return the names of containers and of named volumes."""
    containers = command.run(["docker", "ps", "--all", "--format", "{{.Names}}"]).out.split()
    volumes = command.run(["docker", "volume", "ls", "--format", "{{.Name}}"]).out.split()
    named = [name for name in volumes if not re.fullmatch(r"[0-9a-f]{64}", name)]
    return {"containers": containers, "volumes": named}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "timeout": {"type": "int", "default": 60},
            "required": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    command, timeout = Command(module), module.params["timeout"]
    if not command.find("docker"):
        if not module.params["required"]:
            module.exit_json(changed=False, version=None, containers=[], volumes=[])
        module.fail_json(
            msg="This node has no docker command. Let provision.yml install Docker Engine "
            "(install_docker=true), install it yourself, or use ray_runtime=venv, which needs none"
        )
    started = time.monotonic()
    while True:
        result = command.run(["docker", "version", "--format", "{{.Server.Version}}"])
        if result.rc == 0:
            module.exit_json(changed=False, version=result.out.strip(), **contents(command))
        if time.monotonic() - started >= timeout:
            module.fail_json(
                msg=f"Docker Engine did not answer within {timeout} s: {result.explain()}; "
                "see 'journalctl --unit docker.service' on this node"
            )
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
