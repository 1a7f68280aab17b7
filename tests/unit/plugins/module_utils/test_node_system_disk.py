"""Claims about file systems and disks, on tables of the kernel as nodes have them."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_tree import Tree
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_system_disk import (
    Mount,
    mount_of,
    parse_mountinfo,
    read_disks,
    read_system_disk_mib,
)

SERVER = """\
22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw
23 22 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw
30 22 0:27 / /tmp rw,nosuid,nodev,noexec shared:8 - tmpfs tmpfs rw
31 22 253:1 / /home rw,relatime shared:9 - xfs /dev/mapper/vg-home rw
32 22 0:50 / /data\\040sets rw,relatime shared:10 - nfs4 198.18.0.9:/data rw,vers=4.2
33 22 8:17 / /var/lib/docker ro,relatime - ext4 /dev/sdb1 rw
"""


def write(root: Path, path: str, text: str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")


def test_mounts_have_point_kind_options_and_device() -> None:
    mounts = parse_mountinfo(SERVER)
    assert mounts[2] == Mount("/tmp", "tmpfs", ("rw", "nosuid", "nodev", "noexec"), "0:27")
    assert mounts[4].point == "/data sets"
    assert [mount.point for mount in mounts if mount.is_remote] == ["/data sets"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("1 0 8:1 / / rw - ext4 /dev/sda1 rw,errors=remount-ro", False, id="writable"),
        pytest.param("1 0 8:1 / / ro - ext4 /dev/sda1 rw", True, id="asked-for"),
        pytest.param("1 0 8:1 / / rw - ext4 /dev/sda1 ro", True, id="after-an-error"),
        pytest.param("1 0 8:1 / / rw - ext4", False, id="truncated"),
    ],
)
def test_a_file_system_is_read_only_by_wish_or_after_an_error(line: str, expected: bool) -> None:
    (mount,) = parse_mountinfo(line)
    assert mount.read_only is expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("22 1 253:0 / / rw", id="truncated"),
        pytest.param(" - \n - ext4\n1 2 3 - \n\0\0", id="garbage"),
    ],
)
def test_a_table_without_mounts_has_none(text: str) -> None:
    assert parse_mountinfo(text) == []


@pytest.mark.parametrize(
    ("path", "point"),
    [
        pytest.param("/", "/", id="root"),
        pytest.param("/homes", "/", id="name-that-only-begins-alike"),
        pytest.param("/home", "/home", id="mount-point"),
        pytest.param("/home/ops/x", "/home", id="below"),
        pytest.param("/var/lib/docker/overlay2", "/var/lib/docker", id="deepest"),
    ],
)
def test_a_path_lies_on_the_deepest_mount(path: str, point: str) -> None:
    found = mount_of(path, parse_mountinfo(SERVER))
    assert found is not None
    assert found.point == point


def test_the_later_of_two_mounts_on_one_point_counts() -> None:
    mounts = [Mount("/", "rootfs"), Mount("/tmp", "ext4"), Mount("/", "ext4")]
    found = mount_of("/var", mounts)
    assert found is not None
    assert found.kind == "ext4"


@pytest.mark.parametrize(
    ("kind", "remote"),
    [
        pytest.param("nfs", True, id="nfs"),
        pytest.param("nfs4", True, id="nfs4"),
        pytest.param("fuse.sshfs", True, id="sshfs"),
        pytest.param("autofs", True, id="autofs"),
        pytest.param("lustre", True, id="lustre"),
        pytest.param("ext4", False, id="ext4"),
        pytest.param("overlay", False, id="overlay"),
        pytest.param("zfs", False, id="zfs"),
    ],
)
def test_file_systems_that_can_hang_are_known(kind: str, remote: bool) -> None:
    assert Mount("/x", kind).is_remote is remote


def test_each_file_system_is_read_once_with_what_lies_on_it(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/mountinfo", SERVER)
    for folder in ("tmp", "home", "var/lib/docker"):
        (tmp_path / folder).mkdir(parents=True)
    disks = read_disks(Tree(str(tmp_path)))
    assert [(each["mount"], each["noexec"], each["read_only"]) for each in disks] == [
        ("/", False, False),
        ("/home", False, False),
        ("/tmp", True, False),
        ("/var/lib/docker", False, True),
    ]
    assert disks[0]["paths"] == [
        "/",
        "/opt",
        "/var/lib",
        "/var/lib/containerd",
        "/var/lib/rancher",
        "/var/lib/kubelet",
        "/var/lib/ray",
    ]
    assert disks[0]["size_mib"] >= disks[0]["free_mib"] > 0


def test_a_file_system_of_another_machine_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "proc/self/mountinfo", "1 0 0:5 / / rw - nfs4 198.18.0.9:/root rw\n")
    monkeypatch.setattr(os, "statvfs", lambda _path: pytest.fail("a dead server hangs here"))
    assert read_disks(Tree(str(tmp_path))) == []


def test_sizes_are_in_mib_and_free_is_what_users_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    seen = SimpleNamespace(
        f_frsize=4096, f_blocks=2560, f_bfree=512, f_bavail=256, f_files=900, f_favail=7
    )
    monkeypatch.setattr(os, "statvfs", lambda _path: seen)
    (found,) = read_disks(Tree(str(tmp_path)))
    assert (found["size_mib"], found["free_mib"]) == (10, 1)
    assert (found["inodes"], found["inodes_free"]) == (900, 7)


def test_a_file_system_that_makes_inodes_as_it_goes_has_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "proc/self/mountinfo", "1 0 0:31 / / rw - btrfs /dev/sda1 rw\n")
    seen = SimpleNamespace(f_frsize=4096, f_blocks=2560, f_bavail=256, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda _path: seen)
    (found,) = read_disks(Tree(str(tmp_path)))
    assert (found["inodes"], found["inodes_free"]) == (None, None)


def test_a_file_system_that_does_not_answer_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/mountinfo", "1 0 8:1 / /gone rw - ext4 x rw\n2 0 8:2 / / rw - x x\n")
    write(tmp_path, "etc/docker/daemon.json", "{}")
    found = read_disks(Tree(str(tmp_path)), "/gone/docker")
    assert (found[-1]["mount"], found[-1]["size_mib"], found[-1]["inodes"]) == ("/gone", None, None)


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A node with / on a volume of an encrypted partition, as Rocky's installer makes it."""
    devices = tmp_path / "sys" / "devices"
    numbers = {
        "253:0": "virtual/block/dm-0",
        "253:1": "virtual/block/dm-1",
        "8:0": "pci0/sda",
        "8:3": "pci0/sda/sda3",
        "9:0": "virtual/block/md0",
        "8:16": "pci0/sdb",
    }
    sizes = {"dm-0": 146800640, "dm-1": 417333248, "sda": 419430400, "sda3": 417333248}
    for number, place in numbers.items():
        folder = devices / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "size").write_text(f"{sizes.get(folder.name, 209715200)}\n", encoding="ascii")
        (folder / "dev").write_text(f"{number}\n", encoding="ascii")
        link = tmp_path / "sys" / "dev" / "block" / number
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(folder, link.parent))
    write(devices, "pci0/sda/sda3/partition", "3\n")
    for upper, lower in (("dm-0", "virtual/block/dm-1"), ("dm-1", "pci0/sda/sda3")):
        slaves = devices / "virtual" / "block" / upper / "slaves"
        slaves.mkdir()
        (slaves / Path(lower).name).symlink_to(os.path.relpath(devices / lower, slaves))
    slaves = devices / "virtual/block/md0/slaves"
    slaves.mkdir()
    (slaves / "sdb").symlink_to(os.path.relpath(devices / "pci0/sdb", slaves))
    return tmp_path


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        pytest.param("253:0", 204_800, id="volume-on-crypt-on-partition"),
        pytest.param("8:3", 204_800, id="partition"),
        pytest.param("8:0", 204_800, id="whole-disk"),
        pytest.param("9:0", 102_400, id="array-counts-as-itself"),
        pytest.param("0:39", None, id="overlay"),
        pytest.param("x", None, id="garbage"),
    ],
)
def test_system_disk_is_found_below_the_volumes(
    sysfs: Path, device: str, expected: int | None
) -> None:
    write(sysfs, "proc/self/mountinfo", f"1 0 {device} / / rw - ext4 x rw\n")
    assert read_system_disk_mib(Tree(str(sysfs))) == expected


def test_a_node_without_tables_has_no_disks(tmp_path: Path) -> None:
    assert read_disks(Tree(str(tmp_path))) == []
    assert read_system_disk_mib(Tree(str(tmp_path))) is None
