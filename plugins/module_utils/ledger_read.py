# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the things of a declaration stand on this node now. Reads only."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    LINGERING,
    Declaration,
    DirectoryState,
    FileState,
    MountState,
    NodeState,
    RoleRecord,
    UnitState,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_firewall import (
    NFT,
    SAVERS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_home import (
    USERADD_DEFAULTS,
    foreign_in,
    home_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_parse import (
    DPKG_QUERY,
    INSTALLED,
    RPM_QUERY,
    UNIT_PROPERTIES,
    Dpkg,
    Process,
    left_behind,
    parse_apt_removals,
    parse_depends,
    parse_dnf_removals,
    parse_dpkg,
    parse_extended_states,
    parse_mounts,
    parse_rpm,
    parse_units,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_plan import (
    Home,
    Outlook,
    new_packages,
)

# The slice in which services run; inside a container its path is not the usual one.
SLICE = "system.slice"
EXTENDED_STATES = "/var/lib/apt/extended_states"
# A dependency of ours that some package merely suggests or recommends was not there before
# either; the plan keeps what the owner's newer packages recommend.
APT_STRICT = (
    "-oAPT::AutoRemove::SuggestsImportant=false",
    "-oAPT::AutoRemove::RecommendsImportant=false",
)


class NodeReader:
    """Reads a node's state through its files and a few programs."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def read(self, declared: Declaration) -> NodeState:
        """Return how everything in ``declared`` stands."""
        dpkg = self._dpkg() if declared.packages else None
        return NodeState(
            packages=self._packages(declared, dpkg),
            auto=self._auto() if declared.packages else (),
            files={path: read_file(path) for path in declared.files},
            blocks={path: read_file(path) for path in declared.blocks},
            directories={path: read_directory(path) for path in declared.directories},
            units=self._units(declared.units),
            sysctls={name: read_sysctl(name) for name in declared.sysctls},
            users={name: _exists(pwd.getpwnam, name) for name in declared.users},
            groups={name: _exists(grp.getgrnam, name) for name in declared.groups},
            interfaces=tuple(_interfaces()) if declared.interfaces else None,
            images={name: self._image(name) for name in declared.images},
            memberships={name: is_member(name) for name in declared.memberships},
            mounts=read_mounts(declared.mounts),
            data={path: read_data(path) for path in declared.data},
            homes=read_homes(declared.users),
            firewall=self.firewall() if declared.firewall else None,
            rules=self.firewall() if declared.rules else None,
        )

    def outlook(self, record: RoleRecord, present: NodeState) -> Outlook:
        """Return what a plan for ``record`` needs to know besides ``present``."""
        ours = new_packages(record, present)
        apt = self._command.find("dpkg-query") is not None
        dependants, unneeded, closure = (
            self._apt_removals(ours, record.declared.packages, _half(present))
            if apt
            else self._dnf_removals(ours)
        )
        before = record.before
        states = [*before.files.values(), *before.blocks.values()]
        parents = {path for state in states for path in state.missing}
        parents |= {path for state in before.directories.values() for path in state.missing}
        parents |= {path for state in before.mounts.values() for path in state.missing}
        parents |= {path for state in before.data.values() for path in state.missing}
        dpkg = self._dpkg() if unneeded else None
        return Outlook(
            dependants=dependants,
            unneeded=unneeded,
            closure=closure,
            recommends=dpkg.recommends if dpkg else {},
            children={path: _children(path) for path in parents if os.path.isdir(path)},
            texts={path: read_text(path) for path in before.blocks if os.path.isfile(path)},
            homes=read_new_homes(record, present),
        )

    def _image(self, name: str) -> Optional[bool]:
        """Return whether the engine has an image, None when it does not answer."""
        if self._command.find("docker") is None:
            return False
        result = self._command.run(["docker", "image", "inspect", "--format", "{{.Id}}", name])
        if result.rc == 0:
            return True
        return False if "no such image" in result.err.lower() else None

    def firewall(self) -> dict[str, str]:
        """Return the rules that each program on the node prints."""
        texts = {}
        for name in SAVERS:
            if self._command.find(f"{name}-save"):
                texts[name] = self._command.need([f"{name}-save"])
        if self._command.find(NFT):
            texts[NFT] = self._command.need([NFT, "--stateless", "list", "ruleset"])
        return texts

    def _dpkg(self) -> Optional[Dpkg]:
        if not self._command.find("dpkg-query"):
            return None
        return parse_dpkg(self._command.need(DPKG_QUERY))

    def _packages(self, declared: Declaration, dpkg: Optional[Dpkg]) -> Optional[dict[str, str]]:
        if not declared.packages:
            return None
        return dpkg.states if dpkg else parse_rpm(self._command.need(RPM_QUERY))

    def _auto(self) -> tuple[str, ...]:
        if os.path.isfile(EXTENDED_STATES):
            return parse_extended_states(read_text(EXTENDED_STATES))
        return ()

    def _units(self, units: tuple[str, ...]) -> dict[str, UnitState]:
        if not units or not os.path.isdir("/run/systemd/system"):
            return {}
        patterns = [unit for unit in units if "*" in unit]
        named = [unit for unit in units if unit not in patterns]
        if patterns:
            argv = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--", *patterns]
            named += [line.split()[0] for line in self._command.need(argv).splitlines() if line]
        if not named:
            return {}
        argv = ["systemctl", "show", f"--property={UNIT_PROPERTIES}", "--", SLICE, *named]
        states = parse_units([SLICE, *named], self._command.need(argv))
        top = states.pop(SLICE).group
        processes = read_processes()
        return {n: _with_leftovers(n, state, top, processes) for n, state in states.items()}

    def _apt_removals(
        self, ours: tuple[str, ...], declared: tuple[str, ...], half: bool
    ) -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
        simulate = ["apt-get", "--simulate", *APT_STRICT]
        if not declared:
            return (), (), frozenset()
        only: tuple[str, ...] = ()
        if ours:
            only = parse_apt_removals(self._command.run([*simulate, "purge", *ours]).out)
        argv = [*simulate, "--purge", "autoremove", *ours]
        everything = parse_apt_removals(self._command.run(argv).out)
        dependants = tuple(name for name in only if name not in ours)
        unneeded = tuple(name for name in everything if name not in (*ours, *only))
        closure = self._closure(declared) if unneeded or dependants or half else frozenset()
        return dependants, unneeded, closure

    def _closure(self, declared: tuple[str, ...]) -> frozenset[str]:
        without = ("suggests", "enhances", "conflicts", "breaks", "replaces")
        argv = ["apt-cache", "depends", "--recurse", *(f"--no-{word}" for word in without)]
        return parse_depends(self._command.run([*argv, *declared]).out)

    def _dnf_removals(
        self, ours: tuple[str, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
        if not ours:
            return (), (), frozenset()
        dnf = ["dnf", "--assumeno", "--setopt=clean_requirements_on_remove="]
        only, everything = (
            parse_dnf_removals(self._command.run([*dnf[:-1], dnf[-1] + clean, "remove", *ours]).out)
            for clean in ("False", "True")
        )
        dependants = tuple(name for name in only if name not in ours)
        unneeded = tuple(name for name in everything if name not in only)
        return dependants, unneeded, frozenset(everything)


def _half(present: NodeState) -> bool:
    return any(state != INSTALLED for state in (present.packages or {}).values())


def read_file(path: str) -> FileState:
    """Return how ``path`` stands, without following a link at its end.

    A path in the home of a user that is not there yet (``~ada/.ssh/...``) is absent.
    """
    if path.startswith("~"):
        return FileState()
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return FileState(missing=_missing(path))
    state = FileState(
        kind="other",
        mode=f"{stat.S_IMODE(found.st_mode):04o}",
        uid=found.st_uid,
        gid=found.st_gid,
    )
    if stat.S_ISLNK(found.st_mode):
        return replace(state, kind="link", mode="", target=os.readlink(path))
    if stat.S_ISREG(found.st_mode):
        digest = hash_file(path)
        return replace(state, kind="file", sha256=digest, mtime_ns=found.st_mtime_ns)
    return replace(state, kind="directory") if stat.S_ISDIR(found.st_mode) else state


def _with_leftovers(name: str, state: UnitState, top: str, processes: list[Process]) -> UnitState:
    """Return ``state``, or that processes of the stopped unit live on (KillMode=process)."""
    state = replace(state, group=state.group or f"{top}/{name}")
    if state.running or not name.endswith(".service"):
        return state
    return replace(state, active=LINGERING) if left_behind(processes, state.group) else state


def read_processes() -> list[Process]:
    """Return all processes of the node; those that end meanwhile are left out."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            fields = read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
            found.append(Process(int(pid), int(fields[1]), read_text(f"/proc/{pid}/cgroup")))
    return found


def read_directory(path: str) -> DirectoryState:
    """Return how the directory ``path`` stands."""
    state = read_file(path)
    return DirectoryState(
        kind=state.kind,
        empty=state.kind != "directory" or not _children(path),
        mode=state.mode,
        uid=state.uid,
        gid=state.gid,
        missing=state.missing,
    )


def read_mounts(paths: Iterable[str]) -> dict[str, MountState]:
    """Return how mount points stand; what is mounted is not looked at: its server may be dead."""
    points = mount_points()
    states = {}
    for path in paths:
        if path in points:
            states[path] = MountState(mounted=True, exists=True, missing=())
        else:
            there = os.path.isdir(path) and not os.path.islink(path)
            empty = not there or not _children(path)
            states[path] = MountState(False, os.path.lexists(path), empty, _missing(path))
    return states


def read_data(path: str) -> DirectoryState:
    """Return how a directory for data stands; what is mounted on it counts as data."""
    if path in mount_points():
        return DirectoryState("directory", False)
    return read_directory(path)


def mount_points() -> tuple[str, ...]:
    """Return where something is mounted now, in the order of mounting."""
    return parse_mounts(read_text("/proc/self/mountinfo"))


def is_member(name: str) -> bool:
    """Return whether the user of ``group/user`` is named in that group."""
    group, _slash, user = name.partition("/")
    try:
        return user in grp.getgrnam(group).gr_mem
    except KeyError:
        return False


def read_homes(users: Iterable[str]) -> dict[str, bool]:
    """Return whether the homes are there that users who are missing now would get."""
    missing = [name for name in users if not _exists(pwd.getpwnam, name)]
    if not missing:
        return {}
    known = os.path.isfile(USERADD_DEFAULTS)
    homes = [home_of(name, read_text(USERADD_DEFAULTS) if known else "") for name in missing]
    return {home: os.path.lexists(home) for home in homes}


def read_new_homes(record: RoleRecord, present: NodeState) -> dict[str, Home]:
    """Return the homes of the users that came since ``record``, of those that have one."""
    homes = {}
    for name, was in record.before.users.items():
        if was or not present.users.get(name):
            continue
        found = pwd.getpwnam(name)
        if not os.path.lexists(found.pw_dir):
            continue
        known = record.before.homes.get(found.pw_dir) is False
        foreign = foreign_in(found.pw_dir, found.pw_uid, record.role) if known else ""
        homes[name] = Home(found.pw_dir, foreign)
    return homes


def read_sysctl(name: str) -> Optional[str]:
    """Return the kernel's value of ``name``, or None when this kernel has no such setting."""
    try:
        return " ".join(read_text(sysctl_path(name)).split())
    except OSError:
        return None


def sysctl_path(name: str) -> str:
    """Return the file of a sysctl; as for sysctl(8), ``/`` in a name stands for a dot."""
    return "/proc/sys/" + name.translate({ord("."): "/", ord("/"): "."})


def read_text(path: str) -> str:
    """Return what is in ``path``; bytes that are no UTF-8 survive a write_text."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return stream.read()


def hash_file(path: str) -> str:
    """Return the SHA-256 of what is in ``path``."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _missing(path: str) -> tuple[str, ...]:
    """Return the parents of ``path`` that do not exist, the outermost first."""
    found: list[str] = []
    parent = os.path.dirname(path)
    while parent not in ("/", "") and not os.path.lexists(parent):
        found.insert(0, parent)
        parent = os.path.dirname(parent)
    return tuple(found)


def _children(path: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.path.join(path, name) for name in os.listdir(path)))
    except OSError:
        return ()


def _interfaces() -> Iterable[str]:
    return sorted(os.listdir("/sys/class/net"))


def _exists(look_up: Callable[[str], object], name: str) -> bool:
    try:
        look_up(name)
    except KeyError:
        return False
    return True
