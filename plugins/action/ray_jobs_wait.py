# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action ray_jobs_wait: see plugins/modules/ray_jobs_wait.py for what it promises."""

from __future__ import annotations

import time
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_ray import (
    jobs_in_the_way,
    jobs_lost,
    wait_limit,
)

INFO = "rackforge.gpu_cluster.ray_cluster_info"
POLL_SECONDS = 5.0
TELL_SECONDS = 60.0


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ask the head again and again until its jobs have ended, and tell who is waited for."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return which jobs were seen; fail where some are in the way."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        force = bool(self._task.args.get("force"))
        try:
            limit = wait_limit(self._task.args.get("wait"))
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        jobs, waited = self._wait(0.0 if force else limit, task_vars)
        result.update(changed=False, unfinished_jobs=jobs, lost_jobs=[], waited_seconds=waited)
        if jobs and not force:
            return {**result, "failed": True, "msg": jobs_in_the_way(jobs, waited)}
        if jobs:
            Display().warning(jobs_lost(jobs))
            result["lost_jobs"] = jobs
        return result

    def _wait(
        self, limit: float, task_vars: Optional[dict[str, Any]]
    ) -> tuple[list[dict[str, Any]], float]:
        """Return the jobs that have not ended, and how long that was waited for."""
        started = time.monotonic()
        told = started - TELL_SECONDS
        while True:
            now = time.monotonic()
            jobs = self._jobs(task_vars)
            if not jobs or now - started >= limit:
                return jobs, round(now - started, 1)
            if now - told >= TELL_SECONDS:
                names = ", ".join(str(job.get("job_id")) for job in jobs)
                Display().display(
                    f"waiting for {len(jobs)} Ray jobs since {now - started:.0f} s: {names}"
                )
                told = now
            time.sleep(min(POLL_SECONDS, max(0.0, started + limit - now)))

    def _jobs(self, task_vars: Optional[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the jobs that have not ended, none where the head does not answer."""
        names = ("address", "token_file")
        arguments = {name: self._task.args[name] for name in names if self._task.args.get(name)}
        seen = self._execute_module(
            module_name=INFO, module_args={**arguments, "timeout": 0}, task_vars=task_vars
        )
        if seen.get("failed") or seen.get("unreachable"):
            raise AnsibleActionFail(str(seen.get("msg") or seen), result=seen)
        return list(seen.get("unfinished_jobs") or [])
