# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action ray_jobs_wait: see plugins/modules/ray_jobs_wait.py for what it promises."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_jobs import (
    Ways,
    jobs_in_the_way,
    jobs_lost,
    lost_untold,
    may_have_jobs,
    not_told,
    stays_silent,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_ray import wait_limit

INFO = "rackforge.gpu_cluster.ray_cluster_info"
UNIT = "rackforge.gpu_cluster.ray_node_info"
POLL_SECONDS = 5.0
TELL_SECONDS = 60.0


@dataclass(frozen=True)
class Look:
    """Jobs that have not ended, and why an active head did not tell them, empty where it did."""

    jobs: list[dict[str, Any]]
    silence: str = ""
    active_seconds: Optional[float] = None


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ask the head again and again until its jobs have ended, and tell who is waited for."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return which jobs were seen; fail where some are in the way, or may be."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments, variables = self._task.args, task_vars or {}
        ways = Ways(
            force=str(arguments.get("force_variable", Ways.force)),
            wait=str(arguments.get("wait_variable", Ways.wait)),
            is_first=bool(arguments.get("first")),
        )
        force = bool(arguments.get("force"))
        try:
            limit = wait_limit(arguments.get("wait"))
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        look, waited = self._wait(0.0 if force or ways.is_first else limit, force, variables)
        result.update(changed=False, unfinished_jobs=look.jobs, lost_jobs=[], waited_seconds=waited)
        silence = (str(variables.get("inventory_hostname")), arguments["address"], look.silence)
        if force:
            if look.silence:
                Display().warning(lost_untold(*silence, ways))
            if look.jobs:
                Display().warning(jobs_lost(look.jobs, ways))
            return {**result, "lost_jobs": look.jobs}
        if look.silence:
            return {**result, "failed": True, "msg": not_told(*silence, ways)}
        if look.jobs and not (ways.is_first and limit > 0):
            return {**result, "failed": True, "msg": jobs_in_the_way(look.jobs, waited, ways)}
        return result

    def _wait(self, limit: float, force: bool, variables: dict[str, Any]) -> tuple[Look, float]:
        """Return the look that ends the wait, and how long that took."""
        started = answered = time.monotonic()
        told = started - TELL_SECONDS
        while True:
            now = time.monotonic()
            look = self._look(variables)
            if look.silence:
                is_over = force or stays_silent(now - answered, look.active_seconds)
            else:
                answered = now
                is_over = not look.jobs or now - started >= limit
            if is_over:
                return look, round(now - started, 1)
            if look.jobs and now - told >= TELL_SECONDS:
                names = ", ".join(str(job.get("job_id")) for job in look.jobs)
                Display().display(
                    f"waiting for {len(look.jobs)} Ray jobs since {now - started:.0f} s: {names}"
                )
                told = now
            left = started + limit - now
            time.sleep(POLL_SECONDS if look.silence else min(POLL_SECONDS, max(0.0, left)))

    def _look(self, variables: dict[str, Any]) -> Look:
        """Return what the head says, and how its unit stands where it says nothing."""
        names = ("address", "token_file", "running_token_file")
        arguments = {name: self._task.args[name] for name in names if self._task.args.get(name)}
        seen = self._ask(INFO, {**arguments, "timeout": 0}, variables)
        if seen["reachable"]:
            return Look(list(seen.get("unfinished_jobs") or []))
        unit = self._ask(UNIT, {"name": str(variables.get("inventory_hostname"))}, variables)
        if not may_have_jobs(unit):
            return Look([])
        return Look([], str(seen.get("error") or "no reason given"), unit.get("active_seconds"))

    def _ask(
        self, module: str, arguments: dict[str, Any], variables: dict[str, Any]
    ) -> Mapping[str, Any]:
        """Return what a module on the head says."""
        seen: dict[str, Any] = self._execute_module(
            module_name=module, module_args=arguments, task_vars=variables
        )
        if seen.get("failed") or seen.get("unreachable"):
            raise AnsibleActionFail(str(seen.get("msg") or seen), result=seen)
        return seen
