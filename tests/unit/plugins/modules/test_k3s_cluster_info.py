"""Claims about k3s_cluster_info, with recorded answers in place of kubectl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import k3s_cluster_info
from ansible_collections.rackforge.gpu_cluster.plugins.modules.k3s_cluster_info import main

from tests.unit.plugins.module_utils.k3s_objects import api_node, api_pod
from tests.unit.plugins.modules.conftest import Node

UNIT = "systemctl show k3s.service"
AGENT_UNIT = "systemctl show k3s-agent.service"
LOADED = (0, "LoadState=loaded\nActiveState=active\n", "")
MISSING = (0, "LoadState=not-found\nActiveState=inactive\n", "")
VERSION = (0, '{"serverVersion": {"gitVersion": "v1.33.5+k3s1"}}', "")
REFUSED = (1, "", "The connection to the server 127.0.0.1:6443 was refused - did you specify ...\n")


class Server:
    """A server whose kubectl answers as the test says."""

    def __init__(self, node: Node, folder: Path) -> None:
        self.node = node
        self.kubeconfig = folder / "k3s.yaml"
        self.kubeconfig.write_text("secret")
        way = f"--kubeconfig={self.kubeconfig} --request-timeout=10s"
        self.kubectl = f"timeout --kill-after=5 30 /usr/local/bin/k3s kubectl {way}"
        node.answers(UNIT, LOADED)
        node.answers(f"{self.kubectl} version", VERSION)
        self.says("pods", [])

    def says(self, kind: str, *looks: list[dict[str, Any]]) -> None:
        """Say what each look at the objects of a kind shows."""
        answers = [(0, json.dumps({"items": items}), "") for items in looks]
        self.node.answers(f"{self.kubectl} get {kind}", *answers)

    def run(self, **arguments: Any) -> Any:
        """Return what the module answers."""
        return self.node.run(main, kubeconfig=str(self.kubeconfig), **arguments)


@pytest.fixture
def server(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(k3s_cluster_info, "POLL_SECONDS", 0.0)
    return Server(node, tmp_path)


def test_the_cluster_is_read_whole(server: Server) -> None:
    server.says("nodes", [api_node("n1", roles=("control-plane",), gpus={"nvidia.com/gpu": "2"})])
    server.says("pods", [api_pod("web"), api_pod("train", phase="Pending")])
    seen = server.run()
    assert (seen["changed"], seen["reachable"], seen["error"]) == (False, True, "")
    assert (seen["server_version"], seen["unit"], seen["unit_state"]) == (
        "v1.33.5+k3s1",
        "k3s.service",
        "active",
    )
    assert seen["nodes"] == [
        {
            "name": "n1",
            "ready": True,
            "reasons": [],
            "roles": ["control-plane"],
            "version": "v1.33.5+k3s1",
            "address": "198.19.1.11",
            "labels": {"node-role.kubernetes.io/control-plane": "true"},
            "taints": [],
            "unschedulable": False,
            "kept_by": "",
            "gpus": {"nvidia.com/gpu": 2},
            "capacity_gpus": {"nvidia.com/gpu": 2},
        }
    ]
    assert [pod["name"] for pod in seen["pods_not_ready"]] == ["train"]
    assert (seen["problems"], seen["report"]) == ([], "")


def test_the_hash_that_joining_nodes_need_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(k3s_cluster_info, "ca_hash", lambda: "6f2d1e3b")
    server.says("nodes", [api_node("n1")])
    assert server.run()["ca_hash"] == "6f2d1e3b"


def test_it_waits_until_every_node_is_ready(server: Server) -> None:
    first, second = api_node("n1"), api_node("n2")
    server.says("nodes", [first], [first, api_node("n2", ready="False")], [first, second])
    seen = server.run(wait_for=["n1", "n2"], timeout=60)
    assert (seen["problems"], len(seen["nodes"])) == ([], 2)


def test_it_waits_for_an_api_that_is_about_to_start(server: Server) -> None:
    nodes = (0, json.dumps({"items": [api_node("n1")]}), "")
    server.node.answers(f"{server.kubectl} get nodes", REFUSED, REFUSED, nodes)
    assert server.run(wait_for=["n1"], timeout=60)["problems"] == []


def test_a_node_that_does_not_come_is_named_when_the_time_is_over(server: Server) -> None:
    server.says("nodes", [api_node("n1")])
    seen = server.run(wait_for=["n1"], expected=[{"name": "n2", "kind": "agent"}], timeout=0)
    assert (seen["reachable"], [each["what"] for each in seen["problems"]]) == (True, ["missing"])
    assert seen["report"] == (
        "n2: the cluster has no node of this name, expected it Ready; see "
        "'journalctl --unit k3s-agent.service --lines 50' on n2"
    )


def test_one_version_holds_for_all_nodes_that_name_none(server: Server) -> None:
    server.says("nodes", [api_node("n1"), api_node("n2"), api_node("n3")])
    expected = [{"name": "n1"}, {"name": "n2", "version": "v1.33.5+k3s1"}]
    seen = server.run(expected=expected, wait_for=["n3"], version="v1.34.1+k3s1")
    assert [(each["name"], each["what"]) for each in seen["problems"]] == [("n1", "version")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(REFUSED, REFUSED[2].strip(), id="refused"),
        pytest.param((124, "", ""), "kubectl gave no answer within 30 s", id="hangs"),
        pytest.param(
            (0, "<html>", ""), "kubectl get: saw no JSON object: '<html>'", id="something-else"
        ),
        pytest.param(
            (0, '{"items": 3}', ""), "kubectl get nodes: saw no list in the answer", id="no-list"
        ),
    ],
)
def test_an_api_that_does_not_answer_is_told(
    server: Server, answer: tuple[int, str, str], error: str
) -> None:
    server.node.answers(f"{server.kubectl} get nodes", answer)
    seen = server.run(wait_for=["n1"])
    assert (seen["reachable"], seen["error"], seen["nodes"]) == (False, error, [])
    assert [each["what"] for each in seen["problems"]] == ["unknown"]
    assert seen["report"].startswith(f"The Kubernetes API does not answer on this server: {error};")


def test_an_api_that_goes_away_in_the_middle_is_told(server: Server) -> None:
    server.says("nodes", [api_node("n1")])
    server.node.answers(f"{server.kubectl} get pods", REFUSED)
    seen = server.run()
    assert (seen["reachable"], seen["error"]) == (False, REFUSED[2].strip())
    assert [each["name"] for each in seen["nodes"]] == ["n1"]


def test_an_agent_says_how_its_unit_stands_and_asks_nobody(node: Node, tmp_path: Path) -> None:
    node.answers(UNIT, MISSING)
    node.answers(AGENT_UNIT, (0, "LoadState=loaded\nActiveState=failed\n", ""))
    seen = node.run(main, kubeconfig=str(tmp_path / "none"), timeout=60)
    assert (seen["unit"], seen["unit_state"]) == ("k3s-agent.service", "failed")
    assert (seen["reachable"], seen["error"]) == (
        False,
        f"{tmp_path}/none is not there: no server of k3s has run here",
    )


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param(MISSING, "missing", id="not-installed"),
        pytest.param(
            (1, "", "System has not been booted with systemd"), "unknown", id="no-systemd"
        ),
    ],
)
def test_a_node_without_k3s_says_so(
    node: Node, tmp_path: Path, answer: tuple[int, str, str], state: str
) -> None:
    node.answers("systemctl show", answer)
    seen = node.run(main, kubeconfig=str(tmp_path / "none"))
    assert (seen["unit"], seen["unit_state"]) == ("", state)


@pytest.mark.parametrize(
    ("notes", "kept_by"),
    [
        pytest.param({"rackforge.io/cordoned": "true"}, "run", id="a-run"),
        pytest.param({"rackforge.io/cordoned": "upgrade"}, "upgrade", id="an-upgrade"),
        pytest.param({"rackforge.io/cordoned": "drained"}, "owner", id="drained-for-the-owner"),
        pytest.param({}, "other", id="with-kubectl"),
    ],
)
def test_it_is_told_for_whom_pods_are_kept_away(
    server: Server, notes: dict[str, str], kept_by: str
) -> None:
    server.says("nodes", [api_node("n1", unschedulable=True, annotations=notes)])
    assert [row["kept_by"] for row in server.run()["nodes"]] == [kept_by]


def test_a_node_that_its_owner_opened_is_kept_by_nobody(server: Server) -> None:
    server.says("nodes", [api_node("n1", annotations={"rackforge.io/cordoned": "true"})])
    assert [row["kept_by"] for row in server.run()["nodes"]] == [""]


def test_annotations_are_not_told_since_k3s_notes_its_arguments_there(server: Server) -> None:
    server.says("nodes", [api_node("n1", annotations={"k3s.io/node-env": "K3S_TOKEN=abc"})])
    assert "abc" not in json.dumps(server.run())
