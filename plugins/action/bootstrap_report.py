# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action bootstrap_report: see plugins/modules/bootstrap_report.py for what it promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bootstrap_plan import (
    Row,
    inventory_lines,
    render_table,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    finding_from_dict,
    merge_common,
    plural,
    render_findings,
)

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Prints the table once for all hosts of the play."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Print the table, the findings and the lines for the inventory."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(
            argument_spec={
                "register": {"type": "str", "default": "__bootstrap"},
                "key_file": {"type": "path", "required": True},
                "state": {"type": "str", "default": "present"},
            }
        )
        variables = task_vars or {}
        results: dict[str, Mapping[str, Any]] = {}
        for host in variables["ansible_play_hosts_all"]:
            registered = variables["hostvars"][host].get(args["register"])
            if isinstance(registered, Mapping) and "row" in registered:
                results[str(host)] = registered
        return self._report(results, args["key_file"], args["state"])

    def _report(
        self, results: Mapping[str, Mapping[str, Any]], key_file: str, state: str
    ) -> dict[str, Any]:
        """Show everything, and return it."""
        rows = [Row(**{k: str(v) for k, v in each["row"].items()}) for each in results.values()]
        findings = merge_common(
            (finding_from_dict(found) for each in results.values() for found in each["findings"]),
            list(results),
        )
        ready = [host for host, each in results.items() if each["ready"]]
        users = {host: str(results[host]["user"]) for host in ready if results[host]["user"]}
        lines = inventory_lines(users, key_file) if users and state == "present" else []
        summary = f"{len(ready)} of {plural(len(results), 'machine')} ready."
        if state == "absent":
            summary = (
                f"{len(ready)} of {plural(len(results), 'machine')} done."
                f" The key pair itself is still in {key_file}."
            )
        parts = [render_table(rows)]
        if findings:
            parts.append(render_findings(findings))
        if lines:
            parts.append("Put into the inventory:\n\n" + "\n".join(lines))
        display.display("\n" + "\n\n".join([*parts, summary]) + "\n")
        return {
            "changed": False,
            "summary": summary,
            "inventory_lines": lines,
            "findings": [finding.to_dict() for finding in findings],
            "failed_hosts": [host for host in results if host not in ready],
        }
