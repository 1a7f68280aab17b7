"""Claims about the control node's half of web_config."""

from __future__ import annotations

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bcrypt
import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.web_config import ActionModule
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils import web_password


def act(sent: list[dict[str, Any]], check: bool = False, **args: Any) -> dict[str, Any]:
    """Return the action's result, with what it sends to the node noted in ``sent``."""
    task = SimpleNamespace(
        args=args, async_val=0, environment={}, check_mode=check, diff=False, action="web_config"
    )
    context = SimpleNamespace(check_mode=check, diff=False)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"))
    action = ActionModule(task, connection, context, None, None, None)

    def execute(module_args: dict[str, Any], **_others: object) -> dict[str, Any]:
        sent.append(module_args)
        return {"changed": True}

    action._execute_module = execute
    result: dict[str, Any] = action.run(task_vars={})
    return result


def test_a_missing_password_is_made_and_only_its_hash_travels(tmp_path: Path) -> None:
    secret = tmp_path / "secrets" / "password"
    sent: list[dict[str, Any]] = []
    assert act(sent, secret=str(secret), user="admin", dest="/etc/web.yml")["changed"] is True
    password = secret.read_text()
    assert (len(password), stat.S_IMODE(secret.stat().st_mode)) == (64, 0o600)
    assert bcrypt.checkpw(password.encode(), sent[0].pop("hash").encode())
    assert sent == [{"user": "admin", "dest": "/etc/web.yml"}]


def test_the_owners_password_is_kept(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    sent: list[dict[str, Any]] = []
    secret.write_text("mine\n")
    secret.chmod(0o600)
    act(sent, secret=str(secret), user="admin", dest="/etc/web.yml")
    assert bcrypt.checkpw(b"mine", sent[0]["hash"].encode())
    assert secret.read_text() == "mine\n"


def test_every_user_has_a_password_of_its_own(tmp_path: Path) -> None:
    sent: list[dict[str, Any]] = []
    others = {"ray": str(tmp_path / "ray")}
    act(sent, secret=str(tmp_path / "all"), user="admin", dest="/w", other_users=others)
    assert bcrypt.checkpw((tmp_path / "ray").read_bytes(), sent[0]["other_hashes"]["ray"].encode())
    assert (tmp_path / "ray").read_text() != (tmp_path / "all").read_text()


def test_check_mode_makes_no_password(tmp_path: Path) -> None:
    sent: list[dict[str, Any]] = []
    result = act(sent, check=True, secret=str(tmp_path / "none"), user="a", dest="/w")
    assert (result["changed"], sent, (tmp_path / "none").exists()) == (True, [], False)


def test_a_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    sent: list[dict[str, Any]] = []
    secret.write_text("mine")
    secret.chmod(0o644)
    result = act(sent, secret=str(secret), user="a", dest="/w")
    assert (result["failed"], sent) == (True, [])
    assert "chmod 600" in result["msg"]


def test_a_missing_package_is_an_error_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_password, "bcrypt", None)
    result = act([], secret=str(tmp_path / "password"), user="a", dest="/w")
    assert result["failed"] is True
    assert "pip install bcrypt" in result["msg"]
