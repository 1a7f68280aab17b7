# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File systems to mount: their lines in fstab, what is wrong with them, and what is to be done.

Pure. The kernel's list of mounts is the truth, fstab only what holds after the next boot.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

#: The CVGL lab's options for its datasets, which are read by many and written by few: with soft, a
#: server that is away makes reads fail instead of hanging processes for ever. A writer loses what
#: it wrote meanwhile, so what is written to belongs on nfs4, which waits.
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "nfs": ("vers=3", "async", "noatime", "soft", "rsize=1048576", "wsize=1048576"),
    "nfs4": ("hard", "noatime"),
    "bind": ("bind",),
}
_NETWORK = re.compile(r"(nfs4?|lustre|cifs|smb3|ceph|glusterfs|beegfs|9p|fuse\.\S+)$")
_ESCAPES = {"\\": "\\134", " ": "\\040", "\t": "\\011", "\n": "\\012", "#": "\\043"}


@dataclass(frozen=True)
class Mount:
    """A file system to have at ``path``; without ``options`` those usual for its type."""

    source: str
    path: str
    type: str = "nfs"
    options: str = ""

    def words(self) -> tuple[str, ...]:
        """Return all mount options: a server that is away must never hold up the boot."""
        words = [word for word in self.options.split(",") if word]
        words = words or list(DEFAULTS.get(self.type, ("defaults",)))
        if self.type == "bind" and not {"bind", "rbind"} & set(words):
            words.insert(0, "bind")
        wanted = ["nofail", "x-systemd.mount-timeout=30"]
        if _NETWORK.match(self.type):
            wanted.insert(0, "_netdev")
        keys = {word.split("=")[0] for word in words}
        return (*words, *(word for word in wanted if word.split("=")[0] not in keys))

    def line(self) -> str:
        """Return the line of fstab."""
        kind = "none" if self.type == "bind" else self.type
        options = _escaped(",".join(self.words()))
        return f"{_escaped(self.source)} {_escaped(self.path)} {kind} {options} 0 0"

    @property
    def by_hand(self) -> bool:
        """Return whether the owner mounts it when it is needed."""
        return "noauto" in self.words()


@dataclass(frozen=True)
class Mounted:
    """What is mounted somewhere now."""

    source: str
    type: str


@dataclass(frozen=True)
class Seen:
    """The node: its fstab without our block, that block's lines, and what is mounted where.

    ``filled`` are wanted mount points that hold files of their own, ``odd`` those that are no
    directories; ``same`` those at which a bind's own source is what is found.
    """

    others: str = ""
    ours: tuple[str, ...] = ()
    mounted: Mapping[str, Mounted] = field(default_factory=dict)
    filled: Mapping[str, str] = field(default_factory=dict)
    odd: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """What to unmount, innermost first, and what to mount, outermost first."""

    unmount: tuple[str, ...]
    mount: tuple[Mount, ...]


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def unescaped(text: str) -> str:
    """Return a field of fstab or mountinfo as it is meant."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


def fields(line: str) -> tuple[str, ...]:
    """Return the fields of a line of fstab, none of a comment."""
    words = line.split()
    return () if not words or words[0].startswith("#") else tuple(map(unescaped, words))


def point_of(line: str) -> str:
    """Return the mount point of a line of fstab, empty when it has none."""
    found = fields(line)
    return found[1] if len(found) > 1 else ""


def parse_mountinfo(text: str) -> dict[str, Mounted]:
    """Return what ``/proc/self/mountinfo`` says is mounted; the last one at a point counts."""
    found = {}
    for line in text.splitlines():
        head, dash, tail = line.partition(" - ")
        left, right = head.split(" "), tail.split(" ")
        if dash and len(left) > 4 and len(right) > 1:
            found[unescaped(left[4])] = Mounted(unescaped(right[1]), right[0])
    return found


def problems(mounts: Sequence[Mount], seen: Seen) -> list[str]:
    """Return everything that keeps the list from being mounted, one sentence each."""
    paths = [mount.path for mount in mounts]
    found = [f"{path} is listed twice" for path in sorted({p for p in paths if paths.count(p) > 1})]
    owners = {point_of(line): line for line in seen.others.splitlines()}
    for mount in mounts:
        found += [f"{mount.path}: {why}" for why in _problems_of(mount, seen, owners)]
    return found


def _problems_of(mount: Mount, seen: Seen, owners: Mapping[str, str]) -> list[str]:
    if not mount.path.startswith("/") or posixpath.normpath(mount.path) != mount.path:
        return ["is no plain absolute path"]
    if mount.path == "/" or not mount.source:
        return ["cannot be mounted over" if mount.path == "/" else "has no source"]
    if re.search(r"\s", mount.options + mount.type) or not mount.type:
        return [f"type '{mount.type}' and options '{mount.options}' must have no spaces in them"]
    if re.search(r"(^|,)pass(word)?=", mount.options):
        return ["a password must not stand in fstab, which everybody reads; use credentials=FILE"]
    if mount.path in owners:
        line = " ".join(owners[mount.path].split())
        return [f"stands in /etc/fstab already, as '{line}'; take out one of the two"]
    if mount.path in seen.odd:
        return ["is there and no directory"]
    if mount.path in seen.filled:
        inside = seen.filled[mount.path]
        return [f"holds {inside}, which the mount would hide; move it away first"]
    if not _is_ours(mount.path, seen) and mount.path in seen.mounted and not _is_up(mount, seen):
        there = seen.mounted[mount.path]
        return [
            f"has {there.source} ({there.type}) mounted, expected {mount.source} ({mount.type}); "
            f"try 'umount {mount.path}' on the node"
        ]
    return []


def _is_ours(path: str, seen: Seen) -> bool:
    return any(point_of(line) == path for line in seen.ours)


def _is_up(mount: Mount, seen: Seen) -> bool:
    """Return whether what is mounted at the path is what is wanted there."""
    there = seen.mounted.get(mount.path)
    if there is None:
        return False
    if mount.type == "bind":
        return mount.path in seen.same
    kinds = {mount.type, there.type}
    alike = len(kinds) == 1 or kinds == {"nfs", "nfs4"} or mount.type == "auto"
    return alike and there.source.rstrip("/") == mount.source.rstrip("/")


def plan_mounts(mounts: Sequence[Mount], seen: Seen) -> Plan:
    """Return what takes the node from ``seen`` to ``mounts``.

    What our block has in another form than wanted, or what is listed no more, is unmounted first.
    """
    lines = {mount.line() for mount in mounts}
    stale = {point_of(line) for line in seen.ours if line not in lines}
    leaving = [path for path in stale if path in seen.mounted]
    coming = [
        mount
        for mount in mounts
        if not mount.by_hand and (mount.path in leaving or not _is_up(mount, seen))
    ]
    return Plan(
        tuple(sorted(leaving, key=lambda path: (-path.count("/"), path))),
        tuple(sorted(coming, key=lambda mount: (mount.path.count("/"), mount.path))),
    )


def lines_after(mounts: Iterable[Mount], failed: Iterable[str], seen: Seen) -> list[str]:
    """Return the block's lines: of a mount that failed its old line stays, if it had one."""
    broken = set(failed)
    old = {point_of(line): line for line in seen.ours}
    lines = [old.get(m.path, "") if m.path in broken else m.line() for m in mounts]
    return [line for line in lines if line]


