# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action preflight_report: see plugins/modules/preflight_report.py for what it promises."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    INVENTORY,
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
    K3S_SERVER,
    Host,
    Inventory,
    Probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check import check_links
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check_ports import (
    check_ports as check_listeners,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.plan_check import (
    join_plans,
    plan_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CLUSTER_GROUPS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_profiles import (
    chosen_profiles,
    profiles_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_document import (
    Run,
    build_document,
    describe_tested,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_ignore import (
    apply_ignores,
    describe_ignored,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check import (
    check_system,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.beside_inventory import (
    beside_inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.control_files import (
    check_files,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_variables import (
    collection_version,
    load_inputs,
    plain_value,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.preflight_files import (
    DOCUMENT,
    write_report,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.preflight_mesh import (
    Mesh,
    mesh_findings,
    mesh_matrix,
    read_mesh,
)

display = Display()

# Text inputs whose value is judged or shown; the others are never templated here.
SHOWN = frozenset(
    {
        "cluster_subnet",
        "k3s_cluster_cidr",
        "k3s_service_cidr",
        "my_iface",
        "nvidia_driver_branch",
        "nvidia_driver_version",
    }
)

# Where the entries "plan" of the GPU roles leave what they found.
FORECASTS = ("__nvidia_forecast", "__rocm_forecast")
# Where that of k3s leaves what it found on the control node: the same for every node.
ARTIFACTS = "__k3s_artifacts"
# Where playbooks/outside_limit.yml leaves what the members answered that --limit leaves out.
OUTSIDE = "__outside_probe"
OUTSIDE_RAY = "__outside_ray"
OUTSIDE_K3S = "__outside_k3s"

# Warnings and notes that the terminal shows; the others are counted, and the report has them.
MOST_SHOWN = 20

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


def read_outside(task_vars: Mapping[str, Any]) -> dict[str, Probe]:
    """Return what the members outside the limit answered, by name."""
    rows = (task_vars.get(OUTSIDE) or {}).get("results") or []
    probes = {str(row.get("item")): read_probe(row) for row in rows}
    return {name: probe for name, probe in probes.items() if probe}


def read_silent(task_vars: Mapping[str, Any]) -> dict[str, str]:
    """Return the hosts outside the limit whose Ray or k3s does not answer, with the reason."""
    groups = task_vars["groups"]
    asked = (("Ray", HEAD, OUTSIDE_RAY), ("k3s", K3S_SERVER, OUTSIDE_K3S))
    return {
        str(groups[group][0]): f"its {what} does not answer: {answer.get('error') or 'no reason'}"
        for what, group, register in asked
        for answer in [task_vars.get(register) or {}]
        if groups.get(group) and answer.get("reachable") is False
    }


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
            # Lists and maps are templated as late as their elements are looked at.
            value = plain_value(variables[name])
        except (AnsibleError, KeyError) as exc:
            unresolved[name] = " ".join(str(exc).split())[:300]
            continue
        # Within a list or a map, braces may be meant: Docker's log tags have them.
        if isinstance(value, str) and "{{" in value:
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
    # Ansible makes variables of facts unless it is told not to: gpu is nobody's misspelt has_gpu.
    facts = variables.get("ansible_facts") or {}
    groups = {group for group, members in task_vars["groups"].items() if name in members}
    return Host(
        name=str(name),
        groups=frozenset(groups - {"all", "ungrouped"}),
        variable_names=frozenset(str(each) for each in variables if each not in facts),
        values=values,
        unresolved=unresolved,
        in_play=name in task_vars.get("ansible_play_hosts_all", []),
        probe=read_probe(variables.get(register)),
        outside=read_outside(task_vars).get(str(name)),
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
                "groups": {"type": "list", "elements": "str", "default": list(CLUSTER_GROUPS)},
                "own_variables": {"type": "list", "elements": "str", "default": []},
                "ignore": {"type": "list", "elements": "str", "default": []},
                "profiles": {"type": "list", "elements": "str", "default": []},
                "ports": {"type": "str", "default": "off"},
                "directory": {"type": "str"},
                "tolerate_unreachable": {"type": "bool", "default": False},
                "fail_on_error": {"type": "bool", "default": True},
            }
        )
        variables = task_vars or {}
        inventory = self._inventory(variables, args)
        nodes = {host.name: variables["hostvars"][host.name] for host in inventory.nodes}
        mesh = read_mesh(nodes)
        found = find_all(inventory, nodes, mesh, args)
        active, ignored = apply_ignores(found, args["ignore"])
        document = build_document(
            self._when(variables, args),
            inventory,
            active,
            ignored,
            gpus={name: gpu_facts(values) for name, values in nodes.items()},
            mesh=mesh_matrix(mesh, inventory),
        )
        args["directory"] = report_directory(variables, args["directory"])
        return self._report(inventory, active, ignored, document, args)

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
            profiles=profiles_of(
                {str(group): [str(each) for each in hosts] for group, hosts in groups.items()},
                [] if profile_problem(args["profiles"]) else args["profiles"],
            ),
            first_k3s_server=next((str(name) for name in groups.get(K3S_SERVER, ())), ""),
            silent=read_silent(task_vars),
        )

    def _when(self, task_vars: Mapping[str, Any], args: Mapping[str, Any]) -> Run:
        """Return when and how this run went."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        sources = task_vars.get("ansible_inventory_sources") or []
        return Run(
            started_at=str(task_vars.get("__preflight_started") or now),
            finished_at=now,
            version=collection_version(),
            cluster_name=str(
                self._templar.template(task_vars.get("cluster_name") or "gpu-cluster")
            ),
            inventory=tuple(os.path.basename(str(each).rstrip("/,")) for each in sources),
            modes={"ports": args["ports"]},
            ignore=tuple(args["ignore"]),
        )

    def _report(
        self,
        inventory: Inventory,
        findings: list[Finding],
        ignored: list[Finding],
        document: Mapping[str, Any],
        args: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Show the findings and return them."""
        tolerate = args["tolerate_unreachable"]
        fatal = [each for each in findings if is_fatal(each, inventory, tolerate)]
        away = [host for host in inventory.nodes if host.probe and not host.probe.reachable]
        summary = f"Preflight of {describe_scope(inventory)}: {summarise(findings)}."
        display.display(f"\n{summary}")
        display.display(describe_tested(document))
        if findings:
            text = render_findings(findings, width=terminal_width(), most=MOST_SHOWN)
            display.display(f"\n{text}\n")
        if ignored:
            display.display(describe_ignored(ignored))
        files = self._write(args["directory"], document)
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
            "ignored": [finding.to_dict() for finding in ignored],
            "counts": count_by_severity(findings),
            "fatal_count": len(fatal),
            "unreachable_nodes": [host.name for host in away],
            "summary": summary,
            **files,
        }

    def _write(self, directory: str, document: Mapping[str, Any]) -> dict[str, str]:
        """Write the report where that is wanted, and return where it lies."""
        if not directory:
            return {}
        try:
            page = write_report(directory, document)
        except OSError as error:
            display.warning(
                f"The report could not be written: {error}. Name a directory of yours in"
                " preflight_report_dir."
            )
            return {}
        display.display(f"Report: {page}")
        return {"page": str(page), "document": str(page.with_name(DOCUMENT))}


def report_directory(task_vars: Mapping[str, Any], wish: Optional[str]) -> str:
    """Return the directory of the report: as wished, else ``preflight`` beside the inventory."""
    if wish is not None:
        return wish
    sources = task_vars.get("ansible_inventory_sources") or []
    return str(beside_inventory(task_vars.get("inventory_dir"), sources) / "preflight")


def find_all(
    inventory: Inventory, nodes: Mapping[str, Any], mesh: Mesh, args: Mapping[str, Any]
) -> list[Finding]:
    """Return every finding about inputs, nodes, GPUs, what the GPU roles plan, and the paths."""
    found = [
        *check_inventory(inventory),
        *check_system(inventory),
        *check_links(inventory),
        *check_listeners(inventory, mesh.listeners),
        *profile_problem(args["profiles"]),
        *check_files(inventory, nodes),
    ]
    for values in nodes.values():
        found += read_gpu_findings(values.get(args["gpu_register"]))
        for forecast in FORECASTS:
            found = join_plans(found, plan_findings(values.get(forecast)))
    found += artifact_findings(nodes, found)
    return sort_findings([*found, *mesh_findings(mesh, inventory, found)])


def artifact_findings(nodes: Mapping[str, Any], known: Iterable[Finding]) -> list[Finding]:
    """Return what is wrong with the files for k3s, without inputs that are refused already."""
    refused = {each.variable for each in known if each.severity is Severity.ERROR}
    reports = (plan_findings(values.get(ARTIFACTS)) for values in nodes.values())
    found = next((each for each in reports if each), [])
    return [each for each in found if each.code != "value-invalid" or each.variable not in refused]


def profile_problem(chosen: Iterable[str]) -> list[Finding]:
    """Return the finding about a profile that there is not."""
    try:
        chosen_profiles(list(chosen))
    except ValueError as error:
        _name, _colon, text = str(error).partition(": saw ")
        seen, _comma, expected = text.partition(", expected ")
        return [
            Finding(
                severity=Severity.ERROR,
                code="value-invalid",
                host=INVENTORY,
                message="preflight_profiles names a profile that there is not.",
                seen=seen,
                expected=expected,
                fix="preflight_profiles=management",
                variable="preflight_profiles",
            )
        ]
    return []


def gpu_facts(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what gpu_driver_check told of a host's GPUs."""
    facts = (variables.get("ansible_facts") or {}).get("gpu")
    return facts if isinstance(facts, Mapping) else {}


def terminal_width() -> int:
    """Return how wide the report may be: what COLUMNS says between 60 and 120, else 100."""
    columns = os.environ.get("COLUMNS", "")
    return min(max(int(columns), 60), 120) if columns.isdigit() else 100
