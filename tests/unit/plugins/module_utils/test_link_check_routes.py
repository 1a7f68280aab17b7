"""Claims about the way that packets for the other nodes take."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check_routes import (
    best_route,
    check_routes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_facts import node_links

from tests.unit.plugins.module_utils.link_nodes import (
    brief,
    host,
    interface,
    inventory,
    links,
    route,
)

ETH1 = interface("eth1", "198.19.1.2/24")
ROUTES = [route("default", "eth0"), route("198.19.1.0/24", "eth1")]


def check(facts: dict[str, Any]) -> list[Any]:
    return check_routes(node_links(inventory(host(1), host(2, facts), host(3))))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(interface("eth2", "198.19.1.52/24"), id="up"),
        pytest.param(interface("eth2", "198.19.1.52/24", carrier=False), id="without-carrier"),
        pytest.param(interface("eth2", "10.0.0.1/8", "198.19.1.52/24", kind="veth"), id="veth"),
    ],
)
def test_a_second_interface_in_the_subnet_is_an_error(other: dict[str, Any]) -> None:
    (found,) = check(links(2, ETH1, other))
    assert brief([found]) == [("error", "subnet-doubled", "n2")]
    assert 'ip address delete 198.19.1.52/24 dev eth2" n2' in found.fix


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(interface("eth2", "198.19.1.52/24", up=False), id="switched-off"),
        pytest.param(interface("eth2", "198.19.1.52/24", master="bond0"), id="bond-member"),
        pytest.param(interface("eth2", "198.19.1.52/32"), id="address-that-stands-alone"),
        pytest.param(interface("eth2", "198.19.2.52/24"), id="other-subnet"),
        pytest.param(interface("kube-ipvs0", "198.19.1.52/24", kind="dummy"), id="dummy"),
        pytest.param(interface("docker0", "198.19.1.52/24", kind="bridge"), id="docker"),
        pytest.param(interface("lo", "198.19.1.52/24", kind="loopback"), id="loopback"),
    ],
)
def test_what_no_packet_takes_is_no_second_interface(other: dict[str, Any]) -> None:
    assert check(links(2, ETH1, other)) == []


def test_rails_in_one_subnet_beside_the_cluster_network_are_nobodys_fault() -> None:
    rails = [interface(f"rail{number}", f"10.9.0.{number}/24") for number in range(8)]
    assert check(links(2, ETH1, *rails)) == []


def test_a_kernel_that_takes_another_interface_to_the_neighbours_is_an_error() -> None:
    away = {"address": "198.19.1.1", "interface": "eth0", "source": None}
    (found,) = check(links(2, neighbour=away))
    assert brief([found]) == [("error", "route-elsewhere", "n2")]
    assert found.seen == "to 198.19.1.1 by eth0"


def test_a_route_to_one_other_node_by_another_interface_is_an_error() -> None:
    (found,) = check(links(2, routes=[*ROUTES, route("198.19.1.3/32", "eth0")]))
    assert found.seen == "to n3 (198.19.1.3) by eth0 by the route 198.19.1.3/32"
    assert 'ip -4 route delete 198.19.1.3/32 dev eth0" n2' in found.fix


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"rules": ["100: from 198.19.1.2 table 100"]}, id="policy-rules"),
        pytest.param({"rules": None}, id="rules-unknown"),
        pytest.param({"table": "100"}, id="other-table"),
    ],
)
def test_routes_are_not_judged_where_more_than_the_destination_decides(
    changes: dict[str, Any],
) -> None:
    stray = route("198.19.1.3/32", "eth0", table=changes.pop("table", "main"))
    assert check(links(2, routes=[*ROUTES, stray], **changes)) == []


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        pytest.param(ROUTES, "eth1", id="longest-prefix"),
        pytest.param([route("default", "eth0")], "eth0", id="default"),
        pytest.param([], None, id="none"),
        pytest.param([route("junk", "eth0")], None, id="garbage"),
        pytest.param(
            [route("198.19.1.0/24", "b", metric=200), route("198.19.1.0/24", "a", metric=100)],
            "a",
            id="lower-metric",
        ),
    ],
)
def test_the_route_is_the_one_that_the_kernel_takes(
    routes: list[dict[str, Any]], expected: str | None
) -> None:
    found = best_route(routes, "198.19.1.7")
    assert (found and found["dev"]) == expected


def test_an_address_that_is_none_has_no_route() -> None:
    assert best_route(ROUTES, "") is None
