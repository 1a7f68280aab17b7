# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a list of text files differ from what is wanted, and in what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional


class TextFilesError(ValueError):
    """A wanted file cannot be had."""


@dataclass(frozen=True)
class Wanted:
    """A file as it should be. ``validate`` is a command line in which %s stands for a draft."""

    path: str
    content: str
    mode: int
    uid: int
    gid: int
    validate: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """A file as it is; ``content`` is None when there is none."""

    content: Optional[str] = None
    mode: int = 0
    uid: int = 0
    gid: int = 0


#: A user or group that check mode expects from an earlier step; equal to nobody's number.
TO_COME = -1


@dataclass(frozen=True)
class Folder:
    """A directory, as it should be or, with mode None where there is none, as it is."""

    path: str
    mode: Optional[int]
    uid: int = 0
    gid: int = 0


def folder_sides(wanted: Folder, seen: Folder) -> tuple[str, str]:
    """Return a directory's sides of a diff, equal where nothing differs."""
    return _folder_side(seen), _folder_side(wanted)


def _folder_side(folder: Folder) -> str:
    if folder.mode is None:
        return ""
    return f"(directory)\n(mode) {folder.mode:04o}\n(owner) {folder.uid}:{folder.gid}\n"


def parse_mode(path: str, mode: str) -> int:
    """Return the permissions that octal digits stand for."""
    if not re.fullmatch(r"0?[0-7]{3,4}", mode):
        raise TextFilesError(f"{path}: mode is '{mode}', expected octal digits such as 0644")
    return int(mode, 8)


def check_files(paths: list[str], commands: list[tuple[str, ...]]) -> None:
    """Raise TextFilesError for a path that is named twice, and for a validation without a draft."""
    for path in paths:
        if paths.count(path) > 1:
            raise TextFilesError(f"files has {path} twice, expected each path once")
    for command in commands:
        if command and not any("%s" in word for word in command):
            raise TextFilesError(
                f"validate is '{' '.join(command)}', expected %s where the draft's path belongs"
            )


def differences(wanted: Wanted, seen: Seen) -> list[str]:
    """Return what must change, of content, mode and owner."""
    if seen.content is None:
        return ["content", "mode", "owner"]
    found = ["content"] if seen.content != wanted.content else []
    found += ["mode"] if seen.mode != wanted.mode else []
    found += ["owner"] if (seen.uid, seen.gid) != (wanted.uid, wanted.gid) else []
    return found


def describe(content: Optional[str], mode: int, uid: int, gid: int, found: list[str]) -> str:
    """Return a file's side of a diff: its text, and the properties that differ."""
    if content is None:
        return ""
    lines = [f"(mode) {mode:04o}\n"] if "mode" in found else []
    lines += [f"(owner) {uid}:{gid}\n"] if "owner" in found else []
    return content + "".join(lines)
