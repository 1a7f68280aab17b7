"""Claims about who must reach what by the catalogue."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    EVERY_NODE,
    Port,
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
    row = Port("vxlan", "k3s", 8472, "k3s_vxlan_port", ("k3s",), "flannel", protocol="udp")
    topology = Topology(MEMBERS, {"k3s": ["w1", "w2"]})
    assert rules_for("w1", topology, {}, (row,)) == [
        {"name": "k3s", "interface": "eth1", "sources": ["w2=198.19.1.13"], "ports": ["udp/8472"]}
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
