# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replace a text file on the node in one step."""

from __future__ import annotations

import os
import tempfile
from typing import Protocol


class Mover(Protocol):
    """What this needs of an AnsibleModule."""

    tmpdir: str

    def atomic_move(self, src: str, dest: str, unsafe_writes: bool) -> None:
        """Put the file at ``src`` in the place of ``dest``, keeping owner and mode."""


def write_text(module: Mover, path: str, text: str) -> None:
    """Write ``text`` to ``path``: whole or not at all, owner and mode kept.

    A file that is itself a mount point (/etc/hosts in a container) cannot be replaced; only then is
    it written in place, since that empties it when the disk is full.
    """
    handle, draft = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
    module.atomic_move(draft, path, unsafe_writes=is_mount_point(path, read_mounts()))


def is_mount_point(path: str, mountinfo: str) -> bool:
    """Return whether something is mounted at ``path``, by the text of /proc/self/mountinfo."""
    points = (line.split()[4] for line in mountinfo.splitlines() if len(line.split()) > 4)
    return os.path.realpath(path).replace(" ", "\\040") in points


def read_mounts() -> str:
    """Return the mounts of this process as the kernel lists them, nothing where it does not."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
