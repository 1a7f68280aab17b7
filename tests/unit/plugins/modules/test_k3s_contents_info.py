# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the k3s_contents_info module, with a fake in place of kubectl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import k3s_contents_info
from ansible_collections.rackforge.gpu_cluster.plugins.modules.k3s_contents_info import main

from tests.unit.plugins.modules.conftest import Node

KUBECTL = (
    "timeout --kill-after=5 60 /usr/local/bin/k3s kubectl "
    "--kubeconfig=/etc/rancher/k3s/k3s.yaml --request-timeout=10s get"
)
SERVER = {
    "metadata": {"name": "n1", "labels": {"node-role.kubernetes.io/control-plane": "true"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}
AGENT = {"metadata": {"name": "n2"}, "status": {}}
POD = {
    "kind": "Pod",
    "metadata": {"namespace": "default", "name": "train"},
    "spec": {"nodeName": "n2"},
    "status": {"phase": "Running"},
}
SET = {"ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": True}]}
OURS = {**POD, "metadata": {"namespace": "default", "name": "web-1-x", **SET}}
WEB = {"kind": "ReplicaSet", "metadata": {"namespace": "default", "name": "web-1"}}


@pytest.fixture(autouse=True)
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A k3s that is installed."""
    path = tmp_path / "k3s"
    path.touch()
    monkeypatch.setattr(k3s_contents_info, "BINARY", str(path))
    return path


def items(*found: Any) -> tuple[int, str, str]:
    """Return kubectl's answer with a list."""
    return 0, json.dumps({"kind": "List", "items": list(found)}), ""


@pytest.fixture
def cluster(node: Node) -> Node:
    """A server and an agent with two pods."""
    node.answers(f"{KUBECTL} nodes", items(SERVER, AGENT))
    node.answers(f"{KUBECTL} pods", items(POD, OURS))
    node.answers(f"{KUBECTL} deployments", items(WEB))
    node.answers(f"{KUBECTL} persistentvolumes", items())
    node.answers(f"{KUBECTL} --recursive", items(WEB))
    return node


def test_members_pods_and_volumes_are_told(cluster: Node, tmp_path: Path) -> None:
    result = cluster.run(main, manifests=str(tmp_path / "none"))
    assert result["members"] == [
        {"name": "n1", "ready": True, "server": True},
        {"name": "n2", "ready": False, "server": False},
    ]
    assert result["pods"] == [
        {"name": "default/train", "node": "n2", "again": False},
        {"name": "default/web-1-x", "node": "n2", "again": True},
    ]
    assert (result["present"], result["reachable"], result["volumes"]) == (True, True, [])


GOING = {**POD, "metadata": {**POD["metadata"], "deletionTimestamp": "2026-01-31T09:00:00Z"}}  # type: ignore[dict-item]


def test_a_pod_that_is_being_deleted_is_waited_for(
    cluster: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        cluster.answers(f"{KUBECTL} pods", items(OURS))

    monkeypatch.setattr("time.sleep", wait)
    cluster.answers(f"{KUBECTL} pods", items(GOING, OURS))
    result = cluster.run(main, manifests=str(tmp_path / "none"))
    assert ([pod["name"] for pod in result["pods"]], waited) == (["default/web-1-x"], [1])


def test_a_pod_that_does_not_end_is_told(cluster: Node, tmp_path: Path) -> None:
    cluster.answers(f"{KUBECTL} pods", items(GOING))
    result = cluster.run(main, manifests=str(tmp_path / "none"), timeout=0)
    assert [pod["name"] for pod in result["pods"]] == ["default/train"]


def test_pods_of_our_manifests_are_left_out(cluster: Node, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "web.yaml").touch()
    result = cluster.run(main, manifests=str(tmp_path / "m"))
    assert [pod["name"] for pod in result["pods"]] == ["default/train"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((1, "", "error: no matches for kind"), id="refused"),
        pytest.param((0, "", ""), id="none-is-there"),
    ],
)
def test_where_our_manifests_cannot_be_told_more_is_told(
    cluster: Node, tmp_path: Path, answer: tuple[int, str, str]
) -> None:
    (tmp_path / "web.yaml").touch()
    cluster.answers(f"{KUBECTL} --recursive", answer)
    result = cluster.run(main, manifests=str(tmp_path))
    assert len(result["pods"]) == 2


def test_a_server_that_does_not_answer_is_no_failure(node: Node) -> None:
    said = "connection refused"
    node.answers(f"{KUBECTL} nodes", (1, "", said))
    result = node.run(main)
    assert (result["reachable"], result["error"], result["pods"]) == (False, said, [])


def test_a_node_without_k3s_is_told(node: Node, binary: Path) -> None:
    binary.unlink()
    result = node.run(main)
    assert (result["present"], result["reachable"]) == (False, False)
    assert result["error"] == f"there is no {binary}"
