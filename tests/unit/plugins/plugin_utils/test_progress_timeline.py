# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is doing follows from its events."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_history import Run
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_timeline import (
    Busy,
    Ended,
    Outcome,
    Timeline,
    View,
    Work,
    phase_keys,
)

PLAYS = [("p1", "Prepare"), ("p2", "Nobody"), ("p3", "Finish")]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def line(clock: Clock) -> Timeline:
    timeline = Timeline(clock)
    timeline.playbook(PLAYS)
    return timeline


def test_a_host_is_shown_with_its_task_and_for_how_long(line: Timeline, clock: Clock) -> None:
    line.play_began("p1", "Prepare")
    line.task_began("t1", "Install")
    line.host_began("n1", "t1")
    clock.now += 2
    line.host_began("n2", "t1")
    clock.now += 3
    busy = (Busy("n1", 5.0), Busy("n2", 3.0))
    assert line.view() == View("Prepare", 1, 3, 5.0, None, (Work("Install", busy),))


def test_a_host_that_ended_its_task_is_counted_and_no_longer_busy(
    line: Timeline, clock: Clock
) -> None:
    line.play_began("p1", "Prepare")
    line.task_began("t1", "Install")
    line.host_began("n1", "t1")
    line.host_began("n2", "t1")
    clock.now += 4
    assert line.host_ended("n1", "t1", Outcome.OK) == 4.0
    view = line.view()
    assert view
    assert view.works == (Work("Install", (Busy("n2", 4.0),), 1),)


def test_items_and_retries_are_told_with_the_host(line: Timeline) -> None:
    line.play_began("p1", "Prepare")
    line.host_began("n1", "t1", "Wait")
    line.host_at("n1", "try 3 of 10")
    line.host_at("n2", "of a host that does nothing")
    view = line.view()
    assert view
    assert view.works == (Work("Wait", (Busy("n1", 0.0, "try 3 of 10"),)),)


def test_hosts_at_different_tasks_stand_below_theirs_the_fullest_first(line: Timeline) -> None:
    line.play_began("p1", "Prepare")
    line.host_began("n1", "t1", "Rare")
    line.host_began("n2", "t2", "Common")
    line.host_began("n3", "t2", "Common")
    view = line.view()
    assert view
    assert [(work.task, len(work.busy)) for work in view.works] == [("Common", 2), ("Rare", 1)]


def test_a_phase_ends_with_its_hosts_changes_and_failures(line: Timeline, clock: Clock) -> None:
    line.play_began("p1", "Prepare")
    outcomes = (Outcome.CHANGED, Outcome.FAILED, Outcome.IGNORED, Outcome.SKIPPED)
    for host, outcome in zip(("n1", "n2", "n3", "n4"), outcomes, strict=True):
        line.host_began(host, "t1", "Install")
        line.host_ended(host, "t1", outcome)
    clock.now += 60
    assert line.play_ended() == Ended("Prepare", 60.0, hosts=4, changed=1, failed=1)
    assert line.view() is None
    assert line.play_ended() is None


def test_a_further_batch_goes_on_with_the_phase(line: Timeline, clock: Clock) -> None:
    line.play_began("p3", "Finish")
    line.host_began("n1", "t1", "Boot")
    line.host_ended("n1", "t1", Outcome.OK)
    clock.now += 10
    assert line.is_same_play("p3")
    line.play_began("p3", "Finish")
    line.host_began("n2", "t1", "Boot")
    line.host_ended("n2", "t1", Outcome.OK)
    clock.now += 10
    assert line.play_ended() == Ended("Finish", 20.0, hosts=2, changed=0, failed=0)


def test_a_host_lost_with_the_batch_before_is_not_shown_as_busy(line: Timeline) -> None:
    line.play_began("p3", "Finish")
    line.host_began("n1", "t1", "Boot")
    line.play_began("p3", "Finish")
    view = line.view()
    assert view
    assert view.works == ()


def test_what_is_left_is_the_rest_of_this_phase_and_the_later_ones(clock: Clock) -> None:
    earlier = [Run(60.0, 3, {"Prepare": 40.0, "Nobody": 0.0, "Finish": 20.0})]
    timeline = Timeline(clock, earlier)
    timeline.playbook(PLAYS)
    timeline.play_began("p1", "Prepare")
    clock.now += 30
    view = timeline.view()
    assert view
    assert view.left == 30.0


def test_a_run_keeps_the_seconds_of_each_phase(line: Timeline, clock: Clock) -> None:
    for identity, name in PLAYS:
        line.play_began(identity, name)
        line.host_began("n1", "t1", "Work")
        clock.now += 7
        line.play_ended()
    assert line.run() == Run(21.0, 1, {"Prepare": 7.0, "Nobody": 7.0, "Finish": 7.0})


def test_phases_of_one_name_have_keys_of_their_own() -> None:
    assert phase_keys(["Boot", "Join", "Boot"]) == ["Boot", "Join", "Boot #2"]
