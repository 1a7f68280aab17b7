#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a worker's Ray out of service once its work has ended, or bring it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_drain
short_description: Drain a Ray worker, or bring it back
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Run it on the worker itself. It asks the head at its GCS, through the Python of the Ray that runs there.
  - V(drained) waits until no driver of the owner's runs on the node, then has Ray place no new work there, waits until tasks, actors and
    objects that jobs hold have gone, and stops C(ray.service). A mark says so, and systemd starts no Ray while it lies there.
  - Ray cannot take its own drain back. When the time is over the module names what still runs, stops nothing, and fails. A node that Ray
    drains already goes on with its work and takes no new one; C(rackforge-ray-rejoin.service), which is there for that time only,
    starts its Ray anew as soon as it has ended.
  - V(present) takes the mark away, starts Ray and waits until the head counts on the node.
  - The head cannot be drained.
attributes:
  check_mode:
    support: full
    description: Says whether the node would be drained or brought back.
  diff_mode:
    support: full
    description: Shows how the node stands before and after.
  idempotent:
    support: full
    description: A node that stands as wanted is left alone. A drain that was cut off goes on, with the reason that it began with.
options:
  name:
    description: The node's name in messages.
    type: str
    required: true
  state:
    description: How the node is to stand.
    type: str
    choices: [drained, present]
    default: drained
  runtime:
    description: How Ray runs, which says where its Python is.
    type: str
    choices: [container, venv]
    default: container
  timeout:
    description: Seconds until what runs on the node must have ended, and until a node that is brought back must be ALIVE.
    type: int
    default: 600
  force:
    description: Whether Ray is stopped after the time all the same, and what runs there is lost.
    type: bool
    default: false
  reason:
    description: Why, for the mark and for Ray.
    type: str
    default: maintenance
  by:
    description: Who, for the mark.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Drain this worker
  rackforge.gpu_cluster.ray_drain:
    name: "{{ inventory_hostname }}"
    reason: a new fan

- name: Bring it back
  rackforge.gpu_cluster.ray_drain:
    name: "{{ inventory_hostname }}"
    state: present
"""

RETURN = r"""
since:
  description: When the drain began, in UTC; empty for a node that is not drained.
  returned: success
  type: str
  sample: "2026-11-23T06:55:00Z"
lost:
  description: What O(force) has ended.
  returned: success
  type: list
  elements: str
  sample: []
waited_seconds:
  description: How long the module waited.
  returned: success
  type: float
  sample: 12.5
