"""Claims about how paths and kernel settings are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    FileState,
    MountState,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_read import (
    is_member,
    read_directory,
    read_file,
    read_homes,
    read_mounts,
    read_sysctl,
    sysctl_path,
)


def test_a_missing_path_names_its_missing_parents(tmp_path: Path) -> None:
    state = read_file(str(tmp_path / "a" / "b" / "c"))
    assert (state.kind, state.missing) == ("absent", (f"{tmp_path}/a", f"{tmp_path}/a/b"))


def test_a_file_has_mode_and_checksum(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text\n")
    path.chmod(0o640)
    state = read_file(str(path))
    assert (state.kind, state.mode) == ("file", "0640")
    assert state.sha256 == "b9e68e1bea3e5b19ca6b2f98b73a54b73daafaa250484902e09982e07a12e733"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/nowhere")
    state = read_file(str(tmp_path / "link"))
    assert (state.kind, state.target) == ("link", "/nowhere")


@pytest.mark.parametrize(
    ("names", "kind", "empty"),
    [
        pytest.param((), "directory", True, id="empty"),
        pytest.param(("x",), "directory", False, id="with-content"),
    ],
)
def test_a_directory_tells_whether_it_is_empty(
    tmp_path: Path, names: tuple[str, ...], kind: str, empty: bool
) -> None:
    for name in names:
        (tmp_path / name).touch()
    state = read_directory(str(tmp_path))
    assert (state.kind, state.empty) == (kind, empty)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward", id="dots"),
        pytest.param(
            "net.ipv4.conf.eth0/100.forwarding",
            "/proc/sys/net/ipv4/conf/eth0.100/forwarding",
            id="vlan-interface",
        ),
    ],
)
def test_a_sysctl_lies_where_the_kernel_has_it(name: str, expected: str) -> None:
    assert sysctl_path(name) == expected


def test_a_sysctl_that_the_kernel_lacks_is_none() -> None:
    assert read_sysctl("net.no_such_setting") is None


def test_a_home_of_nobody_is_absent() -> None:
    assert read_file("~nobody-there/.ssh/authorized_keys") == FileState()


def test_mount_points_tell_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full" / "x").mkdir(parents=True)
    paths = ["/proc", str(tmp_path / "empty"), str(tmp_path / "full"), str(tmp_path / "no" / "x")]
    assert list(read_mounts(paths).values()) == [
        MountState(mounted=True, exists=True),
        MountState(exists=True),
        MountState(exists=True, empty=False),
        MountState(missing=(str(tmp_path / "no"),)),
    ]


@pytest.mark.parametrize(
    "name",
    ["no-such-group/root", "root/no-such-user"],
)
def test_who_is_in_no_such_group_is_no_member(name: str) -> None:
    assert is_member(name) is False


def test_only_homes_of_missing_users_are_looked_for() -> None:
    assert read_homes(["root", "nobody-there"]) == {"/home/nobody-there": False}
