# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real upgrade of Ray with real jobs: planned, refused, waited for, forced, killed, and back."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.lifecycle.support import Cluster as User
from tests.testinfra.lifecycle.support import Played, Running
from tests.testinfra.playbooks import changes
from tests.testinfra.ray_cluster import Cluster, node_address

OLD, NEW = "2.59.0", "2.60.0"
TO_NEW = ("-e", f"ray_version={NEW}", "-e", "preflight_ports=sample")
BACK = ("-e", "upgrade_rollback=true", "-e", "preflight_ports=sample")
DOWN = re.compile(r"down for ([0-9.]+) s, from the head's stop until all 3 nodes")
#: What a run that is killed leaves behind differs by the task that it had begun.
BOUNDARIES = (
    "runtime_venv | Have Ray in its virtual environment",
    "service | Describe Ray to systemd",
    "service | Run Ray with what was just laid down",
    "Have a head to join",
    "Wait until the head sees every node",
)


@pytest.fixture(scope="module")
def user(inventory: Path) -> User:
    """Who types the commands."""
    lab = inventory.parent.name
    return User(lab, inventory, inventory.parent / "secrets" / lab / "ray_auth_token")


@pytest.fixture(scope="module")
def token(user: User) -> str:
    """The cluster's token before anything was upgraded."""
    return user.token.read_text()


def post(cluster: Cluster, path: str, data: dict[str, Any]) -> Any:
    """Return the head's answer to a request."""
    request = urllib.request.Request(f"{cluster.address}{path}", json.dumps(data).encode())
    request.add_header("Authorization", f"Bearer {cluster.token_file.read_text().strip()}")
    request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def submit(cluster: Cluster, entrypoint: str) -> str:
    """Return the identifier of a job that has been submitted."""
    return str(post(cluster, "/api/jobs/", {"entrypoint": entrypoint})["submission_id"])


def running(nodes: list[Any], cluster: Cluster) -> list[str]:
    """Return the versions that the nodes' Ray processes run; all nodes must be ALIVE."""
    assert sorted(cluster.nodes()) == [node_address(node) for node in nodes]
    return [
        node.check_output("readlink /proc/$(pgrep -xo raylet)/exe").split("/")[3] for node in nodes
    ]


def releases(node: Any) -> set[str]:
    """Return the releases that lie on a node."""
    return set(node.check_output("ls /opt/ray").split())


def settings(node: Any) -> str:
    """Return the unit of Ray without its version."""
    unit = str(node.file("/etc/systemd/system/ray.service").content_string)
    return unit.replace(NEW, "VERSION").replace(OLD, "VERSION")


def play(user: User, *arguments: str) -> Played:
    """Return a run of upgrade.yml that has ended."""
    return user.play("upgrade.yml", *arguments)


def test_the_cluster_begins_with_the_old_release(
    nodes: list[Any], cluster: Cluster, token: str
) -> None:
    assert token
    assert running(nodes, cluster) == [OLD] * 3


def test_the_plan_is_shown_and_nothing_is_done(
    user: User, nodes: list[Any], cluster: Cluster
) -> None:
    for only in (("--check",), ("-e", "upgrade_plan_only=true")):
        played = play(user, *TO_NEW, *only)
        assert played.rc == 0
        assert re.search(rf"mol-upgrade-n1 +Ray +{OLD} +{NEW} +no", played.output)
        assert changes(played.output) == {}
    assert running(nodes, cluster) == [OLD] * 3
    assert releases(nodes[0]) == {OLD}


def test_provision_does_not_replace_what_runs(
    user: User, nodes: list[Any], cluster: Cluster
) -> None:
    played = user.play("provision.yml", *TO_NEW)
    assert played.rc != 0
    assert f"mol-upgrade-n1 runs Ray {OLD} in a cluster" in played.prose
    assert "upgrade.yml" in played.prose
    assert running(nodes, cluster) == [OLD] * 3


