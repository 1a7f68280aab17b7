# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's values: what roles may touch and how it stood before they did.

Pure: nothing here reads or writes a node. ``ledger_read`` fills these values from a node,
``ledger_plan`` compares two of them, ``ledger_apply`` carries the result out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Optional, TypeVar

FORMAT = 1
ABSENT = "absent"
# A unit that systemd calls stopped while processes of its control group live on.
LINGERING = "lingering"
T = TypeVar("T")


class LedgerError(Exception):
    """The ledger cannot do what was asked, and why."""


@dataclass(frozen=True)
class Declaration:
    """What a role says that it may touch."""

    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    sysctls: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    memberships: tuple[str, ...] = ()  # group/user
    mounts: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()  # whose packet-filter rules the role takes out itself
    firewall: bool = False
    refresh: Mapping[str, str] = field(default_factory=dict)

    def beyond(self, older: Declaration) -> Declaration:
        """Return what is declared here and not in ``older``."""
        return Declaration(
            **{
                name: tuple(item for item in mine if item not in getattr(older, name))
                for name, mine in self.lists().items()
            },
            firewall=self.firewall and not older.firewall,
            refresh={p: c for p, c in self.refresh.items() if older.refresh.get(p) != c},
        )

    def plus(self, other: Declaration) -> Declaration:
        """Return everything declared here or in ``other``, each item once."""
        return Declaration(
            **{
                name: tuple(dict.fromkeys((*mine, *getattr(other, name))))
                for name, mine in self.lists().items()
            },
            firewall=self.firewall or other.firewall,
            refresh={**self.refresh, **other.refresh},
        )

    def lists(self) -> dict[str, tuple[str, ...]]:
        """Return the declared items by kind, without the firewall switch and the commands."""
        others = ("firewall", "refresh")
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in others}

    def empty(self) -> bool:
        """Return True when nothing is declared."""
        return not self.firewall and not self.refresh and not any(self.lists().values())


@dataclass(frozen=True)
class FileState:
    """A path as it stands. ``missing`` are the parents that did not exist."""

    kind: str = ABSENT  # absent, file, link, directory, other
    mode: str = ""
    uid: int = 0
    gid: int = 0
    sha256: str = ""
    target: str = ""
    mtime_ns: int = 0
    missing: tuple[str, ...] = ()

    def same_as(self, other: FileState) -> bool:
        """Return True when an owner could not tell the two apart (times do not count)."""
        mine = (self.kind, self.mode, self.uid, self.gid, self.sha256, self.target)
        return mine == (
            other.kind,
            other.mode,
            other.uid,
            other.gid,
            other.sha256,
            other.target,
        )


@dataclass(frozen=True)
class DirectoryState:
    """A directory as it stands, without what is in it."""

    kind: str = ABSENT  # absent, directory, or what else lies there
    empty: bool = True
    mode: str = ""
    uid: int = 0
    gid: int = 0
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class MountState:
    """A mount point as it stands. Nothing is known of what a file system that is mounted hides."""

    mounted: bool = False
    exists: bool = False
    empty: bool = True
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnitState:
    """A systemd unit as ``systemctl show`` describes it."""

    load: str = "not-found"
    active: str = "inactive"
    enabled: str = ""
    group: str = ""

    @property
    def running(self) -> bool:
        """Return True when the unit runs, is on its way, or left processes behind."""
        return self.active in ("active", "activating", "reloading", "refreshing", LINGERING)


@dataclass(frozen=True)
class NodeState:
    """The things of a declaration as they stand on a node at one moment.

    ``packages`` maps every package that dpkg or rpm knows to its state (``installed``,
    ``config-files`` or ``broken``); ``auto`` are those that came as dependencies only.
    ``images`` tells which container images were there; None where the engine did not answer.
    ``homes`` tells which directories were there that a new user would get as home.
    ``firewall`` maps the program that printed them to the packet filter's rules; ``rules`` is the
    same for a role that takes its software's rules out itself.
    """

    packages: Optional[Mapping[str, str]] = None
    auto: tuple[str, ...] = ()
    files: Mapping[str, FileState] = field(default_factory=dict)
    blocks: Mapping[str, FileState] = field(default_factory=dict)
    directories: Mapping[str, DirectoryState] = field(default_factory=dict)
    units: Mapping[str, UnitState] = field(default_factory=dict)
    sysctls: Mapping[str, Optional[str]] = field(default_factory=dict)
    users: Mapping[str, bool] = field(default_factory=dict)
    groups: Mapping[str, bool] = field(default_factory=dict)
    interfaces: Optional[tuple[str, ...]] = None
    images: Mapping[str, Optional[bool]] = field(default_factory=dict)
    memberships: Mapping[str, bool] = field(default_factory=dict)
    mounts: Mapping[str, MountState] = field(default_factory=dict)
    data: Mapping[str, DirectoryState] = field(default_factory=dict)
    homes: Mapping[str, bool] = field(default_factory=dict)
    firewall: Optional[Mapping[str, str]] = None
    rules: Optional[Mapping[str, str]] = None


