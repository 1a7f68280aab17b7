# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read and place the text files of a node."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import (
    Mover,
    write_text,
)

HEADER = "# Managed by rackforge.gpu_cluster\n"
_FOLDER_MODE = 0o755
_FILE_MODE = 0o644


def read_text(path: str) -> Optional[str]:
    """Return the text of ``path``, or None when there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def make_parents(path: str) -> None:
    """Make the directories that ``path`` lies in, open to everybody's eyes whatever the umask."""
    missing = []
    parent = os.path.dirname(path)
    while parent and not os.path.isdir(parent):
        missing.append(parent)
        parent = os.path.dirname(parent)
    for folder in reversed(missing):
        os.mkdir(folder)
        os.chmod(folder, _FOLDER_MODE)


def place_text(module: Mover, path: str, text: Optional[str], mode: Optional[int] = None) -> None:
    """Have ``text`` at ``path``, whole or not at all; None takes the file away.

    A new file gets ``mode`` (0644 when not given) whatever the umask; an old one keeps its own
    unless ``mode`` is given.
    """
    if text is None:
        with suppress(FileNotFoundError):
            os.unlink(path)
        return
    if mode is None and not os.path.exists(path):
        mode = _FILE_MODE
    make_parents(path)
    write_text(module, path, text)
    if mode is not None:
        os.chmod(path, mode)


def shown(path: str, before: Optional[str], after: Optional[str]) -> dict[str, str]:
    """Return a file's part of a module's diff."""
    return {
        "before_header": path,
        "after_header": path,
        "before": before or "",
        "after": after or "",
    }