def test_a_job_that_runs_is_not_lost_by_accident(
    user: User, nodes: list[Any], cluster: Cluster
) -> None:
    job = submit(cluster, "sleep 3000")
    played = play(user, *TO_NEW)
    assert played.rc != 0
    assert f"- {job}" in played.output
    assert "-e upgrade_wait_for_jobs" in played.prose
    assert changes(played.output) == {}
    assert releases(nodes[0]) == {OLD}
    assert running(nodes, cluster) == [OLD] * 3
    post(cluster, f"/api/jobs/{job}/stop", {})


def test_a_job_is_waited_for_and_then_all_nodes_change(
    user: User, nodes: list[Any], cluster: Cluster, token: str
) -> None:
    before = [settings(node) for node in nodes]
    job = submit(cluster, "sh -c 'sleep 40; echo the result > /var/lib/ray/tmp/result'")
    played = play(user, *TO_NEW, "-e", "upgrade_wait_for_jobs=400")
    assert played.rc == 0
    assert DOWN.search(played.prose), "the down-time is told"
    assert nodes[0].file("/var/lib/ray/tmp/result").content_string == "the result\n"
    assert running(nodes, cluster) == [NEW] * 3
    assert [releases(node) for node in nodes] == [{OLD, NEW}] * 3
    assert [settings(node) for node in nodes] == before
    assert user.token.read_text() == token
    assert cluster.get("/api/jobs/") == [], "Ray keeps its list of jobs in the head's memory"
    logs = nodes[0].check_output(f"ls /var/lib/ray/tmp/session_2*/logs/job-driver-{job}.log")
    assert logs, "and what they have said in files"


def test_the_same_command_again_does_nothing(user: User) -> None:
    played = play(user, *TO_NEW)
    assert played.rc == 0
    assert "Nothing to do: every node has what is wanted." in played.output
    assert changes(played.output) == {}


def test_a_downgrade_is_refused(user: User, nodes: list[Any], cluster: Cluster) -> None:
    played = play(user, "-e", "preflight_ports=sample")
    assert played.rc != 0
    assert f"mol-upgrade-n1: Ray {NEW}, expected {OLD}" in played.prose
    assert "-e upgrade_rollback=true" in played.prose
    assert running(nodes, cluster) == [NEW] * 3


def test_the_way_back_takes_what_the_nodes_kept(
    user: User, nodes: list[Any], cluster: Cluster, token: str
) -> None:
    played = play(user, *BACK)
    assert played.rc == 0
    assert running(nodes, cluster) == [OLD] * 3
    assert [releases(node) for node in nodes] == [{OLD, NEW}] * 3
    assert user.token.read_text() == token
    again = play(user, *BACK)
    assert again.rc == 0
    assert changes(again.output) == {}


def test_provision_is_quiet_after_the_way_back(user: User) -> None:
    played = user.play("provision.yml", "-e", "preflight_ports=sample")
    assert played.rc == 0
    assert changes(played.output) == {}


def test_a_forced_upgrade_says_what_it_lost_and_for_how_long(
    user: User, nodes: list[Any], cluster: Cluster
) -> None:
    job = submit(cluster, "sleep 3000")
    played = play(user, *TO_NEW, "-e", "upgrade_force=true")
    assert played.rc == 0
    assert f"loses 1 Ray jobs: {job}" in played.prose
    down = DOWN.search(played.prose)
    assert down
    assert 0 < float(down.group(1)) < 180
    assert f"lost: {job}" in played.prose
    assert running(nodes, cluster) == [NEW] * 3


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_killed_run_is_finished_by_the_next(
    user: User, nodes: list[Any], cluster: Cluster, token: str, boundary: str
) -> None:
    assert play(user, *BACK).rc == 0
    reached: list[str] = []

    def kill(task: str, run: Running) -> None:
        if boundary in task and not reached:
            reached.append(task)
            run.kill()

    killed = user.start("upgrade.yml", *TO_NEW, on_task=kill).finish()
    assert (killed.rc, len(reached)) == (-9, 1)
    assert play(user, *TO_NEW).rc == 0
    assert running(nodes, cluster) == [NEW] * 3
    assert user.token.read_text() == token
    assert [releases(node) for node in nodes] == [{OLD, NEW}] * 3
