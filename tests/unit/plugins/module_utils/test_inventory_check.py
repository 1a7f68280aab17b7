"""Claims about what preflight finds in an inventory and its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    Input,
    Kind,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_check import (
    check_inventory,
    describe_scope,
    is_fatal,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
    Probe,
)

INPUTS = {
    "has_gpu": Input("has_gpu", Kind.BOOLEAN),
    "my_iface": Input("my_iface"),
    "cluster_subnet": Input("cluster_subnet", Kind.SUBNET),
    "ray_runtime": Input("ray_runtime", choices=("container", "venv")),
}

AWAY = Finding(Severity.ERROR, "unreachable", "w1", "w1 could not be reached.", fix="ssh w1 true")


def facts(number: int, **other: Any) -> dict[str, Any]:
    """Return what a healthy node says of itself."""
    return {
        "node_address": f"198.19.1.{number}",
        "node_interface": "eth1",
        "default_interface": "eth0",
        "interfaces": [
            {"name": "lo", "addresses": ["127.0.0.1/8"], "is_loopback": True},
            {"name": "eth0", "addresses": [f"198.18.1.{number}/24"], "is_loopback": False},
            {"name": "eth1", "addresses": [f"198.19.1.{number}/24"], "is_loopback": False},
        ],
        "hostname": f"node{number}",
        "machine_id": f"id{number}",
        "python_version": "3.13.5",
        "clock_synchronised": True,
        "address_problem": None,
        **other,
    }


def host(
    name: str,
    *groups: str,
    values: Mapping[str, Any] | None = None,
    names: tuple[str, ...] = (),
    in_play: bool = True,
    unresolved: Mapping[str, str] | None = None,
    node: Mapping[str, Any] | None = None,
    probe: Probe | None = None,
    outside: Probe | None = None,
) -> Host:
    """Return a host whose probe brought ``node``, or that has the ``probe`` given."""
    return Host(
        name=name,
        groups=frozenset(groups),
        variable_names=frozenset({*(values or {}), *names}),
        values=values or {},
        unresolved=unresolved or {},
        in_play=in_play,
        probe=Probe(reachable=True, sudo=True, facts=node) if node else probe,
        outside=outside,
    )


def inventory(*hosts: Host, **other: Any) -> Inventory:
    groups = frozenset(group for each in hosts for group in each.groups)
    return Inventory(hosts=hosts, inputs=INPUTS, **{"group_names": groups, **other})


HEAD = host("h1", "ray_head", node=facts(1))
WORKER = host("w1", "ray_worker", node=facts(2))


def brief(given: Inventory) -> list[tuple[str, str, str, str]]:
    """Return severity, host, code and fix of what is found."""
    return [
        (each.severity.value, each.host, each.code, each.fix) for each in check_inventory(given)
    ]


def test_a_sound_inventory_has_no_findings() -> None:
    assert check_inventory(inventory(HEAD, WORKER)) == []


def test_a_head_alone_is_a_cluster() -> None:
    assert check_inventory(inventory(HEAD)) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            inventory(),
            [
                (
                    "error",
                    "inventory",
                    "inventory-empty",
                    "ansible-playbook -i inv.ini PLAYBOOK   (with the path of your inventory)",
                )
            ],
            id="empty",
        ),
        pytest.param(
            inventory(WORKER),
            [
                (
                    "error",
                    "inventory",
                    "head-missing",
                    "[ray_head] with one line below it: w1",
                )
            ],
            id="no-head",
        ),
        pytest.param(
            inventory(HEAD, host("h2", "ray_head", node=facts(3))),
            [
                (
                    "error",
                    "inventory",
                    "head-doubled",
                    "leave h1 in [ray_head] and move h2 to [ray_worker]",
                )
            ],
            id="two-heads",
        ),
        pytest.param(
            inventory(
                HEAD,
                host("m1", "monitoring", node=facts(3)),
                host("m2", "monitoring", node=facts(4)),
            ),
            [
                (
                    "error",
                    "inventory",
                    "monitoring-doubled",
                    "leave m1 in [monitoring] and take m2 out of it",
                )
            ],
            id="two-monitoring-hosts",
        ),
        pytest.param(
            inventory(host("h1", "ray_head", "ray_worker", node=facts(1))),
            [("note", "h1", "head-is-worker-too", "")],
            id="head-and-worker",
        ),
        pytest.param(
            inventory(HEAD, host("nas", "storage")),
            [("note", "nas", "host-without-group", "")],
            id="host-of-somebody-else",
        ),
        pytest.param(
            inventory(HEAD, host("w9", "ray_workers")),
            [
                ("warning", "inventory", "group-misspelt", "[ray_worker]"),
                ("note", "w9", "host-without-group", ""),
            ],
            id="misspelt-group",
        ),
        pytest.param(
            inventory(HEAD, WORKER, group_names=frozenset({"ray_workers", "ray_worker"})),
            [],
            id="similar-group-beside-a-filled-one",
        ),
        pytest.param(
            inventory(host("h1", "ray_head", in_play=False), WORKER, limit="w1"),
            [("error", "h1", "head-outside-limit", "--limit 'w1,h1'")],
            id="head-left-out-by-limit",
        ),
        pytest.param(
            inventory(HEAD, WORKER, host("m1", "monitoring", in_play=False), limit="ray_head,w1"),
            [("error", "m1", "monitoring-outside-limit", "--limit 'ray_head,w1,m1'")],
            id="monitoring-left-out-by-limit",
        ),
    ],
)
def test_groups_are_judged(given: Inventory, expected: list[tuple[str, str, str, str]]) -> None:
    assert brief(given) == expected


def outside(name: str, group: str, number: int = 1) -> Host:
    """Return a host that the limit leaves out and that answered all the same."""
    answer = Probe(reachable=True, sudo=True, facts=facts(number))
    return host(name, group, in_play=False, outside=answer)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(inventory(outside("h1", "ray_head"), WORKER, limit="w1"), [], id="answers"),
        pytest.param(
            inventory(
                outside("h1", "ray_head"),
                WORKER,
                limit="w1",
                silent={"h1": "its Ray does not answer: Connection refused"},
            ),
            ["its Ray does not answer: Connection refused"],
            id="without-its-Ray",
        ),
        pytest.param(
            inventory(
                host("h1", "ray_head", in_play=False, outside=Probe(reachable=False)),
                WORKER,
                limit="w1",
            ),
            ["it does not answer"],
            id="away",
        ),
        pytest.param(
            inventory(HEAD, WORKER, outside("m1", "monitoring", 5), limit="h1,w1"),
            [],
            id="monitoring-host-that-answers",
        ),
    ],
)
def test_a_limit_may_leave_out_who_can_be_asked(given: Inventory, expected: list[str]) -> None:
    assert [each.seen for each in check_inventory(given)] == expected


def test_a_new_node_with_the_address_of_one_outside_the_limit_is_found() -> None:
    given = inventory(outside("h1", "ray_head", 2), WORKER, limit="w1")
    assert "address-doubled" in [each.code for each in check_inventory(given)]


SERVERS = [host(f"s{n}", "k3s_server", node=facts(n)) for n in (11, 12, 13)]
AGENT = host("g1", "k3s_agent", node=facts(21))
K3S = frozenset({"k3s"})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(inventory(SERVERS[0], AGENT, profiles=K3S), [], id="server-and-agent"),
        pytest.param(inventory(*SERVERS, profiles=K3S), [], id="three-servers"),
        pytest.param(
            inventory(AGENT, profiles=K3S),
            [
                (
                    "error",
                    "inventory",
                    "k3s-server-missing",
                    "[k3s_server] with one line below it: g1",
                )
            ],
            id="no-server",
        ),
        pytest.param(
            inventory(*SERVERS[:2], profiles=K3S),
            [
                (
                    "error",
                    "inventory",
                    "k3s-server-even",
                    "leave 1 in [k3s_server] and move s12 to [k3s_agent]",
                )
            ],
            id="two-servers",
        ),
        pytest.param(
            inventory(SERVERS[0], WORKER, profiles=frozenset({"ray", "k3s"})),
            [("error", "inventory", "head-missing", "[ray_head] with one line below it: s11")],
            id="ray-beside-k3s-needs-its-head",
        ),
        pytest.param(
            inventory(host("m1", "monitoring", node=facts(5)), profiles=frozenset({"monitoring"})),
            [],
            id="monitoring-alone",
        ),
        pytest.param(
            inventory(host("nas", "storage"), profiles=frozenset()),
            [
                ("error", "inventory", "head-missing", "[ray_head] with one line below it: nas"),
                ("note", "nas", "host-without-group", ""),
            ],
            id="for-nothing-at-all",
        ),
        pytest.param(
            inventory(
                host("s1", "k3s_server", in_play=False), AGENT, profiles=K3S, limit="k3s_agent"
            ),
            [("error", "s1", "k3s-server-outside-limit", "--limit 'k3s_agent,s1'")],
            id="server-left-out-by-limit",
        ),
        pytest.param(
            inventory(
                *SERVERS[:2],
                host("s3", "k3s_server", in_play=False),
                profiles=K3S,
                limit="s11,s12",
            ),
            [],
            id="some-server-is-within-the-limit",
        ),
        pytest.param(
            inventory(
                host("s1", "k3s_server", in_play=False),
                *SERVERS[1:],
                profiles=K3S,
                limit="!s1",
                first_k3s_server="s1",
            ),
            [("error", "s1", "k3s-server-outside-limit", "the same command without --limit")],
            id="the-first-server-left-out-by-limit",
        ),
        pytest.param(
            inventory(SERVERS[0], host("g9", "k3s_agents"), profiles=K3S),
            [
                ("warning", "inventory", "group-misspelt", "[k3s_agent]"),
                ("note", "g9", "host-without-group", ""),
            ],
            id="misspelt-group-of-k3s",
        ),
    ],
)
def test_groups_are_judged_by_what_the_nodes_are_for(
    given: Inventory, expected: list[tuple[str, str, str, str]]
) -> None:
    assert brief(given) == expected


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        pytest.param(
            host("w1", "ray_worker", values={"has_gpu": "ja"}, node=facts(2)),
            [("error", "w1", "boolean-as-word", "has_gpu=true")],
            id="boolean-as-word",
        ),
        pytest.param(
            host("w1", "ray_worker", values={"ray_runtime": "docker"}, node=facts(2)),
            [("error", "w1", "value-invalid", "ray_runtime=container")],
            id="invalid-choice",
        ),
        pytest.param(
            host("w1", "ray_worker", names=("hasgpu", "ansible_hosts"), node=facts(2)),
            [
                (
                    "error",
                    "w1",
                    "variable-misspelt",
                    "rename it to has_gpu, or list it in preflight_own_variables if it is yours",
                )
            ],
            id="misspelt-variable",
        ),
        pytest.param(
            host("w1", "ray_worker", unresolved={"has_gpu": "'x' is undefined"}, node=facts(2)),
            [
                (
                    "error",
                    "w1",
                    "value-unresolved",
                    "ansible -m ansible.builtin.debug -a var=has_gpu w1",
                )
            ],
            id="undefined-expression",
        ),
        pytest.param(
            host("w1", "ray_worker", names=("ansible_sudo_pass",), node=facts(2)),
            [
                (
                    "error",
                    "w1",
                    "sudo-password-name",
                    "ansible-playbook -K ...   (asks for the password; remove ansible_sudo_pass"
                    " from the inventory and from --extra-vars)",
                )
            ],
            id="old-name-of-the-sudo-password",
        ),
    ],
)
def test_variables_are_judged(worker: Host, expected: list[tuple[str, str, str, str]]) -> None:
    assert brief(inventory(HEAD, worker)) == expected


def test_a_variable_wrong_on_every_node_is_told_once() -> None:
    head = host("h1", "ray_head", values={"has_gpu": "yes"}, node=facts(1))
    worker = host("w1", "ray_worker", values={"has_gpu": "yes"}, node=facts(2))
    assert brief(inventory(head, worker)) == [
        ("error", "all hosts", "boolean-as-word", "has_gpu=true")
    ]


def test_variables_of_hosts_that_are_not_ours_are_nobodys_business() -> None:
    stranger = host("nas", "storage", values={"has_gpu": "ja"}, names=("hasgpu",))
    assert brief(inventory(HEAD, stranger)) == [("note", "nas", "host-without-group", "")]


def test_an_own_variable_is_not_called_misspelt() -> None:
    worker = host("w1", "ray_worker", names=("has_gpus",), node=facts(2))
    assert brief(inventory(HEAD, worker, own_names=frozenset({"has_gpus"}))) == []


def problem(code: str) -> dict[str, str]:
    return {"code": code, "message": "M.", "seen": "S", "expected": "E"}


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        pytest.param(
            host(
                "w1",
                "ray_worker",
                values={"my_iface": "eth9"},
                node=facts(2, address_problem=problem("my-iface-missing"), node_address=None),
            ),
            [("error", "w1", "my-iface-missing", "w1 my_iface=eth1")],
            id="interface-missing",
        ),
        pytest.param(
            host(
                "w1",
                "ray_worker",
                values={"my_iface": "eth1", "cluster_subnet": "198.18.1.0/24"},
                node=facts(2, address_problem=problem("address-outside-subnet"), node_address=None),
            ),
            [
                (
                    "error",
                    "w1",
                    "address-outside-subnet",
                    "w1 my_iface=eth0   (or correct cluster_subnet)",
                )
            ],
            id="address-outside-the-subnet",
        ),
        pytest.param(
            host("w1", "ray_worker", node=facts(2, python_version="3.8.10")),
            [
                (
                    "error",
                    "w1",
                    "python-too-old",
                    "ansible-playbook -i <inventory> bootstrap.yml --limit w1   "
                    "(EL 8: it installs python3.12, which Ansible then finds by itself)",
                )
            ],
            id="python-too-old",
        ),
        pytest.param(
            host("w1", "ray_worker", node=facts(2, clock_synchronised=False)),
            [
                (
                    "warning",
                    "w1",
                    "clock-not-synchronised",
                    "ansible -i inv.ini -b -m ansible.builtin.package -a name=chrony w1",
                )
            ],
            id="clock-adrift",
        ),
        pytest.param(
            host("w1", "ray_worker", node=facts(2, clock_synchronised=None)),
            [],
            id="clock-unknown",
        ),
        pytest.param(
            host("w1", "ray_worker", node=facts(2, node_address="198.19.1.1")),
            [
                (
                    "error",
                    "h1",
                    "address-doubled",
                    "w1 my_iface=INTERFACE   (the one on the cluster network)",
                )
            ],
            id="address-doubled",
        ),
        pytest.param(
            host("w1", "ray_worker", node=facts(2, hostname="NODE1")),
            [
                (
                    "error",
                    "h1",
                    "hostname-doubled",
                    "ansible -i inv.ini -b -m ansible.builtin.hostname -a name=w1 w1",
                )
            ],
            id="hostname-doubled",
        ),
        pytest.param(
            host("w1", "ray_worker", probe=Probe(findings=(AWAY,))),
            [("error", "w1", "unreachable", f"{AWAY.fix}   (or go on without w1: --limit '!w1')")],
            id="unreachable",
        ),
        pytest.param(
            host("w1", "ray_worker"),
            [("error", "w1", "probe-failed", "ansible -m ansible.builtin.ping w1")],
            id="probe-crashed",
        ),
        pytest.param(host("w1", "ray_worker", in_play=False), [], id="outside-the-limit"),
    ],
)
def test_nodes_are_judged(worker: Host, expected: list[tuple[str, str, str, str]]) -> None:
    assert brief(inventory(HEAD, worker)) == expected


def test_one_machine_under_two_names_is_recognised() -> None:
    findings = check_inventory(inventory(HEAD, host("w1", "ray_worker", node=facts(1))))
    assert [(each.code, each.message, each.fix) for each in findings] == [
        (
            "address-doubled",
            "h1 and w1 are one machine under 2 names.",
            "remove w1 from the inventory, or correct its ansible_host",
        )
    ]


def test_clocks_that_all_drift_are_told_once() -> None:
    head = host("h1", "ray_head", node=facts(1, clock_synchronised=False))
    worker = host("w1", "ray_worker", node=facts(2, clock_synchronised=False))
    assert brief(inventory(head, worker)) == [
        (
            "warning",
            "all hosts",
            "clock-not-synchronised",
            "ansible -i inv.ini -b -m ansible.builtin.package -a name=chrony ray_head:ray_worker",
        )
    ]


def test_everything_is_found_in_one_pass() -> None:
    worker = host(
        "w1",
        "ray_worker",
        values={"has_gpu": "ja", "ray_runtime": "docker"},
        names=("hasgpu",),
        node=facts(2, hostname="node1", clock_synchronised=False),
    )
    assert [code for _severity, _host, code, _fix in brief(inventory(HEAD, worker))] == [
        "hostname-doubled",
        "boolean-as-word",
        "value-invalid",
        "variable-misspelt",
        "clock-not-synchronised",
    ]


@pytest.mark.parametrize(
    ("finding", "tolerate", "expected"),
    [
        pytest.param(AWAY, False, True, id="every-error-stops"),
        pytest.param(AWAY, True, False, id="a-worker-away-may-be-tolerated"),
        pytest.param(
            Finding(Severity.ERROR, "host-key-changed", "w1", "M."), True, False, id="changed-key"
        ),
        pytest.param(
            Finding(Severity.ERROR, "unreachable", "h1", "M."), True, True, id="the-head-never"
        ),
        pytest.param(
            Finding(Severity.ERROR, "no-sudo", "w1", "M."), True, True, id="another-error-never"
        ),
        pytest.param(Finding(Severity.WARNING, "x", "w1", "M."), False, False, id="a-warning"),
    ],
)
def test_what_stops_a_run(finding: Finding, tolerate: bool, expected: bool) -> None:
    assert is_fatal(finding, inventory(HEAD, WORKER), tolerate) is expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        pytest.param("", "--limit 'HOSTS,h1'", id="none"),
        pytest.param("w1,w2", "--limit 'w1,w2,h1'", id="others"),
        pytest.param("!h1", "the same command without --limit", id="all-but-the-head"),
        pytest.param("!h1,!w2", "--limit '!w2'", id="all-but-the-head-and-another"),
        pytest.param("w1,!h1", "--limit 'w1,h1'", id="others-and-not-the-head"),
    ],
)
def test_the_way_back_into_the_limit_lets_the_head_in(limit: str, expected: str) -> None:
    given = inventory(host("h1", "ray_head", in_play=False), WORKER, limit=limit)
    assert [fix for _severity, _host, _code, fix in brief(given)] == [expected]


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        pytest.param("s1", "", "ssh s1 true", id="first-server"),
        pytest.param("s2", "", "ssh s2 true", id="another-server"),
        pytest.param("a1", "", "ssh a1 true   (or go on without a1: --limit '!a1')", id="agent"),
        pytest.param(
            "a1",
            "k3s_server,a1,a2",
            "ssh a1 true   (or go on without a1: --limit 'k3s_server,a1,a2,!a1')",
            id="agent-within-a-limit",
        ),
    ],
)
def test_only_a_node_that_nobody_joins_may_be_left_out(
    name: str, limit: str, expected: str
) -> None:
    away = Finding(Severity.ERROR, "unreachable", name, "M.", fix=f"ssh {name} true")
    members = [
        ("s1", "k3s_server"),
        ("s2", "k3s_server"),
        ("s3", "k3s_server"),
        ("a1", "k3s_agent"),
    ]
    hosts = [
        host(each, group, probe=Probe(findings=(away,)) if each == name else Probe(reachable=True))
        for each, group in members
    ]
    given = inventory(*hosts, profiles=K3S, first_k3s_server="s1", limit=limit)
    assert [fix for _severity, at, _code, fix in brief(given) if at == name] == [expected]


@pytest.mark.parametrize(
    ("name", "expected"),
    [pytest.param("s1", True, id="server"), pytest.param("a1", False, id="agent")],
)
def test_a_server_of_k3s_must_answer_and_an_agent_may_be_away(name: str, expected: bool) -> None:
    nodes = inventory(host("s1", "k3s_server"), host("a1", "k3s_agent"), profiles=K3S)
    away = Finding(Severity.ERROR, "unreachable", name, f"{name} could not be reached.")
    assert is_fatal(away, nodes, tolerate_unreachable=True) is expected


def test_the_scope_counts_the_nodes_that_stayed_away() -> None:
    away = host("w2", "ray_worker", probe=Probe(reachable=False))
    stranger = host("nas", "storage")
    assert describe_scope(inventory(HEAD, WORKER, away, stranger)) == "3 nodes, 1 not reached"
