"""What the bench beside k3s-ansible reads from runs and nodes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.k3s_peer import (
    Nodes,
    Run,
    again,
    changed_tasks,
    main_pid,
    peer_inventory,
    read_nodes,
    restarted,
    table,
)
from tests.bench.timeline import Host, Timeline

OURS = """[k3s_server]
a1 ansible_host=198.18.1.11 my_iface=eth1

[k3s_agent]
a2 ansible_host=198.18.1.12 my_iface=eth1

[all:vars]
ansible_user=root
ansible_ssh_common_args=-o UserKnownHostsFile=/x
cluster_name=a
"""


def test_a_task_that_changed_counts_once_for_each_host() -> None:
    output = [
        "TASK [k3s_agent : Copy] ****\n",
        "ok: [a1]\n",
        "changed: [a2] => (item=one)\n",
        "changed: [a2] => (item=two)\n",
        "TASK [Store the token] ****\n",
        "changed: [a1 -> localhost]\n",
        "RUNNING HANDLER [restart] ****\n",
        "changed: [a1]\n",
    ]
    assert changed_tasks(output) == [
        ("a2", "k3s_agent : Copy"),
        ("a1", "Store the token"),
        ("a1", "restart"),
    ]


def node(status: str, moment: str) -> dict[str, object]:
    """Return what the API says about a node."""
    rows = [{"type": "Ready", "status": status, "lastTransitionTime": moment}]
    return {"status": {"conditions": rows}}


def test_nodes_are_ready_since_the_last_of_them_turned() -> None:
    items = [
        node("True", "1970-01-01T00:00:10Z"),
        node("True", "1970-01-01T00:00:30Z"),
        node("False", "1970-01-01T00:00:50Z"),
    ]
    assert read_nodes(json.dumps({"items": items})) == Nodes(2, 30.0)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="silent"),
        pytest.param("The connection was refused", id="words"),
        pytest.param("{}", id="no-items"),
    ],
)
def test_no_answer_is_no_ready_node(text: str) -> None:
    assert read_nodes(text) == Nodes(0, 0.0)


@pytest.mark.parametrize(
    ("text", "pid"),
    [
        pytest.param("1230\n\n0\n", "1230", id="a-server"),
        pytest.param("0\n\n77\n", "77", id="an-agent"),
        pytest.param("0\n\n0\n", "", id="none-runs"),
    ],
)
def test_the_main_process_is_the_one_that_is_not_zero(text: str, pid: str) -> None:
    assert main_pid(text) == pid


def test_only_a_service_that_ran_before_can_be_restarted() -> None:
    before = {"a1": "10", "a2": "20", "a3": ""}
    assert restarted(before, {"a1": "10", "a2": "21", "a3": "30"}) == ["a2"]


def test_the_peer_gets_our_nodes_in_its_own_groups() -> None:
    made = peer_inventory(OURS, Path("/artifacts"), "v1", "secret")
    assert made == {
        "k3s_cluster": {
            "children": {
                "server": {"hosts": {"a1": {"ansible_host": "198.18.1.11"}}},
                "agent": {"hosts": {"a2": {"ansible_host": "198.18.1.12"}}},
            },
            "vars": {
                "ansible_user": "root",
                "ansible_ssh_common_args": "-o UserKnownHostsFile=/x",
                "k3s_version": "v1",
                "token": "secret",
                "api_endpoint": "198.18.1.11",
                "airgap_dir": "/artifacts",
            },
        }
    }


def run(turn: str, ready: float | None) -> Run:
    """Return a run with figures that differ from each other."""
    hosts = (Host("a1", 9, 1, 0, 0), Host("a2", 8, 2, 0, 0), Host("localhost", 1, 0, 0, 0))
    return Run(
        who="peer",
        turn=turn,
        timeline=Timeline((), hosts, 50.0),
        seconds=60.0,
        ready=ready,
        processor=7.0,
        calls={"a1": 30, "a2": 20},
        changed=[("a1", "Start"), ("a2", "Start"), ("a2", "Copy")],
        restarted=["a2"],
        load=1.25,
    )


def test_a_row_has_each_figure_under_its_head() -> None:
    rows = table([run("first", 55.0), run("second", None)]).splitlines()
    assert [row.count("|") for row in rows] == [12, 12, 12, 12]
    assert rows[2] == "| peer | first | 60 s | 50 s | 55 s | 7 s | 9 8 | 30 20 | 3 | 1 | 1.2 |"
    assert rows[3].split(" | ")[4] == "stayed so"


def test_second_runs_are_told_by_task() -> None:
    assert again([run("first", 1.0), run("second", None)]).splitlines() == [
        "peer, second run: 3 changed, restarted: a2",
        "  Start (2 nodes)",
        "  Copy (1 nodes)",
    ]
