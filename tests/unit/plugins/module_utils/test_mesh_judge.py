"""Claims about the findings of the port mesh: one fault, one finding, and none without a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_admits import (
    Admission,
    admission_of_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge import judge_mesh
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_nodes import (
    NodeView,
    node_view,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Heard,
    PathMtu,
    probe_report_from_plain,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.mesh_scene import CONTROL, RAY, Scene

RANGE = "10002-20000 tcp (ray-workers)"
ALL = "8076 tcp (ray-object-manager), 8077 tcp (ray-node-manager) and 10002-20000 tcp (ray-workers)"


def everywhere(scene: Scene, node: str, sent: PathMtu, received: PathMtu) -> None:
    """Have large packets fail between ``node`` and all others."""
    for other in scene.members:
        if other != node:
            scene.mtu[(node, other)] = sent
            scene.mtu[(other, node)] = received


def mixed_icmp(scene: Scene) -> None:
    """One rule that answers with ICMP, of which the kernel sent two."""
    scene.fail("*", "node2", "filtered")
    scene.fail("*", "node2", "filtered", tcp="8076")
    seen = scene.tries[("node1", "node2")]["tcp"]
    seen.update({"prohibited": "8076,12000"})
    seen["filtered"] = "8077,10002-11999,12001-20000,52365"


def translated(scene: Scene) -> None:
    scene.fail("node2", "*", "translated")
    for name in scene.members:
        scene.seen_as[("node2", name)] = "198.19.1.77"


def cut_off(scene: Scene) -> None:
    scene.fail("*", "node3", "filtered")
    scene.fail("node3", "*", "unreachable")


def agent_killed(scene: Scene) -> None:
    scene.fail("*", "node3", "refused", tcp="8077,10002-20000")
    scene.cost["node3"] = {"agent_alive": False}


def frozen(scene: Scene) -> None:
    scene.without.add("node3")
    scene.fail("*", "node3", "wrong-answerer")


def two_faults(scene: Scene) -> None:
    scene.fail("*", "node2", "filtered", tcp="8076", udp="")
    scene.fail("node4", "*", "refused", tcp="8077", udp="")


def hole_at_one_node(scene: Scene) -> None:
    everywhere(scene, "node3", PathMtu(1500, None, None), PathMtu(1500, 1400, 1400, stalled=True))


def hole_one_way(scene: Scene) -> None:
    scene.mtu[("node1", "node2")] = PathMtu(1500, None, None)
    scene.mtu[("node2", "node1")] = PathMtu(1500, 1500, None)


def tunnel(scene: Scene) -> None:
    for pair in scene.tries:
        scene.mtu[pair] = PathMtu(1500, 1450, 1450)


def part_of_the_nodes(scene: Scene) -> None:
    for near in ("node1", "node2"):
        for far in ("node3", "node4"):
            scene.fail(near, far, "filtered")
            scene.fail(far, near, "filtered")


FAULTS: list[tuple[str, Callable[[Scene], None], list[tuple[str, str, str, str]]]] = [
    (
        "a-drop-on-one-node",
        lambda scene: scene.fail("*", "node2", "filtered", tcp="8076", udp=""),
        [
            (
                "error",
                "port-filtered",
                "node2",
                "No other node reaches node2 at 8076 tcp (ray-object-manager).",
            )
        ],
    ),
    (
        "a-reset-on-one-node",
        lambda scene: scene.fail("*", "node2", "refused", tcp="8076-8077,10002-20000", udp=""),
        [("error", "port-refused", "node2", f"No other node reaches node2 at {ALL}.")],
    ),
    (
        "icmp-of-which-few-come-back",
        mixed_icmp,
        [
            (
                "error",
                "port-prohibited",
                "node2",
                "No other node reaches node2 at any port (10,002 tcp and 1 udp tested).",
            )
        ],
    ),
    (
        "one-direction",
        lambda scene: scene.fail("node3", "node2", "filtered", tcp="8076", udp=""),
        [
            (
                "error",
                "port-filtered",
                "node2",
                "node3 does not reach node2 at 8076 tcp (ray-object-manager).",
            )
        ],
    ),
    (
        "one-port-of-a-range",
        lambda scene: scene.fail("*", "node2", "filtered", tcp="15000", udp=""),
        [
            (
                "error",
                "port-filtered",
                "node2",
                "No other node reaches node2 at 10002-20000 tcp, 1 of 9,999 ports: 15000"
                " (ray-workers).",
            )
        ],
    ),
    (
        "udp-only",
        lambda scene: scene.fail("*", "node2", "filtered", tcp=""),
        [
            (
                "error",
                "port-filtered",
                "node2",
                "No other node reaches node2 at 8472 udp (k3s-flannel).",
            )
        ],
    ),
    (
        "a-proxy-before-one-node",
        lambda scene: scene.fail("*", "node2", "wrong-answerer", tcp="8076-20000", udp=""),
        [("error", "port-wrong-answerer", "node2", f"No other node reaches node2 at {ALL}.")],
    ),
    (
        "a-redirect-on-one-source",
        lambda scene: scene.fail("node2", "*", "wrong-answerer", tcp="8076-20000", udp=""),
        [("error", "port-wrong-answerer", "node2", f"node2 reaches no other node at {ALL}.")],
    ),
    (
        "an-address-behind-nat",
        translated,
        [
            (
                "error",
                "address-translated",
                "node2",
                "node2 does not arrive at node1, node3 and node4 under the node address: something"
                " on the way translates addresses.",
            )
        ],
    ),
    (
        "an-interface-that-is-down",
        cut_off,
        [
            (
                "error",
                "port-unreachable",
                "node3",
                "node3 and the other nodes do not reach each other at any port (10,003 tcp and 1"
                " udp tested).",
            )
        ],
    ),
    (
        "an-agent-that-was-killed",
        agent_killed,
        [
            (
                "warning",
                "mesh-incomplete",
                "node3",
                "node3 did not take full part in the test of the ports, so its paths are not all"
                " proven.",
            )
        ],
    ),
    (
        "a-node-that-froze",
        frozen,
        [
            (
                "warning",
                "mesh-incomplete",
                "node3",
                "node3 did not take full part in the test of the ports, so its paths are not all"
                " proven.",
            )
        ],
    ),
    (
        "two-faults-at-once",
        two_faults,
        [
            (
                "error",
                "port-filtered",
                "node2",
                "No other node reaches node2 at 8076 tcp (ray-object-manager).",
            ),
            (
                "error",
                "port-refused",
                "node4",
                "node4 reaches no other node at 8077 tcp (ray-node-manager).",
            ),
        ],
    ),
    (
        "a-black-hole-at-one-node",
        hole_at_one_node,
        [
            (
                "error",
                "mtu-black-hole",
                "node3",
                "Packets above 1400 bytes vanish between node3 and the other nodes.",
            )
        ],
    ),
    (
        "a-black-hole-in-one-direction",
        hole_one_way,
        [("error", "mtu-black-hole", "node2", "Large packets vanish from node1 to node2.")],
    ),
    (
        "a-smaller-path-that-the-kernel-knows",
        tunnel,
        [
            (
                "warning",
                "mtu-path-smaller",
                "all hosts",
                "Packets above 1450 bytes do not fit between all nodes.",
            )
        ],
    ),
    (
        "two-halves",
        part_of_the_nodes,
        [
            (
                "error",
                "port-filtered",
                "node1",
                "node1 and node2 do not reach node3 and node4, nor the other way round, at any"
                " port (10,003 tcp and 1 udp tested).",
            )
        ],
    ),
]


@pytest.mark.parametrize(
    ("plant", "expected"), [pytest.param(*row[1:], id=row[0]) for row in FAULTS]
)
def test_a_planted_fault_is_found_and_named_and_nothing_else_is(
    plant: Callable[[Scene], None], expected: list[tuple[str, str, str, str]]
) -> None:
    scene = Scene(4)
    plant(scene)
    assert [
        (each.severity.value, each.code, each.host, each.message) for each in scene.judge()
    ] == expected


@pytest.mark.parametrize(
    ("firewall", "mode", "provisioned", "code", "fix"),
    [
        pytest.param(
            "ufw",
            "auto",
            False,
            "port-closed-by-firewall",
            "ansible-playbook -i inv.ini provision.yml   (os_base_firewall=auto opens ufw)",
            id="provision-opens-ufw",
        ),
        pytest.param(
            "firewalld",
            "off",
            False,
            "port-closed-by-firewall",
            "ansible-playbook -i inv.ini provision.yml   (os_base_firewall=off stops firewalld)",
            id="provision-stops-firewalld",
        ),
        pytest.param(
            "ufw",
            "auto",
            True,
            "port-filtered",
            "on node2: ufw allow in on eth1 proto tcp from 198.19.1.13"
            " to any port 8076,10002:20000",
            id="ufw-of-a-provisioned-node",
        ),
        pytest.param(
            "nftables",
            "off",
            False,
            "port-filtered",
            "on node2: nft 'insert rule inet filter input ip saddr 198.19.1.13"
            " tcp dport { 8076, 10002-20000 } accept'   (with your table and chain)",
            id="nftables",
        ),
        pytest.param(
            "iptables",
            "off",
            False,
            "port-filtered",
            "on node2: iptables -I INPUT -s 198.19.1.13 -p tcp -m multiport"
            " --dports 8076,10002:20000 -j ACCEPT",
            id="iptables",
        ),
        pytest.param(
            "firewalld",
            "auto",
            True,
            "port-filtered",
            "on node2: for s in 198.19.1.13; do for p in 8076/tcp 10002-20000/tcp; do firewall-cmd"
            " --permanent --add-rich-rule=\"rule family='ipv4' source address='$s'"
            " port port='${p%/*}' protocol='${p#*/}' accept\"; done; done; firewall-cmd --reload",
            id="firewalld-of-a-provisioned-node",
        ),
        pytest.param(
            "rules",
            "auto",
            False,
            "port-filtered",
            "on node2: nft list ruleset | grep -n -e 8076 -e 10002",
            id="single-rules-that-provision-leaves-alone",
        ),
        pytest.param(
            None,
            "auto",
            False,
            "port-filtered",
            "on node2: nft list ruleset | grep -n -e 8076 -e 10002",
            id="unknown-firewall",
        ),
        pytest.param(
            "",
            "auto",
            False,
            "port-filtered",
            "in the switch, router or hypervisor: let 198.19.1.13 reach 198.19.1.12 at"
            " 8076,10002-20000 tcp",
            id="no-filter-at-either-end",
        ),
    ],
)
def test_the_fix_fits_the_firewall_before_the_node(
    firewall: Optional[str], mode: str, provisioned: bool, code: str, fix: str
) -> None:
    scene = Scene(4)
    scene.fail("node3", "node2", "filtered", tcp="8076,10002-20000", udp="")
    scene.views["node2"] = replace(
        scene.views["node2"], firewall=firewall, os_base_firewall=mode, provisioned=provisioned
    )
    assert [(each.code, each.fix) for each in scene.judge()] == [(code, fix)]


@pytest.mark.parametrize(
    ("admits", "code"),
    [
        pytest.param("198.19.1.11,198.19.1.12 tcp 8076", "port-closed-by-firewall", id="newcomer"),
        pytest.param("198.19.1.14 tcp 8077", "port-closed-by-firewall", id="new-service"),
        pytest.param("198.19.1.14 udp 8076", "port-closed-by-firewall", id="other-protocol"),
        pytest.param("198.19.1.11,198.19.1.14 tcp 8076-8077", "port-filtered", id="member"),
        pytest.param("198.19.1.11-198.19.1.20 tcp 8076", "port-filtered", id="member-in-a-range"),
        pytest.param("198.19.1.0/24,x tcp 8076", "port-filtered", id="member-of-the-network"),
        pytest.param("any tcp 22,8000-9000", "port-filtered", id="everybody"),
        pytest.param(None, "port-filtered", id="not-told"),
    ],
)
def test_newcomers_and_new_services_are_let_in_by_provision(
    admits: Optional[str], code: str
) -> None:
    scene = Scene(4)
    scene.fail("node4", "*", "filtered", tcp="8076", udp="")
    admission = admission_of_text(admits or "")
    known = (admission,) if admission else None
    for name in ("node1", "node2", "node3"):
        scene.views[name] = replace(
            scene.views[name],
            firewall="rules",
            provisioned=True,
            closed_by_us=True,
            admits=known,
        )
    assert [(each.code, each.host) for each in scene.judge()] == [(code, "node4")]


def test_a_fault_of_one_direction_says_that_the_other_one_works() -> None:
    scene = Scene(4)
    scene.fail("node3", "node2", "filtered", tcp="8076", udp="")
    assert scene.judge()[0].seen == (
        "filtered: nothing came back; node3 -> node2 fails, node2 -> node3 works"
    )


def test_a_node_that_rejects_everything_is_an_error_while_its_agent_lives() -> None:
    scene = Scene(4)
    scene.fail("*", "node3", "refused")
    scene.cost["node3"] = {"agent_alive": True}
    assert scene.codes() == [("error", "port-refused", "node3")]


def test_a_node_that_rejects_everything_is_an_error_when_its_filters_are_unknown() -> None:
    scene = Scene(4)
    scene.fail("*", "node3", "refused")
    scene.views["node3"] = replace(scene.views["node3"], firewall=None)
    assert scene.codes() == [("error", "port-refused", "node3")]


def test_what_a_known_fault_explains_is_not_told_again() -> None:
    scene = Scene(4)
    cut_off(scene)
    scene.views["node3"] = replace(scene.views["node3"], known_fault="interface-down")
    assert scene.codes() == []


def test_a_sampled_range_says_that_it_was_sampled() -> None:
    scene = Scene(4, tested=lambda _ports: "10002,12000,15000,20000")
    scene.fail("*", "node2", "filtered", tcp="15000", udp="")
    assert scene.judge()[0].message == (
        "No other node reaches node2 at 10002-20000 tcp, 1 of 4 ports tested: 15000 (ray-workers)."
    )


def test_the_whole_range_is_opened_when_its_whole_sample_failed() -> None:
    scene = Scene(3, tested=lambda _ports: "10002,12000,15000,20000")
    scene.fail("node3", "node2", "filtered", tcp="10002-20000", udp="")
    scene.views["node2"] = replace(scene.views["node2"], firewall="ufw", provisioned=True)
    assert scene.judge()[0].fix == (
        "on node2: ufw allow in on eth1 proto tcp from 198.19.1.13 to any port 10002:20000"
    )


def test_a_control_node_outside_gets_one_note_with_a_tunnel() -> None:
    scene = Scene(4, control=True)
    scene.fail(CONTROL, "*", "filtered")
    assert scene.codes() == [("note", "control-node-outside", CONTROL)]
    assert scene.judge()[0].fix == "ssh -N -L 8265:198.19.1.11:8265 node1"


def test_some_ports_closed_to_the_control_node_are_one_warning() -> None:
    scene = Scene(4, control=True)
    scene.fail(CONTROL, "*", "filtered", tcp="54311")
    findings = scene.judge()
    assert scene.codes() == [("warning", "control-port-closed", CONTROL)]
    assert findings[0].message == (
        "The control node does not reach node1, node2, node3 and node4 at 54311 tcp (ray-metrics)."
    )


def test_a_node_that_nobody_reaches_is_not_told_again_for_the_control_node() -> None:
    scene = Scene(4, control=True)
    scene.fail("*", "node2", "filtered")
    scene.fail(CONTROL, "node2", "filtered")
    assert scene.codes() == [("error", "port-filtered", "node2")]


def test_an_address_that_the_control_node_is_translated_to_is_no_fault() -> None:
    scene = Scene(3, control=True)
    scene.fail(CONTROL, "*", "translated")
    assert scene.codes() == []


def test_a_port_that_nobody_could_listen_to_is_a_warning_with_the_reason() -> None:
    scene = Scene(3)
    scene.listens["node2"] = replace(
        scene.listens["node2"], tcp=Heard(missing={"8076": "in use by an outgoing connection"})
    )
    finding = scene.judge()[0]
    assert scene.codes() == [("warning", "listener-missing", "node2")]
    assert finding.seen == "8076 tcp (ray-object-manager): in use by an outgoing connection"
    assert finding.fix == "on node2: ss -tunap 'sport = :8076'"


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param({"10002-10100": "in use by an outgoing connection"}, id="a-few-of-a-range"),
        pytest.param(
            {"10034-20000": "left free for the services that run here"}, id="left-on-purpose"
        ),
        pytest.param({"nonsense": "needs root"}, id="no-list-of-ports"),
    ],
)
def test_gaps_that_prove_enough_are_silent(missing: dict[str, str]) -> None:
    scene = Scene(3)
    scene.listens["node2"] = replace(scene.listens["node2"], tcp=Heard(missing=missing))
    assert scene.codes() == []


def test_a_range_of_which_most_is_missing_is_a_warning() -> None:
    scene = Scene(3)
    missing = {"11000-20000": "too many open files: room for 998"}
    scene.listens["node2"] = replace(scene.listens["node2"], tcp=Heard(missing=missing))
    assert scene.codes() == [("warning", "listener-missing", "node2")]


def test_a_node_that_could_not_probe_is_named_with_its_reason() -> None:
    scene = Scene(3)
    scene.problems["node2"] = "too many open files"
    assert [(each.code, each.host, each.seen) for each in scene.judge()] == [
        ("mesh-incomplete", "node2", "too many open files")
    ]


@pytest.mark.parametrize("tcp", ["8076", "1-65535"], ids=["one-service", "everything"])
def test_a_fault_in_every_pair_of_a_hundred_nodes_is_one_finding(tcp: str) -> None:
    scene = Scene(100)
    scene.fail("*", "*", "filtered", tcp=tcp)
    assert scene.codes() == [("error", "port-filtered", "all hosts")]


def test_one_fault_on_half_of_a_hundred_nodes_is_one_finding() -> None:
    scene = Scene(100)
    for name in scene.members[:50]:
        scene.fail("*", name, "filtered", tcp="8076", udp="")
    assert len(scene.judge()) == 1


def test_faults_without_a_pattern_stay_a_handful() -> None:
    scene = Scene(40)
    for number, (source, destination) in enumerate(list(scene.tries)):
        if number % 7 in (1, 4):
            scene.fail(source, destination, "filtered", tcp=str(10002 + number), udp="")
    assert scene.codes() == [("error", "port-filtered", "all hosts")]


VERDICTS = st.sampled_from(["open", "service", "unproven", "untested"])


@given(
    count=st.integers(1, 6),
    control=st.booleans(),
    rows=st.sets(st.integers(0, len(RAY) - 1)),
    moved=st.lists(st.tuples(VERDICTS, st.integers(1, 65535), st.integers(0, 9000)), max_size=4),
)
def test_a_healthy_mesh_of_any_shape_gives_no_finding(
    count: int, control: bool, rows: set[int], moved: list[tuple[str, int, int]]
) -> None:
    scene = Scene(count, services=tuple(RAY[row] for row in sorted(rows)), control=control)
    for verdict, first, width in moved:
        scene.fail("*", "*", verdict, tcp=f"{first}-{min(first + width, 65535)}")
    assert scene.judge() == []


@given(
    faults=st.lists(
        st.tuples(
            st.sampled_from(["*", "node1", "node2", "node3"]),
            st.sampled_from(["*", "node1", "node2", "node3"]),
            st.sampled_from(["refused", "filtered", "unreachable", "prohibited", "wrong-answerer"]),
            st.sampled_from(["8076", "15000", "10002-20000", "1-65535"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_no_fault_is_lost_and_the_order_is_stable(
    faults: list[tuple[str, str, str, str]],
) -> None:
    scene = Scene(3, services=RAY)
    for source, destination, verdict, tcp in faults:
        scene.fail(source, destination, verdict, tcp=tcp)
    for name in scene.members:
        scene.cost[name] = {"agent_alive": True}
    planted = any(
        verdict not in ("open", "") and ports
        for seen in scene.tries.values()
        for verdict, ports in seen["tcp"].items()
    )
    findings = scene.judge()
    assert bool(findings) == planted
    assert findings == scene.judge()


def test_garbage_in_a_report_is_no_finding_and_no_traceback() -> None:
    scene = Scene(2)
    plain = {
        "source": "node1",
        "address": "198.19.1.11",
        "pairs": [
            {
                "destination": "stranger",
                "address": "",
                "tcp": {"filtered": "all of them", "melted": "8076", "open": "99999999"},
            }
        ],
    }
    reports = {**scene.reports, "node1": probe_report_from_plain(plain)}
    assert judge_mesh(reports, scene.listens, scene.listeners, {}, scene.members) == []


def test_a_view_is_read_from_what_the_probe_brought() -> None:
    facts = {
        "node_address": "198.19.1.12",
        "node_interface": "eth1",
        "interfaces": [{"name": "eth1", "addresses": ["198.19.1.12/24"]}],
        "links": {"firewall": {"active": ["ufw"], "ours": True, "admits": ["198.19.1.13 tcp 22"]}},
    }
    assert node_view(facts, "enforce") == NodeView(
        address="198.19.1.12",
        interface="eth1",
        network="198.19.1.0/24",
        firewall="ufw",
        os_base_firewall="enforce",
        provisioned=True,
        admits=(Admission(("198.19.1.13",), "tcp", "22"),),
    )


@pytest.mark.parametrize(
    ("firewall", "expected"),
    [
        pytest.param({"active": [], "filters": False}, "", id="looked-at-and-none"),
        pytest.param({"active": [], "filters": True}, "rules", id="single-rules"),
        pytest.param({"active": []}, None, id="rules-not-told"),
        pytest.param(None, None, id="not-read"),
    ],
)
def test_no_firewall_is_told_apart_from_an_unknown_one(
    firewall: dict[str, object], expected: object
) -> None:
    assert node_view({"links": {"firewall": firewall}}).firewall == expected


def test_ports_that_a_node_did_not_come_to_are_told() -> None:
    scene = Scene(3)
    notes = [f"node{number} tcp 80 not tried: the time was over" for number in range(1, 6)]
    scene.cost["node2"] = {"notes": notes}
    (found,) = scene.judge()
    assert (found.severity.value, found.code, found.host) == ("warning", "ports-untested", "node2")
    assert found.seen == f"{'; '.join(notes[:3])}; and 2 more"


def test_listeners_that_ended_after_everybody_was_done_are_no_fault() -> None:
    scene = Scene(3)
    scene.cost["node3"] = {"agent_alive": False}
    assert scene.judge() == []
