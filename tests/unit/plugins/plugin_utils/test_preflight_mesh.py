"""Claims about what the registered results of the port mesh become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
    Probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Heard,
    Listener,
    ListenReport,
    PairResult,
    PathMtu,
    ProbeReport,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.preflight_mesh import (
    Mesh,
    members,
    mesh_findings,
    mesh_matrix,
    read_mesh,
)

from tests.unit.plugins.module_utils.mesh_scene import Scene

LISTENER = Listener(
    host="n1",
    address="198.19.1.11",
    protocol="tcp",
    ports="8077",
    tested="8077",
    service="ray-node-manager",
    profile="ray",
    sources=("n2",),
)
HEARD = ListenReport("198.19.1.11", Heard(ours="8077"), seconds=60)
TRIED = ProbeReport(
    source="n2",
    address="198.19.1.12",
    pairs=(PairResult("n1", "198.19.1.11", tcp={"open": "8077"}, rtt_ms=0.2),),
    cost={"connections": 1},
)
HERE = ProbeReport("control node", "198.18.0.1", (PairResult("n1", "198.19.1.11"),))
PLAN = [LISTENER.to_plain()]
SKIPPED = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}
FAILED = {"changed": False, "failed": True, "msg": "The ports were not tried"}
AWAY = {"changed": False, "unreachable": True, "msg": "Connection timed out"}


def registered(report: ListenReport | ProbeReport) -> dict[str, Any]:
    """Return a report as the task that brought it registers it."""
    return {"changed": False, "report": report.to_plain()}


def test_plan_listeners_and_reports_are_read_by_host() -> None:
    variables = {
        "n1": {"__preflight_paths": PLAN, "__preflight_listen": registered(HEARD)},
        "n2": {"__preflight_paths": PLAN, "__preflight_tried": registered(TRIED)},
    }
    assert read_mesh(variables) == Mesh((LISTENER,), {"n1": HEARD}, {"n2": TRIED})


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(None, id="no-such-task"),
        pytest.param(SKIPPED, id="skipped"),
        pytest.param(FAILED, id="failed"),
        pytest.param(AWAY, id="unreachable"),
        pytest.param("", id="a-text"),
        pytest.param({"report": None}, id="no-report"),
        pytest.param({"report": "n2: no"}, id="a-report-that-is-a-text"),
    ],
)
@pytest.mark.parametrize(
    "name", ["__preflight_listen", "__preflight_tried", "__preflight_tried_here"]
)
def test_a_task_that_brought_nothing_leaves_nothing(name: str, result: object) -> None:
    mesh = read_mesh({"n1": {"__preflight_paths": PLAN, name: result}})
    assert mesh == Mesh((LISTENER,), {}, {})
    assert mesh.was_up is False


def test_an_empty_report_is_none() -> None:
    empty: dict[str, Any] = {
        "__preflight_listen": {"report": {}},
        "__preflight_tried": {"report": {}},
    }
    assert read_mesh({"n1": empty}) == Mesh()


def test_the_plan_is_found_on_whichever_host_has_it() -> None:
    variables: dict[str, dict[str, Any]] = {"n1": {}, "n2": {"__preflight_paths": PLAN}}
    assert read_mesh(variables).listeners == (LISTENER,)


def test_without_any_host_there_is_no_mesh() -> None:
    assert read_mesh({}) == Mesh()


def test_what_the_control_node_saw_counts_once() -> None:
    other = ProbeReport("control node", "198.18.0.9")
    variables = {
        "n1": {"__preflight_tried_here": registered(HERE)},
        "n2": {"__preflight_tried_here": registered(other)},
    }
    assert read_mesh(variables).reports == {"control node": HERE}


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param({"was_listening": True, "was_there": True}, {"agent_alive": True}, id="alive"),
        pytest.param({"was_listening": False, "was_there": False}, {"agent_alive": False}, id="no"),
        pytest.param(
            {"was_listening": True, "was_there": False}, {"agent_alive": True}, id="behind-a-filter"
        ),
        pytest.param({"was_listening": None, "was_there": False}, {}, id="it-had-none"),
        pytest.param(SKIPPED, {}, id="not-asked"),
        pytest.param(FAILED, {}, id="failed"),
        pytest.param(AWAY, {}, id="unreachable"),
        pytest.param(None, {}, id="no-such-task"),
    ],
)
def test_whether_the_listeners_lasted_is_what_the_last_task_saw(
    left: object, expected: dict[str, bool]
) -> None:
    variables = {"n2": {"__preflight_tried": registered(TRIED), "__preflight_left": left}}
    assert read_mesh(variables).reports["n2"].cost == {"connections": 1, **expected}


def test_a_process_that_ended_meanwhile_is_no_closed_port() -> None:
    workers = replace(LISTENER, ports="10002-20000", tested="10002-20000", service="ray-workers")
    tried = replace(
        TRIED, pairs=(PairResult("n1", "198.19.1.11", tcp={"refused": "11378,11921,8077"}),)
    )
    variables: dict[str, dict[str, Any]] = {
        "n1": {
            "__preflight_paths": [LISTENER.to_plain(), workers.to_plain()],
            "__preflight_left": {"was_listening": True, "ended": "8077,11378"},
        },
        "n2": {"__preflight_tried": registered(tried)},
    }
    mesh = read_mesh(variables)
    # 11921 still has its service.
    assert mesh.reports["n2"].pairs[0].tcp == {"refused": "11921", "untested": "8077,11378"}
    # 8077 is a port that one service has for itself.
    assert [(each.code, each.host, each.message) for each in mesh.ended] == [
        (
            "service-not-up",
            "n1",
            "Services of n1 were not up while others tried their ports: ray-node-manager (8077).",
        )
    ]


def test_a_service_that_ended_after_everybody_had_reached_it_is_not_told() -> None:
    variables: dict[str, dict[str, Any]] = {
        "n1": {
            "__preflight_paths": [LISTENER.to_plain()],
            "__preflight_left": {"was_listening": True, "ended": "8077"},
        },
        "n2": {"__preflight_tried": registered(TRIED)},
    }
    assert read_mesh(variables).ended == ()


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        pytest.param(Mesh(), False, id="nothing"),
        pytest.param(Mesh((LISTENER,)), False, id="only-a-plan"),
        pytest.param(Mesh(listens={"n1": HEARD}), True, id="one-listened"),
        pytest.param(Mesh(reports={"n2": TRIED}), True, id="one-tried"),
    ],
)
def test_a_mesh_was_up_when_a_node_took_part(mesh: Mesh, expected: bool) -> None:
    assert mesh.was_up is expected


def node(name: str, probe: Probe | None, groups: tuple[str, ...] = ("ray_worker",)) -> Host:
    """Return a host of the inventory."""
    return Host(name=name, groups=frozenset(groups), probe=probe)


def answered(address: str, **other: Any) -> Probe:
    """Return the probe of a node that answered."""
    facts: dict[str, Any] = {
        "node_address": address,
        "node_interface": "eth1",
        "interfaces": [{"name": "eth1", "addresses": [f"{address}/24"]}],
        "links": {"firewall": {"active": [], "filters": False}},
        **other,
    }
    return Probe(reachable=True, sudo=True, facts=facts)


def test_members_answered_and_have_an_address() -> None:
    hosts = (
        node("n3", answered("198.19.1.13")),
        node("n1", answered("198.19.1.11")),
        node("away", Probe(reachable=False, facts={"node_address": "198.19.1.14"})),
        node("unasked", None),
        node("no-address", answered("")),
        node("address-unknown", Probe(reachable=True)),
        node("laptop", answered("198.19.1.15"), groups=("mine",)),
    )
    assert members(Inventory(hosts=hosts, inputs={})) == ["n3", "n1"]


def mesh_of(scene: Scene) -> Mesh:
    """Return a scene as what was read of it."""
    return Mesh(tuple(scene.listeners), scene.listens, scene.reports)


def inventory_of(scene: Scene, values: Mapping[str, Any] | None = None, **facts: Any) -> Inventory:
    """Return the nodes of a scene as an inventory; ``facts`` and ``values`` are all nodes'."""
    hosts = tuple(
        Host(
            name=name,
            groups=frozenset({"ray_head" if name == "node1" else "ray_worker"}),
            values=values or {},
            probe=answered(address, **facts),
        )
        for name, address in scene.address.items()
    )
    return Inventory(hosts=hosts, inputs={})


