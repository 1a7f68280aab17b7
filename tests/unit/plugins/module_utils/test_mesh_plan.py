"""Claims about who listens to what in the port mesh, and who tries it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Heard,
    Listener,
    ListenReport,
    Target,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_plan import (
    all_listen_ports,
    listen_ports,
    plan_listeners,
    services_at,
    targets_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import count

NODES = {"h": "198.18.0.1", "w1": "198.18.0.2", "w2": "198.18.0.3"}
RAY = {"ray_head": ["h"], "ray_worker": ["w1", "w2"]}
BOTH = {**RAY, "k3s_server": ["h"], "k3s_agent": ["w1"], "monitoring": ["w2"]}
CONTROL = "control node"


def plan(
    groups: dict[str, list[str]] = RAY,
    profiles: tuple[str, ...] = ("ray",),
    mode: str = "required",
    nodes: dict[str, str] = NODES,
    variables: dict[str, dict[str, Any]] | None = None,
) -> list[Listener]:
    return plan_listeners(nodes, groups, variables or {}, profiles, mode, "7")


def only(listeners: list[Listener], host: str, service: str) -> Listener:
    found = [each for each in listeners if (each.host, each.service) == (host, service)]
    assert len(found) == 1
    return found[0]


def answers(listeners: list[Listener], **other: ListenReport) -> dict[str, ListenReport]:
    """Return the reports of nodes that listen to all that they should, and some others."""
    made = {
        host: ListenReport(NODES[host], Heard(ports["tcp"]), Heard(ports["udp"]))
        for host, ports in all_listen_ports(listeners).items()
    }
    return {**made, **other}


def test_a_listener_says_all_that_the_mesh_needs() -> None:
    assert only(plan(), "h", "ray-gcs") == Listener(
        host="h",
        address="198.18.0.1",
        protocol="tcp",
        ports="6379",
        tested="6379",
        service="ray-gcs",
        profile="ray",
        sources=("w1", "w2"),
    )


@pytest.mark.parametrize(
    ("host", "service", "expected"),
    [
        pytest.param("w1", "ray-workers", ("h", "w2"), id="nodes-but-itself"),
        pytest.param("w1", "ray-dashboard-agent", ("h",), id="head"),
        pytest.param("h", "ray-dashboard-agent", (), id="head-at-itself"),
        pytest.param("h", "ray-dashboard", (CONTROL,), id="control-node"),
        pytest.param("h", "ray-client", (), id="developers-are-not-here"),
        pytest.param("h", "k3s-api", ("w1", "w2", CONTROL), id="agent-kubectl-and-monitoring"),
        pytest.param("w1", "k3s-vxlan", ("h",), id="nodes-of-k3s-only"),
        pytest.param("h", "k3s-http", (), id="users-are-not-here"),
        pytest.param("h", "kube-scheduler", (), id="itself"),
        pytest.param("w1", "node-ports-udp", ("h",), id="users-and-nodes"),
        pytest.param("w2", "metrics-upload", ("h", "w1"), id="every-node"),
        pytest.param("w1", "node-exporter", ("w2",), id="monitoring"),
        pytest.param("w2", "lan-tcp", ("h", "w1"), id="lan"),
    ],
)
def test_clients_become_sources(host: str, service: str, expected: tuple[str, ...]) -> None:
    profiles = ("ray", "k3s", "management", "monitoring", "lan")
    assert only(plan(BOTH, profiles), host, service).sources == expected


def test_the_login_is_not_tested() -> None:
    assert services_at(plan(), "h", "tcp", 22) == []


def test_rows_of_other_profiles_are_left_out() -> None:
    assert {each.profile for each in plan(BOTH, ("ray", "monitoring"))} == {"ray", "monitoring"}


def test_a_node_without_an_address_takes_no_part() -> None:
    listeners = plan(nodes={**NODES, "w2": ""})
    assert {each.host for each in listeners} == {"h", "w1"}
    assert only(listeners, "h", "ray-gcs").sources == ("w1",)


def test_a_head_alone_has_ports_that_nobody_tries() -> None:
    listeners = plan({"ray_head": ["h"]})
    assert only(listeners, "h", "ray-workers").sources == ()
    assert listen_ports(listeners, "h") == {
        "tcp": "8000,8079,8265,44217,44227,54311",
        "udp": "",
    }


def test_ports_move_with_the_variables_of_their_own_host() -> None:
    listeners = plan(variables={"w1": {"ray_node_manager_port": "9077"}, "w2": {"other": "x"}})
    assert only(listeners, "w1", "ray-node-manager").ports == "9077"
    assert only(listeners, "w2", "ray-node-manager").ports == "8077"


def test_a_service_whose_variable_is_no_port_is_left_out_on_that_host() -> None:
    listeners = plan(variables={"w1": {"ray_node_manager_port": "many"}})
    hosts = [each.host for each in listeners if each.service == "ray-node-manager"]
    assert hosts == ["h", "w2"]


@pytest.mark.parametrize(
    ("mode", "workers", "lan"),
    [
        pytest.param("required", 9999, 1024, id="required"),
        pytest.param("full", 9999, 65535, id="full"),
        pytest.param("sample", 64, 64, id="sample"),
    ],
)
def test_modes_test_so_many_ports(mode: str, workers: int, lan: int) -> None:
    listeners = plan(profiles=("ray", "lan"), mode=mode)
    assert count(only(listeners, "w1", "ray-workers").tested) == workers
    assert count(only(listeners, "w1", "lan-udp").tested) == lan
    assert only(listeners, "w1", "ray-workers").ports == "10002-20000"


def test_off_tests_nothing() -> None:
    assert plan(mode="off") == []


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="preflight_ports: saw 'all', expected one of required"):
        plan(mode="all")


def test_a_node_listens_once_to_what_several_services_need() -> None:
    listeners = plan(BOTH, ("ray", "k3s"))
    listeners += [replace(each, service="again") for each in listeners if each.host == "w1"]
    assert services_at(listeners, "w1", "tcp", 8077) == ["ray-node-manager", "again"]
    # Ray's workers leave the ports below 10300 to k3s.
    assert listen_ports(listeners, "w1") == {
        "tcp": "8076-8078,10250,10300-20000,44217,44227,52365,54311,56999",
        "udp": "8472",
    }


def test_a_node_that_is_not_in_the_plan_listens_to_nothing() -> None:
    assert listen_ports(plan(), "nas") == {"tcp": "", "udp": ""}


def test_a_source_tries_what_is_meant_for_it() -> None:
    listeners = plan(BOTH, ("ray", "k3s"))
    assert targets_of(listeners, answers(listeners), "w1") == [
        Target("w2", "198.18.0.3", "8076-8077,10002-20000,56999"),
        Target("h", "198.18.0.1", "6379,6443,8076-8077,10250,10300-20000,56999", udp="8472"),
    ]


def test_the_control_node_tries_what_is_its_own() -> None:
    listeners = plan()
    assert targets_of(listeners, answers(listeners), CONTROL) == [
        Target("h", "198.18.0.1", "8000,8079,8265,44217,44227,54311"),
        Target("w1", "198.18.0.2", "44217,44227,54311"),
        Target("w2", "198.18.0.3", "44217,44227,54311"),
    ]


def test_ports_of_services_are_told_apart_and_missing_ones_left_out() -> None:
    listeners = plan()
    busy = ListenReport(
        "198.18.0.1", Heard("8076,10002-10500", "6379,8077,22", {"56999": "in use"})
    )
    assert targets_of(listeners, answers(listeners, h=busy), "w2")[0] == Target(
        "h", "198.18.0.1", "8076,10002-10500", "6379,8077"
    )


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(ListenReport("198.18.0.1", Heard("6379"), problem="no fork"), id="problem"),
        pytest.param(ListenReport("198.18.0.1"), id="nothing-listens"),
    ],
)
def test_a_node_that_does_not_listen_is_no_target(report: ListenReport) -> None:
    listeners = plan()
    targets = targets_of(listeners, answers(listeners, h=report), "w2")
    assert [each.host for each in targets] == ["w1"]


def test_a_node_without_a_report_is_no_target() -> None:
    listeners = plan()
    reports = answers(listeners)
    del reports["w1"]
    assert [each.host for each in targets_of(listeners, reports, "h")] == ["w2"]


def test_sources_begin_with_different_nodes() -> None:
    listeners = plan()
    first = {host: targets_of(listeners, answers(listeners), host)[0].host for host in NODES}
    assert first == {"h": "w1", "w1": "w2", "w2": "h"}
