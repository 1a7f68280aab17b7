"""Claims about the pace of a probe and its share of the kernel's connection tracking."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import mesh_budget
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_budget import (
    Pace,
    Tracking,
    tracking_room,
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


def test_connections_are_forgotten_in_the_order_in_which_they_were_reset() -> None:
    clock = Clock()
    tracking = Tracking(1000, clock)
    tracking.add(closed=300, silent=0)
    clock.now += 4
    tracking.add(closed=500, silent=0)
    assert (tracking.free(), tracking.wait_for_closed()) == (200, 6.0)
    clock.now += 6
    assert (tracking.free(), tracking.wait_for_closed()) == (500, 4.0)
    clock.now += 4
    assert (tracking.free(), tracking.wait_for_closed()) == (1000, 0.0)


def test_more_connections_than_there_is_room_for_leave_none() -> None:
    tracking = Tracking(100, Clock())
    tracking.add(closed=256, silent=0)
    assert tracking.free() == 0


def test_nothing_was_reset_at_first() -> None:
    assert Tracking(100, Clock()).wait_for_closed() == 0.0


@pytest.mark.parametrize(
    ("most", "used", "expected"),
    [
        pytest.param(
            "262144\n", "1000\n", (130572, "1000 of 262144 entries were in use"), id="half"
        ),
        pytest.param("1000\n", "1200\n", (0, "1200 of 1000 entries were in use"), id="over-full"),
        pytest.param(None, "7\n", (None, "this kernel tracks no connections"), id="no-limit-told"),
        pytest.param("1000\n", None, (None, "this kernel tracks no connections"), id="no-count"),
        pytest.param("", "x", (None, "this kernel tracks no connections"), id="garbage"),
    ],
)
def test_a_probe_takes_half_of_what_is_free(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most: str | None,
    used: str | None,
    expected: tuple[int | None, str],
) -> None:
    for name, text in (("nf_conntrack_max", most), ("nf_conntrack_count", used)):
        if text is not None:
            (tmp_path / name).write_text(text, encoding="ascii")
    monkeypatch.setattr(mesh_budget, "_FOLDER", str(tmp_path))
    assert tracking_room() == expected


def test_silent_connections_alone_are_nothing_to_wait_for() -> None:
    tracking = Tracking(1000, Clock())
    tracking.add(closed=0, silent=1000)
    assert (tracking.free(), tracking.wait_for_closed()) == (0, 0.0)
