"""Claims about the login_accounts module on real files, with faked programs and accounts."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import login_accounts as core
from ansible_collections.rackforge.gpu_cluster.plugins.modules import login_accounts

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxWb1v0m5v1 ada@laptop"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOgmmkCat50g old"
BEGIN = "# BEGIN rackforge.gpu_cluster os_base\n"
END = "# END rackforge.gpu_cluster os_base\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of ada, who is there, on a node with a sudoers.d of its own."""
    home = tmp_path / "home" / "ada"
    home.mkdir(parents=True)
    (tmp_path / "sudoers.d").mkdir()
    (tmp_path / "sudoers").write_text("@includedir /etc/sudoers.d\n")
    monkeypatch.setattr(core, "SUDOERS", str(tmp_path / "sudoers.d" / "60-rackforge-{}"))
    monkeypatch.setattr(login_accounts, "SUDOERS", str(tmp_path / "sudoers"))
    ada = SimpleNamespace(
        pw_name="ada", pw_uid=os.getuid(), pw_gid=os.getgid(), pw_dir=str(home), pw_shell="/bin/sh"
    )
    monkeypatch.setattr(pwd, "getpwall", lambda: [ada])
    monkeypatch.setattr(pwd, "getpwnam", {"ada": ada}.__getitem__)
    group = SimpleNamespace(gr_name="ada", gr_gid=os.getgid(), gr_mem=[])
    monkeypatch.setattr(grp, "getgrall", lambda: [group])
    return home


def have(node: Any, check: bool = False, **user: Any) -> Any:
    users = [{"name": "ada", **user}]
    return node.run(login_accounts.main, check=check, owner="os_base", users=users)


def test_keys_stand_in_a_file_for_the_user_alone(node: Any, home: Path) -> None:
    assert have(node, keys=[KEY])["actions"] == ["write keys of ada"]
    path = home / ".ssh" / "authorized_keys"
    assert path.read_text() == BEGIN + KEY + "\n" + END
    assert [oct(p.stat().st_mode & 0o7777) for p in (path.parent, path)] == ["0o700", "0o600"]
    assert have(node, keys=[KEY])["changed"] is False


def test_owner_keys_survive(node: Any, home: Path) -> None:
    path = home / ".ssh" / "authorized_keys"
    path.parent.mkdir(mode=0o755)
    path.write_text(OTHER)
    path.chmod(0o640)
    have(node, keys=[KEY])
    assert path.read_text() == OTHER + "\n" + BEGIN + KEY + "\n" + END
    assert oct(path.stat().st_mode & 0o7777) == "0o640"


def test_a_key_that_is_no_longer_listed_goes(node: Any, home: Path) -> None:
    have(node, keys=[KEY, OTHER])
    have(node, keys=[OTHER])
    path = home / ".ssh" / "authorized_keys"
    assert path.read_text() == BEGIN + OTHER + "\n" + END
    have(node, keys=[])
    assert path.read_text() == ""


def test_without_a_word_about_keys_they_stay(node: Any, home: Path) -> None:
    have(node, keys=[KEY])
    assert have(node)["changed"] is False
    assert KEY in (home / ".ssh" / "authorized_keys").read_text()


def test_check_mode_writes_nothing(node: Any, home: Path) -> None:
    result = have(node, check=True, keys=[KEY], sudo=True)
    assert result["actions"] == ["write keys of ada", "let ada use sudo"]
    assert list(home.iterdir()) == []
    assert list((home.parent.parent / "sudoers.d").iterdir()) == []


def test_what_others_may_write_is_corrected_since_sshd_refuses_it(node: Any, home: Path) -> None:
    have(node, keys=[KEY])
    path = home / ".ssh" / "authorized_keys"
    path.chmod(0o666)
    assert have(node, keys=[KEY])["actions"] == [f"let sshd accept {path}"]
    assert oct(path.stat().st_mode & 0o7777) == "0o644"


def test_root_writes_through_no_link_of_a_user(node: Any, home: Path) -> None:
    (home / "elsewhere").mkdir()
    (home / ".ssh").symlink_to(home / "elsewhere")
    result = have(node, keys=[KEY])
    assert f"user ada: {home}/.ssh is a link, expected a plain one" in result["msg"]
    assert list((home / "elsewhere").iterdir()) == []


def test_root_changes_nothing_behind_a_link_when_no_keys_are_left(node: Any, home: Path) -> None:
    secret = home.parent / "shadow"
    secret.write_text("root:x\n")
    secret.chmod(0o622)
    path = home / ".ssh" / "authorized_keys"
    path.parent.mkdir(mode=0o700)
    path.symlink_to(secret)
    result = have(node, keys=[])
    assert f"user ada: {path} is a link, expected a plain one" in result["msg"]
    assert oct(secret.stat().st_mode & 0o7777) == "0o622"