def told(
    scene: Scene, *known: Finding, values: Mapping[str, Any] | None = None, **facts: Any
) -> list[tuple[str, str]]:
    """Return host and code of each finding."""
    found = mesh_findings(mesh_of(scene), inventory_of(scene, values, **facts), known)
    return [(each.host, each.code) for each in found]


def test_a_sound_mesh_has_no_findings() -> None:
    assert told(Scene(3)) == []


def test_what_ended_meanwhile_is_told() -> None:
    ended = about("service-not-up", "node2")
    mesh = replace(mesh_of(Scene(3)), ended=(ended,))
    assert mesh_findings(mesh, inventory_of(Scene(3)), []) == [ended]


def test_a_mesh_that_was_not_up_has_no_findings() -> None:
    scene = Scene(3)
    plan_only = Mesh(tuple(scene.listeners))
    assert mesh_findings(plan_only, inventory_of(scene), []) == []


def about(code: str, host: str) -> Finding:
    """Return what is known of a node."""
    return Finding(Severity.ERROR, code, host, "Something is wrong.")


FILTERED = [("node2", "port-filtered")]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param([], FILTERED, id="nothing-known"),
        pytest.param([about("firewall-denies", "node2")], [], id="its-firewall-says-so"),
        pytest.param([about("firewall-denies", "node3")], FILTERED, id="another-node's-firewall"),
        pytest.param([about("mtu-differs", "node2")], FILTERED, id="nothing-to-do-with-ports"),
        pytest.param([about("interface-down", "node2")], [], id="its-interface-is-down"),
        pytest.param([about("address-doubled", "node2")], [], id="another-has-its-address"),
        pytest.param([about("interface-down", "node3")], FILTERED, id="another's-interface"),
        pytest.param([about("clock-skewed", "node2")], FILTERED, id="no-cause-of-it"),
    ],
)
def test_what_a_finding_about_the_node_explains_is_not_told_again(
    known: list[Finding], expected: list[tuple[str, str]]
) -> None:
    scene = Scene(3)
    scene.fail("*", "node2", "filtered", tcp="8076", udp="")
    assert told(scene, *known) == expected