"""

import time
from datetime import datetime, timezone
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_drain import (
    MARK,
    REJOIN_UNIT,
    ClusterView,
    Driver,
    Mark,
    Raylet,
    explain_timeout,
    parse_mark,
    parse_view,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_drain_node import (
    read_raylet,
    read_work,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_gcs_script import (
    VIEW_SCRIPT,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.unit_read import read_unit

UNIT = "ray.service"
UNIT_FILE = "/etc/systemd/system/ray.service"
POLL_SECONDS = 1.0
#: What a question to the head may take; Ray's own Python alone takes seconds.
ASK_SECONDS = 60


class DrainError(Exception):
    """A node that cannot be brought to the wanted state, and why."""


class Worker:
    """The Ray of this node."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._params = module.params
        self._command = Command(module)
        self._started = time.monotonic()
        self._deadline = self._started + module.params["timeout"]

    @property
    def waited(self) -> float:
        """Return how many seconds have passed."""
        return round(time.monotonic() - self._started, 1)

    def mark(self) -> Optional[Mark]:
        """Return the mark that lies here."""
        return parse_mark(read_text(MARK))

    def runs(self) -> bool:
        """Return whether systemd runs Ray or is about to."""
        return read_unit(self._command, UNIT).active_state not in ("inactive", "failed")

    def stop(self) -> None:
        """Stop Ray, and give up a start that was to come later."""
        self._command.need(["systemctl", "stop", UNIT])
        # Ray ends with a failure when it is told to; that is not to be read as one.
        self._command.run(["systemctl", "reset-failed", UNIT])
        self._command.run(["systemctl", "stop", REJOIN_UNIT])

    def start(self) -> None:
        """Have systemd run Ray now and after a boot."""
        self._command.need(["systemctl", "enable", UNIT])
        self._command.need(["systemctl", "start", UNIT])

    def write_mark(self, mark: Optional[Mark]) -> None:
        """Lay the mark down; None takes it away."""
        place_text(self._module, MARK, mark.text() if mark else None, 0o600)

    def inside(self, raylet: Raylet, argv: list[str]) -> Any:
        """Return how a program of Ray's environment ended, with the cluster's token."""
        around = ["docker", "exec", "ray"]
        if self._params["runtime"] == "venv":
            settings = [f"{name}={value}" for name, value in raylet.environment]
            around = ["runuser", "--user", "ray", "--", "env", "--chdir=/", *settings]
        return self._command.run(["timeout", str(ASK_SECONDS), *around, *argv])

    def view(self, raylet: Raylet) -> ClusterView:
        """Return what the head tells."""
        result = self.inside(raylet, [raylet.python, "-c", VIEW_SCRIPT, raylet.gcs_address])
        try:
            return parse_view(result.out if result.rc == 0 else "", raylet.node_id)
        except (ValueError, KeyError, TypeError) as error:
            said = (result.err.strip() or result.out.strip() or "nothing").splitlines()[-1]
            raise DrainError(
                f"{self._params['name']}: the head at {raylet.gcs_address} did not tell its nodes "
                f"and jobs ({said}); see 'journalctl --unit {UNIT}' on the head"
            ) from error

    def close(self, raylet: Raylet) -> None:
        """Have Ray place no new work here."""
        arguments = ["drain-node", "--address", raylet.gcs_address, "--node-id", raylet.node_id]
        arguments += ["--reason", "DRAIN_NODE_REASON_PREEMPTION"]
        arguments += ["--reason-message", self._params["reason"]]
        result = self.inside(raylet, [raylet.ray, *arguments])
        # Ray that had no work may have gone before its answer came.
        if result.rc != 0 and read_raylet() == raylet:
            raise DrainError(f"{self._params['name']}: Ray refused the drain: {result.explain()}")

    def rejoin_later(self, raylet: Raylet) -> None:
        """Start Ray anew once the raylet has ended, whoever is there then."""
        wait = f"tail --pid={raylet.pid} --follow=descriptor /dev/null; "
        self._command.run(["systemctl", "stop", REJOIN_UNIT])
        runner = ["systemd-run", f"--unit={REJOIN_UNIT}", "--collect", "--quiet"]
        script = f"{wait}exec systemctl try-restart {UNIT}"
        self._command.need([*runner, "/bin/sh", "-c", script])

    def await_drivers(self, raylet: Raylet) -> tuple[Driver, ...]:
        """Return the drivers that are still here when the time is over; Ray does not await them."""
        while True:
            drivers = self.view(raylet).drivers
            if not drivers or time.monotonic() > self._deadline:
                return drivers
            time.sleep(POLL_SECONDS)

    def await_end(self, raylet: Raylet) -> bool:
        """Return whether Ray has ended by itself before the time is over."""
        while read_raylet() == raylet:
            if time.monotonic() > self._deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def drain(self, raylet: Raylet, mark: Mark) -> list[str]:
        """Empty the node and return what was lost by force."""
        name, seconds = self._params["name"], self._params["timeout"]
        drivers = self.await_drivers(raylet)
        if drivers and not self._params["force"]:
            raise DrainError(explain_timeout(name, seconds, drivers, []))
        # Before Ray ends, so that neither a boot nor systemd brings back what is being emptied.
        self.write_mark(mark)
        try:
            self.close(raylet)
        except DrainError:
            self.write_mark(None)
            raise
        if self.await_end(raylet):
            return []
        work = read_work()
        if self._params["force"]:
            return [*(driver.text() for driver in drivers), *work]
        # The mark goes first: what starts Ray anew asks for it.
        self.write_mark(None)
        self.rejoin_later(raylet)
        raise DrainError(explain_timeout(name, seconds, (), work))

    def await_alive(self) -> None:
        """Return when the head counts on this node."""
        why = "no Ray node process (raylet) came up"
        while True:
            raylet = read_raylet()
            try:
                if raylet and self.view(raylet).is_alive(raylet.node_id):
                    return
            except DrainError as error:
                why = str(error)
            if time.monotonic() > self._deadline:
                raise DrainError(
                    f"{self._params['name']} takes part again, but is not ALIVE within "
                    f"{self._params['timeout']} s: {why}; see 'journalctl --unit {UNIT}' on the "
                    "node, then run undrain.yml again"
                )
            time.sleep(POLL_SECONDS)


