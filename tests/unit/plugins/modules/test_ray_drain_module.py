"""Claims about the ray_drain module, with a fake in place of the node's Ray."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_drain import Mark, Raylet
from ansible_collections.rackforge.gpu_cluster.plugins.modules import ray_drain
from ansible_collections.rackforge.gpu_cluster.plugins.modules.ray_drain import main

from tests.unit.plugins.modules.conftest import Node

RAYLET = Raylet(
    pid=651,
    node_id="ccbe",
    address="198.19.1.13",
    gcs_address="198.19.1.11:6379",
    python="/opt/ray/2.60.0/bin/python",
    is_head=False,
    environment=(("RAY_AUTH_MODE", "token"),),
)
INSIDE = "timeout 60 runuser --user ray -- env --chdir=/ RAY_AUTH_MODE=token /opt/ray/2.60.0/bin"
ACTIVE = (0, "ActiveState=active\nSubState=running\nUnitFileState=enabled\n", "")
INACTIVE = (0, "ActiveState=inactive\nSubState=dead\nUnitFileState=enabled\n", "")
OK = (0, "", "")


def view(*drivers: str, state: str = "ALIVE") -> tuple[int, str, str]:
    """Return what the script prints for a cluster with these drivers on the node."""
    nodes = [{"node_id": "ccbe", "address": "198.19.1.13", "state": state}]
    jobs = [
        {"job_id": "02", "node_id": "ccbe", "pid": 7, "entrypoint": each, "namespace": "user"}
        for each in drivers
    ]
    return (0, json.dumps({"nodes": nodes, "jobs": jobs}), "")


class Ray:
    """The node's raylet: the looks at it, in order; the last one is repeated."""

    def __init__(self, *looks: Raylet | None) -> None:
        self.looks = list(looks)

    def __call__(self) -> Raylet | None:
        """Stand in for read_raylet."""
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the mark lies; the unit file knows it."""
    path = tmp_path / "drained"
    unit = tmp_path / "ray.service"
    unit.write_text(f"ConditionPathExists=!{path}\n")
    monkeypatch.setattr(ray_drain, "MARK", str(path))
    monkeypatch.setattr(ray_drain, "UNIT_FILE", str(unit))
    monkeypatch.setattr(ray_drain, "POLL_SECONDS", 0)
    monkeypatch.setattr(ray_drain, "read_work", lambda: ["Holder (pid 9)"])
    return path


@pytest.fixture
def ray(node: Node, mark: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say how the node's raylet looks; its programs do what they are asked."""
    assert not mark.exists()
    node.answers("systemctl show", ACTIVE)
    node.answers("systemctl", OK)
    node.answers("systemd-run", OK)
    node.answers(f"{INSIDE}/python", view())
    node.answers(f"{INSIDE}/ray drain-node", OK)

    def looks(*each: Raylet | None) -> None:
        monkeypatch.setattr(ray_drain, "read_raylet", Ray(*each))

    return looks


def drain(node: Node, **arguments: Any) -> Any:
    """Return the module's answer for n3."""
    return node.run(main, name="n3", runtime="venv", **arguments)


def test_an_idle_worker_is_marked_drained_and_stopped(node: Node, mark: Path, ray: Any) -> None:
    ray(RAYLET, RAYLET, None)
    result = drain(node, reason="a new fan", by="ops")
    assert (result["changed"], result["lost"]) == (True, [])
    assert json.loads(mark.read_text()) == {
        "since": result["since"],
        "reason": "a new fan",
        "by": "ops",
    }
    closing = next(call for call in node.calls if "drain-node" in call)
    assert "--node-id ccbe --reason DRAIN_NODE_REASON_PREEMPTION" in closing
    stopped = node.calls.index("systemctl stop ray.service")
    assert stopped > node.calls.index(closing)


def test_a_drained_worker_is_left_alone(node: Node, mark: Path, ray: Any) -> None:
    mark.write_text(Mark("then", "why", "who").text())
    node.answers("systemctl show", INACTIVE)
    ray(None)
    result = drain(node)
    assert (result["changed"], result["since"]) == (False, "then")
    assert all(" show " in call for call in node.calls)


def test_a_stopped_worker_is_marked_without_a_question(node: Node, mark: Path, ray: Any) -> None:
    node.answers("systemctl show", INACTIVE)
    ray(None)
    assert drain(node)["changed"] is True
    assert mark.exists()
    assert not [call for call in node.calls if "python" in call]


