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
running:
  description: Names of running containers.
  returned: success
  type: list
  elements: str
  sample: [ray]
survives_restart:
  description:
    - Whether running containers go on when reset puts the engine's old settings back. C(live-restore) must be on now, and in the
      C(daemon.json) that comes back.
  returned: success
  type: bool
  sample: false
live_restore:
  description: Whether the running engine keeps containers running over its own restart.
  returned: success
  type: bool
  sample: true
volumes:
  description: Names of volumes that were given a name.
  returned: success
  type: list
  elements: str
  sample: []
"""

import json
import re
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_daemon import (
    DAEMON_FILE,
    DaemonError,
    parse_daemon,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import LedgerError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_store import Store

POLL_SECONDS = 1.0
NOTHING: dict[str, Any] = {
    "version": None,
    "containers": [],
    "running": [],
    "volumes": [],
    "live_restore": False,
    "survives_restart": False,
}


def contents(command: Command) -> dict[str, list[str]]:
    """Return the names of containers and of named volumes."""
    listed = command.run(["docker", "ps", "--all", "--format", "{{.Names}}\t{{.Status}}"]).out
    containers = [line.partition("\t") for line in listed.splitlines() if line.strip()]
    volumes = command.run(["docker", "volume", "ls", "--format", "{{.Name}}"]).out.split()
    named = [name for name in volumes if not re.fullmatch(r"[0-9a-f]{64}", name)]
    return {
        "containers": [name for name, _tab, _status in containers],
        "running": [name for name, _tab, status in containers if status.startswith("Up")],
        "volumes": named,
    }


def old_settings() -> dict[str, Any]:
    """Return daemon.json as the ledger keeps it, empty where it keeps none."""
    store = Store()
    try:
        record = store.load().get("docker")
        copy = record.before.files.get(DAEMON_FILE) if record else None
        if copy is None or not copy.sha256:
            return {}
        return parse_daemon(store.backup(copy.sha256).decode("utf-8", "replace"))
    except (LedgerError, DaemonError, OSError):
        return {}


def has_live_restore(command: Command) -> bool:
    """Return whether the running engine has live-restore on."""
    out = command.run(["docker", "info", "--format", "{{json .LiveRestoreEnabled}}"]).out.strip()
    return out == json.dumps(True)


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
            module.exit_json(changed=False, **NOTHING)
        module.fail_json(
            msg="This node has no docker command. Let provision.yml install Docker Engine "
            "(install_docker=true), install it yourself, or use ray_runtime=venv, which needs none"
        )
    started = time.monotonic()
    while True:
        result = command.run(["docker", "version", "--format", "{{.Server.Version}}"])
        if result.rc == 0:
            live_restore = has_live_restore(command)
            module.exit_json(
                changed=False,
                version=result.out.strip(),
                live_restore=live_restore,
                survives_restart=live_restore and old_settings().get("live-restore") is True,
                **contents(command),
            )
        if time.monotonic() - started >= timeout:
            module.fail_json(
                msg=f"Docker Engine did not answer within {timeout} s: {result.explain()}; "
                "see 'journalctl --unit docker.service' on this node"
            )
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