def former(path: str, seen: Seen) -> Optional[Mount]:
    """Return what our block had mounted at ``path``, if it had."""
    for line in seen.ours:
        found = fields(line)
        if len(found) > 3 and found[1] == path:
            kind = "bind" if found[2] == "none" else found[2]
            return Mount(found[0], path, kind, found[3])
    return None


def has_type(kernel: str, kind: str) -> bool:
    """Return whether /proc/filesystems, whose text is ``kernel``, has a type of file system."""
    return re.search(rf"^(nodev)?\t{re.escape(kind)}$", kernel, re.MULTILINE) is not None


def mount_command(mount: Mount) -> tuple[str, ...]:
    """Return what mounts it now; with nofail, mount would pass over a missing disk in silence."""
    kind = () if mount.type == "bind" else ("-t", mount.type)
    words = [word for word in mount.words() if word != "nofail"]
    return ("mount", *kind, "-o", ",".join(words), "--", mount.source, mount.path)


NO_KERNEL = "this node's kernel cannot mount {type}; see 'modprobe {type}' and /proc/filesystems"
_CAUSES = (
    (r"special device .* does not exist", "{source} does not exist on this node; see 'lsblk'"),
    (r"unknown filesystem type|No such device|not configured in kernel", NO_KERNEL),
    (
        r"need a /sbin/mount\.\w+ helper|bad option; for several filesystems",
        "the node lacks the program that mounts {type}; install its package",
    ),
    (
        r"access denied by server|mounting .* failed, reason given by server: .*denied",
        "{server} does not export this directory to this node; see 'showmount --exports {server}'",
    ),
    (
        r"reason given by server: No such file|No such file or directory",
        "{source} does not exist; see 'showmount --exports {server}'",
    ),
    (
        r"[Pp]rotocol not supported|[Rr]equested NFS version",
        "{server} does not speak this version of NFS; see 'rpcinfo {server}'",
    ),
    (
        r"resolve address|Name or service not known|Temporary failure in name|Failed to resolve",
        "the name {server} has no address here; see 'getent hosts {server}'",
    ),
    (
        r"timed out|No route to host|refused|unreachable|Unable to receive",
        "the server {server} does not answer; see 'ping {server}' and its firewall",
    ),
    (r"special device .* does not exist|does not exist", "{source} does not exist on this node"),
    (r"[Oo]peration not permitted|permission denied", "the node may not mount {type} here"),
)


def cause_of_failure(mount: Mount, rc: int, said: str, kernel: str = "") -> str:
    """Return one sentence for what mount(8) said, and its own words.

    ``kernel`` is the text of /proc/filesystems: without NFS in it, mount.nfs blames the server.
    """
    server = mount.source.partition(":")[0] if _NETWORK.match(mount.type) else mount.source
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    quote = lines[0] if lines else f"exit status {rc}"
    patterns = [cause for pattern, cause in _CAUSES if re.search(pattern, said)]
    if kernel and re.search("version or transport", said) and not has_type(kernel, mount.type):
        patterns = [NO_KERNEL]
    if rc in (124, 137):
        patterns = ["{server} did not answer in time; see 'ping {server}' and its firewall"]
        quote = "mount was stopped"
    if not patterns:
        return quote
    words = {"type": mount.type, "server": server, "source": mount.source}
    return f"{patterns[0].format(**words)} ({quote})"
