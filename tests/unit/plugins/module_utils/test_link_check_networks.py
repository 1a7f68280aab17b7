"""Claims about the subnets of Docker's and k3s's networks."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check import check_links

from tests.unit.plugins.module_utils.link_nodes import (
    brief,
    host,
    interface,
    inventory,
    links,
    route,
)

ROUTES = links(1)["routes"]


def docker(**changes: Any) -> dict[str, Any]:
    return {"bip": None, "pools": None, "networks": None, **changes}


def network(name: str, subnet: str, *containers: str) -> dict[str, Any]:
    return {"name": name, "driver": "bridge", "subnets": [subnet], "containers": list(containers)}


def check(facts: dict[str, Any], **values: Any) -> list[Finding]:
    return check_links(inventory(host(1), host(2, facts, **values)))


BRIDGES = docker(networks=[network("bridge", "172.17.0.0/16"), network("host", "172.18.0.0/16")])


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(links(2, docker=BRIDGES), id="engine-running"),
        pytest.param(
            links(
                2,
                interface("eth1", "198.19.1.2/24"),
                interface("docker0", "172.17.0.1/16", kind="bridge", carrier=False),
                routes=[*ROUTES, route("172.17.0.0/16", "docker0")],
            ),
            id="engine-that-does-not-tell",
        ),
    ],
)
def test_docker_beside_the_nodes_network_gives_no_finding(facts: dict[str, Any]) -> None:
    assert check(facts) == []


def test_a_network_in_a_reserved_subnet_is_an_error_as_for_the_role() -> None:
    facts = links(2, docker=docker(networks=[network("lab", "172.20.0.0/16", "web")]))
    (found,) = check(facts, docker_reserved_subnets=["172.20.5.0/24"])
    assert brief([found]) == [("error", "docker-network-overlap", "n2")]
    assert found.seen == "lab 172.20.0.0/16"
    assert "(docker_reserved_subnets); containers on it: web" in found.message
    assert 'docker network rm lab" n2' in found.fix


def test_the_vpn_list_of_preflight_counts_as_well() -> None:
    facts = links(2, docker=docker(networks=[network("lab", "172.20.0.0/16")]))
    (found,) = check(facts, preflight_reserved_subnets=["172.20.0.0/16"])
    assert brief([found]) == [("error", "docker-network-overlap", "n2")]


def test_a_network_over_a_route_is_a_warning_unless_it_hides_a_node() -> None:
    routes = [*ROUTES, route("172.20.5.0/24", "eth0")]
    networks = [network("lab", "172.20.0.0/16"), network("bad", "198.19.1.0/28")]
    facts = links(2, routes=routes, docker=docker(networks=networks))
    found = check(facts)
    assert [(each.severity.value, each.seen) for each in found if "lab" in each.seen] == [
        ("warning", "lab 172.20.0.0/16")
    ]


def test_a_network_over_several_routes_is_one_finding() -> None:
    routes = [*ROUTES, route("172.20.5.0/24", "eth0"), route("172.20.6.0/24", "eth0")]
    facts = links(2, routes=routes, docker=docker(networks=[network("lab", "172.20.0.0/16")]))
    assert brief(check(facts)) == [("warning", "docker-network-overlap", "n2")]


def test_a_network_that_hides_another_node_is_an_error() -> None:
    facts = links(2, docker=docker(networks=[network("bad", "198.19.1.0/28")]))
    found = [each for each in check(facts) if each.code == "docker-network-overlap"]
    assert brief(found) == [("error", "docker-network-overlap", "n2")]


def test_bridges_show_the_networks_of_an_engine_that_does_not_tell() -> None:
    facts = links(
        2,
        interface("eth1", "198.19.1.2/24"),
        interface("br-0123456789ab", "172.20.0.1/16", kind="bridge"),
    )
    (found,) = check(facts, docker_reserved_subnets=["172.20.0.0/16"])
    assert found.seen == "0123456789ab 172.20.0.0/16"


def test_the_default_bridge_of_daemon_json_is_judged_before_the_engine_runs() -> None:
    facts = links(2, docker=docker(bip="10.8.0.1/24"))
    (found,) = check(facts, docker_reserved_subnets=["10.8.0.0/16"])
    assert found.seen == "bridge 10.8.0.0/24"
    assert found.fix == 'docker_daemon_options={"bip": "10.241.0.1/24"}'


def test_a_default_bridge_that_is_going_to_move_is_not_judged() -> None:
    facts = links(2, docker=docker(bip="10.8.0.1/24"))
    values = {"docker_daemon_options": {"bip": "10.241.0.1/24"}}
    assert check(facts, docker_reserved_subnets=["10.8.0.0/16"], **values) == []


def test_pools_that_the_role_would_refuse_are_refused_before() -> None:
    pools = [{"base": "172.240.0.0/16", "size": 24}]
    (found,) = check(links(2), docker_address_pools=pools)
    assert brief([found]) == [("error", "docker-pools-refused", "n2")]
    assert "172.240.0.0/16 is not private (172.16.0.0/12 ends at 172.31.255.255)" in found.seen
    assert found.fix == "docker_address_pools: [{base: 10.240.0.0/16, size: 24}]"


def test_pools_over_a_route_are_refused_with_a_proposal() -> None:
    (found,) = check(links(2), docker_address_pools=[{"base": "198.19.0.0/16", "size": 24}])
    assert brief([found]) == [("error", "docker-network-overlap", "n2")]
    assert found.fix.startswith("docker_address_pools: [{base: 10.")


def test_pools_of_all_nodes_are_one_finding() -> None:
    pools = [{"base": "172.240.0.0/16", "size": 24}]
    hosts = [host(number, docker_address_pools=pools) for number in (1, 2)]
    found = check_links(inventory(*hosts))
    assert brief(found) == [("error", "docker-pools-refused", "all hosts")]


@pytest.mark.parametrize("value", [pytest.param(False, id="bool"), pytest.param("no", id="word")])
def test_pools_do_not_matter_where_docker_is_not_installed(value: object) -> None:
    pools = [{"base": "172.240.0.0/16", "size": 24}]
    assert check(links(2), docker_address_pools=pools, install_docker=value) == []


def test_a_reserved_subnet_that_is_none_is_named() -> None:
    (found,) = check(links(2), docker_reserved_subnets=["172.20.0.0/99"])
    assert found.fix == "correct docker_reserved_subnets"


def k3s(facts: dict[str, Any], profile: str = "k3s", **values: Any) -> list[Finding]:
    agent = host(2, facts, groups=["k3s_agent"], **values)
    groups = ("ray_head", "ray_worker", "k3s_server", "k3s_agent")
    return check_links(
        inventory(host(1), agent, profiles=frozenset({profile}), cluster_groups=groups)
    )


def test_k3s_beside_other_networks_gives_no_finding() -> None:
    assert k3s(links(2)) == []


@pytest.mark.parametrize(
    ("routes", "values", "seen", "fix"),
    [
        pytest.param(
            [route("10.0.0.0/8", "eth0", "192.0.2.9")],
            {"k3s_service_cidr": "172.30.0.0/16"},
            "10.0.0.0/8 (the route to 10.0.0.0/8 by eth0)",
            "k3s_cluster_cidr=172.31.0.0/16",
            id="route-of-a-vpn",
        ),
        pytest.param(
            [],
            {"cluster_subnet": "10.43.7.0/24"},
            "10.43.7.0/24 (cluster_subnet)",
            "k3s_service_cidr=10.44.0.0/16",
            id="cluster-subnet",
        ),
        pytest.param(
            [],
            {"k3s_cluster_cidr": "10.99.0.0/16", "preflight_reserved_subnets": ["10.99.1.0/24"]},
            "10.99.1.0/24 (preflight_reserved_subnets)",
            "k3s_cluster_cidr=10.44.0.0/16",
            id="vpn-list",
        ),
    ],
)
def test_a_network_of_k3s_that_is_somebody_elses_is_an_error(
    routes: list[dict[str, Any]], values: dict[str, Any], seen: str, fix: str
) -> None:
    (found,) = k3s(links(2, routes=[*ROUTES, *routes]), **values)
    assert brief([found]) == [("error", "k3s-network-overlap", "n2")]
    assert (found.seen, found.fix) == (seen, fix)


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param(route("10.42.1.0/24", "cni0"), id="bridge"),
        pytest.param(route("10.42.2.0/24", "flannel.1", "10.42.2.0"), id="vxlan"),
        pytest.param(route("10.42.3.0/24", "eth1", "198.19.1.1"), id="host-gateway"),
    ],
)
def test_routes_that_k3s_made_itself_are_no_overlap(stray: dict[str, Any]) -> None:
    assert k3s(links(2, routes=[*ROUTES, stray])) == []


def test_networks_of_k3s_do_not_matter_without_k3s() -> None:
    facts = links(2, routes=[*ROUTES, route("10.42.0.0/16", "eth0")])
    assert k3s(facts, profile="ray") == []
