"""Claims about what is read of the kernel's sockets."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_sockets import (
    is_asked_for,
    read_connections,
    read_handed_on,
    read_listening,
    read_number,
)

from tests.unit.plugins.module_utils.mesh_nodes import new_address, stranger

#: A port of this node that is published by a container, and one that only goes out.
TRACKED = """\
ipv4     2 tcp      6 117 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=40000 dport=8000 \
src=172.17.0.2 dst=10.0.0.1 sport=80 dport=40000 [ASSURED] mark=0 use=1
ipv4     2 tcp      6 117 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=40001 dport=8001 \
src=10.0.0.2 dst=10.0.0.1 sport=22 dport=40001 [ASSURED] mark=0 use=1
ipv4     2 udp      17 20 src=10.0.0.1 dst=10.0.0.2 sport=53 dport=53 \
src=1.1.1.1 dst=1 sport=1 dport=1
garbage src= dst
"""


def test_listeners_of_the_address_and_of_all_addresses_take_its_connections() -> None:
    address = new_address()
    with stranger(address, 23700), stranger("0.0.0.0", 0) as everywhere:  # noqa: S104 - as services do
        found = read_listening(address)
        assert {23700, everywhere.getsockname()[1]} <= found.tcp
        assert 23700 not in read_listening(new_address()).tcp


def test_a_held_connection_is_found_both_ways_of_reading() -> None:
    address, source = new_address(), new_address()
    with stranger(address, 23700), socket.socket() as client:
        client.bind((source, 0))
        client.connect((address, 23700))
        pair = struct.pack("!HH", 23700, client.getsockname()[1])
        peer = socket.inet_aton(source)
        assert read_connections([peer]) == {peer: {pair}}
        assert read_connections([peer], ask=False) == {peer: {pair}}


def test_a_connection_to_an_ipv6_listener_is_found_by_its_ipv4_address() -> None:
    source = new_address()
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as service:
        port = service.getsockname()[1]
        with socket.socket() as client:
            client.bind((source, 0))
            client.connect(("127.0.0.1", port))
            pair = struct.pack("!HH", port, client.getsockname()[1])
            peer = socket.inet_aton(source)
            for ask in (True, False):
                assert read_connections([peer], socket.AF_INET6, ask=ask) == {peer: {pair}}
                assert read_connections([peer], ask=ask) == {peer: set()}


def test_only_what_goes_on_to_another_address_is_a_containers(tmp_path: Path) -> None:
    (tmp_path / "tracked").write_text(TRACKED)
    found = read_handed_on("10.0.0.2", str(tmp_path / "tracked"))
    assert found == {b"\x0a\0\0\1": {struct.pack("!HH", 8000, 40000)}}


def test_what_cannot_be_read_is_empty(tmp_path: Path) -> None:
    assert read_handed_on("10.0.0.2", str(tmp_path / "none")) == {}
    assert read_number(str(tmp_path / "none")) is None
    (tmp_path / "word").write_text("many\n")
    assert read_number(str(tmp_path / "word")) is None


def test_a_neighbour_that_does_not_answer_is_still_asked_for(tmp_path: Path) -> None:
    (tmp_path / "arp").write_text(
        "IP address HW type Flags HW address Mask Device\n"
        "10.0.0.2 0x1 0x0 00:00:00:00:00:00 * eth1\n"
        "10.0.0.3 0x1 0x2 02:42:0a:00:00:03 * eth1\ngarbage\n"
    )
    table = str(tmp_path / "arp")
    assert [is_asked_for(f"10.0.0.{last}", table) for last in (2, 3, 4)] == [True, False, False]
