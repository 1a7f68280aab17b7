#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the version of the Docker Engine that answers on a node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_info
short_description: Have a Docker Engine that answers
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Waits, a bounded time, until Docker Engine answers, and returns its version. Fails at once where there is no C(docker)
    command.
attributes:
  check_mode:
    support: full
    description: The module only reads.
  diff_mode:
    support: N/A
    description: The module only reads.
  idempotent:
    support: N/A
    description: The module only reads.
options:
  timeout:
    description: Seconds to wait for the engine.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Have an engine that answers
  rackforge.gpu_cluster.docker_engine_info:
"""

RETURN = r"""
version:
  description: The engine's version.
  returned: success
  type: str
  sample: 28.2.2
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command

POLL_SECONDS = 1.0


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"timeout": {"type": "int", "default": 60}}, supports_check_mode=True
    )
    command, timeout = Command(module), module.params["timeout"]
    if not command.find("docker"):
        module.fail_json(
            msg="This node has no docker command. Let provision.yml install Docker Engine "
            "(install_docker=true), install it yourself, or use ray_runtime=venv, which needs none"
        )
    started = time.monotonic()
    while True:
        result = command.run(["docker", "version", "--format", "{{.Server.Version}}"])
        if result.rc == 0:
            module.exit_json(changed=False, version=result.out.strip())
        if time.monotonic() - started >= timeout:
            module.fail_json(
                msg=f"Docker Engine did not answer within {timeout} s: {result.explain()}; "
                "see 'journalctl --unit docker.service' on this node"
            )
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
