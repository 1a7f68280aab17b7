"""Claims about the ledger module as a task calls it, on real files and with faked programs."""

from __future__ import annotations

import json
import os
import pwd
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    ledger_apply,
    ledger_read,
    ledger_store,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import ledger

BLOCK = "# BEGIN rackforge.gpu_cluster demo\nx\n# END rackforge.gpu_cluster demo\n"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ledger lies in this test."""
    monkeypatch.setattr(ledger_store, "DIRECTORY", str(tmp_path / "rackforge"))
    monkeypatch.setattr(ledger, "alone_on_node", nullcontext)
    return tmp_path / "rackforge"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A directory with the owner's files."""
    directory = tmp_path / "etc"
    directory.mkdir()
    (directory / "owned.conf").write_text("owner's\n")
    (directory / "owned.conf").chmod(0o640)
    (directory / "hosts").write_text("127.0.0.1 localhost")
    return directory


def everything(etc: Path) -> dict[str, Any]:
    return {
        "role": "demo",
        "files": [str(etc / "owned.conf"), str(etc / "new" / "deep" / "ours.conf")],
        "blocks": [str(etc / "hosts")],
        "directories": [str(etc / "tree")],
    }


def change(etc: Path) -> None:
    """Do what a role would do."""
    (etc / "owned.conf").write_text("ours\n")
    (etc / "owned.conf").chmod(0o600)
    (etc / "new" / "deep").mkdir(parents=True)
    (etc / "new" / "deep" / "ours.conf").write_text("ours\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n" + BLOCK)
    (etc / "tree" / "sub").mkdir(parents=True)
    (etc / "tree" / "sub" / "file").write_text("ours\n")


def standing(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): (
            f"{path.stat().st_mode:o} {path.read_text() if path.is_file() else ''}"
        )
        for path in directory.rglob("*")
    }


def test_a_changed_node_is_restored_exactly(node: Any, kept: Path, etc: Path) -> None:
    before = standing(etc)
    assert node.run(ledger.main, **everything(etc))["changed"] is True
    change(etc)
    result = node.run(ledger.main, role="demo", state="restored")
    assert (result["changed"], result["left"], result["recorded"]) == (True, [], False)
    assert standing(etc) == before
    assert not kept.exists()


def test_the_second_recording_changes_nothing(node: Any, kept: Path, etc: Path) -> None:
    node.run(ledger.main, **everything(etc))
    first = (kept / "ledger.json").read_bytes()
    change(etc)
    assert node.run(ledger.main, **everything(etc))["changed"] is False
    assert (kept / "ledger.json").read_bytes() == first


def test_the_second_restoration_changes_nothing(node: Any, kept: Path, etc: Path) -> None:
    node.run(ledger.main, **everything(etc))
    change(etc)
    node.run(ledger.main, role="demo", state="restored")
    result = node.run(ledger.main, role="demo", state="restored")
    assert (result["changed"], result["actions"]) == (False, [])
    assert result["msg"] == "Nothing of role demo is recorded on this node"
    assert not kept.exists()


def test_check_mode_records_nothing(node: Any, kept: Path, etc: Path) -> None:
    result = node.run(ledger.main, check=True, **everything(etc))
    assert (result["changed"], result["recorded"]) == (True, False)
    assert not kept.exists()


def test_check_mode_predicts_and_undoes_nothing(node: Any, kept: Path, etc: Path) -> None:
    node.run(ledger.main, **everything(etc))
    change(etc)
    changed = standing(etc)
    result = node.run(ledger.main, check=True, role="demo", state="restored")
    assert result["actions"] == [
        f"delete file {etc}/new/deep/ours.conf",
        f"restore file {etc}/owned.conf",
        f"cut our block out of {etc}/hosts",
        f"remove directory {etc}/tree and what is in it",
        f"remove empty directory {etc}/new/deep",
        f"remove empty directory {etc}/new",
    ]
    assert f"{etc}/tree: present\n" in result["diff"]["before"]
    assert f"{etc}/tree: absent\n" in result["diff"]["after"]
    assert standing(etc) == changed
    assert (kept / "ledger.json").exists()


