# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's state on disk: a snapshot and the changes since."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Optional

#: After so many changes the snapshot is written anew.
COMPACT_AFTER = 500


class Disk:
    """A folder with ``state.json`` and ``changes.log``; a torn last line does not count."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lines = 0
        #: Whether the snapshot is to be written anew soon.
        self.compact = False

    @property
    def snapshot_file(self) -> Path:
        """Return the file that says whether there is a state at all."""
        return self.folder / "state.json"

    @property
    def _log(self) -> Path:
        return self.folder / "changes.log"

    def exists(self) -> bool:
        """Return whether a state was kept here."""
        return self.snapshot_file.exists()

    def load(self) -> Optional[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Return the snapshot and the changes since, or None when there is neither."""
        if not self.exists():
            return None
        state = json.loads(self.snapshot_file.read_text(encoding="utf-8"))
        rows: list[dict[str, Any]] = []
        text = self._log.read_text(encoding="utf-8") if self._log.exists() else ""
        for line in text.splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
        return state, rows

    def save(self, state: dict[str, Any]) -> None:
        """Keep a whole state instead of what was there."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self.folder / "state.json.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            json.dump(state, handle)
            handle.flush()
            os.fsync(handle.fileno())
        new.rename(self.snapshot_file)
        self._log.unlink(missing_ok=True)
        self._lines = 0
        self.compact = False

    def append(self, row: dict[str, Any]) -> bool:
        """Keep one change; say whether it is time for a new snapshot."""
        with open(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as handle:
            handle.write(json.dumps(row) + "\n")
        self._lines += 1
        return self._lines >= COMPACT_AFTER