@pytest.mark.parametrize(
    ("verdict", "facts", "code"),
    [
        pytest.param("refused", {}, "port-refused", id="refused"),
        pytest.param(
            "filtered",
            {"links": {"firewall": {"active": ["ufw"], "filters": True}}},
            "port-closed-by-firewall",
            id="by-a-firewall-that-provision-opens",
        ),
    ],
)
def test_a_rule_that_denies_is_told_once(verdict: str, facts: dict[str, Any], code: str) -> None:
    scene = Scene(3)
    scene.fail("*", "node2", verdict, tcp="8076", udp="")
    assert told(scene, **facts) == [("node2", code)]
    assert told(scene, about("firewall-denies", "node2"), **facts) == []


def test_the_firewall_counts_as_opened_only_where_the_inventory_lets_it_be() -> None:
    scene = Scene(3)
    scene.fail("*", "node2", "filtered", tcp="8076", udp="")
    facts = {"links": {"firewall": {"active": ["nftables"], "filters": True}}}
    assert told(scene, **facts) == [("node2", "port-closed-by-firewall")]
    assert told(scene, values={"os_base_firewall": "off"}, **facts) == FILTERED


def test_smaller_packets_are_explained_by_an_interface_with_a_smaller_mtu() -> None:
    scene = Scene(3)
    for other in ("node1", "node3"):
        scene.mtu[("node2", other)] = PathMtu(1500, 1400, 1400)
        scene.mtu[(other, "node2")] = PathMtu(1500, 1400, 1400)
    assert told(scene) == [("node2", "mtu-path-smaller")]
    assert told(scene, about("mtu-differs", "node2")) == []


def test_a_path_that_was_not_tried_has_no_matrix() -> None:
    scene = Scene(3)
    plan_only = Mesh(tuple(scene.listeners))
    assert mesh_matrix(Mesh(), inventory_of(scene)) is None
    assert mesh_matrix(plan_only, inventory_of(scene)) is None


def test_the_matrix_is_that_of_the_members() -> None:
    scene = Scene(3)
    assert mesh_matrix(mesh_of(scene), inventory_of(scene)) == scene.matrix().to_plain()
