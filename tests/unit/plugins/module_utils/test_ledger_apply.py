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
    FileState,
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

    def __init__(self, rc: int = 0, err: str = "", missing: tuple[str, ...] = ()) -> None:
        self.rc, self.err, self.missing = rc, err, missing
        self.calls: list[str] = []

    def run_command(
        self, args: list[str], data: Optional[str], environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        """Remember the call."""
        del data, environ_update
        self.calls.append(" ".join(args))
        return self.rc, "", self.err

    def get_bin_path(self, arg: str, required: bool, opt_dirs: list[str]) -> Optional[str]:
        """Find every program that is not said to be missing."""
        del required, opt_dirs
        return None if arg in self.missing else f"/usr/bin/{arg}"


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
    monkeypatch.setattr(ledger_apply, "mount_points", lambda: (str(tmp_path / "tree"),))
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
    monkeypatch.setattr(ledger_apply, "mount_points", lambda: (str(inside),))
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


def test_a_home_goes_before_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_apply, "processes_of", lambda _uid: [])
    home = tmp_path / "home" / "ada"
    (home / ".ssh").mkdir(parents=True)
    host = FakeHost()
    action = Action(Kind.DELETE_ACCOUNT, "root", str(home))
    assert restorer(tmp_path, host).apply(RECORD, [action]) == {}
    assert (home.exists(), host.calls) == (False, ["userdel root"])


def test_what_is_mounted_and_busy_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_apply, "mount_points", lambda: ("/mnt/a",))
    host = FakeHost(32, "umount: /mnt/a: target is busy.")
    action = Action(Kind.UNMOUNT, "/mnt/a")
    assert restorer(tmp_path, host).apply(RECORD, [action]) == {
        action: "cannot be unmounted ('timeout --kill-after=5 30 umount -- /mnt/a' exited 32: "
        "umount: /mnt/a: target is busy.); see who uses it with 'fuser --verbose --mount /mnt/a', "
        "end that, and run reset again"
    }
    assert host.calls == ["timeout --kill-after=5 30 umount -- /mnt/a"]


def test_a_mount_of_a_dead_server_goes_lazily(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_apply, "mount_points", lambda: ("/mnt/a",))
    host = FakeHost(124)
    restorer(tmp_path, host).apply(RECORD, [Action(Kind.UNMOUNT, "/mnt/a")])
    assert host.calls[1] == "timeout --kill-after=5 30 umount --force --lazy -- /mnt/a"


def test_a_mount_point_with_files_in_it_stays(tmp_path: Path) -> None:
    point = tmp_path / "point"
    point.mkdir()
    (point / "data").write_text("mine\n")
    action = Action(Kind.REMOVE_POINT, str(point))
    assert restorer(tmp_path, FakeHost()).apply(RECORD, [action]) == {}
    assert (point / "data").read_text() == "mine\n"


def test_a_link_comes_back_over_what_a_killed_run_left(tmp_path: Path) -> None:
    path = tmp_path / "default.target"
    path.symlink_to("/nowhere")
    (tmp_path / "default.target.rackforge-tmp").symlink_to("/half")
    before = FileState("link", "", os.getuid(), os.getgid(), target="/graphical.target")
    record = RoleRecord("os_base", Declaration(), NodeState(files={str(path): before}))
    actions = [Action(Kind.RESTORE_FILE, str(path))]
    assert restorer(tmp_path, FakeHost()).apply(record, actions) == {}
    assert str(path.readlink()) == "/graphical.target"
    assert [entry.name for entry in tmp_path.iterdir()] == ["default.target"]


def test_a_mirror_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    said = "E: Failed to fetch https://mirror.example/debian/x.deb  Could not connect"
    action = Action(Kind.INSTALL_PACKAGE, "unattended-upgrades")
    assert restorer(tmp_path, FakeHost(100, said)).apply(RECORD, [action]) == {
        action: "was here before and cannot be installed again: the package mirror cannot be "
        f"reached; check the node's DNS, proxy and mirror ({said})"
    }