@pytest.mark.parametrize("late", [False, True], ids=["after-the-check", "after-the-second-look"])
def test_root_changes_nothing_behind_a_link_that_comes_later(
    node: Any, home: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    secret = home.parent / "shadow"
    secret.write_text("root:x\n")
    secret.chmod(0o622)
    have(node, keys=[KEY])
    path = home / ".ssh" / "authorized_keys"
    path.write_text("")
    path.chmod(0o666)

    def swap() -> None:
        path.unlink()
        path.symlink_to(secret)

    if late:
        inner = login_accounts._correct

        def correct(place: str, account: Any) -> None:
            swap()
            inner(place, account)

        monkeypatch.setattr(login_accounts, "_correct", correct)
    else:

        def checked(*_any: object) -> list[str]:
            swap()
            return []

        monkeypatch.setattr(login_accounts, "_links", checked)
    result = have(node, keys=[])
    assert bool(result.get("failed")) is late
    assert oct(secret.stat().st_mode & 0o7777) == "0o622"


def test_a_sudo_rule_is_approved_before_it_counts(node: Any, home: Path) -> None:
    node.answers("visudo --check", (0, "parsed OK", ""))
    assert have(node, sudo=True)["actions"] == ["let ada use sudo"]
    rule = home.parent.parent / "sudoers.d" / "60-rackforge-ada"
    assert rule.read_text() == (
        "# Managed by rackforge.gpu_cluster\nada ALL=(ALL:ALL) NOPASSWD: ALL\n"
    )
    assert oct(rule.stat().st_mode & 0o7777) == "0o440"
    assert have(node, sudo=True)["changed"] is False
    assert have(node)["changed"] is False
    assert have(node, sudo=False)["actions"] == ["take the sudo rule of ada away"]
    assert not rule.exists()
    assert have(node, sudo=False)["changed"] is False


def test_a_rule_that_sudo_would_not_read_is_not_placed(node: Any, home: Path) -> None:
    node.answers("visudo --check", (1, "", "syntax error near line 2"))
    result = have(node, sudo=True)
    assert result["msg"].startswith(
        "Could not have the groups and users that are wanted: user ada: sudo would not accept "
    )
    assert list((home.parent.parent / "sudoers.d").iterdir()) == []


@pytest.mark.usefixtures("home")
def test_a_node_without_sudo_is_told_apart(node: Any) -> None:
    assert have(node, sudo=True)["msg"].endswith(
        "user ada: the node has no visudo; install the package sudo"
    )


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the module warns of; where it goes depends on what the process has imported."""
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    return warnings


def test_keys_that_do_not_count_are_said_to(node: Any, home: Path, said: list[str]) -> None:
    node.answers("sshd -T", (0, "authorizedkeysfile /etc/ssh/keys/%u\n", ""))
    result = have(node, keys=[KEY])
    assert result["changed"] is True
    assert (home / ".ssh" / "authorized_keys").exists()
    assert "sshd looks for keys in /etc/ssh/keys/%u" in said[0]


def test_rules_that_do_not_count_are_said_to(node: Any, home: Path, said: list[str]) -> None:
    node.answers("visudo --check", (0, "", ""))
    (home.parent.parent / "sudoers").write_text("root ALL=(ALL) ALL\n")
    have(node, sudo=True)
    assert "does not read /etc/sudoers.d" in said[0]


@pytest.mark.usefixtures("home")
def test_nothing_is_made_when_one_account_cannot_be_had(node: Any) -> None:
    users = [{"name": "eve"}, {"name": "ada", "shell": "/bin/zsh"}]
    result = node.run(login_accounts.main, owner="os_base", users=users)
    assert "user ada has the shell /bin/sh already, expected /bin/zsh" in result["msg"]
    assert node.calls == []


@pytest.mark.usefixtures("home")
def test_a_new_user_is_foreseen_with_keys(node: Any) -> None:
    users = [{"name": "eve-no-such", "keys": [KEY], "groups": ["ml"], "sudo": True}]
    groups = [{"name": "ml"}]
    result = node.run(login_accounts.main, check=True, owner="os_base", users=users, groups=groups)
    assert result["actions"] == [
        "add group ml",
        "add user eve-no-such",
        "add user eve-no-such to ml",
        "write keys of eve-no-such",
        "let eve-no-such use sudo",
    ]
    assert node.calls == []
