# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file systems and disks of a node, from the kernel's tables and one statvfs for each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_tree import Tree

#: Folders that what we install fills. They need not exist: the file system around them counts.
PATHS = (
    "/",
    "/home",
    "/opt",
    "/tmp",  # noqa: S108 - measured, never written
    "/var/lib",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/rancher",
    "/var/lib/kubelet",
    "/var/lib/ray",
)

#: File systems of other machines: asking a dead one for its size hangs.
_REMOTE = re.compile(r"nfs\d?|cifs|smb3|ceph|lustre|glusterfs|afs|autofs|9p|fuse(\..+)?|beegfs.*")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_BLOCK = "/sys/dev/block"
_MIB = 1024 * 1024
#: The kernel counts the size of a block device in sectors of 512 bytes, whatever its own are.
_SECTORS_PER_MIB = 2048
#: A volume on a crypt device on a volume group has three layers; this many end any strange tree.
_LAYERS = 8


@dataclass(frozen=True)
class Mount:
    """A mounted file system. ``device`` is major:minor as the kernel numbers its device.

    ``read_only`` holds for a mount that was asked for so, and for a file system that the kernel
    made so after an error; the options of the mount go on saying rw then.
    """

    point: str
    kind: str
    options: tuple[str, ...] = ()
    device: str = ""
    read_only: bool = False

    @property
    def is_remote(self) -> bool:
        """Return whether another machine, or a program, answers for it."""
        return _REMOTE.fullmatch(self.kind) is not None


def parse_mountinfo(text: str) -> list[Mount]:
    """Return the mounts in the text of /proc/self/mountinfo, in its order, odd lines left out."""
    found = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        head, tail = before.split(), after.split()
        if dash and len(head) >= 6 and tail:
            options, of_all = head[5].split(","), tail[2].split(",") if len(tail) > 2 else []
            found.append(
                Mount(
                    point=_unescape(head[4]),
                    kind=tail[0],
                    options=tuple(options),
                    device=head[2],
                    read_only="ro" in (*options, *of_all),
                )
            )
    return found


def _unescape(text: str) -> str:
    """Return a path of mountinfo, which writes a space as backslash 040."""
    return _ESCAPE.sub(lambda found: chr(int(found.group(1), 8)), text)


def mount_of(path: str, mounts: Iterable[Mount]) -> Optional[Mount]:
    """Return the mount that ``path`` lies on: the deepest one, and of two there the later."""
    best: Optional[Mount] = None
    for mount in mounts:
        around = mount.point.rstrip("/") + "/"
        if f"{path.rstrip('/')}/".startswith(around) and (
            best is None or len(mount.point) >= len(best.point)
        ):
            best = mount
    return best


def read_disks(tree: Tree, docker_root: str = "") -> list[dict[str, Any]]:
    """Return the file systems below PATHS, each once, with the paths that lie on it."""
    mounts = parse_mountinfo(tree.text("/proc/self/mountinfo"))
    holders: dict[Mount, list[str]] = {}
    for path in dict.fromkeys([*PATHS, *([docker_root] if docker_root else [])]):
        mount = mount_of(path, mounts)
        if mount is not None and not mount.is_remote:
            holders.setdefault(mount, []).append(path)
    return [_disk(tree, mount, paths) for mount, paths in holders.items()]


def _disk(tree: Tree, mount: Mount, paths: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "mount": mount.point,
        "type": mount.kind,
        "noexec": "noexec" in mount.options,
        "read_only": mount.read_only,
        "paths": paths,
        "size_mib": None,
        "free_mib": None,
        "inodes": None,
        "inodes_free": None,
    }
    try:
        seen = os.statvfs(tree.path(mount.point))
    except (OSError, ValueError):
        return values
    values["size_mib"] = seen.f_blocks * seen.f_frsize // _MIB
    values["free_mib"] = seen.f_bavail * seen.f_frsize // _MIB
    if seen.f_files > 0:  # Btrfs and others make inodes as they go and say 0.
        values["inodes"], values["inodes_free"] = seen.f_files, seen.f_favail
    return values


def read_system_disk_mib(tree: Tree) -> Optional[int]:
    """Return the size of the disks that / lies on, None when no block device can be told.

    Partitions, volumes and crypt devices are followed down to their disks, so that a volume group
    that gives / a part only counts whole. An array counts as one disk of its own size.
    """
    root = mount_of("/", parse_mountinfo(tree.text("/proc/self/mountinfo")))
    if root is None or not re.fullmatch(r"\d+:\d+", root.device):
        return None
    sizes = [_size_mib(tree, folder) for folder in sorted(_whole_disks(tree, root.device))]
    known = [size for size in sizes if size]
    return sum(known) if known else None


def _whole_disks(tree: Tree, device: str) -> set[str]:
    """Return the folders in sysfs of the disks that a device is made of."""
    waiting = {_folder(tree, device)}
    found: set[str] = set()
    for _layer in range(_LAYERS):
        below: set[str] = set()
        for folder in waiting:
            parts = tree.names(f"{folder}/slaves")
            if tree.exists(f"{folder}/partition"):
                below.add(os.path.dirname(folder))
            elif os.path.basename(folder).startswith("dm-") and parts:
                numbers = (tree.text(f"{folder}/slaves/{part}/dev").strip() for part in parts)
                below |= {_folder(tree, number) for number in numbers if number}
            else:
                found.add(folder)
        waiting = below
    return found


def _folder(tree: Tree, device: str) -> str:
    """Return the folder of a device as a path of the node."""
    real = os.path.realpath(tree.path(f"{_BLOCK}/{device}"))
    base = os.path.realpath(tree.root).rstrip("/")
    return real[len(base) :] if real.startswith(f"{base}/") else real


def _size_mib(tree: Tree, folder: str) -> Optional[int]:
    text = tree.text(f"{folder}/size").strip()
    return int(text) // _SECTORS_PER_MIB if text.isascii() and text.isdigit() else None
