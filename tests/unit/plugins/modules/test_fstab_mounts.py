"""Claims about the fstab_mounts module on real files, with a faked mount(8) and kernel."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import fstab_mounts

ROOT = "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n"


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node with an fstab, nothing mounted, and programs that do what they are told."""
    (tmp_path / "fstab").write_text("/dev/sda1 / ext4 defaults 0 1")
    (tmp_path / "mountinfo").write_text(ROOT)
    (tmp_path / "filesystems").write_text("nodev\tnfs\n")
    for name in ("fstab", "mountinfo", "filesystems"):
        monkeypatch.setattr(fstab_mounts, name.upper(), str(tmp_path / name))
    monkeypatch.setattr(fstab_mounts, "SYSTEMD", str(tmp_path))
    monkeypatch.setattr(fstab_mounts, "alone_on_node", nullcontext)
    return tmp_path


def have(node: Any, *mounts: dict[str, str], check: bool = False) -> Any:
    return node.run(fstab_mounts.main, check=check, owner="os_base", mounts=list(mounts))


def data(disk: Path, **more: str) -> dict[str, str]:
    return {"source": "nas.example:/data", "path": f"{disk}/mnt/data", **more}


def block(*lines: str) -> str:
    body = "".join(f"{line}\n" for line in lines)
    return (
        "/dev/sda1 / ext4 defaults 0 1\n"
        f"# BEGIN rackforge.gpu_cluster os_base\n{body}# END rackforge.gpu_cluster os_base\n"
    )


def line(disk: Path, options: str = "ro") -> str:
    return (
        f"nas.example:/data {disk}/mnt/data nfs "
        f"{options},_netdev,nofail,x-systemd.mount-timeout=30 0 0"
    )


def mounted(disk: Path) -> None:
    text = f"91 24 0:52 / {disk}/mnt/data rw - nfs nas.example:/data rw\n"
    (disk / "mountinfo").write_text(ROOT + text)


def works(node: Any) -> None:
    node.answers("timeout", (0, "", ""))
    node.answers("systemctl daemon-reload", (0, "", ""))


def test_what_is_mounted_stands_in_fstab(node: Any, disk: Path) -> None:
    works(node)
    result = have(node, data(disk, options="ro"))
    assert result["mounted"] == [f"{disk}/mnt/data"]
    assert (disk / "fstab").read_text() == block(line(disk))
    assert node.calls == [
        "timeout --kill-after=5 30 mount -t nfs -o ro,_netdev,x-systemd.mount-timeout=30 -- "
        f"nas.example:/data {disk}/mnt/data",
        "systemctl daemon-reload",
    ]


def test_the_second_run_does_nothing(node: Any, disk: Path) -> None:
    works(node)
    have(node, data(disk, options="ro"))
    mounted(disk)
    node.calls.clear()
    assert have(node, data(disk, options="ro"))["changed"] is False
    assert node.calls == []


def test_check_mode_mounts_nothing(node: Any, disk: Path) -> None:
    result = have(node, data(disk), check=True)
    assert (result["changed"], result["mounted"]) == (True, [f"{disk}/mnt/data"])
    assert (disk / "fstab").read_text() == "/dev/sda1 / ext4 defaults 0 1"
    assert not (disk / "mnt").exists()


def test_a_mount_that_fails_leaves_the_node_as_it_was(node: Any, disk: Path) -> None:
    node.answers("timeout", (32, "", "mount.nfs: access denied by server while mounting x"))
    result = have(node, data(disk))
    assert result["msg"] == (
        f"Could not mount all that os_base_mounts lists: {disk}/mnt/data: nas.example does not "
        "export this directory to this node; see 'showmount --exports nas.example' "
        "(mount.nfs: access denied by server while mounting x)"
    )
    assert (disk / "fstab").read_text() == "/dev/sda1 / ext4 defaults 0 1"
    assert not (disk / "mnt").exists()


def test_one_failure_does_not_stop_the_others(node: Any, disk: Path) -> None:
    works(node)
    options = "ro,_netdev,x-systemd.mount-timeout=30"
    broken = f"timeout --kill-after=5 30 mount -t nfs -o {options} -- dead"
    node.answers(broken, (124, "", ""))
    dead = {"source": "dead.example:/x", "path": f"{disk}/mnt/dead", "options": "ro"}
    result = have(node, dead, data(disk, options="ro"))
    assert "dead.example did not answer in time" in result["msg"]
    assert (disk / "fstab").read_text() == block(line(disk))
    assert [path.name for path in (disk / "mnt").iterdir()] == ["data"]


def test_new_options_mean_a_new_mount(node: Any, disk: Path) -> None:
    works(node)
    have(node, data(disk, options="ro"))
    mounted(disk)
    node.calls.clear()
    result = have(node, data(disk, options="rw"))
    assert (result["unmounted"], result["mounted"]) == ([f"{disk}/mnt/data"],) * 2
    assert node.calls[0] == f"timeout --kill-after=5 30 umount -- {disk}/mnt/data"
    assert (disk / "fstab").read_text() == block(line(disk, "rw"))


def test_options_that_cannot_be_had_bring_the_old_mount_back(node: Any, disk: Path) -> None:
    works(node)
    have(node, data(disk, options="ro"))
    mounted(disk)
    node.calls.clear()
    node.answers("timeout --kill-after=5 30 mount -t nfs -o vers=9", (32, "", "mount.nfs: bad"))
    assert have(node, data(disk, options="vers=9"))["failed"] is True
    assert (disk / "fstab").read_text() == block(line(disk))
    assert node.calls[-1].startswith("timeout --kill-after=5 30 mount -t nfs -o ro,")


def test_a_mount_in_use_stays_and_is_named(node: Any, disk: Path) -> None:
    works(node)
    have(node, data(disk, options="ro"))
    mounted(disk)
    node.answers("timeout --kill-after=5 30 umount", (32, "", "umount: target is busy."))
    result = have(node)
    assert f"see who uses it with 'fuser --verbose --mount {disk}/mnt/data'" in result["msg"]
    assert (disk / "fstab").read_text() == block(line(disk))


def test_an_empty_list_takes_the_block_out(node: Any, disk: Path) -> None:
    works(node)
    have(node, data(disk, options="ro"))
    mounted(disk)
    assert have(node)["unmounted"] == [f"{disk}/mnt/data"]
    assert (disk / "fstab").read_text() == "/dev/sda1 / ext4 defaults 0 1\n"


def test_owner_files_are_not_hidden(node: Any, disk: Path) -> None:
    (disk / "mnt" / "data").mkdir(parents=True)
    (disk / "mnt" / "data" / "mine").write_text("x")
    result = have(node, data(disk))
    assert result["msg"] == (
        f"Nothing was mounted: {disk}/mnt/data: holds {disk}/mnt/data/mine, which the mount would "
        "hide; move it away first"
    )
    assert node.calls == []
