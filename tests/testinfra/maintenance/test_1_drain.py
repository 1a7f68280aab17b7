# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker is drained while jobs run, stays so, and comes back. Each test goes on from the last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.maintenance.support import begin, end, play, works
from tests.testinfra.playbooks import changes, ended, start
from tests.testinfra.ray_cluster import Cluster, node_address, until

DRAINED = "mol-maintenance-n3"
MARK = "/etc/ray/drained"
REJOIN = "rackforge-ray-rejoin.service"


@pytest.fixture(scope="module")
def third(nodes: list[Any]) -> Any:
    """The worker that is drained."""
    return nodes[2]


@pytest.mark.parametrize(
    ("node", "words"),
    [
        pytest.param("nobody", "node is 'nobody', expected one or more of", id="unknown"),
        pytest.param("", "node is '', expected one or more of", id="none"),
        pytest.param("mol-maintenance-n1", "is the head of the Ray cluster", id="head"),
    ],
)
def test_a_node_that_cannot_be_drained_is_refused(inventory: Path, node: str, words: str) -> None:
    status, said = play(inventory, "drain.yml", node=node)
    assert status != 0
    assert words in said
    assert changes(said) == {}


def test_check_mode_says_what_would_be_done(inventory: Path, third: Any) -> None:
    status, said = ended(start(inventory, "drain.yml", "-e", f"node={DRAINED}", "--check"))
    assert status == 0
    assert changes(said) == {DRAINED: 1}
    assert not third.file(MARK).exists


def test_a_drain_waits_for_tasks_and_loses_none(
    inventory: Path, cluster: Cluster, nodes: list[Any], third: Any
) -> None:
    job = begin(cluster, "slow_tasks")
    works(third, "work")
    status, _said = play(inventory, "drain.yml", node=DRAINED, ray_drain_reason="a new fan")
    assert status == 0
    assert not third.service("ray").is_running
    assert node_address(third) in end(job, nodes[0])


def test_a_second_drain_changes_nothing(inventory: Path) -> None:
    status, said = play(inventory, "drain.yml", node=DRAINED)
    assert (status, changes(said)) == (0, {})


def test_status_shows_it_as_drained(inventory: Path, tmp_path: Path) -> None:
    told = tmp_path / "status.json"
    play(inventory, "status.yml", status_file=str(told))
    rows = {row["name"]: row for row in json.loads(told.read_text())["ray"]["nodes"]}
    assert rows[DRAINED]["state"] == "drained"
    assert "a new fan" in rows[DRAINED]["reason"]


def test_systemd_does_not_start_it(third: Any) -> None:
    third.check_output("systemctl start ray.service")
    assert not third.service("ray").is_running


def test_provision_leaves_it_drained_and_succeeds(inventory: Path, third: Any) -> None:
    status, said = play(inventory, "provision.yml")
    assert (status, changes(said)) == (0, {})
    assert f"{DRAINED} is drained" in said
    assert not third.service("ray").is_running


def test_it_comes_back_and_a_second_undrain_changes_nothing(
    inventory: Path, cluster: Cluster, third: Any
) -> None:
    status, _said = play(inventory, "undrain.yml", node=DRAINED)
    assert status == 0
    assert node_address(third) in cluster.nodes()
    status, said = play(inventory, "undrain.yml", node=DRAINED)
    assert (status, changes(said)) == (0, {})


def test_an_actor_that_stays_is_named_and_goes_on(
    inventory: Path, cluster: Cluster, third: Any
) -> None:
    before = cluster.nodes()[node_address(third)]["node_id"]
    job = begin(cluster, "hold_worker")
    works(third, "Holder")
    status, said = play(inventory, "drain.yml", node=DRAINED, ray_drain_timeout_seconds=3)
    assert status != 0
    assert "still there: Holder" in said
    assert not third.file(MARK).exists
    assert third.service(REJOIN).is_running
    out = job.communicate(timeout=120)[0]
    assert job.returncode == 0, out
    assert "held " in out

    def anew() -> bool:
        row = cluster.nodes().get(node_address(third))
        return row is not None and bool(row["node_id"] != before)

    until(anew, "a new Ray that takes work again")
    assert not third.service(REJOIN).is_running


def test_force_loses_the_actor(inventory: Path, cluster: Cluster, third: Any) -> None:
    job = begin(cluster, "hold_worker")
    works(third, "Holder")
    status, _said = play(
        inventory, "drain.yml", node=DRAINED, ray_drain_timeout_seconds=3, ray_drain_force=True
    )
    assert status == 0
    assert not third.service("ray").is_running
    job.communicate(timeout=120)
    assert job.returncode != 0
    assert play(inventory, "undrain.yml", node=DRAINED)[0] == 0