@dataclass(frozen=True)
class RoleRecord:
    """One role's entry in the ledger.

    ``pending`` are the paths that a restoration put back, or was about to, and whose command
    has not run to its end since.
    """

    role: str
    declared: Declaration
    before: NodeState
    pending: tuple[str, ...] = ()

    def backups(self) -> set[str]:
        """Return the names of the copies that this record needs."""
        return {state.sha256 for state in self.before.files.values() if state.sha256}


@dataclass(frozen=True)
class Ledger:
    """The records of all roles on one node, oldest first."""

    records: tuple[RoleRecord, ...] = ()

    def get(self, role: str) -> Optional[RoleRecord]:
        """Return the record of ``role``, or None."""
        return next((record for record in self.records if record.role == role), None)

    def put(self, record: RoleRecord) -> Ledger:
        """Return a ledger with ``record`` in the place of its role's older one, or last."""
        if self.get(record.role) is None:
            return Ledger((*self.records, record))
        return Ledger(tuple(record if r.role == record.role else r for r in self.records))

    def without(self, role: str) -> Ledger:
        """Return a ledger in which ``role`` has no record."""
        return Ledger(tuple(record for record in self.records if record.role != role))

    def backups(self) -> set[str]:
        """Return the names of the copies that some record needs."""
        return set().union(*(record.backups() for record in self.records))


#: What a node's state holds as mappings from a name to how that stands.
_BY_NAME = (
    *("files", "blocks", "directories", "units", "sysctls", "users", "groups", "images"),
    *("memberships", "mounts", "data", "homes"),
)


def extend(record: RoleRecord, more: Declaration, now: NodeState) -> RoleRecord:
    """Return ``record`` with the items of ``more`` as they stand now; no old entry changes.

    A package that is declared later stood as it stands now, even if it did not when the role
    was first recorded: who installed or removed it since cannot be known.
    """
    before = record.before
    changes: dict[str, Any] = {
        name: {**getattr(now, name), **getattr(before, name)} for name in _BY_NAME
    }
    changes["packages"] = before.packages
    if before.packages is None:
        changes.update(packages=now.packages, auto=now.auto)
    elif now.packages is not None:
        found = {n: now.packages[n] for n in more.packages if n in now.packages}
        older = {
            name: state
            for name, state in before.packages.items()
            if name not in more.packages or name in now.packages
        }
        changes["packages"] = {**found, **older}
        changes["auto"] = tuple(dict.fromkeys((*before.auto, *(n for n in now.auto if n in found))))
    changes["interfaces"] = _grown_interfaces(before.interfaces, more, now.interfaces)
    if before.firewall is None:
        changes["firewall"] = now.firewall
    if before.rules is None:
        changes["rules"] = now.rules
    return replace(record, declared=record.declared.plus(more), before=replace(before, **changes))


def _grown_interfaces(
    before: Optional[tuple[str, ...]], more: Declaration, now: Optional[tuple[str, ...]]
) -> Optional[tuple[str, ...]]:
    if before is None or now is None or not more.interfaces:
        return now if before is None else before
    return tuple(dict.fromkeys((*before, *now)))


def to_json(ledger: Ledger) -> str:
    """Return the text that is kept on the node."""
    roles = [asdict(record) for record in ledger.records]
    return json.dumps({"format": FORMAT, "roles": roles}, indent=1, sort_keys=True) + "\n"


def from_json(text: str) -> Ledger:
    """Return the ledger kept in ``text``; raise LedgerError when it is not one of ours."""
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise LedgerError(f"its format is {data['format']}, expected {FORMAT}")
        return Ledger(tuple(_record(entry) for entry in data["roles"]))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise LedgerError(f"it does not read as a ledger ({exc!r})") from exc


def _record(entry: Mapping[str, Any]) -> RoleRecord:
    declared = Declaration(**_tuples(entry["declared"]))
    pending = tuple(entry.get("pending", ()))
    return RoleRecord(entry["role"], declared, _state(entry["before"]), pending)


def _state(data: Mapping[str, Any]) -> NodeState:
    return NodeState(
        packages=data["packages"],
        auto=tuple(data["auto"]),
        files=_each(FileState, data["files"]),
        blocks=_each(FileState, data["blocks"]),
        directories=_each(DirectoryState, data["directories"]),
        units=_each(UnitState, data["units"]),
        sysctls=data["sysctls"],
        users=data["users"],
        groups=data["groups"],
        interfaces=None if data["interfaces"] is None else tuple(data["interfaces"]),
        images=data["images"],
        memberships=data.get("memberships", {}),
        mounts=_each(MountState, data.get("mounts", {})),
        data=_each(DirectoryState, data.get("data", {})),
        homes=data.get("homes", {}),
        firewall=data["firewall"],
        rules=data.get("rules"),
    )


def _each(kind: type[T], data: Mapping[str, Mapping[str, Any]]) -> dict[str, T]:
    return {name: kind(**_tuples(value)) for name, value in data.items()}


def _tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}


def names(items: Iterable[str]) -> str:
    """Return ``items`` as a user reads them, or the word none."""
    return ", ".join(items) or "none"
