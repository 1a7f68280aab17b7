# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action preflight_report: see plugins/modules/preflight_report.py for what it promises."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    count_by_severity,
    finding_from_dict,
    render_findings,
    sort_findings,
    summarise,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import Input, Kind
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_check import (
    check_inventory,
    describe_scope,
    is_fatal,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    HEAD,
    WORKER,
    Host,
    Inventory,
    Probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_variables import (
    load_inputs,
)

display = Display()

# Text inputs whose value is judged or shown; the others are never templated here.
SHOWN = frozenset({"my_iface", "cluster_subnet"})

# What provision.yml mends itself, with kernel arguments and a boot: it must not keep it from running.
CURABLE = frozenset({"bar1-zero"})


def read_probe(registered: object) -> Optional[Probe]:
    """Return the probe in the result that node_probe registered, None when there is none."""
    if not isinstance(registered, Mapping) or "reachable" not in registered:
        return None
    facts = (registered.get("ansible_facts") or {}).get("gpu_cluster") or {}
    return Probe(
        reachable=bool(registered["reachable"]),
        sudo=bool(registered.get("sudo")),
        findings=tuple(finding_from_dict(each) for each in registered.get("findings", [])),
        facts=facts,
    )


def read_gpu_findings(registered: object) -> list[Finding]:
    """Return the findings in the result that gpu_driver_check registered, none when it did not run."""
    if not isinstance(registered, Mapping):
        return []
    found = [finding_from_dict(each) for each in registered.get("findings") or []]
    return [
        replace(each, severity=Severity.WARNING)
        if each.code in CURABLE and each.severity is Severity.ERROR
        else each
        for each in found
    ]


def read_values(
    variables: Mapping[str, Any], inputs: Mapping[str, Input]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of the inputs that are judged, and why others could not be templated."""
    values: dict[str, Any] = {}
    unresolved: dict[str, str] = {}
    for name, known in inputs.items():
        is_judged = known.kind is not Kind.TEXT or known.choices or name in SHOWN
        if not is_judged or name not in variables:
            continue
        try:
            value = variables[name]
        except (AnsibleError, KeyError) as exc:
            unresolved[name] = " ".join(str(exc).split())[:300]
            continue
        if "{{" in str(value):
            unresolved[name] = f"{value} (it names something that is not defined)"
        else:
            values[name] = value
    return values, unresolved


def read_host(
    name: str,
    task_vars: Mapping[str, Any],
    inputs: Mapping[str, Input],
    register: str,
) -> Host:
    """Return what hostvars and groups say about one host."""
    variables = task_vars["hostvars"][name]
    values, unresolved = read_values(variables, inputs)
    groups = {group for group, members in task_vars["groups"].items() if name in members}
    return Host(
        name=str(name),
        groups=frozenset(groups - {"all", "ungrouped"}),
        variable_names=frozenset(str(each) for each in variables),
        values=values,
        unresolved=unresolved,
        in_play=name in task_vars.get("ansible_play_hosts_all", []),
        probe=read_probe(variables.get(register)),
    )


class ActionModule(ActionBase):  # type: ignore[misc]
    """Reports once for all hosts of the play."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Print the findings, and fail with one line when there is an error among them."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(
            argument_spec={
                "register": {"type": "str", "default": "__preflight_probe"},
                "gpu_register": {"type": "str", "default": "__preflight_gpus"},
                "groups": {"type": "list", "elements": "str", "default": [HEAD, WORKER]},
                "own_variables": {"type": "list", "elements": "str", "default": []},
                "tolerate_unreachable": {"type": "bool", "default": False},
                "fail_on_error": {"type": "bool", "default": True},
            }
        )
        variables = task_vars or {}
        inventory = self._inventory(variables, args)
        gpus = [
            finding
            for host in inventory.nodes
            for finding in read_gpu_findings(
                variables["hostvars"][host.name].get(args["gpu_register"])
            )
        ]
        findings = sort_findings([*check_inventory(inventory), *gpus])
        return self._report(inventory, findings, args)

    def _inventory(self, task_vars: Mapping[str, Any], args: Mapping[str, Any]) -> Inventory:
        """Return all that there is to judge."""
        inputs = load_inputs()
        groups: Mapping[str, Iterable[str]] = task_vars["groups"]
        return Inventory(
            hosts=tuple(
                read_host(name, task_vars, inputs, args["register"])
                for name in task_vars["groups"]["all"]
            ),
            inputs=inputs,
            group_names=frozenset(str(name) for name in groups) - {"all", "ungrouped"},
            cluster_groups=tuple(args["groups"]),
            own_names=frozenset(args["own_variables"]),
            limit=str(task_vars.get("ansible_limit") or ""),
        )

    def _report(
        self, inventory: Inventory, findings: list[Finding], args: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Show the findings and return them."""
        tolerate = args["tolerate_unreachable"]
        fatal = [each for each in findings if is_fatal(each, inventory, tolerate)]
        away = [host for host in inventory.nodes if host.probe and not host.probe.reachable]
        summary = f"Preflight of {describe_scope(inventory)}: {summarise(findings)}."
        display.display(f"\n{summary}")
        if findings:
            display.display(f"\n{render_findings(findings, width=terminal_width())}\n")
        if fatal and args["fail_on_error"]:
            return {
                "changed": False,
                "failed": True,
                "msg": (
                    f"{summary} Nothing was changed. Do what the lines 'fix:' above say, then run"
                    " the same command again."
                ),
            }
        return {
            "changed": False,
            "findings": [finding.to_dict() for finding in findings],
            "counts": count_by_severity(findings),
            "fatal_count": len(fatal),
            "unreachable_nodes": [host.name for host in away],
            "summary": summary,
        }


def terminal_width() -> int:
    """Return how wide the report may be: what COLUMNS says between 60 and 120, else 100."""
    columns = os.environ.get("COLUMNS", "")
    return min(max(int(columns), 60), 120) if columns.isdigit() else 100
