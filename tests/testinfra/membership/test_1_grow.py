# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of two grows to four; nodes that were there go on with what they do."""

from __future__ import annotations

from tests.testinfra.membership.support import FOURTH, HEAD, SECOND, THIRD, Cluster


def test_two_nodes_make_a_cluster(members: Cluster) -> None:
    members.has(HEAD, SECOND)
    played = members.play("provision.yml")
    assert played.rc == 0
    assert sorted(members.api.nodes()) == sorted(map(members.address, (HEAD, SECOND)))


def test_a_limit_to_the_new_node_lets_it_join(members: Cluster) -> None:
    members.has(HEAD, SECOND, THIRD)
    started = members.ray_started(HEAD, SECOND)
    played = members.play("provision.yml", "--limit", THIRD)
    assert played.rc == 0
    assert members.address(THIRD) in members.api.nodes()
    assert members.ray_started(HEAD, SECOND) == started


def test_the_others_have_learnt_its_name_and_let_it_in(members: Cluster) -> None:
    for node in (HEAD, SECOND):
        assert members.knows(node) == {HEAD, SECOND, THIRD}
        assert members.lets_in(node, THIRD)
    assert members.knows(THIRD) == {HEAD, SECOND, THIRD}


def test_a_second_limited_run_is_quiet(members: Cluster) -> None:
    played = members.play("provision.yml", "--limit", THIRD)
    assert played.rc == 0
    assert played.changed == {THIRD: 0}


def test_a_limit_is_refused_while_the_head_cannot_be_asked(members: Cluster) -> None:
    members.run(HEAD, "systemctl stop ray.service")
    played = members.play("provision.yml", "--limit", THIRD)
    members.run(HEAD, "systemctl start ray.service")
    assert played.rc == 2
    assert f"--limit leaves out the head {HEAD}" in played.prose
    assert f"fix: --limit '{THIRD},{HEAD}'" in played.prose
    assert played.changed == {THIRD: 0}
    assert members.play("provision.yml").rc == 0


def test_without_a_limit_the_new_node_joins_as_well(members: Cluster) -> None:
    members.has(HEAD, SECOND, THIRD, FOURTH)
    started = members.ray_started(HEAD, SECOND, THIRD)
    played = members.play("provision.yml")
    assert played.rc == 0
    assert len(members.api.nodes()) == 4
    assert members.ray_started(HEAD, SECOND, THIRD) == started
    # The names, and the firewall.
    assert {node: played.changed[node] for node in started} == dict.fromkeys(started, 2)


def test_the_grown_cluster_is_quiet(members: Cluster) -> None:
    played = members.play("provision.yml")
    assert played.rc == 0
    assert set(played.changed.values()) == {0}
