# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that could not take part in the mesh, and ports that could not be tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    mesh_judge_ports as port_sets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_faults import (
    Fault,
    Item,
    Plan,
    merge_items,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_nodes import (
    NO_VIEW,
    NodeView,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_words import (
    services_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    PROTOCOLS,
    Heard,
    ListenReport,
    ProbeReport,
    Verdict,
)

#: A range is well tested while less than this part of it is missing.
_CONSIDERABLE = 0.25
#: What the agent says of ports that it leaves alone on purpose.
_ON_PURPOSE = "left free"

#: Reasons of untried ports that a finding repeats.
_NOTES = 3
_AGENT_GONE = "its listeners of this test ended early"


def incomplete_nodes(
    reports: Mapping[str, ProbeReport],
    listens: Mapping[str, ListenReport],
    plan: Plan,
    members: Iterable[str],
    faults: Sequence[Fault],
    nodes: Mapping[str, NodeView],
) -> dict[str, str]:
    """Return by name why a node that answered preflight took no full part in the mesh."""
    sources = {
        name for each in plan.destinations() for row in plan.of(each) for name in row.sources
    }
    destinations = set(plan.destinations())
    gone = gone_agents(reports, listens, faults, nodes)
    reasons: dict[str, str] = {}
    for name in members:
        why = []
        if name in destinations:
            why.append(_not_listening(listens.get(name)))
        if name in sources:
            why.append(_not_probing(reports.get(name)))
        if name in gone:
            why.append(_AGENT_GONE)
        told = list(dict.fromkeys(text for text in why if text))
        if told:
            reasons[name] = "; ".join(told)
    return reasons


def _not_listening(report: Optional[ListenReport]) -> str:
    if report is None:
        return "it did not say that it listens"
    return report.problem


def _not_probing(report: Optional[ProbeReport]) -> str:
    if report is None:
        return "it did not say what it reaches"
    return report.problem


def gone_agents(
    reports: Mapping[str, ProbeReport],
    listens: Mapping[str, ListenReport],
    faults: Sequence[Fault],
    nodes: Mapping[str, NodeView],
) -> set[str]:
    """Return the nodes whose listeners ended before the others were done.

    The node itself says so (``agent_alive`` in the cost of its report) and somebody missed them;
    listeners that ended after everybody was done are none too few. Where it says nothing and has no
    packet filter, every port of ours refused by everybody says the same.
    """
    missed = {fault.destination for fault in faults}
    gone = {
        name
        for name, each in reports.items()
        if each.cost.get("agent_alive") is False and name in missed
    }
    refused: dict[str, set[str]] = {}
    for fault in faults:
        if fault.whole and fault.verdict is Verdict.REFUSED:
            refused.setdefault(fault.destination, set()).add(fault.source)
    tried: dict[str, set[str]] = {}
    for name, report in reports.items():
        for pair in report.pairs:
            tried.setdefault(pair.destination, set()).add(name)
    for name, sources in refused.items():
        alive = name in reports and reports[name].cost.get("agent_alive") is True
        ours = listens[name].tcp.ours if name in listens else ""
        bare = nodes.get(name, NO_VIEW).firewall == ""
        if bare and not alive and ours and sources == tried[name]:
            gone.add(name)
    return gone


def judge_incomplete(reasons: Mapping[str, str], members: Sequence[str]) -> list[Finding]:
    """Return a warning for each node that took no full part, one when it is the same for all."""
    by_reason: dict[str, list[str]] = {}
    for name, why in reasons.items():
        by_reason.setdefault(why, []).append(name)
    findings = []
    for why, names in by_reason.items():
        if len(names) == len(members) > 1:
            findings.append(_incomplete(ALL_HOSTS, "No node took", "all", why))
        else:
            findings += [_incomplete(name, f"{name} did not take", name, why) for name in names]
    return findings


def _incomplete(host: str, who: str, pattern: str, why: str) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        code="mesh-incomplete",
        host=host,
        message=f"{who} full part in the test of the ports, so its paths are not all proven.",
        seen=why,
        expected="a node that listens, tries the others, and says what it saw",
        fix=f"ansible -i inv.ini -m ansible.builtin.ping {pattern}   (then preflight.yml again)",
    )


def judge_missing(listens: Mapping[str, ListenReport], plan: Plan) -> list[Finding]:
    """Return a warning for each node with ports that nobody could listen to."""
    by_text: dict[tuple[str, str], list[str]] = {}
    for name in sorted(listens):
        if listens[name].problem:
            continue
        by_reason: dict[str, list[Item]] = {}
        for protocol in PROTOCOLS:
            heard: Heard = getattr(listens[name], protocol)
            for why, item in _missing(heard, protocol, plan, name):
                by_reason.setdefault(why, []).append(item)
        if by_reason:
            seen = "; ".join(
                f"{services_text(merge_items(items))}: {why}" for why, items in by_reason.items()
            )
            words = f"sport = :{port_sets.first(next(iter(by_reason.values()))[0].bad)}"
            by_text.setdefault((seen, words), []).append(name)
    return [
        finding
        for (seen, words), names in by_text.items()
        for finding in _missing_findings(seen, words, names, len(listens))
    ]


def _missing(heard: Heard, protocol: str, plan: Plan, name: str) -> list[tuple[str, Item]]:
    """Return the services of a node that lack ports which nobody left out on purpose."""
    found = []
    for spans, why in heard.missing.items():
        if why.startswith(_ON_PURPOSE) or not port_sets.readable(spans):
            continue
        for each in plan.of(name):
            if each.protocol != protocol:
                continue
            lost = port_sets.common(each.tested, spans)
            least = _CONSIDERABLE * port_sets.count(each.tested) if "-" in each.ports else 1
            if lost and port_sets.count(lost) >= least:
                found.append((why, Item(each.service, protocol, each.ports, each.tested, lost)))
    return found


def _missing_findings(seen: str, words: str, names: Sequence[str], nodes: int) -> list[Finding]:
    hosts = [ALL_HOSTS] if len(names) == nodes > 1 else list(names)
    return [
        Finding(
            severity=Severity.WARNING,
            code="listener-missing",
            host=host,
            message="Ports could not be tried, because nothing could listen to them.",
            seen=seen,
            expected="ports that are free, or served by the service that they are for",
            fix=f"on {names[0]}: ss -tunap '{words}'",
        )
        for host in hosts
    ]


def judge_untested(reports: Mapping[str, ProbeReport]) -> list[Finding]:
    """Return a warning for each node that had planned to try ports and did not come to it."""
    return [
        _untested(name, [str(note) for note in report.cost["notes"]])
        for name, report in sorted(reports.items())
        if report.cost.get("notes")
    ]


def _untested(name: str, notes: Sequence[str]) -> Finding:
    more = f"; and {len(notes) - _NOTES} more" if len(notes) > _NOTES else ""
    return Finding(
        severity=Severity.WARNING,
        code="ports-untested",
        host=name,
        message="Not every port could be tried from here.",
        seen="; ".join(notes[:_NOTES]) + more,
        expected="every path tried",
        fix="ansible-playbook -i inv.ini preflight.yml -e preflight_ports=sample",
    )