def test_a_role_that_declares_more_keeps_its_old_entries(node: Any, kept: Path, etc: Path) -> None:
    node.run(ledger.main, role="demo", files=[str(etc / "owned.conf")])
    (etc / "owned.conf").write_text("ours\n")
    more = [str(etc / "owned.conf"), str(etc / "later.conf")]
    assert node.run(ledger.main, role="demo", files=more)["changed"] is True
    (etc / "later.conf").write_text("ours\n")
    node.run(ledger.main, role="demo", state="restored")
    assert (etc / "owned.conf").read_text() == "owner's\n"
    assert not (etc / "later.conf").exists()
    assert not kept.exists()


def test_the_owners_later_lines_survive(node: Any, kept: Path, etc: Path) -> None:
    node.run(ledger.main, **everything(etc))
    change(etc)
    (etc / "hosts").write_text("127.0.0.1 localhost\n" + BLOCK + "10.9.9.9 owner\n")
    node.run(ledger.main, role="demo", state="restored")
    assert (etc / "hosts").read_text() == "127.0.0.1 localhost\n10.9.9.9 owner\n"
    assert not kept.exists()


def test_another_role_keeps_its_record(node: Any, kept: Path, etc: Path) -> None:
    node.run(ledger.main, role="one", files=[str(etc / "owned.conf")])
    node.run(ledger.main, role="two", files=[str(etc / "two.conf")])
    node.run(ledger.main, role="two", state="restored")
    roles = [entry["role"] for entry in json.loads((kept / "ledger.json").read_text())["roles"]]
    assert roles == ["one"]


def test_what_the_owner_keeps_stays(node: Any, kept: Path, etc: Path) -> None:
    node.run(ledger.main, **everything(etc))
    change(etc)
    node.run(ledger.main, role="demo", state="restored", keep=[str(etc / "tree" / "sub")])
    assert (etc / "tree" / "sub" / "file").read_text() == "ours\n"
    assert not (etc / "new").exists()
    assert not kept.exists()


def test_what_cannot_be_undone_fails_at_the_end_and_the_record_stays(
    node: Any, kept: Path, etc: Path
) -> None:
    node.run(ledger.main, **everything(etc))
    change(etc)
    next((kept / "backup").iterdir()).write_text("rot")
    result = node.run(ledger.main, role="demo", state="restored")
    assert (result["failed"], result["recorded"]) == (True, True)
    assert [left["path"] for left in result["left"]] == [f"{etc}/owned.conf"]
    assert "is damaged" in result["left"][0]["reason"]
    assert result["msg"].endswith("The record is kept: settle these and run reset again")
    assert not (etc / "tree").exists()
    assert (kept / "ledger.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"role": "../x"}, "expected the name of a role", id="role"),
        pytest.param({"role": "a", "directories": ["/etc"]}, "is a top-level directory", id="etc"),
        pytest.param(
            {"role": "a", "directories": ["/var/lib"]},
            "Refusing to declare directory /var/lib: it is a directory of the operating system",
            id="var-lib",
        ),
        pytest.param({"role": "a", "files": ["/etc/../x"]}, "plain absolute path", id="dots"),
        pytest.param(
            {"role": "a", "touched": [{"file": ["/etc/x"]}]},
            "touched has 'file', expected one of packages, files, blocks, directories, units, "
            "sysctls, users, groups, interfaces, images, memberships, mounts, data, rules, "
            "firewall, refresh",
            id="misspelt-kind",
        ),
        pytest.param(
            {"role": "a", "touched": [{"files": "/etc/x"}]},
            "touched has files '/etc/x', expected a list",
            id="no-list",
        ),
        pytest.param(
            {"role": "a", "touched": [{"directories": ["/etc"]}]},
            "Refusing to declare directory /etc",
            id="dangerous-part",
        ),
        pytest.param({"role": "a", "files": ["~ada/x"]}, "plain absolute path", id="home"),
        pytest.param(
            {"role": "a", "memberships": ["video"]}, "expected GROUP/USER", id="membership"
        ),
        pytest.param(
            {"role": "a", "refresh": {"/etc/x": "sh 'x"}},
            "refresh has 'sh 'x' for /etc/x, which has No closing quotation",
            id="open-quote",
        ),
        pytest.param(
            {"role": "a", "refresh": {"/etc/x": " "}}, "no command for /etc/x", id="no-command"
        ),
    ],
)
def test_a_dangerous_declaration_is_refused(
    node: Any, kept: Path, arguments: dict[str, Any], message: str
) -> None:
    result = node.run(ledger.main, **arguments)
    assert result["failed"] is True
    assert message in result["msg"]
    assert not kept.exists()


