# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that ended while the mesh was tried: their ports are closed, and no path is to blame.

A working cluster starts and ends processes in its port ranges all the time. A service with a port
of its own that ends meanwhile is a fault, and stays one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Listener,
    PairResult,
    ProbeReport,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import (
    compress,
    expand,
)


def forgivable(plan: Iterable[Listener], ended: Mapping[str, str]) -> dict[str, frozenset[int]]:
    """Return by host the ports of ``ended`` that only ranges hold, no service with its own port."""
    rows = list(plan)
    found = {}
    for host, ports in ended.items():
        fixed = {
            port
            for row in rows
            if row.host == host and row.protocol == "tcp"
            for port in _own_port(row)
        }
        kept = frozenset(expand(ports)) - fixed
        if kept:
            found[host] = kept
    return found


def _own_port(row: Listener) -> list[int]:
    ports = expand(row.ports)
    return ports if len(ports) == 1 else []


def without_ended(report: ProbeReport, ended: Mapping[str, frozenset[int]]) -> ProbeReport:
    """Return the report, in which refused ports of services that have ended were not tried."""
    pairs = tuple(_pair(each, ended.get(each.destination, frozenset())) for each in report.pairs)
    return replace(report, pairs=pairs)


def _pair(pair: PairResult, ended: frozenset[int]) -> PairResult:
    refused = set(expand(pair.tcp.get(Verdict.REFUSED.value, "")))
    over = refused & ended
    if not over:
        return pair
    untested = over | set(expand(pair.tcp.get(Verdict.UNTESTED.value, "")))
    texts = {
        **pair.tcp,
        Verdict.REFUSED.value: compress(refused - over),
        Verdict.UNTESTED.value: compress(untested),
    }
    return replace(pair, tcp={name: ports for name, ports in texts.items() if ports})
