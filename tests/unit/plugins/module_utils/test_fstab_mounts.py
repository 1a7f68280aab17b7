"""Claims about lines of fstab, and about what is mounted and unmounted for them."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.fstab_mounts import (
    Mount,
    Mounted,
    Seen,
    cause_of_failure,
    former,
    lines_after,
    mount_command,
    parse_mountinfo,
    plan_mounts,
    problems,
)

NFS = Mount("nas.example:/data", "/mnt/data")
SERVICES = Mount("nas.example:/services", "/mnt/services", "nfs4")
BOUND = Mount("/opt/models", "/mnt/models", "bind")


@pytest.mark.parametrize(
    ("mount", "line"),
    [
        pytest.param(NFS, "nas.example:/data /mnt/data nfs vers=3,async,noatime,soft,"
            "rsize=1048576,wsize=1048576,_netdev,nofail,x-systemd.mount-timeout=30 0 0",
            id="datasets"),
        pytest.param(SERVICES, "nas.example:/services /mnt/services nfs4 "
            "hard,noatime,_netdev,nofail,x-systemd.mount-timeout=30 0 0", id="services"),
        pytest.param(Mount("a:/b", "/mnt/b", "nfs", "ro,x-systemd.mount-timeout=5s,_netdev"),
            "a:/b /mnt/b nfs ro,x-systemd.mount-timeout=5s,_netdev,nofail 0 0", id="owners-own"),
        pytest.param(Mount("10.0.0.1@tcp:/fs", "/mnt/l", "lustre"),
            "10.0.0.1@tcp:/fs /mnt/l lustre "
            "defaults,_netdev,nofail,x-systemd.mount-timeout=30 0 0", id="lustre"),
        pytest.param(BOUND, "/opt/models /mnt/models none "
            "bind,nofail,x-systemd.mount-timeout=30 0 0", id="bind"),
        pytest.param(Mount("/opt/x", "/mnt/x", "bind", "ro"),
            "/opt/x /mnt/x none bind,ro,nofail,x-systemd.mount-timeout=30 0 0", id="bind-ro"),
        pytest.param(Mount("tmp", "/mnt/a b", "tmpfs", "size=1m"),
            "tmp /mnt/a\\040b tmpfs size=1m,nofail,x-systemd.mount-timeout=30 0 0", id="space"),
    ],
)  # fmt: skip
def test_a_line_never_holds_up_the_boot(mount: Mount, line: str) -> None:
    assert mount.line() == line


def test_a_command_mounts_what_the_line_says() -> None:
    assert mount_command(SERVICES) == (
        "mount", "-t", "nfs4", "-o", "hard,noatime,_netdev,x-systemd.mount-timeout=30",
        "--", "nas.example:/services", "/mnt/services",
    )  # fmt: skip
    assert mount_command(BOUND)[:3] == ("mount", "-o", "bind,x-systemd.mount-timeout=30")


def test_mounts_of_the_kernel_are_read() -> None:
    text = (
        "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "91 24 0:52 / /mnt/a\\040b rw,relatime shared:50 - nfs4 nas.example:/data rw,vers=4.2\n"
    )
    assert parse_mountinfo(text) == {
        "/": Mounted("/dev/sda1", "ext4"),
        "/mnt/a b": Mounted("nas.example:/data", "nfs4"),
    }


UP = {"/mnt/data": Mounted("nas.example:/data", "nfs")}
OLD = NFS.line().replace("soft", "hard")


@pytest.mark.parametrize(
    ("mounts", "seen", "unmount", "mount"),
    [
        pytest.param([NFS], Seen(), (), ["/mnt/data"], id="new"),
        pytest.param([NFS], Seen(ours=(NFS.line(),), mounted=UP), (), [], id="as-wanted"),
        pytest.param([NFS], Seen(ours=(NFS.line(),)), (), ["/mnt/data"], id="after-a-lost-mount"),
        pytest.param([NFS], Seen(mounted=UP), (), [], id="mounted-by-a-killed-run"),
        pytest.param([NFS], Seen(ours=(OLD,), mounted=UP), ("/mnt/data",), ["/mnt/data"],
            id="other-options"),
        pytest.param([NFS], Seen(ours=(OLD,)), (), ["/mnt/data"], id="killed-after-unmounting"),
        pytest.param([], Seen(ours=(NFS.line(),), mounted=UP), ("/mnt/data",), [], id="not-listed"),
        pytest.param([], Seen(mounted=UP), (), [], id="owners-mount"),
        pytest.param([Mount("a:/b", "/mnt/b", "nfs", "noauto")], Seen(), (), [], id="by-hand"),
        pytest.param([Mount("nas.example:/data/", "/mnt/data", "nfs4")], Seen(mounted=UP), (), [],
            id="nfs-is-nfs"),
        pytest.param([BOUND], Seen(mounted={"/mnt/models": Mounted("/dev/sda1", "ext4")},
            same=frozenset({"/mnt/models"})), (), [], id="bound"),
        pytest.param([Mount("a:/", "/mnt/x/y"), Mount("b:/", "/mnt/z")], Seen(), (),
            ["/mnt/z", "/mnt/x/y"], id="outer-first"),
    ],
)  # fmt: skip
def test_only_what_differs_is_mounted(
    mounts: list[Mount], seen: Seen, unmount: tuple[str, ...], mount: list[str]
) -> None:
    found = plan_mounts(mounts, seen)
    assert (found.unmount, [one.path for one in found.mount]) == (unmount, mount)


@pytest.mark.parametrize(
    ("mounts", "seen", "expected"),
    [
        pytest.param([NFS], Seen(), [], id="fine"),
        pytest.param([NFS, NFS], Seen(), ["/mnt/data is listed twice"], id="twice"),
        pytest.param([Mount("a:/", "mnt")], Seen(), ["mnt: is no plain absolute path"],
            id="relative"),
        pytest.param([Mount("a:/", "/")], Seen(), ["/: cannot be mounted over"], id="root"),
        pytest.param([Mount("//s/x", "/mnt/x", "cifs", "user=a,password=b")], Seen(),
            ["/mnt/x: a password must not stand in fstab, which everybody reads; use "
             "credentials=FILE"], id="password"),
        pytest.param([NFS], Seen(others="# x\nother:/a  /mnt/data nfs defaults 0 0\n"),
            ["/mnt/data: stands in /etc/fstab already, as 'other:/a /mnt/data nfs defaults 0 0'; "
             "take out one of the two"], id="owners-line"),
        pytest.param([NFS], Seen(filled={"/mnt/data": "/mnt/data/mine"}),
            ["/mnt/data: holds /mnt/data/mine, which the mount would hide; move it away first"],
            id="owners-files"),
        pytest.param([NFS], Seen(odd=frozenset({"/mnt/data"})),
            ["/mnt/data: is there and no directory"], id="a-file"),
        pytest.param([NFS], Seen(mounted={"/mnt/data": Mounted("/dev/sdb1", "xfs")}),
            ["/mnt/data: has /dev/sdb1 (xfs) mounted, expected nas.example:/data (nfs); try "
             "'umount /mnt/data' on the node"], id="owners-mount"),
        pytest.param([NFS], Seen(ours=("x:/ /mnt/data nfs rw 0 0",),
            mounted={"/mnt/data": Mounted("x:/", "nfs")}), [], id="our-older-mount"),
    ],
)  # fmt: skip
def test_a_mount_that_would_harm_is_refused(
    mounts: list[Mount], seen: Seen, expected: list[str]
) -> None:
    assert problems(mounts, seen) == expected


@pytest.mark.parametrize(
    ("failed", "ours", "expected"),
    [
        pytest.param([], (), [NFS.line()], id="worked"),
        pytest.param(["/mnt/data"], (), [], id="never-worked"),
        pytest.param(["/mnt/data"], (NFS.line(),), [NFS.line()], id="server-away-today"),
        pytest.param(["/mnt/data"], (OLD,), [OLD], id="new-options-refused"),
    ],
)
def test_fstab_has_only_lines_that_worked(
    failed: list[str], ours: tuple[str, ...], expected: list[str]
) -> None:
    assert lines_after([NFS], failed, Seen(ours=ours)) == expected


def test_the_former_mount_is_known() -> None:
    seen = Seen(ours=("/opt /mnt/a\\040b none bind,nofail 0 0",))
    assert former("/mnt/a b", seen) == Mount("/opt", "/mnt/a b", "bind", "bind,nofail")
    assert former("/mnt/other", seen) is None


HAS_NFS = "nodev\tsysfs\nnodev\tnfs\n\text4\n"


@pytest.mark.parametrize(
    ("rc", "said", "kernel", "expected"),
    [
        pytest.param(32, "mount: /mnt/data: unknown filesystem type 'nfs'.", "",
            "this node's kernel cannot mount nfs; see 'modprobe nfs' and /proc/filesystems "
            "(mount: /mnt/data: unknown filesystem type 'nfs'.)", id="no-kernel"),
        pytest.param(32, "mount.nfs: requested NFS version or transport protocol is not supported",
            "nodev\tsysfs\n", "this node's kernel cannot mount nfs; see 'modprobe nfs' and "
            "/proc/filesystems (mount.nfs: requested NFS version or transport protocol is not "
            "supported)", id="no-kernel-in-mount.nfs-words"),
        pytest.param(32, "mount.nfs: requested NFS version or transport protocol is not supported",
            HAS_NFS, "nas.example does not speak this version of NFS; see 'rpcinfo nas.example' "
            "(mount.nfs: requested NFS version or transport protocol is not supported)",
            id="another-version"),
        pytest.param(32, "mount.nfs: access denied by server while mounting nas.example:/data",
            HAS_NFS, "nas.example does not export this directory to this node; see 'showmount "
            "--exports nas.example' (mount.nfs: access denied by server while mounting "
            "nas.example:/data)", id="not-allowed"),
        pytest.param(32, "mount.nfs: mounting nas.example:/data failed, reason given by server: "
            "No such file or directory", HAS_NFS, "nas.example:/data does not exist; see "
            "'showmount --exports nas.example' (mount.nfs: mounting nas.example:/data failed, "
            "reason given by server: No such file or directory)", id="no-such-export"),
        pytest.param(32, "mount.nfs: Connection timed out", HAS_NFS, "the server nas.example does "
            "not answer; see 'ping nas.example' and its firewall (mount.nfs: Connection timed out)",
            id="away"),
        pytest.param(32, "mount.nfs: Failed to resolve server nas.example: Name or service not "
            "known", HAS_NFS, "the name nas.example has no address here; see 'getent hosts "
            "nas.example' (mount.nfs: Failed to resolve server nas.example: Name or service not "
            "known)", id="no-name"),
        pytest.param(124, "", HAS_NFS, "nas.example did not answer in time; see 'ping nas.example' "
            "and its firewall (mount was stopped)", id="stopped"),
        pytest.param(32, "mount: /mnt/data: bad option; for several filesystems (e.g. nfs, cifs) "
            "you might need a /sbin/mount.<type> helper program.", HAS_NFS, "the node lacks the "
            "program that mounts nfs; install its package (mount: /mnt/data: bad option; for "
            "several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper "
            "program.)", id="no-helper"),
        pytest.param(1, "mount: something new", "", "mount: something new", id="unknown"),
    ],
)  # fmt: skip
def test_a_failure_says_what_to_look_at(rc: int, said: str, kernel: str, expected: str) -> None:
    assert cause_of_failure(NFS, rc, said, kernel) == expected


def test_a_disk_that_is_missing_is_no_success() -> None:
    assert "nofail" not in mount_command(Mount("/dev/sdz1", "/scratch", "ext4", "nofail,ro"))[4]
    disk = Mount("/dev/sdz1", "/scratch", "ext4")
    said = "mount: /scratch: special device /dev/sdz1 does not exist."
    why = cause_of_failure(disk, 32, said, "")
    assert why.startswith("/dev/sdz1 does not exist on this node; see 'lsblk'")
