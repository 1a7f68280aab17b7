"""Claims about interfaces and the choice of the node address."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_network import (
    AddressProblem,
    Choice,
    Interface,
    NodeAddress,
    choose_interface,
    describe_interfaces,
    parse_default_interface,
    parse_interfaces,
    parse_subnet,
)

# `ip -j addr show` of iproute2 6.15 (Debian 13), shortened to what matters and one more address.
IP_ADDR = """[
{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"operstate":"UNKNOWN",
 "addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo"}]},
{"ifindex":20,"link_index":21,"ifname":"eth0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],
 "operstate":"UP","addr_info":[{"family":"inet","local":"198.18.1.2","prefixlen":24,
 "broadcast":"198.18.1.255","scope":"global","label":"eth0"},
 {"family":"inet6","local":"fe80::42","prefixlen":64,"scope":"link"}]},
{"ifindex":22,"ifname":"eth1@if23","flags":["BROADCAST"],"operstate":"DOWN","addr_info":[]},
{}]"""

LO = Interface("lo", ("127.0.0.1/8",), "UNKNOWN", is_loopback=True)
ETH0 = Interface("eth0", ("198.18.1.2/24",), "UP")
ETH1 = Interface("eth1", ("198.19.1.2/24", "198.19.2.2/24"), "UP")
BARE = Interface("eth2", (), "DOWN")
ALL = [LO, ETH0, ETH1, BARE]
ALL_TEXT = "eth0 198.18.1.2/24, eth1 198.19.1.2/24 198.19.2.2/24, eth2 (no IPv4 address)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(IP_ADDR, [LO, ETH0, Interface("eth1", (), "DOWN")], id="debian13"),
        pytest.param("", [], id="empty"),
        pytest.param("[{},{}]", [], id="empty-objects-of-older-versions"),
        pytest.param('Option "-j" is unknown', [], id="no-json"),
        pytest.param("{}", [], id="no-list"),
    ],
)
def test_interfaces_are_read_from_ip(text: str, expected: list[Interface]) -> None:
    assert parse_interfaces(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("[]", None, id="no-route"),
        pytest.param(
            '[{"dst":"default","gateway":"198.18.1.1","dev":"eth0","flags":[]}]', "eth0", id="one"
        ),
        pytest.param(
            '[{"dst":"default","dev":"wlan0","metric":600},'
            '{"dst":"default","dev":"eth0","metric":100}]',
            "eth0",
            id="lowest-metric-wins",
        ),
        pytest.param(
            '[{"dst":"default","nexthops":[{"dev":"bond0","weight":1}]}]', "bond0", id="multipath"
        ),
        pytest.param('[{"dst":"198.18.1.0/24","dev":"eth0"}]', None, id="no-default-among-others"),
    ],
)
def test_the_default_interface_is_the_one_with_the_best_route(
    text: str, expected: str | None
) -> None:
    assert parse_default_interface(text) == expected


@pytest.mark.parametrize(
    ("default", "my_iface", "subnet", "expected"),
    [
        pytest.param("eth0", "eth1", "", NodeAddress("eth1", "198.19.1.2"), id="my_iface-decides"),
        pytest.param(
            "eth0", "eth1", "198.19.2.0/24", NodeAddress("eth1", "198.19.2.2"), id="second-address"
        ),
        pytest.param(
            "eth0", "", "198.19.1.0/24", NodeAddress("eth1", "198.19.1.2"), id="subnet-decides"
        ),
        pytest.param("eth0", "", "", NodeAddress("eth0", "198.18.1.2"), id="default-route-decides"),
        pytest.param("eth0", "lo", "", NodeAddress("lo", "127.0.0.1"), id="even-the-loopback"),
        pytest.param(
            "eth0",
            "eth9",
            "",
            AddressProblem(
                "my-iface-missing",
                "The node has no interface eth9.",
                ALL_TEXT,
                "an interface eth9, as my_iface says",
            ),
            id="no-such-interface",
        ),
        pytest.param(
            "eth0",
            "eth2",
            "",
            AddressProblem(
                "interface-down",
                "The interface eth2 is down, and has no IPv4 address.",
                f"eth2: state DOWN; {ALL_TEXT}",
                "eth2 up, with an IPv4 address",
            ),
            id="interface-that-is-down-and-lost-its-address",
        ),
        pytest.param(
            "eth0",
            "eth0",
            "198.19.1.0/24",
            AddressProblem(
                "address-outside-subnet",
                "The interface eth0 has no address in cluster_subnet.",
                "eth0 198.18.1.2/24",
                "an address in 198.19.1.0/24",
            ),
            id="address-outside-the-subnet",
        ),
        pytest.param(
            "eth0",
            "",
            "198.19.9.0/24",
            AddressProblem(
                "no-address-in-subnet",
                "No interface of the node has an address in cluster_subnet.",
                ALL_TEXT,
                "an address in 198.19.9.0/24",
            ),
            id="no-interface-in-the-subnet",
        ),
        pytest.param(
            None,
            "",
            "",
            AddressProblem(
                "no-default-route",
                "The node has no default route, so its cluster network cannot be guessed.",
                ALL_TEXT,
                "my_iface naming the interface on the cluster network",
            ),
            id="nothing-to-go-by",
        ),
        pytest.param(
            "eth0", "", "nonsense", NodeAddress("eth0", "198.18.1.2"), id="broken-subnet-is-ignored"
        ),
    ],
)
def test_the_node_address_is_chosen(
    default: str | None, my_iface: str, subnet: str, expected: Choice
) -> None:
    assert choose_interface(ALL, default, my_iface, subnet) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("198.19.1.0/24", "198.19.1.0/24", id="network"),
        pytest.param(" 198.19.1.7/24 ", "198.19.1.0/24", id="host-bits-forgiven"),
        pytest.param("198.19.1.0", "None", id="no-prefix-length"),
        pytest.param("198.19.1.0/33", "None", id="impossible-prefix"),
        pytest.param("2001:db8::/64", "None", id="ipv6"),
        pytest.param("", "None", id="empty"),
    ],
)
def test_a_subnet_is_an_ipv4_network(text: str, expected: str) -> None:
    assert str(parse_subnet(text)) == expected


@pytest.mark.parametrize(
    ("interfaces", "expected"),
    [
        pytest.param(ALL, ALL_TEXT, id="all"),
        pytest.param([LO], "no interface besides the loopback", id="loopback-only"),
    ],
)
def test_interfaces_are_described_for_people(interfaces: list[Interface], expected: str) -> None:
    assert describe_interfaces(interfaces) == expected
