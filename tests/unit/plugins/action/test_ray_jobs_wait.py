# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about waiting for the jobs of a cluster."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.action import ray_jobs_wait
from ansible_collections.rackforge.gpu_cluster.plugins.action.ray_jobs_wait import ActionModule

JOB = {"job_id": "raysubmit_1", "status": "RUNNING", "entrypoint": "python train.py"}


class Screen:
    """What a terminal shows."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def display(self, text: str) -> None:
        """Show a line."""
        self.lines.append(text)

    warning = display


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """The terminal of a run."""
    made = Screen()
    monkeypatch.setattr(ray_jobs_wait, "Display", lambda: made)
    return made


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still but for pauses."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda pause: now.__setitem__(0, now[0] + pause))
    return now


def act(
    monkeypatch: pytest.MonkeyPatch, looks: list[dict[str, Any]], **arguments: Any
) -> dict[str, Any]:
    """Return the action's result; the last look is repeated."""
    left = list(looks)
    action = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(args={"address": "http://192.0.2.1:8265", **arguments})
    monkeypatch.setattr(ActionBase, "run", lambda *_a, **_k: {})
    monkeypatch.setattr(
        ActionModule,
        "_execute_module",
        lambda *_a, **_k: left.pop(0) if len(left) > 1 else left[0],
    )
    result: dict[str, Any] = action.run(None, {})
    return result


def jobs(*found: dict[str, Any]) -> dict[str, Any]:
    """Return a look at the head."""
    return {"reachable": True, "unfinished_jobs": list(found)}


def test_without_jobs_the_way_is_free(monkeypatch: pytest.MonkeyPatch, screen: Screen) -> None:
    result = act(monkeypatch, [jobs()], wait=3600)
    assert (result.get("failed"), result["waited_seconds"], screen.lines) == (None, 0, [])


def test_a_head_that_is_away_has_no_jobs_to_lose(
    monkeypatch: pytest.MonkeyPatch, screen: Screen
) -> None:
    result = act(monkeypatch, [{"reachable": False, "unfinished_jobs": []}])
    assert (result.get("failed"), screen.lines) == (None, [])


def test_unless_told_to_wait_jobs_end_the_run_at_once(
    monkeypatch: pytest.MonkeyPatch, screen: Screen
) -> None:
    result = act(monkeypatch, [jobs(JOB)])
    assert result["failed"] is True
    assert result["msg"].startswith("1 Ray jobs have not ended, and")
    assert screen.lines == []


def test_jobs_are_waited_for_and_named_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, screen: Screen
) -> None:
    result = act(monkeypatch, [*[jobs(JOB)] * 20, jobs()], wait=True)
    assert (result.get("failed"), result["waited_seconds"]) == (None, 100)
    assert screen.lines == [
        "waiting for 1 Ray jobs since 0 s: raysubmit_1",
        "waiting for 1 Ray jobs since 60 s: raysubmit_1",
    ]


def test_the_wait_ends_when_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch, screen: Screen
) -> None:
    result = act(monkeypatch, [jobs(JOB)], wait="12")
    assert (result["failed"], result["waited_seconds"]) == (True, 12)
    assert "after 12 s" in result["msg"]
    assert len(screen.lines) == 1


def test_jobs_that_are_given_up_are_named(monkeypatch: pytest.MonkeyPatch, screen: Screen) -> None:
    result = act(monkeypatch, [jobs(JOB)], wait=3600, force=True)
    assert (result.get("failed"), result["lost_jobs"]) == (None, [JOB])
    assert screen.lines == [
        "upgrade_force=true: the upgrade loses 1 Ray jobs: raysubmit_1  RUNNING  python train.py"
    ]


def test_another_word_for_the_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleActionFail, match="upgrade_wait_for_jobs is 'soon'"):
        act(monkeypatch, [jobs()], wait="soon")


def test_a_look_that_fails_is_no_free_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleActionFail, match="no such node"):
        act(monkeypatch, [{"failed": True, "msg": "no such node"}])
