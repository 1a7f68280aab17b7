# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in a virtual environment, which says that it is ours and whether it is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping

MARK = ".rackforge.json"


def is_ours(path: str) -> bool:
    """Return whether an environment at ``path`` was made by this collection, whole or not."""
    return os.path.exists(os.path.join(path, MARK))


def marked_digest(path: str) -> str:
    """Return the digest of what a whole environment was made from, empty for any other."""
    try:
        with open(os.path.join(path, MARK), encoding="utf-8") as file:
            return str(json.load(file)["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def write_mark(path: str, mark: Mapping[str, str]) -> None:
    """Write the mark: whole or not at all, and on the disk before anything that follows."""
    draft = os.path.join(path, MARK + ".new")
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(dict(mark), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, os.path.join(path, MARK))


def remove_marked(path: str) -> None:
    """Remove an environment so that what a power loss leaves of it is known as ours and not whole.

    The mark says so before anything goes, and goes last.
    """
    if marked_digest(path) or not is_ours(path):
        write_mark(path, {"digest": ""})
    for entry in list(os.scandir(path)):
        if entry.name == MARK:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
    shutil.rmtree(path)
