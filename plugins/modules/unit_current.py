#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a systemd unit run with the configuration that lies on the disk."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unit_current
short_description: Have a systemd unit run with its present configuration
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Enables and starts a unit, and restarts it when one of the files it was started from is younger than its start.
  - Files of O(reload_files) are taken over by C(systemctl reload) instead, so that a program which can read its settings anew is not
    interrupted. The unit needs C(ExecReload).
  - The comparison with the running unit makes good what an interrupted run left undone. A handler would be lost with the run
    that notified it.
attributes:
  check_mode:
    support: full
    description: Says whether the unit would be enabled, started, restarted or reloaded.
  diff_mode:
    support: full
    description: Shows the unit's state before and after.
  idempotent:
    support: full
    description: A unit that runs from its present files is left alone, and systemd is not reloaded.
options:
  name:
    description: The unit, with its ending.
    type: str
    required: true
  files:
    description: Files that the unit is started from.
    type: list
    elements: path
    default: []
  changed_inputs:
    description: Whether an earlier task of this play has changed one of them; lets check mode predict the restart.
    type: bool
    default: false
  reload_files:
    description:
      - Files that the running program reads anew when its unit is reloaded. One that is younger than the last start or reload is taken over so.
      - The paths are not to be among O(files), where they would mean a restart.
    type: list
    elements: path
    default: []
  kill:
    description: Whether a unit that is to be restarted is ended at once (SIGKILL) instead of being asked to end.
    type: bool
    default: false
  changed_reload_inputs:
    description: Whether an earlier task of this play has changed one of O(reload_files); lets check mode predict the reload.
    type: bool
    default: false
  stopped_by:
    description:
      - A file which says that the unit is to stay stopped. While it lies there the unit is enabled, and neither started nor restarted.
      - The unit itself needs C(ConditionPathExists=!) with the path, so that a boot does not start it either.
    type: path
"""

EXAMPLES = r"""
- name: Run Ray
  rackforge.gpu_cluster.unit_current:
    name: ray.service
    files: [/etc/systemd/system/ray.service, /etc/ray/auth_token]

- name: Run Prometheus, and let it read new rules without an interruption
  rackforge.gpu_cluster.unit_current:
    name: prometheus.service
    files: [/etc/systemd/system/prometheus.service, /usr/bin/prometheus]
    reload_files: [/etc/rackforge-monitoring/prometheus.yml]
"""

RETURN = r"""
done:
  description: What was done.
  returned: success
  type: list
  elements: str
  sample: [enabled, started]
is_stopped:
  description: Whether O(stopped_by) keeps the unit from running.
  returned: success
  type: bool
  sample: false
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_read import (
    read_unit,
    youngest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_state import (
    Reload,
    plan_unit,
)


def apply(command: Command, name: str, steps: list[str], reload: bool, kill: bool) -> None:
    """Do the steps."""
    if reload and steps:
        command.need(["systemctl", "daemon-reload"])
    if kill and "restarted" in steps:
        # One that has ended meanwhile cannot be killed, and need not be.
        command.run(["systemctl", "kill", "--signal=SIGKILL", name])
    verbs = {
        "enabled": "enable",
        "started": "start",
        "restarted": "restart",
        "reloaded": "reload",
    }
    for step in steps:
        command.need(["systemctl", verbs[step], name])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "path", "default": []},
            "changed_inputs": {"type": "bool", "default": False},
            "reload_files": {"type": "list", "elements": "path", "default": []},
            "changed_reload_inputs": {"type": "bool", "default": False},
            "stopped_by": {"type": "path"},
            "kill": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    command, params, name = Command(module), module.params, module.params["name"]
    try:
        seen = read_unit(command, name)
        reload = Reload(youngest(params["reload_files"]), params["changed_reload_inputs"])
        is_stopped = bool(params["stopped_by"]) and os.path.exists(params["stopped_by"])
        steps = plan_unit(seen, youngest(params["files"]), params["changed_inputs"], reload)
        if is_stopped:
            steps = [step for step in steps if step == "enabled"]
        if not module.check_mode:
            apply(command, name, steps, seen.needs_reload, params["kill"])
    except CommandError as error:
        module.fail_json(
            msg=f"Could not bring {name} up: {error}; see 'journalctl --unit {name}' on this node"
        )
    diff = {
        "before": f"{name}: {seen.file_state}, {seen.active_state}\n",
        "after": f"{name}: {', '.join(steps)}\n"
        if steps
        else f"{name}: {seen.file_state}, {seen.active_state}\n",
    }
    module.exit_json(changed=bool(steps), done=steps, is_stopped=is_stopped, diff=diff)


if __name__ == "__main__":
    main()
