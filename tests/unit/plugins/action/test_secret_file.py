"""Claims about the control node's half of secret_file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.secret_file import ActionModule


class Copy:
    """The copy action: notes what it would bring to the node."""

    def __init__(self, notes: list[dict[str, Any]], task: Any) -> None:
        self.notes, self.task = notes, task

    def run(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Note the file as it is at this moment."""
        path = Path(self.task.args["src"])
        mode = stat.S_IMODE(path.stat().st_mode)
        self.notes.append({**self.task.args, "content": path.read_text(), "read_by": mode})
        return {"changed": True, "vars": task_vars}


class Task:
    """A task with arguments."""

    def __init__(self, args: dict[str, Any]) -> None:
        self.args, self.async_val = args, 0
        self.environment: dict[str, str] = {}
        self.check_mode = self.diff = False

    def copy(self) -> Task:
        """Return one with arguments of its own."""
        return Task(dict(self.args))


def deliver(notes: list[dict[str, Any]], check: bool = False, **args: Any) -> dict[str, Any]:
    """Return the action's result."""
    loader = SimpleNamespace(get=lambda _name, task, **_others: Copy(notes, task))
    context = SimpleNamespace(check_mode=check, diff=False)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"))
    shared = SimpleNamespace(action_loader=loader)
    action = ActionModule(Task(args), connection, context, None, None, shared)
    action._shared_loader_obj = shared  # newer versions of ansible-core take the one they know
    result: dict[str, Any] = action.run(task_vars={})
    return result


@pytest.fixture
def notes() -> list[dict[str, Any]]:
    """What was brought to the node."""
    return []


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A secret that is there."""
    path = tmp_path / "secret"
    path.write_text("abc\n")
    path.chmod(0o600)
    return path


def test_the_prefix_stands_before_the_secret(secret: Path, notes: list[dict[str, Any]]) -> None:
    deliver(notes, secret=str(secret), dest="/etc/token", prefix="K10::node:")
    assert (notes[0]["content"], notes[0]["read_by"]) == ("K10::node:abc", 0o600)
    assert (notes[0]["dest"], notes[0]["mode"]) == ("/etc/token", "0600")
    assert not os.path.exists(notes[0]["src"])
    assert secret.read_text() == "abc\n"


def test_without_a_prefix_the_secret_itself_travels(
    secret: Path, notes: list[dict[str, Any]]
) -> None:
    deliver(notes, secret=str(secret), dest="/etc/token", prefix="")
    assert notes[0]["src"] == str(secret)


def test_a_given_value_becomes_the_secret(tmp_path: Path, notes: list[dict[str, Any]]) -> None:
    path = tmp_path / "secrets" / "token"
    deliver(notes, secret=str(path), dest="/etc/token", value="mine")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("mine", 0o600)
    assert notes[0]["content"] == "mine"


def test_a_given_value_replaces_another(secret: Path, notes: list[dict[str, Any]]) -> None:
    deliver(notes, secret=str(secret), dest="/etc/token", value="other")
    assert secret.read_text() == "other"


def test_check_mode_replaces_nothing(secret: Path, notes: list[dict[str, Any]]) -> None:
    result = deliver(notes, check=True, secret=str(secret), dest="/etc/token", value="other")
    assert (result["changed"], notes, secret.read_text()) == (True, [], "abc\n")


def test_check_mode_compares_where_the_value_stays(
    secret: Path, notes: list[dict[str, Any]]
) -> None:
    deliver(notes, check=True, secret=str(secret), dest="/etc/token", value="abc")
    assert len(notes) == 1


@pytest.mark.parametrize(
    "value", [pytest.param("two words", id="space"), pytest.param(" \n", id="nothing")]
)
def test_a_value_that_is_no_word_is_refused(
    secret: Path, notes: list[dict[str, Any]], value: str
) -> None:
    result = deliver(notes, secret=str(secret), dest="/etc/token", value=value)
    assert result["failed"] is True
    assert "expected one word" in result["msg"]
    assert value.strip() == "" or value not in result["msg"]


def test_a_secret_that_others_can_read_is_refused(
    secret: Path, notes: list[dict[str, Any]]
) -> None:
    secret.chmod(0o644)
    result = deliver(notes, secret=str(secret), dest="/etc/token", value="abc")
    assert (result["failed"], notes) == (True, [])
    assert "chmod 600" in result["msg"]


def test_a_service_that_is_not_root_may_read_its_secret(
    secret: Path, notes: list[dict[str, Any]]
) -> None:
    deliver(notes, secret=str(secret), dest="/etc/token", group="prometheus", mode="0640")
    assert (notes[0]["owner"], notes[0]["group"], notes[0]["mode"]) == (
        "root",
        "prometheus",
        "0640",
    )


def test_a_user_makes_it_what_basic_authentication_sends(
    secret: Path, notes: list[dict[str, Any]]
) -> None:
    prefix = 'HEADERS={"Authorization":"'
    dest = "/etc/ray/prometheus.env"
    deliver(notes, secret=str(secret), dest=dest, prefix=prefix, suffix='"}\n', user="ray")
    # base64 of ray:abc
    assert notes[0]["content"] == 'HEADERS={"Authorization":"Basic cmF5OmFiYw=="}\n'
    assert notes[0]["read_by"] == 0o600
    assert not os.path.exists(notes[0]["src"])
