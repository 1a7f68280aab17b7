"""Claims about the sources and ports that a node lets in."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import (
    FirewallError,
    address_in_hosts,
    opened,
    parse_ports,
    to_everybody,
)


def nobody(_name: str) -> Optional[str]:
    """Know no address."""
    return None


def group(*sources: str, ports: tuple[str, ...] = ("tcp/8076",)) -> dict[str, Any]:
    """Return a group of clients."""
    return {"name": "them", "interface": "eth1", "sources": list(sources), "ports": list(ports)}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param(("198.19.1.12", "198.19.1.13"), ["198.19.1.12/31"], id="neighbours"),
        pytest.param(
            ("198.19.1.13", "198.19.1.15"), ["198.19.1.13/32", "198.19.1.15/32"], id="gap"
        ),
        pytest.param(("198.19.1.7/24", "198.19.1.9"), ["198.19.1.0/24"], id="host-in-its-subnet"),
        pytest.param(("fd00::5", "198.19.1.1"), ["198.19.1.1/32", "fd00::5/128"], id="families"),
    ],
)
def test_sources_become_as_few_networks_as_can_be(
    sources: tuple[str, ...], expected: list[str]
) -> None:
    found = opened([group(*sources)], nobody)
    assert [str(each) for each in found.openings[0].sources] == expected
    assert (found.known, found.unknown) == ({}, ())


def test_names_are_looked_up_and_unknown_ones_reported() -> None:
    book = {"connection": "203.0.113.9", "w3": "198.19.1.13"}
    found = opened([group("connection", "w7", "w7", "w3", "w4=198.19.1.14")], book.get)
    sources = [str(each) for each in found.openings[0].sources]
    assert sources == ["198.19.1.13/32", "198.19.1.14/32", "203.0.113.9/32"]
    assert found.known == {"w3": "198.19.1.13", "w4": "198.19.1.14"}
    assert found.unknown == ("w7",)


def test_a_group_without_a_known_source_opens_nothing() -> None:
    # An opening without sources would be one to everybody.
    found = opened([group("w7")], nobody)
    assert (found.openings, found.unknown) == ((), ("w7",))


def test_no_ports_open_nothing_to_everybody() -> None:
    assert to_everybody([], "os_base_firewall_owner_ports") == []


def test_ports_are_sorted_merged_and_grouped_by_protocol() -> None:
    ports = ["tcp/8001", "udp/8472", "tcp/443", "tcp/8000", "tcp/8002-8010"]
    assert parse_ports(ports, "x") == (("tcp", ("443", "8000-8010")), ("udp", ("8472",)))


@pytest.mark.parametrize(
    "port",
    ["443", "tcp/", "sctp/9", "tcp/0", "tcp/70000", "tcp/20-10", "tcp/80,443", "tcp/80; drop"],
)
def test_what_is_no_port_is_refused_in_the_inputs_words(port: str) -> None:
    with pytest.raises(FirewallError) as seen:
        parse_ports([port], "os_base_firewall_owner_ports")
    assert str(seen.value) == (
        f"os_base_firewall_owner_ports: saw {port!r}, expected tcp/443, udp/500 or a range such as"
        " tcp/9000-9010; correct it and run again"
    )


HOSTS = """127.0.0.1 localhost
127.0.1.1 w1
# 198.19.1.99 w1
198.19.1.12 w1 gpu-02 # a worker
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("w1", "198.19.1.12", id="not-the-loopback-line"),
        pytest.param("gpu-02", "198.19.1.12", id="second-name"),
        pytest.param("worker", None, id="word-of-a-comment"),
        pytest.param("w2", None, id="unknown"),
    ],
)
def test_names_come_from_the_hosts_file(name: str, expected: Optional[str]) -> None:
    assert address_in_hosts(HOSTS, name) == expected
