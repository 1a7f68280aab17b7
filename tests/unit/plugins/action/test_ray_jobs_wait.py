# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about waiting for the jobs of a cluster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.action import ray_jobs_wait
from ansible_collections.rackforge.gpu_cluster.plugins.action.ray_jobs_wait import ActionModule

JOB = {"job_id": "raysubmit_1", "status": "RUNNING", "entrypoint": "python train.py"}
SILENT = {"reachable": False, "unfinished_jobs": [], "error": "HTTP 401"}


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
    monkeypatch: pytest.MonkeyPatch,
    looks: list[dict[str, Any]],
    units: Sequence[dict[str, Any]] = (),
    asked: list[dict[str, Any]] | None = None,
    **arguments: Any,
) -> dict[str, Any]:
    """Return the action's result; the last look and unit are repeated, ``asked`` is filled."""
    left = {ray_jobs_wait.INFO: list(looks), ray_jobs_wait.UNIT: list(units)}

    def execute(*_a: Any, module_name: str, module_args: dict[str, Any], **_k: Any) -> Any:
        (asked if asked is not None else []).append(module_args)
        answers = left[module_name]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    action = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(args={"address": "http://192.0.2.1:8265", **arguments})
    monkeypatch.setattr(ActionBase, "run", lambda *_a, **_k: {})
    monkeypatch.setattr(action, "_execute_module", execute, raising=False)
    result: dict[str, Any] = action.run(None, {"inventory_hostname": "gpu01"})
    return result


def unit(state: str, seconds: float | None = None) -> dict[str, Any]:
    """Return how ray.service stands."""
    return {"unit_state": state, "active_seconds": seconds}


def jobs(*found: dict[str, Any]) -> dict[str, Any]:
    """Return a look at the head."""
    return {"reachable": True, "unfinished_jobs": list(found)}


def test_without_jobs_the_way_is_free(monkeypatch: pytest.MonkeyPatch, screen: Screen) -> None:
    result = act(monkeypatch, [jobs()], wait=3600)
    assert (result.get("failed"), result["waited_seconds"], screen.lines) == (None, 0, [])


@pytest.mark.parametrize("state", ["missing", "inactive", "failed", "restarting", "drained"])
def test_a_head_whose_ray_does_not_run_has_no_jobs_to_lose(
    monkeypatch: pytest.MonkeyPatch, screen: Screen, state: str
) -> None:
    result = act(monkeypatch, [SILENT], [unit(state)])
    assert (result.get("failed"), result["waited_seconds"], screen.lines) == (None, 0, [])


@pytest.mark.parametrize("wait", [False, 3600, True])
def test_a_head_that_runs_and_does_not_answer_may_have_jobs(
    monkeypatch: pytest.MonkeyPatch, screen: Screen, wait: Any
) -> None:
    result = act(monkeypatch, [SILENT], [unit("active", 86400)], wait=wait)
    assert (result.get("failed"), result["waited_seconds"]) == (True, 30)
    assert result["msg"].startswith(
        "gpu01: ray.service is active, but its API at http://192.0.2.1:8265 does not answer"
        " (HTTP 401), expected its list of jobs"
    )
    assert screen.lines == []


def test_a_head_that_was_just_started_gets_time_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = [unit("active", 5.0 * count) for count in range(12)]
    result = act(monkeypatch, [*[SILENT] * 12, jobs()], starts)
    assert (result.get("failed"), result["waited_seconds"]) == (None, 60)


def test_a_head_that_starts_again_and_again_is_no_wait_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = act(monkeypatch, [SILENT], [unit("active", 3)])
    assert (result.get("failed"), result["waited_seconds"]) == (True, 180)


def test_an_answer_that_fails_to_come_once_ends_no_wait(
    monkeypatch: pytest.MonkeyPatch, screen: Screen
) -> None:
    looks = [jobs(JOB), SILENT, jobs(JOB), SILENT, SILENT, jobs(JOB), jobs()]
    result = act(monkeypatch, looks, [unit("active", 86400)], wait=600)
    assert (result.get("failed"), result["waited_seconds"]) == (None, 30)
    assert screen.lines == ["waiting for 1 Ray jobs since 0 s: raysubmit_1"]


def test_force_does_not_wait_for_an_answer_and_says_what_that_means(
    monkeypatch: pytest.MonkeyPatch, screen: Screen
) -> None:
    result = act(
        monkeypatch, [SILENT], [unit("active", 3)], force=True, force_variable="reset_force"
    )
    assert (result.get("failed"), result["waited_seconds"]) == (None, 0)
    assert screen.lines == [
        "reset_force=true loses what runs: gpu01: ray.service is active, but its API at"
        " http://192.0.2.1:8265 does not answer (HTTP 401)"
    ]


def test_the_head_is_asked_with_the_token_that_it_was_started_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []
    act(monkeypatch, [jobs()], asked=asked, token_file="/etc/t", running_token_file="/run/t")
    assert [(each["token_file"], each["running_token_file"]) for each in asked] == [
        ("/etc/t", "/run/t")
    ]


def test_before_the_first_change_jobs_that_are_waited_for_later_are_let_pass(
    monkeypatch: pytest.MonkeyPatch, screen: Screen
) -> None:
    result = act(monkeypatch, [jobs(JOB)], wait=3600, first=True)
    assert (result.get("failed"), result["waited_seconds"], screen.lines) == (None, 0, [])
    assert act(monkeypatch, [jobs(JOB)], first=True)["failed"] is True
    assert act(monkeypatch, [SILENT], [unit("active", 999)], wait=True, first=True)["failed"]


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
        "upgrade_force=true loses 1 Ray jobs: raysubmit_1  RUNNING  python train.py"
    ]


def test_another_word_for_the_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleActionFail, match="upgrade_wait_for_jobs is 'soon'"):
        act(monkeypatch, [jobs()], wait="soon")


def test_a_look_that_fails_is_no_free_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleActionFail, match="no such node"):
        act(monkeypatch, [{"failed": True, "msg": "no such node"}])
