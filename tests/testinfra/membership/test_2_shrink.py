# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of four shrinks to two while a job runs, and forgets a node that died."""

from __future__ import annotations

import pytest

from tests import lab
from tests.testinfra.lab_nodes import differences
from tests.testinfra.membership.support import FOURTH, HEAD, LAB, SECOND, THIRD, Cluster
from tests.testinfra.ray_cluster import until


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param((), "no node is named", id="nobody"),
        pytest.param(("-e", f"node={HEAD}"), f"{HEAD} is the Ray head", id="the-head"),
        pytest.param(("-e", f"node={LAB}-n9"), f"{LAB}-n9 is no node", id="a-stranger"),
        pytest.param(
            ("-e", f"node={FOURTH}", "--limit", FOURTH), "without --limit", id="with-a-limit"
        ),
        pytest.param(
            ("-e", f"node={FOURTH}", "-e", "node_is_gone=true"),
            f"These nodes answer: {FOURTH}",
            id="a-node-that-is-said-to-be-gone-and-answers",
        ),
    ],
)
def test_what_cannot_leave_is_refused(
    members: Cluster, options: tuple[str, ...], words: str
) -> None:
    started = members.ray_started(HEAD, SECOND, THIRD, FOURTH)
    played = members.play("remove_node.yml", *options)
    assert played.rc == 2
    assert words in played.prose
    assert "Nothing was changed." in played.prose
    assert members.ray_started(HEAD, SECOND, THIRD, FOURTH) == started


def test_a_running_job_ends_before_its_nodes_leave(members: Cluster) -> None:
    started = members.ray_started(HEAD, SECOND)
    job = members.submit("tests/jobs/hold.py")
    for node in (THIRD, FOURTH):
        until(lambda at=node: members.run(at, "pgrep -f ray::hold || :"), f"a task on {node}")  # type: ignore[misc]
    played = members.play("remove_node.yml", "-e", f"node={THIRD},{FOURTH}")
    said = job.communicate(timeout=120)[0]
    assert played.rc == 0
    assert job.returncode == 0, said
    assert "tasks=4 lost=0" in said
    assert members.ray_started(HEAD, SECOND) == started


@pytest.mark.usefixtures("members")
def test_the_nodes_that_left_are_as_they_were() -> None:
    assert {node: differences(LAB, node) for node in (THIRD, FOURTH)} == {THIRD: [], FOURTH: []}


def test_nobody_counts_on_them_any_more(members: Cluster) -> None:
    assert sorted(members.api.nodes()) == sorted(map(members.address, (HEAD, SECOND)))
    for node in (HEAD, SECOND):
        assert members.knows(node) == {HEAD, SECOND}
        assert not members.lets_in(node, THIRD)


def test_without_their_lines_the_inventory_is_met(members: Cluster) -> None:
    members.has(HEAD, SECOND)
    played = members.play("provision.yml")
    assert played.rc == 0
    assert played.changed == {HEAD: 0, SECOND: 0}


def test_a_dead_node_is_not_reset_by_mistake(members: Cluster) -> None:
    lab.power_off(SECOND, lab=LAB)
    played = members.play("remove_node.yml", "-e", f"node={SECOND}")
    assert played.rc == 2
    assert f"These nodes do not answer: {SECOND}." in played.prose
    assert "node_is_gone=true" in played.prose


def test_a_dead_node_is_forgotten(members: Cluster) -> None:
    started = members.ray_started(HEAD)
    played = members.play("remove_node.yml", "-e", f"node={SECOND}", "-e", "node_is_gone=true")
    assert played.rc == 0
    assert list(members.api.nodes()) == [members.address(HEAD)]
    assert members.knows(HEAD) == {HEAD}
    assert members.ray_started(HEAD) == started
    # A node that is off costs the time of a connection.
    assert played.seconds < 120


def test_the_head_alone_is_a_cluster(members: Cluster) -> None:
    members.has(HEAD)
    played = members.play("provision.yml")
    assert played.rc == 0
    assert played.changed == {HEAD: 0}


def test_nodes_that_were_forgotten_or_taken_out_may_come_back(members: Cluster) -> None:
    lab.power_on(SECOND, lab=LAB)
    members.has(HEAD, SECOND, THIRD)
    assert members.play("provision.yml", "--limit", f"{SECOND},{THIRD}").rc == 0
    assert len(members.api.nodes()) == 3
