# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Homes of users that a role creates: where they lie, and whether the user put anything there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_plan import cut_block

SKELETON = "/etc/skel"
USERADD_DEFAULTS = "/etc/default/useradd"
#: Larger files are nobody's skeleton and no list of keys.
LARGEST = 1 << 20


def home_of(name: str, defaults: str) -> str:
    """Return the home that useradd gives ``name``, by the text of its file of defaults."""
    found = re.findall(r"^HOME=[\"']?([^\s\"'#]+)", defaults, re.MULTILINE)
    return os.path.join(found[-1] if found else "/home", name)


def foreign_in(home: str, uid: int, role: str, skeleton: str = SKELETON) -> str:
    """Return one thing in ``home`` that neither useradd nor ``role`` put there, or "".

    Copies of the skeleton, empty files and empty directories hold nothing of the user's. Nor does
    a list of keys in which nothing stands but the block of ``role``.
    """
    found = os.lstat(home)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        return "what is no directory of that user"
    for folder, folders, files in os.walk(home, onerror=_give_up):
        if os.path.ismount(folder):
            return f"a file system that is mounted at {folder}"
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted((*files, *links)):
            path = os.path.join(folder, name)
            if not _is_ours(path, os.path.relpath(path, home), role, skeleton):
                return path
    return ""


def _give_up(error: OSError) -> None:
    raise error


def _is_ours(path: str, relative: str, role: str, skeleton: str) -> bool:
    model = os.path.join(skeleton, relative)
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return os.path.islink(model) and os.readlink(model) == os.readlink(path)
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
        return False
    text = _read(path)
    if relative == os.path.join(".ssh", "authorized_keys"):
        text = cut_block(text, role)
    return not text.strip() or (os.path.isfile(model) and _read(model) == text)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return stream.read()


def spools(name: str) -> Sequence[str]:
    """Return where the mail of ``name`` may lie."""
    return (os.path.join("/var/mail", name), os.path.join("/var/spool/mail", name))