def test_a_drain_that_was_cut_off_keeps_its_reason(node: Node, mark: Path, ray: Any) -> None:
    mark.write_text(Mark("then", "why", "who").text())
    ray(RAYLET, RAYLET, None)
    assert drain(node, reason="other")["since"] == "then"
    assert json.loads(mark.read_text())["reason"] == "why"


def test_check_mode_changes_nothing(node: Node, mark: Path, ray: Any) -> None:
    ray(RAYLET)
    result = node.run(main, check=True, name="n3", runtime="venv")
    assert result["changed"] is True
    assert not mark.exists()
    assert all(" show " in call for call in node.calls)


def test_a_driver_that_stays_leaves_the_node_as_it_was(node: Node, mark: Path, ray: Any) -> None:
    node.answers(f"{INSIDE}/python", view("python train.py"))
    ray(RAYLET)
    result = drain(node, timeout=0)
    assert "driver python train.py (pid 7). The node goes on as before." in result["msg"]
    assert not mark.exists()
    assert not [call for call in node.calls if "drain-node" in call or "stop" in call]


def test_work_that_stays_is_named_and_ray_starts_anew_after_it(
    node: Node, mark: Path, ray: Any
) -> None:
    ray(RAYLET)
    result = drain(node, timeout=0)
    assert "still there: Holder (pid 9)" in result["msg"]
    assert not mark.exists()
    later = next(call for call in node.calls if call.startswith("systemd-run"))
    assert "tail --pid=651" in later
    assert later.endswith("systemctl try-restart ray.service")
    assert "systemctl stop ray.service" not in node.calls


def test_force_ends_what_stays_and_names_it(node: Node, mark: Path, ray: Any) -> None:
    node.answers(f"{INSIDE}/python", view("python train.py"))
    ray(RAYLET)
    result = drain(node, timeout=0, force=True)
    assert result["lost"] == ["driver python train.py (pid 7)", "Holder (pid 9)"]
    assert mark.exists()
    assert "systemctl stop ray.service" in node.calls


def test_the_head_is_refused(node: Node, mark: Path, ray: Any) -> None:
    ray(Raylet(1, "a", "b", "c", "d", is_head=True))
    said = drain(node)["msg"]
    assert "n3 is the head of the Ray cluster" in said
    assert "shut the machine down, do the work and switch it on" in said
    assert "reset.yml" not in said
    assert not mark.exists()


def test_a_unit_that_would_start_all_the_same_is_refused(
    node: Node, mark: Path, ray: Any, tmp_path: Path
) -> None:
    (tmp_path / "ray.service").write_text("[Unit]\n")
    ray(RAYLET)
    assert "run provision.yml first" in drain(node)["msg"]
    assert not mark.exists()


def test_a_head_that_does_not_answer_is_told(node: Node, mark: Path, ray: Any) -> None:
    node.answers(f"{INSIDE}/python", (1, "", "Traceback\nRpcError: timed out\n"))
    ray(RAYLET)
    assert "the head at 198.19.1.11:6379 did not tell" in drain(node)["msg"]
    assert not mark.exists()


def test_a_refusal_of_ray_leaves_the_node_in_service(node: Node, mark: Path, ray: Any) -> None:
    node.answers(f"{INSIDE}/ray drain-node", (1, "", "Error: not accepted\n"))
    ray(RAYLET)
    assert "n3: Ray refused the drain" in drain(node)["msg"]
    assert not mark.exists()


def test_a_worker_comes_back(node: Node, mark: Path, ray: Any) -> None:
    mark.write_text("")
    node.answers("systemctl show", INACTIVE)
    ray(None, None, RAYLET)
    assert drain(node, state="present")["changed"] is True
    assert not mark.exists()
    assert "systemctl start ray.service" in node.calls


def test_a_worker_in_service_is_left_alone(node: Node, mark: Path, ray: Any) -> None:
    ray(RAYLET)
    assert drain(node, state="present")["changed"] is False
    assert not mark.exists()
    assert all(" show " in call for call in node.calls)


def test_a_worker_that_does_not_come_back_is_told(node: Node, mark: Path, ray: Any) -> None:
    mark.write_text("")
    node.answers("systemctl show", INACTIVE)
    ray(None)
    assert "n3 takes part again, but is not ALIVE" in drain(node, state="present", timeout=0)["msg"]
