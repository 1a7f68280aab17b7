# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what playbooks that take nodes out tell their user, in real runs here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.playbooks.stand_in_collection import Collection

#: The entries that remove_node.yml calls for a worker that is in Ray alone.
ENTRIES = (
    "docker/consent",
    "docker/remove",
    "monitoring/remove",
    "node_metrics/remove",
    "nvidia/remove",
    "os_base/consent",
    "os_base/members",
    "os_base/remove",
    "ray_worker/remove",
    "rocm/remove",
)
#: A head that still counts on a node, as it does for a while after the node's Ray has ended.
LOOK = """
- name: Tell what the head says
  ansible.builtin.set_fact:
    __ray_cluster_seen: {{reachable: true, error: "", others: {others}}}
"""
JOBS = """
- name: Refuse as it does while jobs run
  ansible.builtin.fail:
    msg: "run the same command with -e {{ ray_lose_variable }}=true"
"""
NOTHING: dict[str, list[str]] = {"pods": [], "volumes": [], "strangers": [], "obstacles": []}
VOLUME = {"__k3s_removal": {**NOTHING, "volumes": ["default/data"]}}
CONTAINER = {
    "__k3s_removal": NOTHING,
    "__docker_goes": True,
    "__docker_restarts": False,
    "__docker_contents": {"containers": ["mine"], "volumes": []},
    "docker_own_containers": [],
}
PROGRAM = {"has_gpu": True, "__reset_work": {"gpu_processes": ["train.py (pid 7)"]}}
ONE = ("remove_node.yml", "-e", "node=w1")


@pytest.fixture
def collection(tmp_path: Path, repository: Path) -> Collection:
    return Collection(tmp_path, repository)


def judgement(repository: Path, role: str) -> str:
    """Return the tasks of a role's consent that judge, without those that look at the node."""
    path = repository / "roles" / role / "tasks" / "consent.yml"
    tasks: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return json.dumps([task for task in tasks if "ansible.builtin.assert" in task])


@pytest.mark.parametrize(
    ("command", "seen", "variable"),
    [
        pytest.param(ONE, VOLUME, "remove_node_force", id="volume"),
        pytest.param(ONE, CONTAINER, "remove_node_force", id="container"),
        pytest.param(
            ("remove_node.yml", "-e", "node=w2"), PROGRAM, "remove_node_force", id="program"
        ),
        pytest.param(("remove_node.yml", "-e", "node=h1,w1,w2"), {}, "remove_node_force", id="job"),
        pytest.param(("reset.yml", "--limit", "w1"), VOLUME, "reset_force", id="limited-reset"),
    ],
)
def test_what_would_be_lost_is_refused_with_a_way_out_for_these_nodes_only(
    collection: Collection,
    repository: Path,
    command: tuple[str, ...],
    seen: dict[str, Any],
    variable: str,
) -> None:
    docker = judgement(repository, "docker") if seen is CONTAINER else collection.call("docker")
    roles = {"k3s/consent": judgement(repository, "k3s"), "docker/consent": docker}
    collection.build({**roles, "ray/wait": JOBS})
    code, said = collection.play(*command, "-e", json.dumps(seen))
    assert code == 2, said
    assert f"run the same command with -e {variable}=true" in said
    assert "run reset.yml" not in said
    assert collection.phase == "checks"


def members(collection: Collection, others: list[str]) -> None:
    """Lay the playbooks down with a head that also counts on ``others``."""
    calls = {entry: collection.call(entry) for entry in ENTRIES}
    collection.build({**calls, "ray/look": LOOK.format(others=json.dumps(others))})


def test_a_removal_ends_when_the_head_has_let_the_node_go(collection: Collection) -> None:
    members(collection, [])
    code, said = collection.play("remove_node.yml", "-e", "node=w2")
    assert code == 0, said
    assert "w2 is out of the cluster. Now take the lines of w2 out of" in said


def test_a_head_that_does_not_let_the_node_go_is_told(collection: Collection) -> None:
    members(collection, ["192.0.2.9"])
    code, said = collection.play("remove_node.yml", "-e", "node=w2")
    assert code == 2, said
    assert "The head h1 still has as ALIVE: 192.0.2.9" in said


def test_a_check_of_a_removal_says_what_would_be_and_waits_for_nothing(
    collection: Collection,
) -> None:
    members(collection, ["192.0.2.9"])
    code, said = collection.play("remove_node.yml", "-e", "node=w2", "--check")
    assert code == 0, said
    assert "w2 would leave the cluster. Afterwards take the lines of w2 out of" in said
    assert "is out of the cluster" not in said
    assert "Tell what the head says" not in said
    assert collection.calls == []
