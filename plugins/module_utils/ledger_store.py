# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the ledger lies on a node, and how it gets there without ever being half written."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    FileState,
    Ledger,
    LedgerError,
    from_json,
    to_json,
)

DIRECTORY = "/var/lib/rackforge"


def write_atomically(
    path: str, content: bytes, mode: int, owner: Optional[tuple[int, int]] = None
) -> None:
    """Replace ``path`` by ``content``: after a crash it is either the old file or the new."""
    parent = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=".rackforge-", dir=parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_directory(parent)


def _sync_directory(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Store:
    """The ledger's directory: ledger.json, and backup/ with copies named by their SHA-256."""

    def __init__(self, directory: Optional[str] = None) -> None:
        self.directory = directory or DIRECTORY
        self.path = os.path.join(self.directory, "ledger.json")
        self._backups = os.path.join(self.directory, "backup")

    def load(self) -> Ledger:
        """Return the ledger of this node, an empty one when there is none."""
        try:
            with open(self.path, encoding="utf-8") as stream:
                text = stream.read()
        except FileNotFoundError:
            return Ledger()
        try:
            return from_json(text)
        except LedgerError as exc:
            raise LedgerError(
                f"Cannot use {self.path}: {exc}. Nothing was changed. If it cannot be repaired, "
                f"move it away: what stood before can then no longer be restored"
            ) from exc

    def save(self, ledger: Ledger, files: Optional[Mapping[str, FileState]] = None) -> None:
        """Keep ``ledger`` and copies of ``files``; the last record's end removes everything."""
        if not ledger.records:
            shutil.rmtree(self.directory, ignore_errors=False)
            return
        for path in (self.directory, self._backups):
            os.makedirs(path, mode=0o700, exist_ok=True)
            os.chmod(path, 0o700)
        for path, state in (files or {}).items():
            if state.sha256:
                self._copy(path, state.sha256)
        write_atomically(self.path, to_json(ledger).encode(), 0o600)
        self._forget_copies(ledger.backups())

    def backup(self, sha256: str) -> bytes:
        """Return the recorded content with this checksum; raise OSError when it is lost."""
        with open(os.path.join(self._backups, sha256), "rb") as stream:
            content = stream.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise OSError(f"its copy {stream.name} is damaged")
        return content

    def _copy(self, path: str, sha256: str) -> None:
        with open(path, "rb") as stream:
            content = stream.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise LedgerError(f"{path} changed while it was being recorded; run the play again")
        write_atomically(os.path.join(self._backups, sha256), content, 0o600)

    def _forget_copies(self, needed: set[str]) -> None:
        for name in os.listdir(self._backups):
            if name not in needed:
                os.unlink(os.path.join(self._backups, name))
