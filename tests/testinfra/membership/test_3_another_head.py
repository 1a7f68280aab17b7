# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head is lost for good, and a worker takes its place. Every node is closed to strangers."""

from __future__ import annotations

from tests import lab
from tests.testinfra.membership.support import HEAD, LAB, SECOND, THIRD, Cluster


def test_a_dead_head_is_not_forgotten_but_replaced(members: Cluster) -> None:
    lab.power_off(HEAD, lab=LAB)
    wish = ("-e", f"node={HEAD}", "-e", "node_is_gone=true", "-e", f"new_head={THIRD}")
    refused = members.play("remove_node.yml", *wish)
    assert refused.rc == 2
    assert f"Put {THIRD} into [ray_head] in its place, take its line out" in refused.prose
    assert "Nothing was changed." in refused.prose


def test_the_workers_join_the_one_that_is_head_now(members: Cluster) -> None:
    members.has(SECOND, THIRD, head=THIRD)
    played = members.play("provision.yml")
    assert played.rc == 0, played.prose[-3000:]
    assert sorted(members.api.nodes()) == sorted(map(members.address, (SECOND, THIRD)))
    for node in (SECOND, THIRD):
        assert members.knows(node) == {SECOND, THIRD}


def test_jobs_run_there_and_the_next_run_is_quiet(members: Cluster) -> None:
    said = members.submit("tests/jobs/where.py").communicate(timeout=120)[0]
    assert "2 of 2 nodes answered" in said
    played = members.play("provision.yml")
    assert played.rc == 0
    assert played.changed == {SECOND: 0, THIRD: 0}


def test_the_old_head_comes_back_as_a_worker(members: Cluster) -> None:
    lab.power_on(HEAD, lab=LAB)
    members.has(HEAD, SECOND, THIRD, head=THIRD)
    assert members.play("provision.yml").rc == 0
    assert len(members.api.nodes()) == 3
    assert "gcs_server" not in members.run(HEAD, "ps -eo comm")
