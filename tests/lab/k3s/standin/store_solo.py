# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The datastore of a server that is alone (k3s has SQLite there)."""

from __future__ import annotations

from .log import FatalError
from .store import ApiError, Change, Key, Obj, Store
from .store_disk import Disk


def rows_of(changes: list[Change]) -> list[list[object]]:
    """Return changes, fit for JSON."""
    return [[change.key.text(), change.obj] for change in changes]


def changes_of(rows: list[list[object]]) -> list[Change]:
    """Return the changes that ``rows_of`` made rows from."""
    return [Change(Key.parsed(str(text)), _object(obj)) for text, obj in rows]


def _object(value: object) -> Obj | None:
    return value if isinstance(value, dict) else None


class Solo:
    """A store whose changes are on disk before they count."""

    def __init__(self, store: Store, disk: Disk) -> None:
        self._store = store
        self._disk = disk

    def start(self) -> None:
        """Go on with what the disk has, or begin."""
        try:
            found = self._disk.load()
            if found is None:
                self._disk.save(self._store.dump())
            else:
                state, rows = found
                self._store.load(state)
                for row in rows:
                    self._store.apply(row["revision"], changes_of(row["changes"]))
        except OSError as exc:
            raise FatalError(f"starting kubernetes: preparing server: {exc}") from None
        self._store.commit = self._commit

    def _commit(self, revision: int, changes: list[Change]) -> None:
        try:
            full = self._disk.append({"revision": revision, "changes": rows_of(changes)})
            if full:
                self._store.apply(revision, changes)
                self._disk.save(self._store.dump())
        except OSError as exc:
            raise ApiError(500, "InternalError", f"database or disk is full: {exc}") from None

    def leading(self) -> bool:
        """Return True: there is nobody else."""
        return True

    def stop(self) -> None:
        """Do nothing: every change is on disk."""
