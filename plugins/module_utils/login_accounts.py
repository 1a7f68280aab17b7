# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups and administrators of a node: what is wrong with a list of them, and what is to be done.

Pure. What is there is only ever extended: no number, shell or home of a user changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

SHELL = "/bin/bash"
SUDOERS = "/etc/sudoers.d/60-rackforge-{}"
KEYS = ".ssh/authorized_keys"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}$")
_KEY = re.compile(
    r"(^|[ ,\"])(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+|sk-[a-z0-9-]+@openssh\.com)"
    r" AAAA[A-Za-z0-9+/]+={0,2}( |$)"
)


@dataclass(frozen=True)
class Group:
    """A group to have."""

    name: str
    gid: Optional[int] = None


@dataclass(frozen=True)
class User:
    """An administrator to have. ``keys`` and ``sudo`` are None where nothing is said about them."""

    name: str
    uid: Optional[int] = None
    groups: tuple[str, ...] = ()
    shell: str = ""
    keys: Optional[tuple[str, ...]] = None
    sudo: Optional[bool] = None


@dataclass(frozen=True)
class Account:
    """A user as the node has it."""

    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True)
class Known:
    """The accounts of a node. ``homes`` has path and owner of what lies in a new user's place."""

    groups: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    users: Mapping[str, Account] = field(default_factory=dict)
    homes: Mapping[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One command, and what it does in words."""

    argv: tuple[str, ...]
    sentence: str


def sudoers_path(name: str) -> str:
    """Return the file with a user's sudo rule; sudo skips names with a dot in them."""
    return SUDOERS.format(name.replace(".", "_"))


def sudo_rule(name: str) -> str:
    """Return the text that lets a user become anybody without a password."""
    return f"# Managed by rackforge.gpu_cluster\n{name} ALL=(ALL:ALL) NOPASSWD: ALL\n"


def problems(groups: Sequence[Group], users: Sequence[User], known: Known) -> list[str]:
    """Return everything that keeps these accounts from being made, one sentence each."""
    found = [*_names("group", [group.name for group in groups])]
    found += _names("user", [user.name for user in users])
    for group in groups:
        found += _group_problems(group, known)
    coming = {*known.groups, *(group.name for group in groups), *(user.name for user in users)}
    for user in users:
        found += _user_problems(user, known)
        found += [
            f"user {user.name}: there is no group {name}; add it to the groups, or take it out"
            for name in user.groups
            if name not in coming
        ]
        found += [
            f"user {user.name}: key {place} is no public key of one line, such as "
            f"'ssh-ed25519 AAAA... name'"
            for place, key in enumerate(user.keys or (), 1)
            if "\n" in key or "\r" in key or not _KEY.search(key)
        ]
    return found


def _names(what: str, names: Sequence[str]) -> list[str]:
    wrong = [f"{what} '{name}' is no name for one" for name in names if not _NAME.match(name)]
    twice = sorted({name for name in names if names.count(name) > 1})
    return wrong + [f"{what} {name} is listed twice" for name in twice]


def _group_problems(group: Group, known: Known) -> list[str]:
    gid = known.groups.get(group.name)
    if group.gid is None or gid == group.gid:
        return []
    if gid is not None:
        return [f"group {group.name} has the number {gid} already, expected {group.gid}"]
    holders = [name for name, number in known.groups.items() if number == group.gid]
    return [f"group {group.name}: the number {group.gid} belongs to {name}" for name in holders]


def _user_problems(user: User, known: Known) -> list[str]:
    account = known.users.get(user.name)
    if account is None:
        return _new_user_problems(user, known)
    found = []
    if user.uid is not None and user.uid != account.uid:
        found.append(f"user {user.name} has the number {account.uid} already, expected {user.uid}")
    if user.shell and user.shell != account.shell:
        found.append(
            f"user {user.name} has the shell {account.shell} already, expected {user.shell}; "
            f"take the shell out of the list, or change it with 'chsh' on the node"
        )
    return found


def _new_user_problems(user: User, known: Known) -> list[str]:
    holder = {account.uid: name for name, account in known.users.items()}
    found = []
    if user.uid in holder:
        found.append(f"user {user.name}: the number {user.uid} belongs to {holder[user.uid]}")
    home, owner = known.homes.get(user.name, ("", 0))
    if home and (owner in holder or user.uid not in (None, owner)):
        whose = f"{owner} ({holder[owner]})" if owner in holder else str(owner)
        found.append(
            f"user {user.name}: {home} is there already and belongs to user {whose}, expected "
            f"{'nobody' if user.uid is None else user.uid}; move it away or give it to that number"
        )
    return found


def plan_accounts(groups: Sequence[Group], users: Sequence[User], known: Known) -> list[Step]:
    """Return what makes the groups, the users and their memberships that are missing."""
    new = [group for group in groups if group.name not in known.groups]
    steps = [_add_group(group) for group in new]
    present = {*known.groups, *(group.name for group in new)}
    steps += [_add_user(user, known, present) for user in users if user.name not in known.users]
    for user in users:
        missing = [name for name in user.groups if not _is_in(user.name, name, known)]
        if missing:
            argv = ("usermod", "--append", "--groups", ",".join(missing), user.name)
            steps.append(Step(argv, f"add user {user.name} to {', '.join(missing)}"))
    return steps


def _add_group(group: Group) -> Step:
    number = () if group.gid is None else ("--gid", str(group.gid))
    return Step(("groupadd", *number, group.name), f"add group {group.name}")


def _add_user(user: User, known: Known, groups: Iterable[str]) -> Step:
    """Return what makes a user; a home that is there goes to it by its owner's number."""
    uid = user.uid
    if uid is None and user.name in known.homes:
        uid = known.homes[user.name][1]
    own = ("--gid", user.name) if user.name in groups else ("--user-group",)
    number = () if uid is None else ("--uid", str(uid))
    argv = ("useradd", "--create-home", "--shell", user.shell or SHELL, *number, *own, user.name)
    return Step(argv, f"add user {user.name}")


def _is_in(user: str, group: str, known: Known) -> bool:
    if user in known.members.get(group, frozenset()):
        return True
    account = known.users.get(user)
    if account is None:
        return user == group
    return known.groups.get(group) == account.gid


def finds_keys(sshd: str) -> bool:
    """Return whether sshd, by ``sshd -T``, looks into ~/.ssh/authorized_keys."""
    found = re.search(r"^authorizedkeysfile (.+)$", sshd, re.MULTILINE | re.IGNORECASE)
    places = found.group(1).split() if found else [KEYS]
    return any(place in (KEYS, f"%h/{KEYS}") for place in places)


def keys_elsewhere(sshd: str) -> str:
    """Return where sshd looks for keys, by ``sshd -T``."""
    found = re.search(r"^authorizedkeysfile (.+)$", sshd, re.MULTILINE | re.IGNORECASE)
    return found.group(1) if found else KEYS


def includes_rules(sudoers: str) -> bool:
    """Return whether /etc/sudoers reads the files of /etc/sudoers.d."""
    return re.search(r"^[#@]includedir\s+/etc/sudoers\.d/?\s*$", sudoers, re.MULTILINE) is not None