def test_a_damaged_ledger_changes_nothing(node: Any, kept: Path, etc: Path) -> None:
    node.run(ledger.main, **everything(etc))
    change(etc)
    changed = standing(etc)
    (kept / "ledger.json").write_text('{"format": 1')
    result = node.run(ledger.main, role="demo", state="restored")
    assert "Nothing was changed" in result["msg"]
    assert standing(etc) == changed


def test_packages_are_purged_with_what_came_along(node: Any, kept: Path) -> None:
    bare = "dpkg\tamd64\tii \t\n"
    full = bare + "docker.io\tamd64\tii \t\nrunc\tamd64\tii \t\n"
    node.answers("dpkg-query", (0, bare, ""), (0, full, ""), (0, full, ""), (0, bare, ""))
    node.answers("dpkg", (0, "", ""))
    node.answers("apt-cache depends", (0, "docker.io\n  Depends: runc\nrunc\n", ""))
    purge = "Purg docker.io [26]\n"
    node.answers(
        "apt-get --simulate", (0, purge, ""), (0, purge + "Purg runc [1]\n", ""), (0, "", "")
    )
    node.answers("apt-get -oDPkg::Lock::Timeout=180", (0, purge + "Purg runc [1]\n", ""))
    node.answers("systemctl daemon-reload", (0, "", ""))
    node.run(ledger.main, role="docker", packages=["docker.io"])
    result = node.run(ledger.main, role="docker", state="restored")
    assert result["actions"][:2] == ["purge package docker.io", "purge package runc"]
    assert result["left"] == []
    purges = [call for call in node.calls if "--yes" in call]
    assert purges == [
        "apt-get -oDPkg::Lock::Timeout=180 -oDpkg::Use-Pty=0 --yes --quiet purge docker.io runc"
    ]
    assert not kept.exists()


@pytest.mark.usefixtures("kept")
def test_a_purge_that_would_take_the_owners_package_is_not_made(node: Any) -> None:
    bare = "dpkg\tamd64\tii \t\n"
    full = bare + "docker.io\tamd64\tii \t\n"
    node.answers("dpkg-query", (0, bare, ""), (0, full, ""))
    node.answers("dpkg", (0, "", ""))
    node.answers("apt-get --simulate", (0, "", ""))
    node.answers("apt-get -oDPkg", (0, "Purg docker.io [26]\nPurg owners-tool [1]\n", ""))
    node.answers("systemctl daemon-reload", (0, "", ""))
    node.run(ledger.main, role="docker", packages=["docker.io"])
    result = node.run(ledger.main, role="docker", state="restored")
    assert result["left"] == [
        {
            "path": "package docker.io",
            "reason": "apt would also remove owners-tool, which is not ours",
        }
    ]
    assert not [call for call in node.calls if "--yes" in call]


def test_parts_of_a_declaration_are_joined(node: Any, kept: Path, etc: Path) -> None:
    parts = [{"files": [str(etc / "owned.conf")]}, {}, {"files": [str(etc / "owned.conf")]}]
    more = {"files": [str(etc / "one")], "refresh": {str(etc / "one"): "update-one"}}
    node.run(ledger.main, role="demo", files=[str(etc / "zero")], touched=[*parts, more])
    declared = json.loads((kept / "ledger.json").read_text())["roles"][0]["declared"]
    assert declared["files"] == [str(etc / name) for name in ("zero", "owned.conf", "one")]
    assert declared["refresh"] == {str(etc / "one"): "update-one"}


