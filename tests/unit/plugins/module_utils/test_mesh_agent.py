"""Claims about the agent, as a real process with real sockets on loopback addresses."""

from __future__ import annotations

import contextlib
import os
import signal
import socket

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import mesh_wire
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_agent import judge_pairs
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import Wish
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_sockets import (
    read_listening,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_start import (
    end_agent,
    find_agent,
    start_agent,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import (
    Ends,
    Held,
    key_of,
    make_hello,
    new_nonce,
)

from tests.unit.plugins.module_utils.mesh_nodes import KEY, PORTS, agent, new_address, stranger

PORT = 23000


def test_all_free_ports_are_listened_to() -> None:
    with agent(udp="23000,23005") as report:
        assert (report.problem, report.tcp.ours, report.udp.ours) == ("", PORTS, "23000,23005")
        assert set(range(23000, 23020)) <= read_listening(report.address).tcp


def test_a_port_with_a_service_is_left_to_it() -> None:
    address = new_address()
    with stranger(address, 23004):
        report = start_agent(KEY, Wish(address, PORTS, "", 60))
        assert (report.tcp.served, report.tcp.ours) == ("23004", "23000-23003,23005-23019")
        assert end_agent(KEY, address, PORTS)


def test_a_port_of_an_outgoing_connection_is_missing_with_the_reason() -> None:
    address = new_address()
    with socket.socket() as outgoing, stranger(address, 23100):
        outgoing.bind((address, 23007))
        outgoing.connect((address, 23100))
        report = start_agent(KEY, Wish(address, PORTS, "", 60))
        assert report.tcp.missing == {"23007": "in use by an outgoing connection"}
        assert end_agent(KEY, address, PORTS)


def test_few_leaves_most_of_a_wide_range_to_the_services() -> None:
    with agent(tcp="23000-23999,24500", few=True) as report:
        assert len(read_listening(report.address).tcp & set(range(23000, 24000))) == 32
        assert "24500" in report.tcp.ours
        assert list(report.tcp.missing.values()) == ["left free for the services that run here"]


def test_an_address_that_the_node_lacks_is_a_problem_and_no_listener() -> None:
    report = start_agent(KEY, Wish("192.0.2.1", PORTS, "", 60))
    assert report.problem == "cannot listen at 192.0.2.1: Cannot assign requested address"


def test_a_second_start_reports_the_agent_that_is_there() -> None:
    with agent() as report:
        assert start_agent(KEY, Wish(report.address, PORTS, "", 60)) == report


def test_after_the_end_nothing_listens() -> None:
    with agent() as report:
        assert end_agent(KEY, report.address, PORTS) is True
        assert read_listening(report.address).tcp & set(range(23000, 23020)) == set()
        assert end_agent(KEY, report.address, PORTS) is False


def test_the_agent_ends_at_its_bound() -> None:
    with agent(seconds=1) as report:
        talk = find_agent(KEY, report.address, PORTS)
        assert talk is not None
        assert talk.wait_for_end(30)
        talk.close()
        assert read_listening(report.address).tcp & set(range(23000, 23020)) == set()


def test_nobody_without_the_secret_can_end_it() -> None:
    with agent() as report:
        assert end_agent(key_of("another"), report.address, PORTS) is False
        assert 23000 in read_listening(report.address).tcp


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(b"GET / HTTP/1.0\r\n\r\n" * 10, id="garbage"),
        pytest.param(make_hello(key_of("another"), new_nonce()), id="wrong-secret"),
        pytest.param(b"\n", id="too-little"),
    ],
)
def test_a_stranger_is_dropped_without_a_word(words: bytes) -> None:
    with agent() as report, socket.create_connection((report.address, PORT), 30) as sock:
        sock.sendall(words)
        try:
            said = sock.recv(100)
        except ConnectionResetError:
            said = b""
        assert said == b""


def test_a_recorded_talk_is_worth_nothing() -> None:
    with agent() as report:
        hello = make_hello(KEY, bytes(16))
        agent_nonce = b"\1" * 16
        leave = mesh_wire.Channel(KEY, bytes(16), agent_nonce, is_agent=False).pack(
            mesh_wire.Kind.LEAVE
        )
        with socket.create_connection((report.address, PORT), 30) as sock:
            sock.sendall(hello + leave)
            while sock.recv(100):
                pass
        assert 23000 in read_listening(report.address).tcp


def test_the_agent_belongs_to_nobody_and_holds_no_file() -> None:
    with agent() as report:
        process = owner_of(report.address, PORT)
        files = {os.readlink(f"/proc/{process}/fd/{number}") for number in ("0", "1", "2")}
        others = os.listdir(f"/proc/{process}/fd")
        assert (files, os.readlink(f"/proc/{process}/cwd")) == ({"/dev/null"}, "/")
        assert os.getsid(process) != os.getsid(0)
        # Twenty listeners, the epoll and the three above.
        assert len(others) == 24


def test_a_killed_agent_leaves_nothing() -> None:
    with agent() as report:
        kill(report.address)
        assert end_agent(KEY, report.address, PORTS) is False


def kill(address: str) -> None:
    """Kill the agent at an address and return when it is gone."""
    talk = find_agent(KEY, address, PORTS)
    assert talk is not None
    os.kill(owner_of(address, PORT), signal.SIGKILL)
    assert talk.wait_for_end(30)
    talk.close()


def owner_of(address: str, port: int) -> int:
    """Return the process that listens there."""
    host = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file]
    inode = next(row[9] for row in rows if row[1] == f"{host}:{port:04X}" and row[3] == "0A")
    for process in filter(str.isdigit, os.listdir("/proc")):
        if f"socket:[{inode}]" in open_files(process):
            return int(process)
    raise AssertionError("nobody listens")


def open_files(process: str) -> set[str]:
    """Return what a process has open; it may close some, or end, meanwhile."""
    links = set()
    folder = f"/proc/{process}/fd"
    with contextlib.suppress(OSError):
        for each in os.listdir(folder):
            with contextlib.suppress(OSError):
                links.add(os.readlink(f"{folder}/{each}"))
    return links


OURS, SEEN = b"\x0a\0\0\1", b"\x0a\0\0\x63"
PAIR = b"\x1b\x58\x9c\x40"


@pytest.mark.parametrize(
    ("peer", "held", "onward", "expected"),
    [
        pytest.param("10.0.0.1", {OURS: {PAIR}}, {}, Held.HERE, id="held"),
        pytest.param("10.0.0.1", {}, {}, Held.NOWHERE, id="somebody-else-took-it"),
        pytest.param("10.0.0.1", {SEEN: {PAIR}}, {}, Held.NOWHERE, id="held-for-another-node"),
        pytest.param("10.0.0.1", {}, {OURS: {PAIR}}, Held.HANDED_ON, id="container"),
        pytest.param("10.0.0.99", {SEEN: {PAIR}}, {}, Held.TRANSLATED, id="other-address"),
        pytest.param(
            "10.0.0.99", {SEEN: {PAIR[:2] + b"\0\7"}}, {}, Held.TRANSLATED, id="other-port-too"
        ),
    ],
)
def test_the_kernels_table_decides_who_has_a_connection(
    peer: str, held: dict[bytes, set[bytes]], onward: dict[bytes, set[bytes]], expected: Held
) -> None:
    ends = Ends((peer, 40000), ("10.0.0.2", 7000))
    assert judge_pairs(PAIR, ends, "10.0.0.1", held, onward) == bytes([expected])
