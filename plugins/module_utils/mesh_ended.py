# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that were not up while the mesh was tried: no path is to blame for their ports.

A working cluster starts and ends processes in its port ranges all the time. A service with a port
of its own that starts or ends meanwhile is worth a word: nobody knows whether the way is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
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


def without_ended(report: ProbeReport, ended: Mapping[str, frozenset[int]]) -> ProbeReport:
    """Return the report, in which refused ports of services that have ended were not tried."""
    pairs = tuple(_pair(each, ended.get(each.destination, frozenset())) for each in report.pairs)
    return replace(report, pairs=pairs)


def ended_findings(
    plan: Iterable[Listener],
    reports: Iterable[ProbeReport],
    ended: Mapping[str, frozenset[int]],
) -> list[Finding]:
    """Return a warning for each node whose service with a port of its own was missed."""
    missed: dict[str, set[int]] = {}
    for report in reports:
        for pair in report.pairs:
            over = _refused(pair) & ended.get(pair.destination, frozenset())
            missed.setdefault(pair.destination, set()).update(over)
    services: dict[str, dict[int, str]] = {}
    for row in plan:
        ports = expand(row.ports)
        if row.protocol == "tcp" and len(ports) == 1 and ports[0] in missed.get(row.host, ()):
            services.setdefault(row.host, {})[ports[0]] = row.service
    return [_finding(host, services[host]) for host in sorted(services)]


def _finding(host: str, services: Mapping[int, str]) -> Finding:
    names = ", ".join(f"{services[port]} ({port})" for port in sorted(services))
    return Finding(
        severity=Severity.WARNING,
        code="service-not-up",
        host=host,
        message=f"Services of {host} were not up while others tried their ports: {names}.",
        seen="their unit runs or waits for its start, and they were starting, or ended meanwhile",
        expected="services that stay, so that the paths to them are proven",
        fix="ansible-playbook -i inv.ini status.yml   (and preflight.yml again when it is healthy)",
    )


def _refused(pair: PairResult) -> set[int]:
    return set(expand(pair.tcp.get(Verdict.REFUSED.value, "")))


def _pair(pair: PairResult, ended: frozenset[int]) -> PairResult:
    refused = _refused(pair)
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
