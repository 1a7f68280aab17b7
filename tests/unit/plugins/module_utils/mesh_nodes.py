"""Addresses of this machine that stand for nodes of a mesh."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import Wish
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    ListenReport,
    PairResult,
    Target,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_probe import Order, probe
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_start import (
    end_agent,
    start_agent,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import key_of

KEY = key_of("secret of the tests")
PORTS = "23000-23019"
_numbers = itertools.count(1)


def new_address() -> str:
    """Return an address of the loopback interface that no other test has."""
    return f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}.{next(_numbers)}"


@contextmanager
def agent(
    tcp: str = PORTS, udp: str = "", seconds: int = 60, few: bool = False, key: bytes = KEY
) -> Iterator[ListenReport]:
    """Return the report of an agent that is there for the block."""
    address = new_address()
    report = start_agent(key, Wish(address, tcp, udp, seconds, few))
    try:
        yield report
    finally:
        end_agent(key, address, tcp)


def try_ports(target: Target, key: bytes = KEY, mtu: bool = False) -> PairResult:
    """Return what another address sees of a target."""
    report = probe(key, "prober", Order(new_address(), (target,), 100_000, mtu))
    assert report.problem == ""
    return report.pairs[0]


def to(report: ListenReport) -> Target:
    """Return the target that a report makes."""
    return Target(
        "node",
        report.address,
        tcp=report.tcp.ours,
        tcp_served=report.tcp.served,
        udp=report.udp.ours,
        udp_served=report.udp.served,
    )


@contextmanager
def stranger(address: str, port: int) -> Iterator[socket.socket]:
    """Return a listener that is none of ours: the kernel takes its connections."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(64)
        yield listener
