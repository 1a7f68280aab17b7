#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a few settings of a Docker Engine that is there, and leave everything else alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_settings
short_description: Have a few settings of the Docker Engine that is there
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Joins settings with those in C(/etc/docker/daemon.json) and has the engine run with them. Nothing else is written, so it may be used
    with an engine of the owner's own. M(rackforge.gpu_cluster.docker_engine) is for engines that this collection brought.
  - The engine is told by a reload where that is enough (C(runtimes) is such a key). Otherwise it is restarted; with running containers only
    where C(live-restore) is on, or with O(restart_running=true). Else nothing is changed and the error names the ways out.
  - C(features.cdi) needs Docker 25.0, where support for the Container Device Interface came; from 28.2 it is on by itself, and nothing is
    written (release notes of Docker Engine).
  - An engine that does not come up with the new file gets its old one back and is started again.
attributes:
  check_mode:
    support: full
    description: Makes all checks and says what would be written, and whether the engine would be reloaded or restarted.
  diff_mode:
    support: full
    description: Shows the file before and after.
  idempotent:
    support: full
    description: An engine that runs with the settings is left alone. A file that is younger than the engine's start or last reload was
      left by a run that was killed, and makes up for it.
options:
  settings:
    description: Settings as daemon.json writes them. Maps are joined by key and lists are joined; of other values this one wins.
    type: dict
    required: true
  engine_may_come:
    description: Whether a missing engine is one that an earlier task would have brought; for check mode, in which it did not.
    type: bool
    default: false
  restart_running:
    description: Whether running containers may be stopped by a restart.
    type: bool
    default: false
  timeout:
    description: Seconds to wait until the engine answers.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Let containers ask for devices by their CDI names
  rackforge.gpu_cluster.docker_settings:
    settings:
      features: {cdi: true}

- name: Have a runtime that hands GPUs in
  rackforge.gpu_cluster.docker_settings:
    settings:
      runtimes:
        nvidia: {path: nvidia-container-runtime, args: []}
"""

RETURN = r"""
done:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [write /etc/docker/daemon.json, reload docker.service]
version:
  description: The engine's version; null where there is none yet in check mode.
  returned: success
  type: str
  sample: 28.2.2
"""

import os
import tempfile
import time
from dataclasses import dataclass
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_daemon import (
    DAEMON_FILE,
    DaemonError,
    changed_keys,
    check_types,
    flags_of,
    merge,
    parse_daemon,
    render_daemon,
    twice_said,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_gpu import (
    engine_problem,
    needed_settings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_node import (
    DockerNode,
    Seen,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_restart import (
    Files,
    Step,
    refusal,
    step_for,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)

PROBLEMS = (DaemonError, CommandError, OSError)


@dataclass(frozen=True)
class Plan:
    """The file as it is and as it shall be, and what the engine needs for it."""

    before: Optional[str]
    after: Optional[str]
    step: Step = Step.NOTHING

    @property
    def done(self) -> list[str]:
        """Return one sentence for each change."""
        written = [f"write {DAEMON_FILE}"] if self.before != self.after else []
        moved = [f"{self.step.value} docker.service"] if self.step is not Step.NOTHING else []
        return written + moved


def make_plan(params: dict[str, Any], seen: Seen) -> Plan:
    """Return what must be done; DaemonError says why it cannot be."""
    before = read_text(DAEMON_FILE)
    present = parse_daemon(before or "")
    version = str(seen.info.get("ServerVersion") or "")
    more = needed_settings(params["settings"], present, version)
    after = merge(present, more)
    check_types(after, DAEMON_FILE)
    keys = changed_keys(present, after)
    problem = twice_said({key: after[key] for key in keys}, flags_of(seen.command_line))
    if problem:
        raise DaemonError(problem)
    files = Files(
        keys=keys,
        daemon_time=os.stat(DAEMON_FILE).st_mtime if before is not None else 0.0,
        live_restore=after.get("live-restore") is True,
    )
    step = step_for(seen.engine, files)
    said = refusal(seen.engine, files, step, params["restart_running"])
    if said:
        raise DaemonError(said)
    text = render_daemon(before or "", present, after) or before
    return Plan(before, text, step)


class Applier:
    """Writes the file, and takes it back when the engine does not come up with it."""

    def __init__(self, module: AnsibleModule, node: DockerNode) -> None:
        self._module = module
        self._node = node

    def validate(self, plan: Plan) -> None:
        """Have the engine's own check look at the new file; there is none before 23.0."""
        if plan.after is None or plan.after == plan.before:
            return
        handle, draft = tempfile.mkstemp(dir=self._module.tmpdir, suffix=".json")
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(plan.after)
        problem = self._node.validate(draft).replace(draft, DAEMON_FILE)
        os.unlink(draft)
        if problem:
            raise DaemonError(
                f"{DAEMON_FILE} would not be taken by the engine: {problem}. Nothing was changed; "
                "correct what stands in the file already"
            )

    def apply(self, plan: Plan, seen: Seen) -> str:
        """Return the version of the engine that runs with the file."""
        began = time.time()
        age = os.stat(DAEMON_FILE).st_mtime if plan.before is not None else 0.0
        try:
            if plan.before != plan.after:
                place_text(self._module, DAEMON_FILE, plan.after)
            self._node.move(plan.step, seen, reload_units=False)
            info = self._node.wait(self._module.params["timeout"])
        except (CommandError, OSError) as error:
            reason = self._node.reason(began)
            told = f"Docker Engine did not come up as asked: {error}; its log says: {reason}. "
            if plan.before == plan.after:
                raise CommandError(told + "Nothing was changed") from error
            place_text(self._module, DAEMON_FILE, plan.before)
            if plan.before is not None:  # As old as it was, or it would count as not read yet.
                os.utime(DAEMON_FILE, (age, age))
            self._node.move_back(plan.step, seen.engine.active)
            raise CommandError(told + f"The old state of {DAEMON_FILE} is back") from error
        return str(info.get("ServerVersion", ""))


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    return {
        "settings": {"type": "dict", "required": True},
        "engine_may_come": {"type": "bool", "default": False},
        "restart_running": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 60},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    node = DockerNode(Command(module))
    try:
        seen = node.read()
        problem = engine_problem(module.params["settings"], seen.info, seen.engine.active)
        if problem and not (module.params["engine_may_come"] and not seen.info):
            raise DaemonError(problem)
        plan = make_plan(module.params, seen)
        applier = Applier(module, node)
        applier.validate(plan)
        version = seen.info.get("ServerVersion")
        if not module.check_mode:
            version = applier.apply(plan, seen)
    except PROBLEMS as error:
        module.fail_json(msg=str(error))
        return
    diff = shown(DAEMON_FILE, plan.before, plan.after)
    module.exit_json(changed=bool(plan.done), done=plan.done, version=version, diff=diff)


if __name__ == "__main__":
    main()
