# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One node's view of all others: TCP, UDP, large packets, and what the measurement took."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_bandwidth import stream
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_budget import (
    Pace,
    Tracking,
    tracking_room,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_connect import Connector
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_datagram import UdpProbe
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import open_udp
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    PairResult,
    PathMtu,
    ProbeReport,
    Target,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_mtu import measure
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_mtu_sizes import (
    socket_info,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import (
    expand,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_rows import Destination
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_share import (
    ports_by_verdict,
    run_shared,
    workers_for,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_sockets import (
    raise_file_limit,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_tcp import TcpProbe

#: Connections held at one time at most, whatever the limit of files.
LARGEST_WINDOW = 4096
_SPARE_FILES = 128
_LEAST_WINDOW = 64
_TALK_FILES = 8


@dataclass(frozen=True)
class Order:
    """What a node shall try."""

    source: str
    targets: tuple[Target, ...]
    rate: int
    mtu: bool = True
    bandwidth: bool = False
    seconds: float = 120.0


@dataclass
class Run:
    """What was found out so far."""

    destinations: list[Destination]
    udp: dict[int, dict[int, Verdict]] = field(default_factory=dict)
    mtu: dict[int, PathMtu] = field(default_factory=dict)
    mbit: dict[int, tuple[Optional[float], Optional[float]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def pair_of(run: Run, place: int) -> PairResult:
    """Return what was found out about one destination."""
    to = run.destinations[place]
    talk = to.talk
    is_alive = talk is not None and not talk.problem
    return PairResult(
        destination=to.target.host,
        address=to.target.address,
        tcp=ports_by_verdict(to.verdicts),
        udp=ports_by_verdict(run.udp.get(place, {})),
        rtt_ms=socket_info(talk.sock).rtt_ms if talk is not None and is_alive else None,
        seen_as=talk.ends.peer[0] if talk is not None and talk.ends is not None else "",
        mtu=run.mtu.get(place, PathMtu()),
        mbit_sent=run.mbit.get(place, (None, None))[0],
        mbit_received=run.mbit.get(place, (None, None))[1],
    )


def probe_datagrams(key: bytes, order: Order, run: Run, deadline: float) -> None:
    """Fill in the UDP ports."""
    begun = time.monotonic()
    if begun < deadline and any(each.udp or each.udp_served for each in order.targets):
        found = UdpProbe(key, order.source, Pace(order.rate)).run(order.targets)
        run.udp.update(enumerate(found))
    run.seconds["udp"] = time.monotonic() - begun


def probe_sizes(key: bytes, order: Order, run: Run, deadline: float) -> None:
    """Fill in what large packets do."""
    begun = time.monotonic()
    places = {
        number: each.talk.place
        for number, each in enumerate(run.destinations)
        if each.talk is not None and not each.talk.problem
    }
    if begun < deadline and places:
        run.mtu.update(measure(key, order.source, places))
    run.seconds["mtu"] = time.monotonic() - begun


def probe_bandwidth(key: bytes, order: Order, run: Run, deadline: float) -> None:
    """Fill in how fast a stream goes to the first target and back."""
    begun = time.monotonic()
    talk = run.destinations[0].talk if run.destinations else None
    if begun < deadline and talk is not None and not talk.problem:
        there, back = (stream(key, order.source, talk.place, way) for way in (False, True))
        run.mbit[0] = (there, back)
    run.seconds["bandwidth"] = time.monotonic() - begun


def probe(key: bytes, name: str, order: Order) -> ProbeReport:
    """Return what this node saw of all targets."""
    try:
        open_udp(order.source, 0).close()
    except OSError as error:
        return ProbeReport(
            name, order.source, problem=f"cannot use {order.source}: {error.strerror}"
        )
    begun = time.monotonic()
    deadline = begun + order.seconds
    spare = _SPARE_FILES + _TALK_FILES * len(order.targets)
    limit = raise_file_limit(LARGEST_WINDOW + spare)
    room, why = tracking_room()
    window = max(min(limit - spare, LARGEST_WINDOW), _LEAST_WINDOW)
    run = Run([Destination(each, frozenset(expand(each.tcp_served))) for each in order.targets])
    workers = workers_for(run.destinations)

    def make() -> TcpProbe:
        connector = Connector(order.source, Pace(max(order.rate // workers, 1)))
        tracking = Tracking(None if room is None else room // workers)
        return TcpProbe(key, order.source, connector, tracking, window)

    tcp = run_shared(make, run.destinations, deadline, workers)
    run.seconds.update(tcp.seconds, tcp=time.monotonic() - begun)
    probe_datagrams(key, order, run, deadline)
    if order.mtu:
        probe_sizes(key, order, run, deadline)
    if order.bandwidth:
        probe_bandwidth(key, order, run, deadline)
    pairs = tuple(pair_of(run, place) for place in range(len(run.destinations)))
    for each in run.destinations:
        if each.talk is not None:
            each.talk.close()
    conntrack = {"room": room, "why": why}
    return ProbeReport(name, order.source, pairs, cost_of(tcp, run, limit, conntrack))


def cost_of(tcp: TcpProbe, run: Run, limit: int, conntrack: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the measurement took."""
    return {
        "connections": tcp.connections,
        "most_held": tcp.most_held,
        "seconds": {name: round(spent, 3) for name, spent in run.seconds.items()},
        "cpu_seconds": round(sum(os.times()[:4]), 3),
        "open_files_limit": limit,
        "peak_memory_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "conntrack_room": conntrack["room"],
        "conntrack": conntrack["why"],
        "notes": tcp.notes,
    }
