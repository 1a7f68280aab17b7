"""Claims about who must reach what by the catalogue."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    EVERY_NODE,
    Port,
    port_named,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import (
    Member,
    PortRuleError,
    Topology,
    listening,
    merged,
    rules_for,
)

MEMBERS = (
    Member("head", "198.19.1.11", "eth1"),
    Member("w1", "198.19.1.12", "eth1"),
    Member("w2", "198.19.1.13", "bond0"),
)
GROUPS = {"ray_head": ["head"], "ray_worker": ["w1", "w2"]}
TOPOLOGY = Topology(MEMBERS, GROUPS, ("connection",), ("203.0.113.0/24",))
EVERY_PORT = ["tcp/1-65535", "udp/1-65535"]
PODS = {"name": "pods", "interface": "cni0", "sources": ["10.42.0.0/16"], "ports": EVERY_PORT}


def test_the_head_lets_in_members_workers_the_control_node_and_developers() -> None:
    assert rules_for("head", TOPOLOGY, {}) == [
        {
            "name": "control node",
            "interface": "",
            "sources": ["connection"],
            "ports": [
                "tcp/8000",
                "tcp/8079",
                "tcp/8265",
                "tcp/44217",
                "tcp/44227",
                "tcp/54311",
            ],
        },
        {
            "name": "every node",
            "interface": "eth1",
            "sources": ["w1=198.19.1.12", "w2=198.19.1.13"],
            "ports": ["tcp/8076-8077", "tcp/10002-20000", "tcp/56999"],
        },
        {
            "name": "ray_worker",
            "interface": "eth1",
            "sources": ["w1=198.19.1.12", "w2=198.19.1.13"],
            "ports": ["tcp/6379"],
        },
        {
            "name": "developers",
            "interface": "",
            "sources": ["203.0.113.0/24"],
            "ports": ["tcp/10001"],
        },
    ]


def test_a_worker_lets_the_head_at_its_dashboard_agent() -> None:
    rules = {rule["name"]: rule for rule in rules_for("w2", TOPOLOGY, {})}
    assert sorted(rules) == ["control node", "every node", "ray_head"]
    assert rules["ray_head"] == {
        "name": "ray_head",
        "interface": "bond0",
        "sources": ["head=198.19.1.11"],
        "ports": ["tcp/8078", "tcp/52365"],
    }


def test_a_head_that_is_alone_lets_in_no_member() -> None:
    alone = Topology(MEMBERS[:1], {"ray_head": ["head"]})
    assert rules_for("head", alone, {}) == []


def test_a_member_that_could_not_be_asked_is_named() -> None:
    absent = Topology((MEMBERS[0], Member("w1")), GROUPS)
    sources = {rule["name"]: rule["sources"] for rule in rules_for("head", absent, {})}
    assert sources == {"every node": ["w1"], "ray_worker": ["w1"]}


def test_the_listeners_own_variables_move_its_ports() -> None:
    moved = {"ray_gcs_port": "6390", "ray_min_worker_port": 21000, "ray_max_worker_port": 22000}
    rules = {rule["name"]: rule["ports"] for rule in rules_for("head", TOPOLOGY, moved)}
    assert rules["ray_worker"] == ["tcp/6390"]
    assert rules["every node"] == ["tcp/8076-8077", "tcp/21000-22000", "tcp/56999"]


def test_rows_of_other_protocols_and_groups_work_alike() -> None:
    row = Port(
        "vxlan", "k3s_agent", 8472, "v", ("k3s_agent",), "flannel", protocol="udp", profile="k3s"
    )
    topology = Topology(MEMBERS, {"k3s_agent": ["w1", "w2"]})
    assert rules_for("w1", topology, {}, (row,)) == [
        {
            "name": "k3s_agent",
            "interface": "eth1",
            "sources": ["w2=198.19.1.13"],
            "ports": ["udp/8472"],
        },
        PODS,
    ]
    assert rules_for("head", topology, {}, (row,)) == []


RANGE = Port("range", EVERY_NODE, 7000, "low", (EVERY_NODE,), "", last=7010, last_variable="high")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param(
            {"low": "many"}, "low: saw 'many', expected a port from 1 to 65535", id="word"
        ),
        pytest.param({"low": True}, "low: saw True, expected a port from 1 to 65535", id="boolean"),
        pytest.param({"low": 0}, "low: saw 0, expected a port from 1 to 65535", id="zero"),
        pytest.param({"high": 70000}, "high: saw 70000, expected a port from 1 to 65535", id="big"),
        pytest.param(
            {"low": 7011},
            "low=7011 is above high=7010, expected the lower end of the range first",
            id="upside-down",
        ),
    ],
)
def test_a_variable_that_is_no_port_is_named(variables: dict[str, Any], expected: str) -> None:
    with pytest.raises(PortRuleError) as seen:
        listening(RANGE, variables)
    assert str(seen.value) == expected


def test_neighbours_are_merged_within_a_protocol() -> None:
    ports = ["tcp/8077", "udp/8078", "tcp/8076", "tcp/80-90", "tcp/85-95"]
    assert merged(ports) == ["tcp/80-95", "tcp/8076-8077", "udp/8078"]


MIXED = {
    "ray_head": ["head"],
    "ray_worker": ["w1"],
    "k3s_server": ["head"],
    "k3s_agent": ["w2"],
    "all": ["head", "w1", "w2", "nas"],
}


def ports_by_name(host: str, groups: dict[str, list[str]], *profiles: str) -> dict[str, Any]:
    topology = Topology(MEMBERS, groups, ("connection",), profiles=profiles)
    return {rule["name"]: rule["ports"] for rule in rules_for(host, topology, {})}


def test_rays_ports_open_on_nodes_of_ray_only() -> None:
    assert ports_by_name("w2", MIXED) == {
        "k3s nodes": ["tcp/10250", "udp/8472"],
        "pods": EVERY_PORT,
    }


def test_nodes_of_k3s_are_no_clients_of_ray() -> None:
    topology = Topology(MEMBERS, MIXED, ("connection",))
    rules = {rule["name"]: rule["sources"] for rule in rules_for("head", topology, {})}
    assert rules["every node"] == ["w1=198.19.1.12"]
    assert rules["k3s nodes"] == ["w2=198.19.1.13"]


def test_a_server_of_k3s_opens_its_api_to_the_nodes_of_k3s() -> None:
    assert ports_by_name("head", MIXED)["k3s nodes"] == ["tcp/6443", "tcp/10250", "udp/8472"]
    assert "k3s nodes" not in ports_by_name("w1", MIXED)


def test_a_server_of_k3s_opens_its_api_to_the_control_node_and_an_agent_does_not() -> None:
    assert ports_by_name("head", {"k3s_server": ["head"]})["control node"] == ["tcp/6443"]
    assert "control node" not in ports_by_name("w2", MIXED)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, PODS, id="as-k3s-has-it"),
        pytest.param(
            {"k3s_cluster_cidr": "10.99.0.0/16"},
            {**PODS, "sources": ["10.99.0.0/16"]},
            id="another-network",
        ),
        pytest.param(
            {"k3s_cluster_cidr": "10.42.0.0/16,fd42::/56"},
            {**PODS, "sources": ["10.42.0.0/16", "fd42::/56"]},
            id="both-families",
        ),
        pytest.param({"k3s_cluster_cidr": None}, PODS, id="network-not-set"),
        pytest.param({"k3s_flannel_backend": "host-gw"}, PODS, id="without-vxlan"),
    ],
)
def test_a_node_of_k3s_lets_in_its_own_pods(
    variables: dict[str, Any], expected: dict[str, Any]
) -> None:
    made = {host: rules_for(host, Topology(MEMBERS, MIXED), variables) for host in ("head", "w2")}
    assert [rules[-1] for rules in made.values()] == [expected, expected]


def test_pods_of_a_network_of_the_owners_are_left_to_the_owner() -> None:
    own = {"k3s_flannel_backend": "none"}
    names = [rule["name"] for rule in rules_for("head", Topology(MEMBERS, MIXED), own)]
    assert names == ["every node", "ray_worker", "k3s nodes"]


def test_pods_are_let_in_on_nodes_of_k3s_only() -> None:
    assert "pods" not in ports_by_name("w1", MIXED)


def test_etcd_opens_with_several_servers_only() -> None:
    several = {"k3s_server": ["head", "w1", "w2"]}
    assert ports_by_name("w1", several)["k3s_server"] == ["tcp/2379-2380"]
    assert "k3s_server" not in ports_by_name("head", MIXED)


@pytest.mark.parametrize(
    ("profile", "name", "expected"),
    [
        pytest.param("lan", "cluster network", ["tcp/1-65535", "udp/1-65535"], id="lan"),
        pytest.param(
            "management",
            "k3s nodes",
            ["tcp/10250", "tcp/30000-32767", "udp/8472", "udp/30000-32767"],
            id="management",
        ),
    ],
)
def test_what_no_group_asks_for_opens_when_it_is_chosen(
    profile: str, name: str, expected: list[str]
) -> None:
    assert ports_by_name("w2", MIXED, profile)[name] == expected
    assert ports_by_name("w2", MIXED).get(name) != expected


def test_metrics_come_from_every_node() -> None:
    groups = {**MIXED, "monitoring": ["w2"]}
    rules = {rule["name"]: rule for rule in rules_for("w2", Topology(MEMBERS, groups), {})}
    assert rules["cluster network"]["ports"] == ["tcp/8480"]
    assert rules["cluster network"]["sources"] == ["head=198.19.1.11", "w1=198.19.1.12"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, "tcp/80", id="none"),
        pytest.param({"http_port": "9000"}, "tcp/9000", id="name-of-the-document"),
        pytest.param({"k3s_http_port": 81, "http_port": 9000}, "tcp/81", id="ours-counts-more"),
        pytest.param({"k3s_http_port": None}, "tcp/80", id="not-set"),
    ],
)
def test_a_port_moves_by_both_names(variables: dict[str, Any], expected: str) -> None:
    assert listening(port_named("k3s-http"), variables) == expected
