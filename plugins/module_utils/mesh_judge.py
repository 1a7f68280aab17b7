# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the nodes saw of each other to findings: one fault, one finding.

Values in, findings out. ``judge_mesh`` is what the report calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
    Severity,
    join_names,
    sort_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_blocks import (
    Block,
    Kind,
    Pair,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_control import (
    judge_control,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_faults import (
    Fault,
    Plan,
    find_faults,
    share_causes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_fix import fix_for
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_groups import (
    Group,
    group_faults,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_mtu import judge_mtu
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_nodes import (
    NO_VIEW,
    NodeView,
    sources_as_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_state import (
    incomplete_nodes,
    judge_incomplete,
    judge_missing,
    judge_untested,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_translated import (
    judge_translated,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_words import (
    MEANINGS,
    direction_text,
    services_text,
    who_text,
    whole_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Listener,
    ListenReport,
    ProbeReport,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CONTROL_NODE,
)

#: Verdicts that a firewall of the destination can have made.
_FIREWALLED = frozenset({Verdict.REFUSED, Verdict.FILTERED, Verdict.PROHIBITED})


def judge_mesh(
    reports: Mapping[str, ProbeReport],
    listens: Mapping[str, ListenReport],
    listeners: Sequence[Listener],
    nodes: Mapping[str, NodeView],
    members: Sequence[str],
) -> list[Finding]:
    """Return what is wrong with the paths between the nodes, sorted; [] when nothing is.

    ``reports`` and ``listens`` are by the name of the host, the control node's report among them
    under its name. ``members`` are the nodes that answered preflight and should have taken part.
    """
    plan = Plan(listeners)
    inside = {name: each for name, each in reports.items() if name != CONTROL_NODE}
    faults = share_causes(find_faults(inside, plan))
    known = {name for name, view in nodes.items() if view.known_fault}
    reasons = incomplete_nodes(inside, listens, plan, members, faults, nodes)
    silent = {name for name in reasons if name not in inside}
    left = [fault for fault in faults if not _is_told(fault, known, reasons, silent)]
    tested = _tested(inside)
    groups = group_faults(left, tested, plan, nodes)
    failing = {(fault.source, fault.destination) for fault in left}
    findings = [_finding(group, nodes, failing, tested) for group in groups]
    findings += judge_translated(inside, known)
    findings += judge_mtu(inside, nodes)
    findings += judge_incomplete(
        {name: why for name, why in reasons.items() if name not in known}, members
    )
    findings += judge_missing(listens, plan)
    findings += judge_untested(inside)
    if CONTROL_NODE in reports:
        explained = known | set(reasons) | _closed_nodes(groups)
        findings += judge_control(reports[CONTROL_NODE], plan, nodes, explained)
    return sort_findings(findings)


def _is_told(
    fault: Fault,
    known: Set[str],
    reasons: Mapping[str, str],
    silent: Set[str],
) -> bool:
    """Return whether another finding tells what is behind a fault."""
    if fault.verdict is Verdict.TRANSLATED or not known.isdisjoint(
        (fault.source, fault.destination)
    ):
        return True
    if fault.destination in silent and fault.whole:
        return True
    return "ended early" in reasons.get(fault.destination, "")


def _tested(reports: Mapping[str, ProbeReport]) -> set[Pair]:
    """Return the pairs of nodes between which anything was tried."""
    return {
        (name, pair.destination)
        for name, report in reports.items()
        for pair in report.pairs
        if pair.tcp or pair.udp
    }


def _closed_nodes(groups: Sequence[Group]) -> set[str]:
    """Return the nodes that nobody reaches at all."""
    return {
        name
        for group in groups
        if group.whole and group.block.kind in (Kind.TO, Kind.EVERYBODY)
        for name in group.block.destinations
    }


def _finding(
    group: Group,
    nodes: Mapping[str, NodeView],
    failing: Set[Pair],
    tested: Set[Pair],
) -> Finding:
    """Return the finding that tells ``group``."""
    block = group.block
    opens = group.verdict in _FIREWALLED and _is_opened(group, nodes)
    sources = {a for a, b in tested if b in block.destinations} if block.kind is Kind.TO else ()
    only_one = len(block.destinations) == 1
    who = who_text(block, len(sources) if only_one else 0)
    what = whole_text(group.items) if group.whole else f"at {services_text(group.items)}"
    ways = direction_text(block, failing, tested)
    if opens:
        code, fix = "port-closed-by-firewall", _provision(nodes, block)
    else:
        code, fix = f"port-{group.verdict.value}", fix_for(group, nodes)
    return Finding(
        severity=Severity.WARNING if opens else Severity.ERROR,
        code=code,
        host=_host(block, {b for _a, b in tested}),
        message=f"{who} {what}.",
        seen="; ".join(text for text in (MEANINGS[group.verdict], ways) if text),
        expected=_expected(block, nodes),
        fix=fix,
    )


def _is_opened(group: Group, nodes: Mapping[str, NodeView]) -> bool:
    """Return whether provision.yml opens every destination to the sources."""
    views = [nodes.get(name, NO_VIEW) for name in group.block.sources]
    addresses = [view.address for view in views if view.address]
    ports = [(each.protocol, each.bad) for each in group.items]
    ends = [nodes.get(name, NO_VIEW) for name in group.block.destinations]
    return all(end.opens_to(addresses, ports) for end in ends)


def _host(block: Block, everybody: Set[str]) -> str:
    """Return the node at fault, or all hosts."""
    if block.kind in (Kind.EVERYBODY, Kind.SCATTERED):
        return ALL_HOSTS
    names = block.sources if block.kind is Kind.FROM else block.destinations
    return ALL_HOSTS if len(names) > 1 and set(names) == everybody else names[0]


def _expected(block: Block, nodes: Mapping[str, NodeView]) -> str:
    """Return which addresses should reach which."""
    if block.kind in (Kind.EVERYBODY, Kind.SCATTERED):
        return "a way from the address of every node to that of every other one"
    ends = [nodes.get(name, NO_VIEW) for name in block.destinations]
    to = [
        " ".join(text for text in (name, view.interface, view.address) if text)
        for name, view in zip(block.destinations, ends)
    ]
    who = [name for name in block.sources if block.destinations != (name,)]
    addresses = sources_as_text(who, nodes, ends[0].network, most=6)
    return f"a way from {join_names(addresses)} to {join_names(to, 4)}"


def _provision(nodes: Mapping[str, NodeView], block: Block) -> str:
    """Return that provision.yml opens the firewall, or stops it."""
    view = nodes.get(block.destinations[0], NO_VIEW)
    does = "stops" if view.os_base_firewall == "off" else "opens"
    firewall = "the rules of an earlier run" if view.closed_by_us else view.firewall
    return (
        "ansible-playbook -i inv.ini provision.yml"
        f"   (os_base_firewall={view.os_base_firewall} {does} {firewall})"
    )