def test_an_index_that_cannot_be_fetched_is_the_cause(tmp_path: Path) -> None:
    class Stale(FakeHost):
        """A node whose index lacks the package and cannot be fetched."""

        def run_command(
            self, args: list[str], data: Optional[str], environ_update: dict[str, str]
        ) -> tuple[int, str, str]:
            """Complain as apt does."""
            super().run_command(args, data, environ_update)
            if args[-1] == "update":
                return 0, "", "W: Failed to fetch https://mirror.example/debian  No route\n"
            return 100, "", "E: Package 'file' has no installation candidate\n"

    host = Stale()
    action = Action(Kind.INSTALL_PACKAGE, "file")
    assert restorer(tmp_path, host).apply(RECORD, [action]) == {
        action: "was here before and cannot be installed again: the package mirror cannot be "
        "reached; check the node's DNS, proxy and mirror "
        "(E: Package 'file' has no installation candidate)"
    }
    assert [call.split()[-1] for call in host.calls] == ["file", "update", "file"]


def test_packages_come_back_with_dnf_too(tmp_path: Path) -> None:
    host = FakeHost(missing=("dpkg",))
    actions = [Action(Kind.INSTALL_PACKAGE, name) for name in ("podman", "runc")]
    assert restorer(tmp_path, host).apply(RECORD, actions) == {}
    assert host.calls == ["dnf --assumeyes --quiet install podman runc"]


GRUB = RoleRecord(
    "os_base", Declaration(refresh={"/etc/a": "update-grub", "/etc/b": "update-grub"}), NodeState()
)
RUN = Action(Kind.REFRESH, "update-grub")


def test_a_command_that_is_missing_is_left(tmp_path: Path) -> None:
    host = FakeHost(missing=("update-grub",))
    assert restorer(tmp_path, host).apply(GRUB, [RUN]) == {
        RUN: "the program update-grub is not on this node; do by hand what it does for this node, "
        "or install it, and run reset again"
    }


def test_a_command_that_fails_is_left_with_its_words(tmp_path: Path) -> None:
    host = FakeHost(1, "no space left on device")
    assert restorer(tmp_path, host).apply(GRUB, [RUN]) == {
        RUN: "'update-grub' exited 1: no space left on device"
    }


def test_a_command_waits_for_all_its_files(tmp_path: Path) -> None:
    host = FakeHost()
    missing = Action(Kind.DELETE_FILE, "/etc/a")
    record = RoleRecord("os_base", Declaration(refresh={"/etc/a": "update-grub"}), NodeState())
    reasons = restorer(tmp_path, host).apply(record, [missing, RUN])
    assert reasons[RUN] == "waits until /etc/a is put back"
    assert host.calls == []


def test_words_of_a_command_are_split_as_a_shell_does(tmp_path: Path) -> None:
    host = FakeHost()
    action = Action(Kind.REFRESH, "sysctl --load '/etc/my file'")
    assert restorer(tmp_path, host).apply(RECORD, [action]) == {}
    assert host.calls == ["sysctl --load /etc/my file"]


def test_membership_of_a_group_that_is_gone_is_over(tmp_path: Path) -> None:
    host = FakeHost(2)
    action = Action(Kind.LEAVE_GROUP, "video", "ada")
    assert restorer(tmp_path, host).apply(RECORD, [action]) == {}
    assert host.calls == ["getent group video"]


def test_masks_of_a_killed_installation_go_too(tmp_path: Path) -> None:
    host = FakeHost()
    actions = [Action(Kind.UNMASK_UNIT, "a.service"), Action(Kind.UNMASK_UNIT, "a.socket")]
    assert restorer(tmp_path, host).apply(RECORD, actions) == {}
    assert host.calls == [
        "systemctl unmask -- a.service a.socket",
        "systemctl unmask --runtime -- a.service a.socket",
    ]
