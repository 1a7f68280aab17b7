"""Claims about carrying out a plan on real directories, with faked programs."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import ledger_apply
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    NodeState,
    RoleRecord,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_action import (
    Action,
    Kind,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_apply import Restorer
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_read import NodeReader
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_store import Store

RECORD = RoleRecord("docker", Declaration(), NodeState())
BLOCK = "# BEGIN rackforge.gpu_cluster docker\nx\n# END rackforge.gpu_cluster docker\n"


class FakeHost:
    """Programs that end with one exit status."""

    def __init__(self, rc: int = 0, err: str = "") -> None:
        self.rc, self.err = rc, err
        self.calls: list[str] = []

    def run_command(
        self, args: list[str], data: Optional[str], environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        """Remember the call."""
        del data, environ_update
        self.calls.append(" ".join(args))
        return self.rc, "", self.err

    def get_bin_path(self, arg: str, required: bool, opt_dirs: list[str]) -> Optional[str]:
        """Find every program."""
        del required, opt_dirs
        return f"/usr/bin/{arg}"


def restorer(tmp_path: Path, host: FakeHost) -> Restorer:
    command = Command(host)
    return Restorer(command, NodeReader(command), Store(str(tmp_path / "rackforge")))


def test_a_tree_goes_but_not_what_its_links_lead_to(tmp_path: Path) -> None:
    owners = tmp_path / "owners"
    owners.mkdir()
    (owners / "data").write_text("mine\n")
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "link").symlink_to(owners)
    actions = [Action(Kind.REMOVE_TREE, str(tree))]
    assert restorer(tmp_path, FakeHost()).apply(RECORD, actions) == {}
    assert not tree.exists()
    assert (owners / "data").read_text() == "mine\n"


def test_a_tree_that_became_a_link_loses_only_the_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tree").symlink_to(tmp_path / "elsewhere")
    actions = [Action(Kind.REMOVE_TREE, str(tmp_path / "tree"))]
    assert restorer(tmp_path, FakeHost()).apply(RECORD, actions) == {}
    assert (tmp_path / "elsewhere").is_dir()
    assert not (tmp_path / "tree").is_symlink()


def test_a_tree_that_became_a_mount_point_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree").mkdir()
    monkeypatch.setattr(ledger_apply, "_mount_points", lambda: (str(tmp_path / "tree"),))
    actions = [Action(Kind.REMOVE_TREE, str(tmp_path / "tree"))]
    assert restorer(tmp_path, FakeHost()).apply(RECORD, actions) == {
        actions[0]: "is a mount point now; unmount it and run reset again"
    }
    assert (tmp_path / "tree").is_dir()


def test_a_busy_mount_inside_keeps_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "tree" / "mnt"
    inside.mkdir(parents=True)
    (inside / "data").write_text("mine\n")
    monkeypatch.setattr(ledger_apply, "_mount_points", lambda: (str(inside),))
    host = FakeHost(32, f"umount: {inside}: target is busy.")
    actions = [Action(Kind.REMOVE_TREE, str(tmp_path / "tree"))]
    assert restorer(tmp_path, host).apply(RECORD, actions) == {
        actions[0]: f"'umount -- {inside}' exited 32: umount: {inside}: target is busy."
    }
    assert (inside / "data").read_text() == "mine\n"


def test_a_file_that_cannot_be_replaced_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("localhost\n" + BLOCK)

    def busy(*_paths: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    actions = [Action(Kind.CUT_BLOCK, str(hosts))]
    assert restorer(tmp_path, FakeHost()).apply(RECORD, actions) == {}
    assert hosts.read_text() == "localhost\n"
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


def test_one_refusal_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("x")
    actions = [
        Action(Kind.STOP_UNIT, "x.service", "/system.slice/x.service"),
        Action(Kind.DELETE_FILE, str(tmp_path / "ours")),
    ]
    reasons = restorer(tmp_path, FakeHost(1, "Access denied")).apply(RECORD, actions)
    assert reasons == {actions[0]: "'systemctl stop -- x.service' exited 1: Access denied"}
    assert not (tmp_path / "ours").exists()


def test_a_running_process_keeps_its_user_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_apply, "processes_of", lambda _uid: ["sleep (42)"])
    host = FakeHost()
    action = Action(Kind.DELETE_USER, "root")
    assert restorer(tmp_path, host).apply(RECORD, [action]) == {
        action: "still runs sleep (42); end it and run reset again"
    }
    assert host.calls == []
