# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and places the large files of a release: whole or not at all, checked on the way."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_releases import (
    versions_in,
)

#: Drafts beside the file that they become. k3s imports no file of such a name.
DRAFT = ".rackforge-new-"
BLOCK = 1 << 20
#: Seconds after which restorecon is given up. This collection's choice.
LABEL_SECONDS = 60
#: Longer than a version's name, which may lie across two blocks.
_OVERLAP = 32


class ReleaseError(Exception):
    """A file of a release cannot be had, and why."""


class FetchError(ReleaseError):
    """A file cannot be had from where it is downloaded, and why."""


@dataclass(frozen=True)
class Content:
    """What a file holds: its digest, its size and the releases that it names."""

    sha256: str
    size: int
    versions: frozenset[str] = frozenset()


def read_content(path: str) -> Content:
    """Return what the file at ``path`` holds; OSError when it cannot be read."""
    digest, size, tail = hashlib.sha256(), 0, b""
    versions: set[str] = set()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
            size += len(block)
            versions |= versions_in(tail + block)
            tail = block[-_OVERLAP:]
    return Content(digest.hexdigest(), size, frozenset(versions))


def digest_of(path: str) -> Optional[str]:
    """Return the digest of a regular file, None when there is no such file."""
    if os.path.islink(path) or not os.path.isfile(path):
        return None
    return read_content(path).sha256


def free_bytes(path: str) -> tuple[str, int]:
    """Return the nearest directory that exists, and the bytes that root can write there."""
    while not os.path.isdir(path):
        path = os.path.dirname(path.rstrip("/")) or "/"
    return path, shutil.disk_usage(path).free


def drop_drafts(directory: str) -> list[str]:
    """Remove what an interrupted run left, and return the paths."""
    if not os.path.isdir(directory):
        return []
    drafts = [os.path.join(directory, x) for x in os.listdir(directory) if x.startswith(DRAFT)]
    for each in drafts:
        os.unlink(each)
    return drafts


@contextlib.contextmanager
def draft_of(path: str) -> Iterator[str]:
    """Give a draft beside ``path``; it is gone afterwards unless it was moved."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=os.path.dirname(path), prefix=DRAFT)
    os.close(handle)
    try:
        yield name
    finally:
        if os.path.exists(name):
            os.unlink(name)


def put(
    blocks: Iterable[bytes],
    path: str,
    mode: int,
    accepted: Callable[[Content], str],
) -> Content:
    """Write the blocks to ``path`` if ``accepted`` has nothing against what they hold.

    Whoever runs the former file keeps it; whoever opens the path gets the former file or the new
    one. ``accepted`` returns what is wrong, which is raised as ReleaseError.
    """
    with draft_of(path) as draft:
        digest, size = hashlib.sha256(), 0
        with open(draft, "wb") as file:
            for block in blocks:
                digest.update(block)
                size += len(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        content = Content(digest.hexdigest(), size)
        wrong = accepted(content)
        if wrong:
            raise ReleaseError(wrong)
        os.chmod(draft, mode)
        os.replace(draft, path)
    return content


def label(command: Command, path: str) -> None:
    """Give the file the SELinux label that the node's policy has for it, where there is SELinux.

    A new file has its directory's label, with which SELinux may keep k3s from running containers.
    A failure is none of the release's: without a policy for k3s there is nothing to set.
    """
    program = command.find("restorecon")
    if program:
        bound = ["timeout", "--kill-after=5", str(LABEL_SECONDS)]
        command.run([*bound, program, "-F", path])


def blocks_of(path: str) -> Iterator[bytes]:
    """Yield the contents of a file."""
    with open(path, "rb") as file:
        yield from iter(lambda: file.read(BLOCK), b"")
