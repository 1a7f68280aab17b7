# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be undone on a node: the record of a role against how the node stands now.

Pure. ``plan_restore`` is the only place that decides; ``ledger_apply`` obeys it.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    ABSENT,
    DirectoryState,
    FileState,
    MountState,
    NodeState,
    RoleRecord,
    UnitState,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_action import (
    Action,
    Kind,
    Left,
    Plan,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_firewall import (
    SAVERS,
    undo_iptables,
    undo_nft,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_parse import (
    BROKEN,
    CONFIG_FILES,
    INSTALLED,
    REINSTALL,
)

_PROTECTED = (
    *("/etc/apt", "/etc/ssh", "/etc/systemd", "/etc/systemd/system"),
    *("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/sbin", "/usr/share"),
    *("/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/local/share"),
    *("/var/backups", "/var/cache", "/var/lib", "/var/local", "/var/log", "/var/mail"),
    *("/var/opt", "/var/run", "/var/spool"),
    *("/var/lib/apt", "/var/lib/dpkg", "/var/lib/rackforge", "/var/lib/rpm", "/var/lib/systemd"),
)


@dataclass(frozen=True)
class Home:
    """The home of a user that came since; ``foreign`` is something in it that is not ours."""

    path: str
    foreign: str = ""


@dataclass(frozen=True)
class Outlook:
    """What besides the recorded state a plan needs to know of the node.

    ``dependants`` would go with our packages because they need them, ``unneeded`` because
    nothing needs them any more; ``closure`` is everything that our packages depend on or
    recommend; ``recommends`` are the present packages' recommendations. ``children`` lists the
    directories that did not exist before, ``texts`` holds the files that carry our block.
    ``homes`` are those of the new users that have one.
    """

    dependants: tuple[str, ...] = ()
    unneeded: tuple[str, ...] = ()
    closure: frozenset[str] = frozenset()
    recommends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    homes: Mapping[str, Home] = field(default_factory=dict)


def plan_restore(
    record: RoleRecord,
    present: NodeState,
    outlook: Outlook,
    keep: Iterable[str] = (),
) -> Plan:
    """Return what takes the node from ``present`` back to the role's record.

    An item of ``record`` that equals, contains or lies within a path of ``keep`` is left as
    it is. Nothing that stood there before, and nothing undeclared, is ever in the plan.
    """
    kept = tuple(keep)
    packages, left = _packages(record, present, outlook)
    files = [a for a in _files(record, present, outlook) if not _is_kept(a.target, kept)]
    trees, refused = _directories(record, present, kept)
    actions = [*packages, *files, *trees, *_network(record, present)]
    actions += [*_mounts(record, present, kept), *_data(record, present, kept)]
    actions += _parents(record, outlook, {a.target for a in actions}, kept)
    actions += [*_sysctls(record, present), *_accounts(record, present, outlook, kept)]
    settings = any(a.kind in (Kind.RESTORE_FILE, Kind.DELETE_FILE) for a in files)
    actions += _units(record, present, settings)
    if any(a.kind in _MOVES_UNITS or _is_unit_file(a.target) for a in actions):
        actions.append(Action(Kind.RELOAD_SYSTEMD, "systemd"))
    actions += _refreshes(record, {a.target for a in actions})
    ordered = sorted(set(actions), key=lambda action: _order(action, record.declared.units))
    stays = _staying_homes(record, present, outlook, kept) + _staying_data(record, present)
    return Plan(tuple(ordered), tuple(sorted({*left, *refused})), stays)


def _order(action: Action, units: tuple[str, ...]) -> tuple[int, int, str, str]:
    """Sort by kind; units as declared, directories that must be empty from the inside out.

    What starts a unit (its socket, timer or path) is stopped before all services.
    """
    first = 0
    if action.kind in (Kind.UNMOUNT, Kind.REMOVE_POINT, Kind.REMOVE_PARENT):
        first = -action.target.count("/")
    elif action.kind is Kind.STOP_UNIT:
        starter = action.target.endswith((".socket", ".timer", ".path"))
        position = units.index(action.target) if action.target in units else len(units)
        first = -1 if starter else position
    return action.kind, first, action.target, action.value


_MOVES_UNITS = (Kind.PURGE_PACKAGE, Kind.REMOVE_PACKAGE, Kind.DISABLE_UNIT)


def _is_unit_file(path: str) -> bool:
    """Return True for what systemd reads: it makes mount units of fstab's lines."""
    return path == "/etc/fstab" or path.startswith(
        ("/etc/systemd/", "/usr/lib/systemd/", "/run/systemd/", "/lib/systemd/")
    )


def _is_kept(path: str, keep: Iterable[str]) -> bool:
    return any(_within(path, kept) or _within(kept, path) for kept in keep)


def _within(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def new_packages(record: RoleRecord, present: NodeState) -> tuple[str, ...]:
    """Return the declared packages that are here now and were not installed before."""
    before, now = record.before.packages, present.packages
    if before is None or now is None:
        return ()
    return tuple(
        name
        for name in record.declared.packages
        if name in now and now[name] != before.get(name) and before.get(name) in _GONE
    )


_GONE = (None, CONFIG_FILES)


def _packages(
    record: RoleRecord, present: NodeState, outlook: Outlook
) -> tuple[list[Action], list[Left]]:
    before, now = record.before.packages or {}, present.packages or {}
    ours = new_packages(record, present)
    companions = _companions(record, present, outlook)
    allowed = {*ours, *companions}
    strangers = [name for name in outlook.dependants if name not in allowed]
    if strangers:
        reason = (
            f"stays: without {', '.join(ours)} {', '.join(strangers)} would go too, and that is "
            f"not ours; remove it yourself and run reset again"
        )
        repairs = [*_broken(record, present, outlook), *_reinstallations(record, present)]
        return repairs, [Left(f"package {name}", reason) for name in ours]
    actions = [
        Action(Kind.REMOVE_PACKAGE if name in before else Kind.PURGE_PACKAGE, name)
        for name in sorted(allowed)
    ]
    actions += _broken(record, present, outlook)
    actions += _reinstallations(record, present)
    again = set(record.declared.packages) & set(record.before.auto) - set(present.auto)
    actions += [Action(Kind.MARK_AUTO, name) for name in sorted(again) if name in now]
    return actions, []


def _reinstallations(record: RoleRecord, present: NodeState) -> list[Action]:
    """Return what brings back the declared packages that were here and are gone."""
    if record.before.packages is None or present.packages is None:
        return []
    before, now = record.before.packages, present.packages
    return [
        Action(Kind.INSTALL_PACKAGE, name)
        for name in record.declared.packages
        if before.get(name) == INSTALLED and now.get(name) in _GONE
    ]


def _broken(record: RoleRecord, present: NodeState, outlook: Outlook) -> list[Action]:
    """Return what to do with packages whose installation was interrupted since the record.

    Half-installed ones of ours go at once, which spares starting their services only to stop
    them; anybody else's are finished.
    """
    before, now = record.before.packages or {}, present.packages or {}
    broken = [n for n, s in now.items() if s in (BROKEN, REINSTALL) and before.get(n) != s]
    ours = {*record.declared.packages, *outlook.closure}
    return [
        Action(
            Kind.DROP_PACKAGE if before.get(n) in _GONE and n in ours else Kind.REPAIR_PACKAGE, n
        )
        for n in broken
    ]


def _companions(record: RoleRecord, present: NodeState, outlook: Outlook) -> set[str]:
    """Return the dependencies that came with our packages and that nothing else wants."""
    before, now = record.before.packages or {}, present.packages or {}
    leftovers = [name for name, state in now.items() if state == CONFIG_FILES]
    needing = [name for name in outlook.dependants if name in present.auto]
    candidates = {
        name
        for name in (*outlook.unneeded, *needing, *leftovers)
        if now.get(name) != before.get(name)
        and before.get(name) in _GONE
        and name in outlook.closure
        and name not in record.declared.packages
    }
    staying = set(now) - set(before) - candidates - set(new_packages(record, present))
    wanted = {name for owner in staying for name in outlook.recommends.get(owner, ())}
    return candidates - wanted


def _files(record: RoleRecord, present: NodeState, outlook: Outlook) -> list[Action]:
    actions = []
    for path, before in record.before.files.items():
        now = present.files.get(path, FileState())
        if before.same_as(now):
            continue
        if before.kind == ABSENT and now.kind in ("file", "link", "other"):
            actions.append(Action(Kind.DELETE_FILE, path))
        elif before.kind in ("file", "link"):
            actions.append(Action(Kind.RESTORE_FILE, path))
    for path, before in record.before.blocks.items():
        text = outlook.texts.get(path)
        if text is None:
            continue
        rest = cut_block(text, record.role, before.sha256)
        if before.kind == ABSENT and not rest.strip() and rest != text:
            actions.append(Action(Kind.DELETE_FILE, path))
        elif rest != text:
            actions.append(Action(Kind.CUT_BLOCK, path, before.sha256))
    return actions


def cut_block(text: str, role: str, sha256: str = "") -> str:
    """Return ``text`` without the role's marked block.

    A last line that had no line feed when ``sha256`` was taken loses the one that came with
    the block. Without both markers in order the text stays as it is.
    """
    lines = text.splitlines(keepends=True)
    marks = [line.strip() for line in lines]
    begin, end = (f"# {word} rackforge.gpu_cluster {role}" for word in ("BEGIN", "END"))
    while begin in marks and end in marks[marks.index(begin) :]:
        first = marks.index(begin)
        last = marks.index(end, first)
        del lines[first : last + 1], marks[first : last + 1]
    rest = "".join(lines)
    shorter = rest[:-1] if rest.endswith("\n") else rest
    if rest != text and sha256 and _digest(shorter) == sha256:
        return shorter
    return rest


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _directories(
    record: RoleRecord, present: NodeState, keep: tuple[str, ...]
) -> tuple[list[Action], list[Left]]:
    actions, refused = [], []
    for path, before in record.before.directories.items():
        now = present.directories.get(path, DirectoryState())
        kinds = [] if _is_kept(path, keep) else _directory(before, now)
        why = danger(path) if {*kinds} & {Kind.REMOVE_TREE, Kind.EMPTY_TREE} else ""
        if why:
            refused.append(Left(path, why))
        else:
            actions += [Action(kind, path) for kind in kinds]
    return actions, refused


def _directory(before: DirectoryState, now: DirectoryState) -> list[Kind]:
    if before.kind == ABSENT:
        return [] if now.kind == ABSENT else [Kind.REMOVE_TREE]
    if before.kind != "directory":
        return []
    if now.kind == ABSENT:
        return [Kind.CREATE_DIRECTORY]
    kinds = []
    if now.kind == "directory" and before.empty and not now.empty:
        kinds.append(Kind.EMPTY_TREE)
    if (before.mode, before.uid, before.gid) != (now.mode, now.uid, now.gid):
        kinds.append(Kind.SET_DIRECTORY)
    return kinds


def danger(path: str) -> str:
    """Return why the tree at ``path`` must never be removed, or an empty string."""
    if not path.startswith("/") or posixpath.normpath(path) != path:
        return "is not a plain absolute path"
    if path.count("/") < 2 or path == posixpath.join("/var", "tmp"):
        return "is a top-level directory"
    if path in _PROTECTED:
        return "is a directory of the operating system"
    return ""


def _parents(
    record: RoleRecord, outlook: Outlook, going: set[str], keep: tuple[str, ...]
) -> list[Action]:
    """Return the directories that did not exist before and hold nothing but what goes."""
    states: list[FileState | DirectoryState | MountState] = [*record.before.files.values()]
    states += [*record.before.blocks.values(), *record.before.directories.values()]
    states += [*record.before.mounts.values(), *record.before.data.values()]
    paths = {path for state in states for path in state.missing if path in outlook.children}
    gone = set(going)
    actions = []
    for path in sorted(paths, key=len, reverse=True):
        if path in gone or _is_kept(path, keep) or danger(path):
            continue
        if all(child in gone for child in outlook.children[path]):
            gone.add(path)
            actions.append(Action(Kind.REMOVE_PARENT, path))
    return actions


def _mounts(record: RoleRecord, present: NodeState, keep: tuple[str, ...]) -> list[Action]:
    """Return what unmounts what came since; an empty mount point that came since goes too."""
    actions = []
    for path, before in record.before.mounts.items():
        now = present.mounts.get(path, MountState())
        if before.mounted or _is_kept(path, keep):
            continue
        if now.mounted:
            actions.append(Action(Kind.UNMOUNT, path))
        if now.exists and not before.exists and not danger(path) and (now.mounted or now.empty):
            actions.append(Action(Kind.REMOVE_POINT, path))
    return actions


def _data(record: RoleRecord, present: NodeState, keep: tuple[str, ...]) -> list[Action]:
    """Return what takes back directories for data, as long as there is none in them."""
    actions = []
    for path, before in record.before.data.items():
        now = present.data.get(path, DirectoryState())
        if now.kind != "directory" or _is_kept(path, keep):
            continue
        if before.kind == ABSENT and now.empty and not danger(path):
            actions.append(Action(Kind.REMOVE_PARENT, path))
        elif before.kind == "directory" and not _same_rights(before, now):
            actions.append(Action(Kind.SET_DIRECTORY, path))
    return actions


def _staying_data(record: RoleRecord, present: NodeState) -> tuple[Left, ...]:
    found = [
        path
        for path, before in record.before.data.items()
        if before.kind == ABSENT and not present.data.get(path, DirectoryState()).empty
    ]
    return tuple(Left(path, "holds data") for path in found)


def _same_rights(before: DirectoryState, now: DirectoryState) -> bool:
    """Return whether mode and owner are the same, or are not known for what is mounted now."""
    return not now.mode or (before.mode, before.uid, before.gid) == (now.mode, now.uid, now.gid)


def _refreshes(record: RoleRecord, moving: set[str]) -> list[Action]:
    """Return the commands of the paths that are put back now, or were before without theirs."""
    commands = record.declared.refresh
    due = [path for path in commands if path in moving or path in record.pending]
    return [Action(Kind.REFRESH, command) for command in dict.fromkeys(commands[p] for p in due)]


def _network(record: RoleRecord, present: NodeState) -> list[Action]:
    actions = []
    if record.before.interfaces is not None and present.interfaces is not None:
        actions += [
            Action(Kind.DELETE_INTERFACE, name)
            for name in present.interfaces
            if name not in record.before.interfaces
            and any(fnmatchcase(name, pattern) for pattern in record.declared.interfaces)
        ]
    actions += [
        Action(Kind.REMOVE_IMAGE, name)
        for name, was in record.before.images.items()
        if was is False and present.images.get(name)
    ]
    if record.before.firewall is not None and present.firewall is not None:
        old, new = record.before.firewall, present.firewall
        actions += [
            Action(Kind.UNDO_FIREWALL, name)
            for name, text in new.items()
            if (undo_iptables if name in SAVERS else undo_nft)(old.get(name), text)
        ]
    return actions


def _sysctls(record: RoleRecord, present: NodeState) -> list[Action]:
    return [
        Action(Kind.SET_SYSCTL, name, value)
        for name, value in record.before.sysctls.items()
        if value is not None and present.sysctls.get(name) not in (None, value)
    ]


def _accounts(
    record: RoleRecord, present: NodeState, outlook: Outlook, keep: tuple[str, ...]
) -> list[Action]:
    actions = [
        Action(Kind.LEAVE_GROUP, group, user)
        for group, _slash, user in (
            name.partition("/")
            for name, was in record.before.memberships.items()
            if not was and present.memberships.get(name)
        )
    ]
    for name in _new_users(record, present):
        home = outlook.homes.get(name)
        if home and not _why_home_stays(record, home, keep):
            actions.append(Action(Kind.DELETE_ACCOUNT, name, home.path))
        else:
            actions.append(Action(Kind.DELETE_USER, name))
    groups = [n for n, was in record.before.groups.items() if not was and present.groups.get(n)]
    return actions + [Action(Kind.DELETE_GROUP, name) for name in groups]


def _new_users(record: RoleRecord, present: NodeState) -> list[str]:
    return [n for n, was in record.before.users.items() if not was and present.users.get(n)]


def _staying_homes(
    record: RoleRecord, present: NodeState, outlook: Outlook, keep: tuple[str, ...]
) -> tuple[Left, ...]:
    """Return the homes that outlive their users, and why; none of a record without homes."""
    found = [(name, outlook.homes.get(name)) for name in _new_users(record, present)]
    return tuple(
        Left(home.path, why)
        for _name, home in found
        if home and home.path in record.before.homes
        for why in (_why_home_stays(record, home, keep),)
        if why
    )


def _why_home_stays(record: RoleRecord, home: Home, keep: tuple[str, ...]) -> str:
    was = record.before.homes.get(home.path)
    if was is not False:
        return "was there before its user" if was else "is no home of the usual kind"
    if _is_kept(home.path, keep):
        return "is to be kept"
    if danger(home.path):
        return danger(home.path)
    return f"holds {home.foreign}, which is its user's" if home.foreign else ""


def _units(record: RoleRecord, present: NodeState, settings: bool) -> list[Action]:
    actions = []
    for name in {**record.before.units, **present.units}:
        before = record.before.units.get(name, UnitState())
        now = present.units.get(name, UnitState())
        restart = settings and name.endswith(".service")
        kinds = _unit(before, now, restart)
        if name.endswith(".target"):
            # It says what has come up and runs nothing. Another role of ours may have reached it
            # before this record, and have taken it back meanwhile.
            kinds = [kind for kind in kinds if kind is not Kind.START_UNIT]
        actions += [
            Action(kind, name, now.group if kind is Kind.STOP_UNIT else "") for kind in kinds
        ]
    return actions


def _unit(before: UnitState, now: UnitState, restart: bool) -> list[Kind]:
    """Return what puts one unit back; ``restart`` tells that files of its role change."""
    kinds = []
    if now.running and not before.running:
        kinds.append(Kind.STOP_UNIT)
    if now.active == "failed" and before.active != "failed":
        kinds.append(Kind.RESET_FAILED)
    if before.active == "active" and not now.running:
        kinds.append(Kind.START_UNIT)
    if before.active == "active" and now.running and restart:
        kinds.append(Kind.RESTART_UNIT)
    was, current = before.enabled, now.enabled
    if current.startswith("masked") and not was.startswith("masked"):
        kinds.append(Kind.UNMASK_UNIT)
    if current.startswith("enabled") and not was.startswith(("enabled", "masked")):
        kinds.append(Kind.DISABLE_UNIT)
    if was == "enabled" and current in ("disabled", "masked"):
        kinds.append(Kind.ENABLE_UNIT)
    if was == "masked" and current != "masked":
        kinds.append(Kind.MASK_UNIT)
    return kinds
