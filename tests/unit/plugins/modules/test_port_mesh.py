"""Claims about the port_mesh module, with real sockets on loopback addresses."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules.port_mesh import main

from tests.unit.plugins.module_utils.mesh_nodes import new_address
from tests.unit.plugins.modules.conftest import Node

SECRET = "only this run knows it"
PORTS = "23000-23009"


def call(node: Node, state: str, address: str, **more: Any) -> Any:
    """Return what the module answers."""
    return node.run(main, state=state, address=address, secret=SECRET, **more)


def test_three_calls_prove_a_path_and_leave_nothing(node: Node) -> None:
    address = new_address()
    heard = call(node, "listening", address, tcp=PORTS, udp="23000", seconds=60)
    target = {"host": "n2", "address": address, "tcp": PORTS, "udp": "23000"}
    seen = call(node, "probed", new_address(), source="n1", targets=[target], mtu=False)
    first = call(node, "absent", address, tcp=PORTS)
    second = call(node, "absent", address, tcp=PORTS)
    assert heard["report"]["tcp"]["ours"] == PORTS
    pair = seen["report"]["pairs"][0]
    assert (pair["destination"], pair["tcp"], pair["udp"]) == (
        "n2",
        {"open": PORTS},
        {"open": "23000"},
    )
    assert (first["was_there"], second["was_there"]) == (True, False)
    assert {each["changed"] for each in (heard, seen, first, second)} == {False}


def test_services_that_went_away_or_began_anew_meanwhile_are_told(node: Node) -> None:
    address = new_address()
    with socket.create_server((address, 23001)) as stays, socket.create_server((address, 23002)):
        anew = socket.create_server((address, 23003))
        heard = call(node, "listening", address, tcp="23000-23003", seconds=60)
        anew.close()
        with socket.create_server((address, 23003)):
            listeners = {**heard["listeners"], "23004": 0}
            left = call(node, "absent", address, tcp="23000", listeners=listeners)
        assert heard["report"]["tcp"]["served"] == "23001-23003"
        assert heard["listeners"]["23001"] == os.fstat(stays.fileno()).st_ino
        assert left["ended"] == "23003-23004"


SHOW = "systemctl show --property=Id,ActiveState,Job k3s.service ray.service"
IDLE = "Id=k3s.service\nActiveState=inactive\nJob=0\n"


@pytest.mark.parametrize(
    ("state", "left"),
    [
        pytest.param("ActiveState=active\nJob=0", True, id="runs"),
        pytest.param("ActiveState=activating\nJob=0", True, id="starts"),
        pytest.param("ActiveState=inactive\nJob=118", True, id="waits-for-its-start"),
        pytest.param("ActiveState=inactive\nJob=0", False, id="stopped"),
        pytest.param("ActiveState=failed\nJob=0", False, id="failed"),
        pytest.param("ActiveState=inactive\nJob=", False, id="not-there"),
    ],
)
def test_a_unit_that_runs_or_will_keeps_its_ports(node: Node, state: str, left: bool) -> None:
    node.answers(SHOW, (0, f"Id=ray.service\n{state}\n\n{IDLE}", ""))
    address = new_address()
    units = {"ray.service": "23001,23008", "k3s.service": "23002"}
    heard = call(node, "listening", address, tcp="23000-23003", units=units, seconds=60)
    gone = call(node, "absent", address, tcp="23000", listeners=heard["listeners"])
    tcp = heard["report"]["tcp"]
    if left:
        assert (tcp["ours"], tcp["served"]) == ("23000,23002-23003", "23001")
        assert (heard["listeners"], gone["ended"]) == ({"23001": 0}, "23001")
    else:
        assert (tcp["ours"], tcp["served"]) == ("23000-23003", "")
        assert (heard["listeners"], gone["ended"]) == ({}, "")


def test_a_node_without_a_listener_of_ours_tells_of_its_services(node: Node) -> None:
    address = new_address()
    with socket.create_server((address, 23002)):
        heard = call(node, "listening", address, tcp="23002", seconds=60)
    left = call(node, "absent", address, tcp="", listeners=heard["listeners"])
    assert (heard["report"]["tcp"]["ours"], left["ended"]) == ("", "23002")
    assert (left["was_listening"], left["was_there"]) == (None, False)


def test_check_mode_runs_as_usual(node: Node) -> None:
    address = new_address()
    arguments = {"state": "listening", "address": address, "secret": SECRET, "tcp": PORTS}
    heard = node.run(main, check=True, seconds=60, **arguments)
    assert heard["report"]["tcp"]["ours"] == PORTS
    assert call(node, "absent", address, tcp=PORTS)["was_there"] is True


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param({"address": "gpu-1"}, "saw the address 'gpu-1'", id="name-for-address"),
        pytest.param({"address": "fe80::1"}, "saw the address 'fe80::1'", id="ipv6"),
        pytest.param({"tcp": "80-"}, "saw '80-'", id="no-range"),
        pytest.param({"seconds": 0}, "saw seconds: 0, expected 1 or more", id="no-time"),
        pytest.param(
            {"state": "probed", "targets": [{"host": "n2", "address": "n2"}]},
            "saw the address 'n2'",
            id="target-without-address",
        ),
    ],
)
def test_wrong_arguments_are_named(node: Node, arguments: dict[str, Any], told: str) -> None:
    given = {"state": "listening", "address": "127.0.0.1", "secret": SECRET, **arguments}
    result = node.run(main, **given)
    assert result["failed"] is True
    assert told in result["msg"]


def test_an_address_that_the_node_lacks_is_told_as_data(node: Node) -> None:
    for state in ("listening", "probed"):
        result = call(node, state, "192.0.2.1", tcp=PORTS)
        assert "192.0.2.1: Cannot assign requested address" in result["report"]["problem"]
    assert call(node, "absent", "192.0.2.1", tcp=PORTS)["was_there"] is False
