# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the port mesh left in the variables of the hosts, as values, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_ended import (
    ended_findings,
    without_ended,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge import judge_mesh
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_nodes import (
    NodeView,
    node_view,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_matrix import matrix
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Listener,
    ListenReport,
    ProbeReport,
    listen_report_from_plain,
    listener_from_plain,
    probe_report_from_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import expand
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CONTROL_NODE,
)

PATHS = "__preflight_paths"
LISTEN = "__preflight_listen"
TRIED = "__preflight_tried"
TRIED_HERE = "__preflight_tried_here"
LEFT = "__preflight_left"

#: Findings that explain whatever the mesh sees of a node.
EXPLAINING = frozenset({"interface-down", "address-doubled"})

#: What the mesh sees of a node, and the findings about that node which say why.
CAUSES = {
    "port-filtered": ("firewall-denies",),
    "port-refused": ("firewall-denies",),
    "port-closed-by-firewall": ("firewall-denies",),
    "mtu-path-smaller": ("mtu-differs",),
}


@dataclass(frozen=True)
class Mesh:
    """The plan of the paths, who listened, what each node saw, and what ended meanwhile."""

    listeners: tuple[Listener, ...] = ()
    listens: Mapping[str, ListenReport] = field(default_factory=dict)
    reports: Mapping[str, ProbeReport] = field(default_factory=dict)
    ended: tuple[Finding, ...] = ()

    @property
    def was_up(self) -> bool:
        """Return whether any node took part."""
        return bool(self.listens or self.reports)


def read_mesh(variables: Mapping[str, Mapping[str, Any]]) -> Mesh:
    """Return what is registered in the variables of the hosts, by their names."""
    plan: Sequence[Mapping[str, Any]] = ()
    listens: dict[str, ListenReport] = {}
    reports: dict[str, ProbeReport] = {}
    for name, values in variables.items():
        plan = plan or values.get(PATHS) or ()
        heard, tried = _report(values, LISTEN), _report(values, TRIED)
        here = _report(values, TRIED_HERE)
        if heard and "address" in heard:
            listens[name] = listen_report_from_plain(heard)
        if tried:
            reports[name] = _with_agent(probe_report_from_plain(tried), values.get(LEFT))
        if here and CONTROL_NODE not in reports:
            reports[CONTROL_NODE] = probe_report_from_plain(here)
    listeners = tuple(listener_from_plain(each) for each in plan)
    ended = _ended(variables)
    seen = {name: without_ended(each, ended) for name, each in reports.items()}
    said = tuple(ended_findings(listeners, reports.values(), ended))
    return Mesh(listeners, listens, seen, said)


def _ended(variables: Mapping[str, Mapping[str, Any]]) -> dict[str, frozenset[int]]:
    """Return by host the ports whose service went away meanwhile, as the last task saw it."""
    left = {name: values.get(LEFT) for name, values in variables.items()}
    return {
        name: frozenset(expand(str(each.get("ended") or "")))
        for name, each in left.items()
        if isinstance(each, Mapping)
    }


def _with_agent(report: ProbeReport, left: Any) -> ProbeReport:
    """Return the report with whether the node's listeners lasted, where it had any."""
    if not isinstance(left, Mapping) or left.get("was_listening") is None:
        return report
    return replace(report, cost={**report.cost, "agent_alive": bool(left["was_listening"])})


def _report(values: Mapping[str, Any], register: str) -> Optional[Mapping[str, Any]]:
    """Return the report in a registered result, None where the task did not run or failed."""
    result = values.get(register)
    report = result.get("report") if isinstance(result, Mapping) else None
    return report if isinstance(report, Mapping) else None


def mesh_findings(mesh: Mesh, inventory: Inventory, known: Sequence[Finding]) -> list[Finding]:
    """Return what is wrong with the paths; ``known`` is what is wrong with the nodes."""
    if not mesh.was_up:
        return []
    explained = {each.host: each.code for each in known if each.code in EXPLAINING}
    told = {(each.host, each.code) for each in known}
    nodes = {host.name: _view(host, explained.get(host.name, "")) for host in inventory.nodes}
    found = judge_mesh(mesh.reports, mesh.listens, mesh.listeners, nodes, members(inventory))
    everybody = members(inventory)
    return [*mesh.ended, *(each for each in found if not _is_told(each, told, everybody))]


def _is_told(finding: Finding, told: Set[tuple[str, str]], everybody: Sequence[str]) -> bool:
    """Return whether findings about the node, or about every node, say why the mesh has it."""
    hosts = everybody if finding.host == ALL_HOSTS else [finding.host]
    return any(
        all((host, why) in told or (ALL_HOSTS, why) in told for host in hosts)
        for why in CAUSES.get(finding.code, ())
    )


def mesh_matrix(mesh: Mesh, inventory: Inventory) -> Optional[dict[str, Any]]:
    """Return the cells of the heat map, None when no path was tried."""
    if not mesh.was_up:
        return None
    return matrix(mesh.reports, mesh.listens, mesh.listeners, members(inventory)).to_plain()


def members(inventory: Inventory) -> list[str]:
    """Return the nodes that answered and have a node address, in the inventory's order."""
    return [
        host.name
        for host in inventory.nodes
        if host.probe and host.probe.reachable and host.probe.facts.get("node_address")
    ]


def _view(host: Host, known_fault: str) -> NodeView:
    facts = host.probe.facts if host.probe else {}
    return node_view(facts, str(host.values.get("os_base_firewall") or "auto"), known_fault)
