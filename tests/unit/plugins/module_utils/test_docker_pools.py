"""Claims about the subnets that Docker's networks are cut from."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_pools import (
    Blocked,
    DockerNetwork,
    PoolError,
    asked_pools,
    chosen_pools,
    explain_overlap,
    overlapping,
    parse_networks,
    parse_reserved,
    parse_routes,
)

# ip -j route show table all, on a node with Docker, a VPN and IPv6
ROUTES = json.dumps(
    [
        {"dst": "default", "gateway": "192.168.1.1", "dev": "eth0", "flags": []},
        {"dst": "172.17.0.0/16", "dev": "docker0", "protocol": "kernel", "flags": ["linkdown"]},
        {"dst": "172.18.0.0/16", "dev": "br-a59b4746ad35", "protocol": "kernel", "flags": []},
        {"dst": "172.29.0.0/16", "dev": "own-bridge", "protocol": "kernel", "flags": []},
        {"dst": "172.20.0.0/16", "dev": "tun0", "protocol": "static", "flags": []},
        {"dst": "192.168.1.0/24", "dev": "eth0", "protocol": "kernel", "flags": []},
        {"type": "local", "dst": "172.22.0.1", "dev": "lo", "table": "local", "flags": []},
        {"type": "broadcast", "dst": "172.22.255.255", "dev": "lo", "table": "local", "flags": []},
        {"dst": "fe80::/64", "dev": "eth0", "protocol": "kernel", "flags": []},
        {"dst": "203.0.113.7", "gateway": "192.168.1.1", "dev": "eth0", "flags": []},
    ]
)
# docker network inspect
NETWORKS = json.dumps(
    [
        {
            "Name": "bridge",
            "Driver": "bridge",
            "IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]},
            "Containers": {},
        },
        {
            "Name": "app",
            "Driver": "bridge",
            "IPAM": {"Config": [{"Subnet": "172.29.0.0/16"}, {"Subnet": "fd00::/64"}]},
            "Containers": {"9f": {"Name": "web"}, "1a": {"Name": "db"}},
        },
        {"Name": "host", "Driver": "host", "IPAM": {"Config": None}, "Containers": {}},
    ]
)


def blocked(*subnets: str) -> list[Blocked]:
    return [Blocked(IPv4Network(each), "a VPN") for each in subnets]


def test_networks_are_read() -> None:
    bridge, app, host = parse_networks(NETWORKS)
    assert (bridge.name, bridge.subnets) == ("bridge", (IPv4Network("172.17.0.0/16"),))
    assert (app.subnets, app.containers) == ((IPv4Network("172.29.0.0/16"),), ("db", "web"))
    assert host.subnets == ()
    assert parse_networks("no JSON") == []


def test_routes_are_the_nodes_own() -> None:
    assert parse_routes(ROUTES, parse_networks(NETWORKS)) == [
        Blocked(IPv4Network("172.20.0.0/16"), "the route to 172.20.0.0/16 by tun0"),
        Blocked(IPv4Network("192.168.1.0/24"), "the route to 192.168.1.0/24 by eth0"),
        Blocked(IPv4Network("203.0.113.7/32"), "the route to 203.0.113.7/32 by eth0"),
    ]


def test_a_reserved_subnet_that_is_none_is_named() -> None:
    assert parse_reserved(["172.20.0.0/16"])[0].subnet == IPv4Network("172.20.0.0/16")
    with pytest.raises(PoolError, match=r"docker_reserved_subnets has '172\.20\.0\.1/16'"):
        parse_reserved(["172.20.0.1/16"])


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        pytest.param(
            [{"base": "172.240.0.0/16", "size": 24}],
            "172.240.0.0/16 is not private (172.16.0.0/12 ends at 172.31.255.255): machines of the "
            "internet with these addresses could not be reached. Nothing was changed; "
            "10.240.0.0/16 is free on this node: set docker_address_pools to "
            "[{base: 10.240.0.0/16, size: 24}]",
            id="of-the-cvgl-document",
        ),
        pytest.param(
            [{"base": "8.8.0.0/16", "size": 24}], "is not private (private are 10.0", id="public"
        ),
        pytest.param(
            [{"base": "172.16.0.0/8", "size": 24}], "172.16.0.0/8 has host bits", id="host-bits"
        ),
        pytest.param([{"base": "everything", "size": 24}], "saw base 'everything'", id="no-subnet"),
        pytest.param([{"base": "10.1.0.0/16"}], "size 'None'", id="no-size"),
        pytest.param(
            [{"base": "10.1.0.0/16", "size": 8}], "of size 8, expected 16 to 29", id="too-large"
        ),
        pytest.param(
            [{"base": "10.1.0.0/16", "size": 31}], "of size 31, expected 16 to 29", id="too-small"
        ),
        pytest.param(
            [{"base": "10.1.0.0/16", "size": 24}, {"base": "10.1.128.0/17", "size": 24}],
            "10.1.128.0/17 overlaps 10.1.0.0/16",
            id="each-other",
        ),
        pytest.param(
            [{"base": "10.8.0.0/16", "size": 24}],
            "10.8.0.0/16 overlaps 10.8.0.0/24 (a VPN). Nothing was changed; 10.0.0.0/16 is free",
            id="a-route",
        ),
    ],
)
def test_pools_that_would_cut_something_off_are_refused(
    pools: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(PoolError, match="Nothing was changed") as caught:
        asked_pools(pools, blocked("10.8.0.0/24"))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "base",
    ["10.1.0.0/16", "172.31.0.0/16", "192.168.64.0/18", "100.64.0.0/16", "198.18.0.0/16"],
)
def test_private_pools_are_taken_as_asked(base: str) -> None:
    pools = asked_pools([{"base": base, "size": 24}], [])
    assert [pool.to_dict() for pool in pools] == [{"base": base, "size": 24}]


@pytest.mark.parametrize(
    ("present", "subnets", "expected"),
    [
        pytest.param(None, ["10.0.0.0/8"], None, id="nothing-overlaps"),
        pytest.param(
            None,
            ["172.20.0.0/16"],
            [
                ("172.17.0.0/16", 16),
                ("172.18.0.0/16", 16),
                ("172.19.0.0/16", 16),
                ("172.21.0.0/16", 16),
                ("172.22.0.0/15", 16),
                ("172.24.0.0/14", 16),
                ("172.28.0.0/14", 16),
                ("192.168.0.0/16", 20),
            ],
            id="the-schools-vpn",
        ),
        pytest.param(
            None,
            ["172.16.0.0/12", "192.168.1.0/24"],
            [
                ("192.168.16.0/20", 20),
                ("192.168.32.0/19", 20),
                ("192.168.64.0/18", 20),
                ("192.168.128.0/17", 20),
            ],
            id="a-lan-and-a-large-vpn",
        ),
        pytest.param(
            None,
            ["172.16.0.0/12", "192.168.0.0/16"],
            [("10.240.0.0/16", 24), ("100.96.0.0/16", 24), ("198.18.0.0/16", 24)],
            id="all-of-dockers-own",
        ),
        pytest.param(
            [{"base": "10.1.0.0/16", "size": 24}], ["172.20.0.0/16"], None, id="owners-pool-is-free"
        ),
        pytest.param(
            [{"base": "10.1.0.0/16", "size": 24}],
            ["10.1.0.0/17"],
            [("10.1.128.0/17", 24)],
            id="rest-of-the-owners-pool",
        ),
    ],
)
def test_pools_keep_out_of_what_is_taken(
    present: list[dict[str, Any]] | None,
    subnets: list[str],
    expected: list[tuple[str, int]] | None,
) -> None:
    found = chosen_pools(present, blocked(*subnets))
    assert (
        found == expected if found is None else [(str(p.base), p.size) for p in found] == expected
    )
    if found is not None:
        again = chosen_pools([pool.to_dict() for pool in found], blocked(*subnets))
        assert again is None


def test_no_private_range_left_is_an_error() -> None:
    every = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")
    with pytest.raises(PoolError, match="every private range is taken"):
        chosen_pools(None, blocked(*every))


def test_a_network_in_anothers_subnet_is_named_with_its_containers() -> None:
    networks = [
        *parse_networks(NETWORKS),
        DockerNetwork("lan", "macvlan", (IPv4Network("172.29.0.0/16"),)),
    ]
    found = overlapping(networks, blocked("172.28.0.0/14"))
    assert [explain_overlap(*row) for row in found] == [
        "the Docker network app has 172.29.0.0/16, which overlaps 172.28.0.0/14 (a VPN); "
        "containers on it: db, web; remove it with 'docker network rm app' "
        "(and restart what used it)"
    ]


def test_the_default_bridge_is_moved_in_another_way() -> None:
    found = overlapping(parse_networks(NETWORKS), blocked("172.17.0.0/16"))
    assert "ip link delete docker0" in explain_overlap(*found[0])