def refuse_head(name: str, raylet: Optional[Raylet]) -> None:
    """Raise for a node that is the head."""
    if raylet and raylet.is_head:
        raise DrainError(
            f"{name} is the head of the Ray cluster and cannot be drained: every job and every "
            "node depends on it. Wait until 'status.yml' lists no unfinished job, shut the machine "
            "down, do the work and switch it on: its services start at boot, workers join it again"
        )


def refuse_old_unit(name: str) -> None:
    """Raise where the unit would start in spite of the mark."""
    if MARK not in (read_text(UNIT_FILE) or ""):
        raise DrainError(
            f"{name}: {UNIT_FILE} is older than the playbook for draining, so a boot would bring "
            "Ray back; run provision.yml first"
        )


def run_drained(module: AnsibleModule, worker: Worker) -> dict[str, Any]:
    """Return the module's answer for O(state=drained)."""
    params = module.params
    raylet, mark = read_raylet(), worker.mark()
    refuse_head(params["name"], raylet)
    refuse_old_unit(params["name"])
    if mark and not worker.runs():
        return {"changed": False, "since": mark.since, "lost": []}
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    mark = mark or Mark(now, params["reason"], params["by"])
    lost: list[str] = []
    if not module.check_mode:
        lost = worker.drain(raylet, mark) if raylet else []
        worker.write_mark(mark)
        worker.stop()
    return {"changed": True, "since": mark.since, "lost": lost}


def run_present(module: AnsibleModule, worker: Worker) -> dict[str, Any]:
    """Return the module's answer for O(state=present)."""
    changed = bool(worker.mark()) or not worker.runs()
    if changed and not module.check_mode:
        raylet = read_raylet()
        worker.write_mark(None)
        if raylet:
            # A drain was cut off: Ray may be closed to new work for good.
            worker.rejoin_later(raylet)
            worker.close(raylet)
            worker.await_end(raylet)
        worker.start()
        worker.await_alive()
    return {"changed": changed, "since": "", "lost": []}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "present"], "default": "drained"},
            "runtime": {"type": "str", "choices": ["container", "venv"], "default": "container"},
            "timeout": {"type": "int", "default": 600},
            "force": {"type": "bool", "default": False},
            "reason": {"type": "str", "default": "maintenance"},
            "by": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    worker = Worker(module)
    was = "drained" if worker.mark() else "in service"
    run = run_drained if module.params["state"] == "drained" else run_present
    try:
        result = run(module, worker)
    except (DrainError, CommandError) as error:
        module.fail_json(msg=str(error))
    becomes = "drained" if module.params["state"] == "drained" else "in service"
    diff = {
        "before": f"{module.params['name']}: {was}\n",
        "after": f"{module.params['name']}: {becomes if result['changed'] else was}\n",
    }
    module.exit_json(**result, waited_seconds=worker.waited, diff=diff)


if __name__ == "__main__":
    main()
