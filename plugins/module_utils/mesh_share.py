# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares a large probe among processes, one for each processor.

A connection costs the kernel more than Python, and the kernel works for each process on a processor
of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Verdict
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import (
    compress,
    expand,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_rows import Destination
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_tcp import TcpProbe

#: More processes than this are not worth their memory.
MOST_WORKERS = 4
#: A process with less to do than this is not worth its start.
_LEAST_PORTS = 2000

Probes = Callable[[], TcpProbe]


@dataclass(frozen=True)
class Helper:
    """A process with its share, and where it answers."""

    pid: int
    answers: int
    share: list[Destination]


def workers_for(destinations: Sequence[Destination]) -> int:
    """Return how many processes are worth it."""
    ports = sum(len(each.ports) for each in destinations)
    return max(1, min(MOST_WORKERS, len(os.sched_getaffinity(0)), ports // _LEAST_PORTS))


def divide(destinations: Sequence[Destination], workers: int) -> list[list[Destination]]:
    """Return each process's part of every destination's ports, the services with the first.

    Parts are whole stretches, since neighbours in silence are judged together.
    """
    shares: list[list[Destination]] = [[] for _each in range(workers)]
    for to in destinations:
        ports = expand(to.target.tcp)
        for number, share in enumerate(shares):
            part = ports[len(ports) * number // workers : len(ports) * (number + 1) // workers]
            target = replace(to.target, tcp=compress(part))
            if number == 0:
                share.append(Destination(target, to.served))
            else:
                share.append(Destination(replace(target, tcp_served="")))
    return shares


def run_shared(
    make: Probes, destinations: Sequence[Destination], deadline: float, workers: int
) -> TcpProbe:
    """Fill in the verdicts of all destinations; return the probe, which tells what all of it cost.

    The share of a process that did not answer is done here.
    """
    own, *others = divide(destinations, workers)
    helpers = [_start(make, share, deadline) for share in others]
    probe = make()
    probe.run(own, deadline)
    for to, part in zip(destinations, own):
        to.take(part)
    for helper in helpers:
        answer = _answer_of(helper)
        if answer is None:
            probe.run(helper.share, deadline)
            found = [each.verdicts for each in helper.share]
        else:
            probe.add_cost(answer["cost"])
            found = [_verdicts(each) for each in answer["verdicts"]]
        for to, verdicts in zip(destinations, found):
            to.verdicts.update(verdicts)
    probe.meet(destinations)
    return probe


def _start(make: Probes, share: list[Destination], deadline: float) -> Helper:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write_end)
        return Helper(pid, read_end, share)
    try:
        os.close(read_end)
        probe = make()
        probe.run(share, deadline)
        verdicts = [ports_by_verdict(each.verdicts) for each in share]
        with os.fdopen(write_end, "w", encoding="ascii") as pipe:
            json.dump({"verdicts": verdicts, "cost": probe.cost()}, pipe)
    finally:
        os._exit(0)


def _answer_of(helper: Helper) -> Any:
    """Return what a process found, None when it ended without a word."""
    with os.fdopen(helper.answers, encoding="ascii") as pipe:
        text = pipe.read()
    os.waitpid(helper.pid, 0)
    try:
        return json.loads(text)
    except ValueError:
        return None


def ports_by_verdict(verdicts: Mapping[int, Verdict]) -> dict[str, str]:
    """Return for each verdict the list of its ports."""
    ports: dict[str, list[int]] = {}
    for port, verdict in verdicts.items():
        ports.setdefault(verdict.value, []).append(port)
    return {verdict: compress(found) for verdict, found in sorted(ports.items())}


def _verdicts(spans: dict[str, str]) -> dict[int, Verdict]:
    return {port: Verdict(name) for name, text in spans.items() for port in expand(text)}
