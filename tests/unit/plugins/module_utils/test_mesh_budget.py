"""Claims about the pace of a probe and its share of the kernel's connection tracking."""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_budget import (
    Pace,
    Tracking,
)


class Clock:
    """A clock that tests turn."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_probe_waits_for_what_it_has_sent_before() -> None:
    clock = Clock()
    pace = Pace(1000, clock)
    assert [pace.delay(500), pace.delay(500)] == [0.0, 0.5]
    clock.now += 10
    assert pace.delay(500) == 0.0


def test_without_connection_tracking_there_is_no_limit() -> None:
    assert Tracking(None).free() is None


def test_reset_connections_count_ten_seconds_and_silent_ones_two_minutes() -> None:
    clock = Clock()
    tracking = Tracking(1000, clock)
    tracking.add(closed=600, silent=300)
    assert (tracking.free(), tracking.wait_for_closed()) == (100, 10.0)
    clock.now += 10
    assert (tracking.free(), tracking.wait_for_closed()) == (700, 0.0)
    clock.now += 110
    assert tracking.free() == 1000
