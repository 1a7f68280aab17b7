# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a plan of ``ledger_plan`` on the node, one kind of action after the other."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    DirectoryState,
    FileState,
    RoleRecord,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_action import (
    Action,
    Kind,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_firewall import (
    NFT,
    SAVERS,
    undo_iptables,
    undo_nft,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_home import spools
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_parse import (
    left_behind,
    mounts_below,
    parse_apt_removals,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_plan import (
    cut_block,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_read import (
    NodeReader,
    mount_points,
    read_processes,
    read_text,
    sysctl_path,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_store import (
    Store,
    write_atomically,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.packages import (
    cause_of_failure,
)

LOCK_SECONDS = 180
KILL_SECONDS = 10
UNMOUNT_SECONDS = 30
_DPKG_LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock")

_SYSTEMCTL = {
    Kind.DISABLE_UNIT: "disable",
    Kind.RESET_FAILED: "reset-failed",
    Kind.ENABLE_UNIT: "enable",
    Kind.MASK_UNIT: "mask",
    Kind.START_UNIT: "start",
    Kind.RESTART_UNIT: "restart",
}


class ApplyError(Exception):
    """One action could not be carried out, and why."""


class Restorer:
    """Undoes what a role's record says, as far as the node allows."""

    def __init__(self, command: Command, reader: NodeReader, store: Store) -> None:
        self._command = command
        self._reader = reader
        self._store = store

    def apply(self, record: RoleRecord, actions: Iterable[Action]) -> dict[Action, str]:
        """Carry out ``actions``; return the reason for each that was refused."""
        reasons: dict[Action, str] = {}
        for kind, group in groupby(actions, key=lambda action: action.kind):
            batch = list(group)
            together = self._together(kind, record)
            if together is not None:
                self._try(reasons, batch, together, [action.target for action in batch])
                continue
            for action in batch:
                if kind is Kind.REFRESH:
                    self._try(reasons, [action], self._refresher(record, reasons), action)
                else:
                    self._try(reasons, [action], self._single(kind, record), action)
        return reasons

    def _try(
        self,
        reasons: dict[Action, str],
        batch: Sequence[Action],
        function: Callable[..., None],
        argument: object,
    ) -> None:
        try:
            function(argument)
        except (ApplyError, CommandError, OSError) as exc:
            reasons.update(dict.fromkeys(batch, str(exc)))

    def _together(self, kind: Kind, record: RoleRecord) -> Callable[[list[str]], None] | None:
        """Return what handles all actions of ``kind`` at once, if they are handled so."""
        if kind in _SYSTEMCTL:
            return lambda units: self._systemctl(_SYSTEMCTL[kind], units)
        return {
            Kind.RELOAD_SYSTEMD: lambda _unused: self._systemctl("daemon-reload", []),
            Kind.UNMASK_UNIT: self._unmask,
            Kind.UNDO_FIREWALL: lambda tools: self._undo_firewall(record, tools),
            Kind.DROP_PACKAGE: self._drop_packages,
            Kind.REPAIR_PACKAGE: self._repair_packages,
            Kind.PURGE_PACKAGE: lambda names: self._remove_packages("purge", names),
            Kind.REMOVE_PACKAGE: lambda names: self._remove_packages("remove", names),
            Kind.INSTALL_PACKAGE: self._install_packages,
            Kind.MARK_AUTO: lambda names: self._need("apt-mark", "auto", *names),
        }.get(kind)

    def _single(self, kind: Kind, record: RoleRecord) -> Callable[[Action], None]:
        """Return what handles one action of ``kind``."""
        directories = {**record.before.data, **record.before.directories}
        return {
            Kind.STOP_UNIT: lambda a: self._stop_unit(a.target, a.value),
            Kind.UNMOUNT: lambda a: self._unmount(a.target),
            Kind.DELETE_INTERFACE: lambda a: self._need("ip", "link", "delete", a.target),
            Kind.REMOVE_IMAGE: lambda a: self._need("docker", "image", "rm", a.target),
            Kind.DELETE_FILE: lambda a: os.unlink(a.target),
            Kind.RESTORE_FILE: lambda a: self._restore_file(
                a.target, record.before.files[a.target]
            ),
            Kind.CUT_BLOCK: lambda a: self._cut_block(record.role, a.target, a.value),
            Kind.REMOVE_TREE: lambda a: self._remove_tree(a.target),
            Kind.EMPTY_TREE: lambda a: self._empty_tree(a.target),
            Kind.CREATE_DIRECTORY: lambda a: self._directory(a.target, directories[a.target]),
            Kind.SET_DIRECTORY: lambda a: self._directory(a.target, directories[a.target]),
            Kind.REMOVE_POINT: lambda a: self._remove_point(a.target),
            Kind.REMOVE_PARENT: lambda a: _rmdir(a.target),
            Kind.SET_SYSCTL: lambda a: _set_sysctl(a.target, a.value),
            Kind.LEAVE_GROUP: lambda a: self._leave_group(a.target, a.value),
            Kind.DELETE_ACCOUNT: lambda a: self._delete_user(a.target, a.value),
            Kind.DELETE_USER: lambda a: self._delete_user(a.target),
            Kind.DELETE_GROUP: lambda a: self._delete_group(a.target),
        }[kind]

    def _need(self, *argv: str) -> None:
        self._command.need(argv)

    def _systemctl(self, verb: str, units: list[str]) -> None:
        self._need("systemctl", verb, *(["--", *units] if units else []))

    def _unmask(self, units: list[str]) -> None:
        """Take masks off; one until the next boot is what a killed installation leaves."""
        self._systemctl("unmask", units)
        self._need("systemctl", "unmask", "--runtime", "--", *units)

    def _stop_unit(self, unit: str, group: str) -> None:
        """Stop a unit and what its service manager lets live on (KillMode=process)."""
        self._systemctl("stop", [unit])
        if not unit.endswith(".service"):
            return
        until = time.monotonic() + KILL_SECONDS
        while pids := left_behind(read_processes(), group):
            if time.monotonic() > until:
                raise ApplyError(f"processes {', '.join(map(str, pids))} do not end")
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def _undo_firewall(self, record: RoleRecord, _tools: list[str]) -> None:
        """Take Docker's rules out; only then can it be told which nft tables are left empty."""
        before = record.before.firewall or {}
        for name, text in self._reader.firewall().items():
            script = undo_iptables(before.get(name), text) if name in SAVERS else ""
            if script:
                self._command.need([f"{name}-restore", "--noflush"], text=script)
        script = undo_nft(before.get(NFT), self._reader.firewall().get(NFT, ""))
        if script:
            self._command.need([NFT, "-f", "-"], text=script)

    def _drop_packages(self, names: list[str]) -> None:
        _await_dpkg_lock()
        force = ("--force-remove-reinstreq", "--force-depends")
        self._need("dpkg", *force, "--purge", *names)

    def _repair_packages(self, _names: list[str]) -> None:
        _await_dpkg_lock()
        self._need("dpkg", "--force-confold", "--configure", "-a")

    def _remove_packages(self, verb: str, names: list[str]) -> None:
        if not self._command.find("dpkg"):
            keep = "--setopt=clean_requirements_on_remove=False"
            self._need("dnf", "--assumeyes", "--quiet", keep, "remove", *names)
            return
        _await_dpkg_lock()
        apt = ["apt-get", f"-oDPkg::Lock::Timeout={LOCK_SECONDS}", "-oDpkg::Use-Pty=0"]
        foreseen = parse_apt_removals(self._command.need([*apt, "--simulate", verb, *names]))
        more = [name for name in foreseen if name not in names]
        if more:
            raise ApplyError(f"apt would also remove {', '.join(more)}, which is not ours")
        self._command.need([*apt, "--yes", "--quiet", verb, *names])

    def _install_packages(self, names: list[str]) -> None:
        """Install what was here before; the index is fetched anew when it is stale."""
        fetched = ""  # what fetching it complained about
        if not self._command.find("dpkg"):
            result = self._command.run(["dnf", "--assumeyes", "--quiet", "install", *names])
        else:
            _await_dpkg_lock()
            apt = ["apt-get", f"-oDPkg::Lock::Timeout={LOCK_SECONDS}", "-oDpkg::Use-Pty=0"]
            keep = ["-oDpkg::Options::=--force-confdef", "-oDpkg::Options::=--force-confold"]
            install = [*apt, *keep, "--yes", "--quiet", "--no-install-recommends", "install"]
            result = self._command.run([*install, *names])
            if result.rc != 0:
                fetched = self._command.run([*apt, "--quiet", "update"]).err
                result = self._command.run([*install, *names])
        if result.rc != 0:
            why = cause_of_failure(f"{fetched}\n{result.err}", names)
            raise ApplyError(f"was here before and cannot be installed again: {why}")

    def _refresher(
        self, record: RoleRecord, reasons: dict[Action, str]
    ) -> Callable[[Action], None]:
        """Return what runs a path's command, unless one of its paths could not be put back."""
        stuck = {action.target for action in reasons}
        return lambda action: self._refresh(
            action.target,
            [p for p, c in record.declared.refresh.items() if c == action.target and p in stuck],
        )

    def _refresh(self, command: str, stuck: list[str]) -> None:
        if stuck:
            raise ApplyError(f"waits until {', '.join(stuck)} is put back")
        argv = shlex.split(command)
        if not self._command.find(argv[0]):
            raise ApplyError(
                f"the program {argv[0]} is not on this node; do by hand what it does for "
                f"{', '.join(argv[1:]) or 'this node'}, or install it, and run reset again"
            )
        self._command.need(argv)

    def _restore_file(self, path: str, state: FileState) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if state.kind == "link":
            temporary = f"{path}.rackforge-tmp"
            with suppress(FileNotFoundError):
                os.unlink(temporary)  # of a restoration that was killed
            os.symlink(state.target, temporary)
            os.lchown(temporary, state.uid, state.gid)
            os.replace(temporary, path)
            return
        content = self._store.backup(state.sha256)
        write_atomically(path, content, int(state.mode, 8), (state.uid, state.gid))
        os.utime(path, ns=(state.mtime_ns, state.mtime_ns))
        self._relabel(path)

    def _cut_block(self, role: str, path: str, sha256: str) -> None:
        rest = cut_block(read_text(path), role, sha256)
        found = os.stat(path)
        mode, owner = found.st_mode & 0o7777, (found.st_uid, found.st_gid)
        content = rest.encode("utf-8", "surrogateescape")
        try:
            write_atomically(path, content, mode, owner)
        except OSError as exc:
            # A container engine mounts /etc/hosts over the file: it can be written, not replaced.
            if exc.errno != errno.EBUSY:
                raise
            with open(path, "r+b") as stream:
                stream.write(content)
                stream.truncate()
        self._relabel(path)

    def _relabel(self, path: str) -> None:
        if os.path.isdir("/sys/fs/selinux/class") and self._command.find("restorecon"):
            self._command.run(["restorecon", path])

    def _directory(self, path: str, state: DirectoryState) -> None:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, int(state.mode, 8))
        os.chown(path, state.uid, state.gid)

    def _remove_tree(self, path: str) -> None:
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
            return
        if path in mount_points():
            raise ApplyError("is a mount point now; unmount it and run reset again")
        self._unmount_below(path)
        shutil.rmtree(path)

    def _empty_tree(self, path: str) -> None:
        self._unmount_below(path)
        for entry in list(os.scandir(path)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)

    def _unmount(self, path: str) -> None:
        """Unmount all that is mounted at ``path``; what a dead server holds goes lazily."""
        while path in mount_points():
            bound = ["timeout", "--kill-after=5", str(UNMOUNT_SECONDS)]
            result = self._command.run([*bound, "umount", "--", path])
            if result.rc in (124, 137):
                result = self._command.run([*bound, "umount", "--force", "--lazy", "--", path])
            if result.rc != 0:
                raise ApplyError(
                    f"cannot be unmounted ({result.explain()}); see who uses it with "
                    f"'fuser --verbose --mount {path}', end that, and run reset again"
                )

    def _remove_point(self, path: str) -> None:
        if path in mount_points():
            raise ApplyError("is still mounted")
        _rmdir(path)

    def _unmount_below(self, path: str) -> None:
        """Unmount what lies inside ``path``, so that removal never enters a file system."""
        for point in mounts_below(mount_points(), path):
            self._need("umount", "--", point)
        left = mounts_below(mount_points(), path)
        if left:
            raise ApplyError(f"{left[0]} is still mounted inside it")

    def _leave_group(self, group: str, user: str) -> None:
        if self._command.run(["getent", "group", group]).rc == 0:
            self._need("gpasswd", "--delete", user, group)

    def _delete_user(self, name: str, home: str = "") -> None:
        """Delete a user; before that its home, which could not be told from others afterwards."""
        running = processes_of(pwd.getpwnam(name).pw_uid)
        if running:
            raise ApplyError(f"still runs {', '.join(running)}; end it and run reset again")
        if home:
            shutil.rmtree(home)
        for spool in spools(name):
            with suppress(OSError):
                if os.path.getsize(spool) == 0:
                    os.unlink(spool)
        self._need("userdel", name)

    def _delete_group(self, name: str) -> None:
        if self._command.run(["getent", "group", name]).rc == 0:
            self._need("groupdel", name)


def processes_of(uid: int) -> list[str]:
    """Return ``name (pid)`` of the processes that run as ``uid``."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # it ended meanwhile
            if os.stat(f"/proc/{pid}").st_uid == uid:
                found.append(f"{read_text(f'/proc/{pid}/comm').strip()} ({pid})")
    return found


def _rmdir(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise


def _set_sysctl(name: str, value: str) -> None:
    with open(sysctl_path(name), "w", encoding="ascii") as stream:
        stream.write(value + "\n")  # an empty write would never reach the kernel


def _await_dpkg_lock() -> None:
    """Return once nobody else runs dpkg; raise ApplyError when that takes too long."""
    until = time.monotonic() + LOCK_SECONDS
    while not all(_is_free(path) for path in _DPKG_LOCKS):
        if time.monotonic() > until:
            raise ApplyError(
                f"dpkg's lock was not free within {LOCK_SECONDS} s; see who holds it with "
                f"'fuser -v {_DPKG_LOCKS[0]}'"
            )
        time.sleep(0.5)


def _is_free(path: str) -> bool:
    try:
        with open(path, "r+b") as stream:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError as exc:
        if exc.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True
