# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what of k3s is on a node, and takes it out piece by piece."""

from __future__ import annotations

import errno
import glob
import os
import signal
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command, Result
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_leftovers import (
    LEAVING,
    LEAVING_TEXT,
    NETNS_DIR,
    SHIM_SOCKETS,
    Leftovers,
    Link,
    Process,
    Standing,
    ancestors,
    find_leftovers,
    flannel_network,
    fstab_points,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_leftovers_rules import (
    undo_rules,
    undo_tables,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    DATA_DIR,
    UNITS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import NodeState
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_firewall import (
    NFT,
    SAVERS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_parse import parse_mounts

#: Where a node without these programs finds those that k3s brought along.
OWN_PROGRAMS = (f"{DATA_DIR}/data/*/bin", f"{DATA_DIR}/data/*/bin/aux")
#: For each family the names that some distributions have instead of those of SAVERS.
_PLAIN = {"iptables": SAVERS[::2], "ip6tables": SAVERS[1::2]}
#: Seconds for a unit to stop: systemd ends it after 90 s by default.
STOP_SECONDS = 120
END_SECONDS = 20
CALL_SECONDS = 30
_TIMED_OUT = (124, 137)


class LeftoverError(Exception):
    """Something of k3s could not be taken out, and why."""


class Node:
    """The node, as ``root`` shows it (tests lay one down elsewhere)."""

    def __init__(self, command: Command, before: NodeState, root: str = "") -> None:
        self._command = command
        self._before = before
        self._root = root

    def look(self) -> Leftovers:
        """Return what of k3s is on the node now."""
        processes = self._processes()
        seen = Standing(
            units=self._units(),
            processes=processes,
            slices=self._slices(),
            mounts=parse_mounts(self._text("/proc/self/mountinfo")),
            fstab=fstab_points(self._text("/etc/fstab")),
            namespaces=tuple(self._names(NETNS_DIR)),
            links=tuple(self._links()),
            sets=self._sets(),
            routes=self._ask("ip", "-j", "-4", "route", "show"),
            pod_network=flannel_network(self._text("/run/flannel/subnet.env")),
            drop_ins=(LEAVING,) if os.path.lexists(self._root + LEAVING) else (),
            rules=self._rules(),
        )
        spared = ancestors(processes, os.getpid())
        return find_leftovers(seen, self._before.interfaces or (), spared)

    def _running(self, slices: str) -> tuple[Process, ...]:
        """Return what of k3s runs now, without looking at the rest of the node."""
        processes = self._processes()
        seen = Standing(processes=processes, slices=slices)
        return find_leftovers(seen, (), ancestors(processes, os.getpid())).processes

    def _mounted(self) -> tuple[str, ...]:
        """Return what is mounted for pods now."""
        mounts = parse_mounts(self._text("/proc/self/mountinfo"))
        seen = Standing(mounts=mounts, fstab=fstab_points(self._text("/etc/fstab")))
        return find_leftovers(seen, ()).mounts

    # Reading.

    def _text(self, path: str) -> str:
        try:
            with open(self._root + path, encoding="utf-8", errors="surrogateescape") as stream:
                return stream.read()
        except OSError:
            return ""

    def _names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self._root + path))
        except OSError:
            return []

    def program(self, name: str) -> Optional[str]:
        """Return where a program lies: the node's own, else the one that k3s brought along."""
        found = self._command.find(name)
        if found:
            return found
        for pattern in OWN_PROGRAMS:
            for path in sorted(glob.glob(f"{self._root}{pattern}/{name}")):
                if os.access(path, os.X_OK):
                    return path
        return None

    def _run(self, *argv: str, text: Optional[str] = None, seconds: int = CALL_SECONDS) -> Result:
        return self._command.run(["timeout", "--kill-after=5", str(seconds), *argv], text)

    def _ask(self, name: str, *argv: str) -> str:
        """Return what a program prints, nothing where it is missing or does not work."""
        path = self.program(name)
        if path is None:
            return ""
        result = self._run(path, *argv)
        return result.out if result.rc == 0 else ""

    def _units(self) -> tuple[str, ...]:
        properties = "--property=Id,ActiveState,UnitFileState"
        shown = self._command.run(["systemctl", "show", properties, "--", *UNITS.values()]).out
        found = []
        for stanza in shown.split("\n\n"):
            state = dict(line.split("=", 1) for line in stanza.splitlines() if "=" in line)
            idle = state.get("ActiveState", "inactive") in ("inactive", "failed")
            if state.get("Id") in UNITS.values() and not (
                idle and not state.get("UnitFileState", "").startswith("enabled")
            ):
                found.append(state["Id"])
        return tuple(found)

    def _slices(self) -> str:
        argv = ["systemctl", "show", "--property=ControlGroup", "--value", "--", "system.slice"]
        return os.path.dirname(self._command.run(argv).out.strip()).rstrip("/")

    def _processes(self) -> tuple[Process, ...]:
        files = _link(f"{self._root}/proc/self/ns/mnt")
        pids = [int(name) for name in self._names("/proc") if name.isdigit()]
        found = (self._process(pid, files) for pid in pids)
        return tuple(process for process in found if process)

    def _process(self, pid: int, files: str) -> Optional[Process]:
        folder = f"/proc/{pid}"
        fields = self._text(f"{folder}/stat").rpartition(")")[2].split()
        if len(fields) < 2 or fields[0] in ("Z", "X"):
            return None  # It has ended.
        groups = [line.split(":", 2)[-1] for line in self._text(f"{folder}/cgroup").splitlines()]
        words = self._text(f"{folder}/cmdline").split("\0")
        program = _link(f"{self._root}{folder}/exe")
        return Process(
            pid=pid,
            parent=int(fields[1]),
            groups=tuple(groups),
            program=program[: -len(" (deleted)")] if program.endswith(" (deleted)") else program,
            words=tuple(word for word in words if word)[:3],
            here=_link(f"{self._root}{folder}/ns/mnt") == files,
        )

    def _links(self) -> list[Link]:
        folder = f"{self._root}/sys/class/net"
        return [
            Link(
                name=name,
                master=os.path.basename(_link(f"{folder}/{name}/master")),
                hardware=os.path.lexists(f"{folder}/{name}/device"),
            )
            for name in self._names("/sys/class/net")
        ]

    def _sets(self) -> tuple[str, ...]:
        return tuple(self._ask("ipset", "list", "-name").split())

    def _savers(self) -> dict[str, str]:
        """Return the programs that print and load rules, by the name in the ledger."""
        found = {name: self.program(f"{name}-save") for name in SAVERS}
        for plain, names in _PLAIN.items():
            if not any(found[name] for name in names):
                found[plain] = self.program(f"{plain}-save")
        return {name: path for name, path in found.items() if path}

    def _rules(self) -> dict[str, str]:
        """Return what takes the rules of k3s out, by the program that is to read it."""
        before = self._before.rules or {}
        scripts = {}
        for name, path in self._savers().items():
            script = undo_rules(before.get(name), self._run(path).out)
            if script:
                scripts[name] = script
        if NFT in before or self._command.find(NFT):
            now = self._ask(NFT, "--stateless", "list", "ruleset")
            script = undo_tables(before.get(NFT), now)
            if script:
                scripts[NFT] = script
        return scripts

    # Taking out.

    def leave(self, dry: bool) -> list[str]:
        """Keep a server that ends from being started again; return what was done."""
        shown = ["systemctl", "show", "--property=Restart", "--value", "--", UNITS["server"]]
        if self._text(LEAVING) == LEAVING_TEXT and self._command.run(shown).out.strip() == "no":
            return []
        if not dry:
            os.makedirs(os.path.dirname(self._root + LEAVING), exist_ok=True)
            with open(self._root + LEAVING, "w", encoding="utf-8") as stream:
                stream.write(LEAVING_TEXT)
            self._command.need(["systemctl", "daemon-reload"])
        return [f"write {LEAVING}, so that {UNITS['server']} is not started again when it ends"]

    def take_out(self, found: Leftovers) -> None:
        """Take out what was found; LeftoverError says what did not go."""
        for unit in found.units:
            self._stop(unit)
        self._drop_ins(found)
        self._end(found)
        for step in (self._unmount, self._namespaces, self._interfaces, self._routes):
            step(found)
        self._filter(found.rules)
        for name in found.sets:
            self._need(name, "ipset", "destroy", name)
        self._tidy()

    def _stop(self, unit: str) -> None:
        self._command.run(["systemctl", "disable", "--", unit])
        result = self._run("systemctl", "stop", "--", unit, seconds=STOP_SECONDS)
        if result.rc != 0:
            raise LeftoverError(
                f"{unit} does not stop ({result.explain()}); see "
                f"'journalctl --unit {unit} --lines 50' on this node"
            )

    def _drop_ins(self, found: Leftovers) -> None:
        for path in found.drop_ins:
            os.unlink(self._root + path)
            with suppress(OSError):  # The owner may have drop-ins of the same unit.
                os.rmdir(os.path.dirname(self._root + path))
            self._command.need(["systemctl", "daemon-reload"])

    def _end(self, found: Leftovers) -> None:
        """End what k3s left running, and what that starts meanwhile."""
        until, slices = time.monotonic() + END_SECONDS, self._slices()
        processes = found.processes if not found.units else self._running(slices)
        while processes:
            if time.monotonic() > until:
                names = ", ".join(process.name for process in processes)
                raise LeftoverError(
                    f"processes of k3s do not end within {END_SECONDS} s: {names}; see what "
                    f"they wait for with 'ps -o pid,stat,wchan,args {processes[0].pid}', or boot "
                    f"this node"
                )
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.1)
            processes = self._running(slices)

    def _need(self, what: str, name: str, *argv: str) -> None:
        path = self.program(name)
        if path is None:
            raise LeftoverError(f"{what} is left: this node has no program {name}; install it")
        result = self._run(path, *argv)
        if result.rc != 0:
            raise LeftoverError(f"{what} is left: {result.explain()}")

    def _unmount(self, found: Leftovers) -> None:
        # More may have come since, or gone with the processes: mount points are looked at again.
        for point in self._mounted() if found.mounts else ():
            result = self._run("umount", "--", point)
            if result.rc in _TIMED_OUT or "busy" in result.err:
                result = self._run("umount", "--force", "--lazy", "--", point)
            if result.rc != 0 and point in parse_mounts(self._text("/proc/self/mountinfo")):
                raise LeftoverError(
                    f"{point} stays mounted ({result.explain()}); see who uses it with "
                    f"'fuser --verbose --mount {point}'"
                )

    def _namespaces(self, found: Leftovers) -> None:
        for name in found.namespaces:
            with suppress(FileNotFoundError):
                os.unlink(f"{self._root}{NETNS_DIR}/{name}")

    def _interfaces(self, found: Leftovers) -> None:
        for name in found.interfaces:
            self._delete_interface(name)

    def _delete_interface(self, name: str) -> None:
        try:
            self._need(f"interface {name}", "ip", "link", "delete", name)
        except LeftoverError:
            # A port goes with its other end, which lay in the pod's network namespace.
            if os.path.lexists(f"{self._root}/sys/class/net/{name}"):
                raise

    def _routes(self, found: Leftovers) -> None:
        for target in found.routes:
            self._need(f"the route to {target}", "ip", "route", "delete", target)

    def _filter(self, scripts: Sequence[str]) -> None:
        if not scripts:
            return
        savers = self._savers()
        for name, script in self._rules().items():
            if name != NFT:
                restore = f"{savers[name][: -len('-save')]}-restore"
                self._load(name, [restore, "--noflush"], script)
        # Only now can it be told what is left empty.
        script = self._rules().get(NFT, "")
        if script:
            self._load(NFT, [NFT, "-f", "-"], script)

    def _load(self, name: str, argv: Sequence[str], script: str) -> None:
        result = self._run(*argv, text=script)
        if result.rc != 0:
            raise LeftoverError(f"rules of k3s stay in {name}: {result.explain()}")

    def _tidy(self) -> None:
        """Remove kubelet's empty control groups, and the folder of namespaces if it came since."""
        top = f"{self._root}/sys/fs/cgroup{self._slices()}/kubepods"
        for folder, _folders, _files in os.walk(top, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)
        self._shim_sockets()
        known = self._before.data.get(NETNS_DIR)
        if known is None or known.kind != "absent" or self._names(NETNS_DIR):
            return
        while NETNS_DIR in parse_mounts(self._text("/proc/self/mountinfo")):
            if self._run("umount", "--", NETNS_DIR).rc != 0:
                return  # The ledger names what stays.
        try:
            os.rmdir(self._root + NETNS_DIR)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EBUSY):
                raise

    def _shim_sockets(self) -> None:
        """Remove the sockets that nobody holds any more, if their folder came since.

        Other engines' shims listen in the same folder. What the kernel does not list has ended.
        """
        known, names = self._before.data.get(SHIM_SOCKETS), self._names(SHIM_SOCKETS)
        listed = self._text("/proc/net/unix")
        if known is None or known.kind != "absent" or not listed:
            return
        held = {line.rpartition(" ")[2] for line in listed.splitlines()}
        for path in (f"{SHIM_SOCKETS}/{name}" for name in names):
            with suppress(FileNotFoundError):
                if path not in held and stat.S_ISSOCK(os.lstat(self._root + path).st_mode):
                    os.unlink(self._root + path)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
