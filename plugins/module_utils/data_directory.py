# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory for data: what is wrong with where it is wanted, and what differs from it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

GIB = 1 << 30


@dataclass(frozen=True)
class Wanted:
    """A directory to have."""

    path: str
    mode: str
    uid: int
    gid: int
    free_gib: int = 0


@dataclass(frozen=True)
class Seen:
    """A path as it is: its kind, rights, whether it is empty, and the room around it.

    ``place`` is the path itself or its nearest parent that is there; ``free`` are the bytes that
    its file system has for others than root.
    """

    kind: str
    place: str
    free: int
    mode: int = 0
    uid: int = 0
    gid: int = 0
    empty: bool = True


def problem(wanted: Wanted, seen: Seen) -> str:
    """Return why the directory cannot be had, or an empty string.

    Room is asked for before there is data: what fills it later is what it is for.
    """
    path = wanted.path
    if not path.startswith("/") or posixpath.normpath(path) != path or path.count("/") < 2:
        return f"{path}: expected a plain absolute path below a top-level directory"
    if not re.match(r"0?[0-7]{3,4}$", wanted.mode):
        return f"{path}: mode is '{wanted.mode}', expected octal digits such as 0755"
    if seen.kind not in ("absent", "directory"):
        return f"{path} is there and no directory ({seen.kind}); move it away"
    free = seen.free / GIB
    if seen.empty and free < wanted.free_gib:
        return (
            f"{path}: {free:.1f} GiB are free on the file system of {seen.place}, expected "
            f"{wanted.free_gib} GiB; see 'df -h {seen.place}', free space, mount a larger "
            f"disk there, or choose another path"
        )
    return ""


def differences(wanted: Wanted, seen: Seen) -> list[tuple[str, str, str]]:
    """Return name, present and wanted value of what differs."""
    if seen.kind == "absent":
        return [("state", "absent", "directory"), *_rights(wanted)]
    now = {"mode": f"{seen.mode:04o}", "owner": f"{seen.uid}:{seen.gid}"}
    return [
        (name, now[name], value) for name, _none, value in _rights(wanted) if now[name] != value
    ]


def _rights(wanted: Wanted) -> list[tuple[str, str, str]]:
    return [
        ("mode", "", f"{int(wanted.mode, 8):04o}"),
        ("owner", "", f"{wanted.uid}:{wanted.gid}"),
    ]