def test_a_home_that_came_since_is_nothing_new(
    node: Any, kept: Path, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = {"users": ["ada-no-such"], "blocks": ["~ada-no-such/.ssh/authorized_keys"]}
    node.run(ledger.main, role="demo", touched=[part])
    first = (kept / "ledger.json").read_bytes()
    monkeypatch.setattr(
        os.path, "expanduser", lambda path: path.replace("~ada-no-such", str(etc / "ada"))
    )
    assert node.run(ledger.main, role="demo", touched=[part])["changed"] is False
    assert (kept / "ledger.json").read_bytes() == first


def refreshing(etc: Path) -> dict[str, Any]:
    paths = [str(etc / "owned.conf"), str(etc / "new.conf")]
    return {"role": "demo", "files": paths, "refresh": dict.fromkeys(paths, "update-demo --now")}


def test_a_command_runs_once_for_all_that_was_put_back(node: Any, kept: Path, etc: Path) -> None:
    node.answers("update-demo", (0, "", ""))
    node.run(ledger.main, **refreshing(etc))
    (etc / "owned.conf").write_text("ours\n")
    (etc / "new.conf").write_text("ours\n")
    result = node.run(ledger.main, role="demo", state="restored")
    assert node.calls == ["update-demo --now"]
    assert result["actions"][-1] == "run 'update-demo --now' for what was put back"
    assert not kept.exists()


def test_no_command_runs_for_what_never_changed(node: Any, kept: Path, etc: Path) -> None:
    node.run(ledger.main, **refreshing(etc))
    node.run(ledger.main, role="demo", state="restored")
    assert node.calls == []
    assert not kept.exists()


def test_a_killed_restoration_still_owes_its_command(
    node: Any, kept: Path, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The process ends here."""

    def kill(*_arguments: object) -> None:
        raise Killed

    node.answers("update-demo", (0, "", ""))
    node.run(ledger.main, **refreshing(etc))
    (etc / "owned.conf").write_text("ours\n")
    with monkeypatch.context() as patch:
        patch.setattr(ledger_apply.Restorer, "_refresh", kill)
        with pytest.raises(Killed):
            node.run(ledger.main, role="demo", state="restored")
    assert (etc / "owned.conf").read_text() == "owner's\n"
    assert node.calls == []
    result = node.run(ledger.main, role="demo", state="restored")
    assert result["actions"] == ["run 'update-demo --now' for what was put back"]
    assert node.calls == ["update-demo --now"]
    assert not kept.exists()


def test_a_command_that_failed_is_owed_until_it_works(node: Any, kept: Path, etc: Path) -> None:
    node.answers("update-demo", (1, "", "no kernel found"))
    node.run(ledger.main, **refreshing(etc))
    (etc / "owned.conf").write_text("ours\n")
    result = node.run(ledger.main, role="demo", state="restored")
    assert result["failed"] is True
    assert result["left"] == [
        {
            "path": "command 'update-demo --now'",
            "reason": "'update-demo --now' exited 1: no kernel found",
        }
    ]
    node.answers("update-demo", (0, "", ""))
    assert node.run(ledger.main, role="demo", state="restored")["left"] == []
    assert not kept.exists()


@pytest.mark.usefixtures("kept")
def test_a_home_with_its_users_work_stays_and_is_named(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = SimpleNamespace(pw_uid=54321, pw_dir="/home/ada-no-such")
    there: dict[str, Any] = {}
    monkeypatch.setattr(pwd, "getpwnam", lambda name: there[name])
    monkeypatch.setattr(ledger_read, "foreign_in", lambda *_a: "/home/ada-no-such/train.py")
    node.answers("userdel", (0, "", ""))
    node.run(ledger.main, role="demo", users=["ada-no-such"])
    there["ada-no-such"] = account
    monkeypatch.setattr(os.path, "lexists", lambda _path: True)
    monkeypatch.setattr(
        ledger_apply.Restorer, "_delete_user", lambda _self, name, _home="": there.pop(name)
    )
    result = node.run(ledger.main, role="demo", state="restored")
    assert result["actions"] == ["delete user ada-no-such"]
    assert result["stays"] == [
        {
            "path": "/home/ada-no-such",
            "reason": "holds /home/ada-no-such/train.py, which is its user's",
        }
    ]


def test_a_user_that_came_with_the_role_cannot_undo_it(
    node: Any, kept: Path, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = etc / "sudo-rule"
    node.run(ledger.main, role="demo", users=["ada-no-such"], files=[str(path)])
    path.write_text("ada\n")
    monkeypatch.setenv("SUDO_USER", "ada-no-such")
    result = node.run(ledger.main, role="demo", state="restored")
    assert result["msg"] == (
        "Ledger of role demo: user ada-no-such, who called sudo, came with this role and would go "
        "with it. Nothing was changed. Connect as root or as a user who was there before "
        "(ansible_user)"
    )
    assert path.exists()
    assert kept.exists()
