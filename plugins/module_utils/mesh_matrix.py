# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh as a matrix of plain values: what preflight.json and the heat map show."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    mesh_judge_ports as port_sets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_faults import (
    Plan,
    carries_something,
    is_good,
    pair_faults,
    verdicts,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_translated import (
    is_translated,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    GOOD,
    PROTOCOLS,
    Listener,
    ListenReport,
    PairResult,
    ProbeReport,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CONTROL_NODE,
)

STATES = ("good", "partly", "closed", "unknown")

#: How many ranges of ports a cell carries of one fault.
_RANGES = 8


@dataclass(frozen=True)
class Cell:
    """What one node saw of another one. A good cell has no faults and no mtu."""

    source: str
    destination: str
    state: str
    rtt_ms: Optional[float] = None
    tested: int = 0
    good: int = 0
    faults: tuple[Mapping[str, str], ...] = ()
    mtu: Optional[Mapping[str, Any]] = None
    mbit_sent: Optional[float] = None
    mbit_received: Optional[float] = None

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, those of faults only where there are any."""
        values = {key: value for key, value in vars(self).items() if value not in (None, ())}
        return {**values, **({"faults": list(self.faults)} if self.faults else {})}


@dataclass(frozen=True)
class Matrix:
    """All cells, row by row, and the figures of the whole."""

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    cells: tuple[Cell, ...]
    summary: Mapping[str, Any]

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "sources": list(self.sources),
            "destinations": list(self.destinations),
            "cells": [cell.to_plain() for cell in self.cells],
            "summary": dict(self.summary),
        }


def matrix(
    reports: Mapping[str, ProbeReport],
    listens: Mapping[str, ListenReport],
    listeners: Sequence[Listener],
    members: Sequence[str],
) -> Matrix:
    """Return the cells of every pair that the plan has; a pair that nobody tried is unknown."""
    plan = Plan(listeners)
    planned = {
        (source, name)
        for name in plan.destinations()
        for row in plan.of(name)
        for source in row.sources
    }
    seen = {
        (name, pair.destination): (report, pair)
        for name, report in reports.items()
        for pair in report.pairs
    }
    order = _order(members, {end for pair in {*planned, *seen} for end in pair})
    rank = {name: place for place, name in enumerate(order)}
    pairs = sorted({*planned, *seen}, key=lambda pair: (rank[pair[0]], rank[pair[1]]))
    cells = tuple(
        _cell(*seen[pair], plan) if pair in seen else Cell(*pair, state="unknown") for pair in pairs
    )
    return Matrix(
        sources=tuple(name for name in order if any(name == a for a, _b in pairs)),
        destinations=tuple(name for name in order if any(name == b for _a, b in pairs)),
        cells=cells,
        summary=_summary(cells, listens),
    )


def _order(members: Sequence[str], others: Iterable[str]) -> list[str]:
    """Return the members as they come, then others, the control node last."""
    rest = sorted(set(others) - set(members), key=lambda name: (name == CONTROL_NODE, name))
    return [*members, *rest]


def _cell(report: ProbeReport, pair: PairResult, plan: Plan) -> Cell:
    """Return the cell of a pair that was tried."""
    counts = {False: 0, True: 0}
    for protocol in PROTOCOLS:
        for verdict, ports in verdicts(pair, protocol).items():
            if verdict is not Verdict.UNTESTED:
                counts[verdict in GOOD] += port_sets.count(ports)
    tested = counts[True] + counts[False]
    mtu_is_whole = pair.mtu.expected is None or (
        pair.mtu.sent == pair.mtu.expected == pair.mtu.received
    )
    faults = _faults(report, pair, plan)
    return Cell(
        source=report.source,
        destination=pair.destination,
        state=_state(tested, counts[True], bool(faults) or _has_hole(pair)),
        rtt_ms=None if pair.rtt_ms is None else round(pair.rtt_ms, 3),
        tested=tested,
        good=counts[True],
        faults=faults,
        mtu=None if mtu_is_whole else asdict(pair.mtu),
        mbit_sent=pair.mbit_sent,
        mbit_received=pair.mbit_received,
    )


def _has_hole(pair: PairResult) -> bool:
    """Return whether large packets vanish."""
    measured = pair.mtu.expected is not None and carries_something(pair)
    return measured and (pair.mtu.stalled or None in (pair.mtu.sent, pair.mtu.received))


def _state(tested: int, good: int, has_faults: bool) -> str:
    if not tested:
        return "unknown"
    if not good:
        return "closed"
    return "partly" if good < tested or has_faults else "good"


def _faults(report: ProbeReport, pair: PairResult, plan: Plan) -> tuple[dict[str, str], ...]:
    """Return what failed, by service."""
    moved = report.source != CONTROL_NODE and is_translated(pair, report.address)
    found: list[dict[str, str]] = []
    if moved:
        found.append(_fault("", "ip", Verdict.TRANSLATED, pair.seen_as or ""))
    if is_good(pair):
        return tuple(found)
    services = plan.services(report.source, pair.destination)
    for fault in pair_faults(report.source, pair, services):
        if not (moved and fault.verdict is Verdict.TRANSLATED):
            found += [
                _fault(item.service, item.protocol, fault.verdict, _short(item.bad))
                for item in fault.items
            ]
    return tuple(found)


def _fault(service: str, protocol: str, verdict: Verdict, ports: str) -> dict[str, str]:
    return {"service": service, "protocol": protocol, "verdict": verdict.value, "ports": ports}


def _short(ports: str) -> str:
    ranges = ports.split(",")
    more = f" and {len(ranges) - _RANGES} more" if len(ranges) > _RANGES else ""
    return ",".join(ranges[:_RANGES]) + more


def _summary(cells: Sequence[Cell], listens: Mapping[str, ListenReport]) -> dict[str, Any]:
    """Return the figures of the whole mesh; the times are those between nodes."""
    times = [
        cell.rtt_ms for cell in cells if cell.rtt_ms is not None and cell.source != CONTROL_NODE
    ]
    return {
        "nodes": sum(not each.problem for each in listens.values()),
        "pairs": sum(cell.source != CONTROL_NODE for cell in cells),
        "states": {state: sum(cell.state == state for cell in cells) for state in STATES},
        "tested": sum(cell.tested for cell in cells),
        "good": sum(cell.good for cell in cells),
        "rtt_ms": {
            "min": min(times) if times else None,
            "median": round(statistics.median(times), 3) if times else None,
            "max": max(times) if times else None,
        },
    }
