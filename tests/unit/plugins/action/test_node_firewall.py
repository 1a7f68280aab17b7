"""Claims about the control node's half of node_firewall."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Union

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.action.node_firewall import ActionModule

Answer = Union[dict[str, Any], Exception]
TRIAL = {"changed": True, "needs_confirmation": True, "note": ""}


class Connection:
    """A connection that counts how often it is closed."""

    def __init__(self) -> None:
        self.resets = 0

    def reset(self) -> None:
        """Count."""
        self.resets += 1


class Task:
    """A task that asks for a closed node."""

    args: ClassVar[dict[str, Any]] = {"mode": "enforce", "rollback_after": 10}
    async_val = 0


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still but for pauses."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda pause: now.__setitem__(0, now[0] + pause))
    return now


def act(
    monkeypatch: pytest.MonkeyPatch, *answers: Answer
) -> tuple[dict[str, Any], Connection, list[dict[str, Any]]]:
    """Return the action's result, its connection and the arguments of the module's calls."""
    action = ActionModule.__new__(ActionModule)
    connection, calls, left = Connection(), list[dict[str, Any]](), list(answers)
    action._connection, action._task = connection, Task()

    def execute(module_args: dict[str, Any], **_ignored: object) -> dict[str, Any]:
        calls.append(module_args)
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    monkeypatch.setattr(action, "_execute_module", execute)
    monkeypatch.setattr(ActionBase, "run", lambda *_a, **_k: {})
    return action.run(task_vars={}), connection, calls


def test_without_a_trial_one_call_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"changed": False, "needs_confirmation": False, "note": "n"}
    result, connection, calls = act(monkeypatch, answer)
    assert result == {"changed": False, "note": "n", "trial": False}
    assert (connection.resets, len(calls)) == (0, 1)


def test_a_trial_is_confirmed_over_a_fresh_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    result, connection, calls = act(monkeypatch, TRIAL, {"changed": True})
    assert result == {"changed": True, "note": "", "trial": True}
    assert connection.resets == 1
    assert calls[1] == {"mode": "enforce", "rollback_after": 10, "confirm": True}


@pytest.mark.usefixtures("seconds")
def test_a_connection_that_comes_up_late_is_good_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = AnsibleConnectionFailure("timed out")
    result, connection, _calls = act(monkeypatch, TRIAL, gone, gone, {"changed": True})
    assert (result["trial"], result["changed"], connection.resets) == (True, True, 3)


@pytest.mark.usefixtures("seconds")
def test_a_node_that_took_the_rules_back_fails_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = {"unreachable": True, "msg": "timed out"}
    result, _connection, _calls = act(monkeypatch, TRIAL, gone, {"failed": True, "msg": "back"})
    assert result == {"failed": True, "msg": "back", "changed": True}


def test_a_node_that_never_answers_again_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float]
) -> None:
    result, _connection, _calls = act(monkeypatch, TRIAL, AnsibleConnectionFailure("timed out"))
    assert result["unreachable"] is True
    assert result["msg"] == (
        "os_base_firewall=enforce: no fresh SSH connection came up, not even after the node must"
        " have taken the closing rules back by itself (10 s): timed out"
    )
    assert 40 <= seconds[0] <= 44
