"""Claims about a head's answers and about what is thought of a node."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_cluster import (
    RayAnswerError,
    RayJob,
    RayNode,
    judge_node,
    missing_addresses,
    other_addresses,
    parse_jobs,
    parse_nodes,
    parse_version,
    unfinished,
)

# /api/v0/nodes?detail=true of Ray 2.60.0 with one node; the identifier is shortened.
ROW: dict[str, Any] = {
    "node_id": "75c507f3",
    "node_ip": "198.18.250.1",
    "is_head_node": True,
    "state": "ALIVE",
    "state_message": None,
    "node_name": "198.18.250.1",
    "resources_total": {
        "memory": 24321416704.0,
        "object_store_memory": 200000000.0,
        "node:198.18.250.1": 1.0,
        "CPU": 2.0,
        "node:__internal_head__": 1.0,
    },
    "labels": {"a": "b", "ray.io/node-id": "75c507f3"},
    "start_time_ms": 1795314196781,
    "end_time_ms": 0,
}
HEAD = RayNode(
    node_id="75c507f3",
    address="198.18.250.1",
    state="ALIVE",
    is_head=True,
    resources={"memory": 24321416704.0, "object_store_memory": 200000000.0, "CPU": 2.0},
    labels={"a": "b", "ray.io/node-id": "75c507f3"},
)


def answer(*rows: Any) -> dict[str, Any]:
    """Return these nodes as the API wraps them."""
    result = {
        "total": len(rows),
        "num_after_truncation": len(rows),
        "num_filtered": len(rows),
        "result": list(rows),
        "partial_failure_warning": "",
        "warnings": None,
    }
    return {"result": True, "msg": "", "data": {"result": result}}


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        pytest.param(answer(ROW), [HEAD], id="ray-2.60-one-node"),
        pytest.param(answer(), [], id="no-node"),
        pytest.param(
            answer({**ROW, "state": "DEAD", "resources_total": None, "labels": None}),
            [RayNode("75c507f3", "198.18.250.1", "DEAD", True, {}, {})],
            id="dead-node-without-details",
        ),
    ],
)
def test_nodes_are_read(recorded: dict[str, Any], expected: list[RayNode]) -> None:
    assert parse_nodes(recorded) == expected


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        pytest.param({}, "no list of nodes in the answer (KeyError('result'))", id="empty"),
        pytest.param([], "no list of nodes in the answer", id="list"),
        pytest.param(None, "no list of nodes in the answer", id="null"),
        pytest.param(answer("x"), "no list of nodes in the answer", id="texts-for-rows"),
        pytest.param(answer({}), "no list of nodes in the answer", id="row-without-keys"),
        pytest.param(
            {"result": False, "msg": "Failed to get a response within 30s", "data": {}},
            "the head says Failed to get a response within 30s",
            id="the-head-reports-a-failure",
        ),
    ],
)
def test_a_strange_answer_about_nodes_is_named(recorded: Any, message: str) -> None:
    with pytest.raises(RayAnswerError) as caught:
        parse_nodes(recorded)
    assert str(caught.value).startswith("/api/v0/nodes: ")
    assert message in str(caught.value)


# /api/jobs/ of Ray 2.60.0: a job that was submitted, and a driver that connected by itself.
SUBMITTED = {
    "type": "SUBMISSION",
    "job_id": "02000000",
    "submission_id": "raysubmit_Yx7",
    "status": "SUCCEEDED",
    "entrypoint": "python train.py",
}
DRIVER = {
    "type": "DRIVER",
    "job_id": "01000000",
    "submission_id": None,
    "status": "RUNNING",
    "entrypoint": None,
}


def test_jobs_are_read() -> None:
    assert parse_jobs([SUBMITTED, DRIVER]) == [
        RayJob("raysubmit_Yx7", "SUBMISSION", "SUCCEEDED", "python train.py"),
        RayJob("01000000", "DRIVER", "RUNNING", ""),
    ]


@pytest.mark.parametrize(
    "recorded",
    [
        pytest.param(None, id="null"),
        pytest.param({"detail": "x"}, id="object"),
        pytest.param([{"status": "RUNNING"}], id="row-without-type"),
    ],
)
def test_a_strange_answer_about_jobs_is_named(recorded: Any) -> None:
    with pytest.raises(RayAnswerError, match=r"^/api/jobs/: no list of jobs in the answer"):
        parse_jobs(recorded)


def test_the_version_is_read() -> None:
    assert parse_version({"version": "4", "ray_version": "2.60.0", "session_name": "s"}) == "2.60.0"


@pytest.mark.parametrize("recorded", [{}, [], "hello", None])
def test_an_answer_without_version_is_named(recorded: Any) -> None:
    with pytest.raises(RayAnswerError, match=r"^/api/version: no version in the answer"):
        parse_version(recorded)


def job(status: str) -> RayJob:
    """Return a job in this state."""
    return RayJob(status.lower(), "SUBMISSION", status, "")


def test_jobs_that_would_be_lost_are_found() -> None:
    jobs = [job(status) for status in ("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "STOPPED")]
    assert [each.job_id for each in unfinished(jobs)] == ["pending", "running"]


def node(address: str, state: str) -> RayNode:
    """Return a node with this address and state."""
    return RayNode("id", address, state, False, {}, {})


def test_missing_nodes_are_those_without_a_living_one() -> None:
    nodes = [node("a", "DEAD"), node("a", "ALIVE"), node("b", "DEAD"), node("x", "ALIVE")]
    assert missing_addresses(nodes, ["c", "b", "a"]) == ["c", "b"]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        pytest.param([], [], id="any-may-be-alive"),
        pytest.param(["a"], ["x"], id="the-dead-do-not-count"),
        pytest.param(["a", "x", "z"], [], id="all-are-known"),
    ],
)
def test_nodes_that_should_have_left_are_those_alive_beside_the_others(
    only: list[str], expected: list[str]
) -> None:
    nodes = [node("a", "ALIVE"), node("b", "DEAD"), node("x", "ALIVE")]
    assert other_addresses(nodes, only) == expected


WANTED = {"address": "198.18.1.11", "version": "2.60.0"}
SOUND = {"unit_state": "active", "version": "2.60.0", "address": "198.18.1.11"}
ALIVE = {"address": "198.18.1.11", "state": "ALIVE"}
DEAD = {"address": "198.18.1.11", "state": "DEAD"}
UNSEEN = (
    "w1: the head does not see 198.18.1.11 as ALIVE (it says {}); check that the node reaches the"
    " head's GCS port and that both have the same token and version"
)
SILENT = (
    "w1: the dashboard of the head told no node, not even the head. When ray.service is active"
    " there, the dashboard may have found its port taken at its start, and Ray does not start it"
    " again: see 'journalctl --unit ray.service' on the head, type 'systemctl restart ray.service'"
    " there when no job runs, and run this again"
)


@pytest.mark.parametrize(
    ("seen", "nodes", "expected"),
    [
        pytest.param({}, [DEAD, ALIVE], [], id="sound-after-a-restart"),
        pytest.param(
            {"unit_state": "restarting", "version": None, "address": None},
            [ALIVE],
            [
                "w1: unit ray.service is restarting, expected active; see 'journalctl --unit"
                " ray.service' on the node"
            ],
            id="restarting",
        ),
        pytest.param(
            {"version": "2.59.0"},
            [ALIVE],
            ["w1: Ray's version is 2.59.0, expected 2.60.0; run upgrade.yml"],
            id="another-version",
        ),
        pytest.param(
            {"address": "198.18.0.11"},
            [{"address": "198.18.0.11", "state": "ALIVE"}],
            [
                "w1: Ray's address is 198.18.0.11, expected 198.18.1.11; run provision.yml again",
                UNSEEN.format("nothing"),
            ],
            id="on-the-wrong-network",
        ),
        pytest.param({}, [DEAD], [UNSEEN.format("DEAD")], id="dead"),
        pytest.param(
            {}, [{**DEAD, "address": "198.18.1.12"}], [UNSEEN.format("nothing")], id="unknown"
        ),
        pytest.param({}, [], [SILENT], id="no-dashboard"),
    ],
)
def test_what_is_wrong_with_a_node_is_said(
    seen: dict[str, Any], nodes: list[dict[str, Any]], expected: list[str]
) -> None:
    assert judge_node("w1", WANTED, {**SOUND, **seen}, nodes) == expected


def test_an_active_unit_without_a_raylet_is_no_running_node() -> None:
    seen = {"unit_state": "active", "version": None, "address": None}
    nodes = [{"address": "198.19.1.12", "state": "ALIVE"}]
    wanted = {"address": "198.19.1.12", "version": "2.60.0"}
    assert judge_node("node2", wanted, seen, nodes) == [
        "node2: unit ray.service is active, but no Ray node process (raylet) runs; "
        "it may not have come up yet: see 'journalctl --unit ray.service' on the node"
    ]
