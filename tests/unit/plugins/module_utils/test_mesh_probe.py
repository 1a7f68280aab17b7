"""Claims about what a node sees of another, with real sockets on loopback addresses."""

from __future__ import annotations

import resource
import socket

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import mesh_probe
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Target,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_probe import Order, probe
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_rows import Destination
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import key_of

from tests.unit.plugins.module_utils.mesh_nodes import (
    KEY,
    PORTS,
    agent,
    new_address,
    stranger,
    to,
    try_ports,
)
from tests.unit.plugins.module_utils.test_mesh_agent import kill


def test_every_port_of_an_agent_is_open() -> None:
    with agent(udp="23000-23002") as report:
        seen = try_ports(to(report))
    assert (seen.tcp, seen.udp) == ({"open": PORTS}, {"open": "23000-23002"})
    assert seen.rtt_ms is not None
    assert seen.seen_as.startswith("127.")


def test_a_service_is_told_from_our_listeners() -> None:
    with agent() as report, stranger(report.address, 23500):
        target = Target("node", report.address, tcp=PORTS, tcp_served="23500")
        assert try_ports(target).tcp == {"open": PORTS, "service": "23500"}


def test_ports_that_nobody_has_are_refused() -> None:
    with agent(udp="23000") as report:
        target = Target("node", report.address, tcp="23000,23600", udp="23000,23600")
        seen = try_ports(target)
    assert seen.tcp == {"open": "23000", "refused": "23600"}
    assert seen.udp == {"open": "23000", "refused": "23600"}


def test_somebody_who_takes_everything_is_a_wrong_answerer() -> None:
    address = new_address()
    with stranger(address, 23000), stranger(address, 23001):
        seen = try_ports(Target("node", address, tcp="23000-23001", tcp_served="23001"))
    assert seen.tcp == {"wrong-answerer": "23000", "unproven": "23001"}


def test_an_agent_of_another_run_is_a_wrong_answerer() -> None:
    with agent(tcp="23000-23003", key=key_of("another run")) as report:
        assert try_ports(to(report)).tcp == {"wrong-answerer": "23000-23003"}
        key = key_of("another run")
        assert try_ports(to(report), key).tcp == {"open": "23000-23003"}


def test_a_service_without_any_listener_of_ours_is_unproven() -> None:
    address = new_address()
    with stranger(address, 23000):
        assert try_ports(Target("node", address, tcp_served="23000")).tcp == {"unproven": "23000"}


def test_a_killed_agent_is_refused() -> None:
    with agent() as report:
        kill(report.address)
        assert set(try_ports(to(report)).tcp) == {"refused"}


def test_a_udp_service_gets_an_empty_datagram_and_is_unproven() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        address = new_address()
        service.bind((address, 23000))
        seen = try_ports(Target("node", address, udp_served="23000"))
        assert seen.udp == {"unproven": "23000"}
        service.settimeout(30)
        assert service.recv(100) == b""


def test_an_agent_of_another_run_gives_no_echo() -> None:
    with agent(tcp="", udp="23000", key=key_of("another run")) as report:
        assert try_ports(to(report)).udp == {"filtered": "23000"}


def test_without_its_address_a_node_takes_no_part() -> None:
    report = probe(KEY, "n1", Order("192.0.2.1", (Target("n2", "127.0.0.1", tcp="23000"),), 1000))
    assert report.problem == "cannot use 192.0.2.1: Cannot assign requested address"


def test_few_files_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(mesh_probe, "raise_file_limit", lambda _wanted: 0)
    with agent(tcp="23000-23299") as report:
        assert try_ports(to(report)).tcp == {"open": "23000-23299"}
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


def test_full_packets_pass_the_loopback_interface() -> None:
    with agent() as report:
        mtu = try_ports(to(report), mtu=True).mtu
    assert mtu.stalled is False
    assert mtu.sent is not None
    assert mtu.sent > 1500
    assert mtu.received is not None
    assert mtu.received > 1500


def test_nothing_stays_in_time_wait() -> None:
    with agent() as report:
        try_ports(to(report))
        host = "".join(f"{int(part):02X}" for part in reversed(report.address.split(".")))
        with open("/proc/net/tcp", encoding="ascii") as file:
            states = {line.split()[3] for line in file if host in line}
    assert states == {"0A"}


def test_bandwidth_is_measured_both_ways_where_it_is_wished() -> None:
    with agent() as report:
        order = Order(new_address(), (to(report),), 100_000, mtu=False, bandwidth=True)
        (pair,) = probe(KEY, "prober", order).pairs
    assert (pair.mbit_sent or 0) > 1
    assert (pair.mbit_received or 0) > 1
    assert pair.tcp == {"open": PORTS}


def node(verdicts: dict[int, Verdict], silent: set[int]) -> Destination:
    """Return a destination of which so much is known."""
    ports = ",".join(str(port) for port in sorted({*verdicts, *silent}))
    return Destination(Target("node", "10.0.0.2", tcp=ports), verdicts=verdicts, silent=silent)


def test_one_told_port_names_the_cause_of_a_long_silent_row() -> None:
    to_node = node({110: Verdict.REFUSED, 99: Verdict.OPEN}, set(range(100, 140)) - {110})
    (row,) = to_node.rows()
    assert row.settle() is True
    assert {to_node.verdicts[port] for port in range(100, 140)} == {Verdict.REFUSED}


def test_a_few_silent_ports_beside_a_refused_one_stay_silent() -> None:
    to_node = node({110: Verdict.REFUSED}, {111, 112})
    (row,) = to_node.rows()
    assert row.settle() is False
    assert to_node.silent == {111, 112}


def test_a_block_that_a_firewall_resets_says_nothing_about_the_silent_one_beside_it() -> None:
    refused = dict.fromkeys(range(100, 140), Verdict.REFUSED)
    to_node = node(refused, set(range(140, 180)))
    (row,) = to_node.rows()
    assert row.settle() is False
