# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action upgrade_plan: see plugins/modules/upgrade_plan.py for what it promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_k3s import (
    K3sHost,
    K3sSeen,
    plan_k3s,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_plan import (
    Plan,
    Refusal,
    Row,
    joined,
    refused,
    render,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_ray import (
    RayHost,
    RayPlan,
    plan_ray,
    wait_limit,
)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Read what was registered for every node, plan, show the plan, refuse."""

    BYPASS_HOST_LOOP = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Show the plan and return it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables, arguments = task_vars or {}, self._task.args
        hostvars = variables["hostvars"]
        ray = self._ray(hostvars)
        try:
            wait_limit(arguments.get("wait_for_jobs"))
            plan = joined([self._others(hostvars), self._k3s(variables), ray.plan])
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        Display().display("\n" + render(arguments["cluster"], plan))
        data = {**plan.to_dict(), "ray": ray.to_dict()}
        msg = refused(plan)
        if msg:
            return {**result, **data, "changed": False, "failed": True, "msg": msg}
        only = bool(arguments.get("only")) or self._play_context.check_mode
        go = bool(plan.rows) and not only
        return {**result, **data, "changed": False, "go": go, "only": only}

    def _ray(self, hostvars: Mapping[str, Any]) -> RayPlan:
        heads = list(self._task.args.get("heads") or [])
        names = heads + [x for x in self._task.args.get("workers") or [] if x not in heads]
        register = self._task.args.get("ray_register") or "__ray_release_seen"
        seen = {name: hostvars[name].get(register) or {} for name in names}
        hosts = [
            RayHost.from_seen(name, name in heads, seen[name])
            for name in names
            if seen[name].get("wanted")
        ]
        asked = self._task.args.get("hosts") or names
        outside = [name for name in names if name not in asked]
        return plan_ray(hosts, bool(self._task.args.get("rollback")), outside)

    def _k3s(self, variables: Mapping[str, Any]) -> Plan:
        """Return what is done to k3s on the hosts of this run; a server outside it may be asked."""
        hostvars, arguments = variables["hostvars"], self._task.args
        register = arguments.get("k3s_register") or "__upgrade_k3s"
        servers, agents = arguments.get("servers") or [], arguments.get("agents") or []
        names = [*servers, *(name for name in agents if name not in servers)]
        answers = {name: hostvars[name].get(register) or {} for name in servers}
        outside = variables.get(arguments.get("k3s_outside_register") or "__outside_k3s")
        if servers and outside and not answers[servers[0]]:
            answers[servers[0]] = outside
        version, asked = arguments.get("k3s_version") or "", arguments.get("hosts") or names
        hosts = [K3sHost.of(name, hostvars[name], version) for name in names if name in asked]
        return plan_k3s(hosts, K3sSeen.of(answers), bool(arguments.get("rollback")))

    def _others(self, hostvars: Mapping[str, Any]) -> Plan:
        rows = self._gathered(hostvars, "rows_register", "__upgrade_rows")
        refusals = self._gathered(hostvars, "refusals_register", "__upgrade_refusals")
        names = [field.name for field in fields(Refusal)]
        return Plan(
            tuple(Row.from_data(row) for row in rows),
            tuple(Refusal(**{name: str(row[name]) for name in names}) for row in refusals),
        )

    def _gathered(self, hostvars: Mapping[str, Any], option: str, default: str) -> list[Any]:
        """Return what the hosts have in lists under one variable."""
        register = self._task.args.get(option) or default
        return [row for name in hostvars for row in hostvars[name].get(register) or []]
