# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads which sockets a node has and which processes hold them."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterator
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links_sockets import (
    Holder,
    Names,
    Socket,
    describe_listeners,
    outgoing_ports,
    parse_containers,
    parse_list_sockets,
    parse_sockets,
    short_command,
    unit_and_container,
)

_DOCKER_PS = ("docker", "ps", "--no-trunc", "--format", "{{.ID}}\t{{.Names}}\t{{.Ports}}")
_LIST_SOCKETS = ("systemctl", "list-sockets", "--no-legend", "--no-pager", "--full")


class Processes:
    """The sockets and processes of this node; ``root`` is where its files lie."""

    def __init__(self, command: Command, root: str = "/") -> None:
        self._command = command
        self._proc = os.path.join(root, "proc")
        self._docker_pid = os.path.join(root, "run/docker.pid")

    def describe(self, ephemeral: Optional[list[int]], sees_all: bool) -> dict[str, Any]:
        """Return listeners and what outgoing connections hold; None for what cannot be read."""
        sockets = self._sockets()
        if sockets is None:
            return {"listeners": None, "outgoing": None, "sees_processes": sees_all}
        listening = [each for each in sockets if each.listens]
        holders = self._holders({each.inode for each in listening})
        listening = self._still_there(listening, holders)
        low, high = ephemeral or (1, 0)
        return {
            "listeners": describe_listeners(listening, holders, self._names(holders)),
            "outgoing": outgoing_ports(sockets, low, high) if ephemeral else None,
            "sees_processes": sees_all,
        }

    def _sockets(self) -> Optional[list[Socket]]:
        found: list[Socket] = []
        for name in ("tcp", "tcp6", "udp", "udp6"):
            table = self._table(name)
            if table is None and name in ("tcp", "udp"):  # A kernel without IPv6 lacks the others.
                return None
            found.extend(table or [])
        return found

    def _table(self, name: str) -> Optional[list[Socket]]:
        try:
            with open(f"{self._proc}/net/{name}", encoding="ascii", errors="replace") as file:
                return list(parse_sockets(file, name[:3]))
        except OSError:
            return None

    def _still_there(self, listening: list[Socket], holders: dict[int, Holder]) -> list[Socket]:
        """Return the listeners without those that vanished since, with the process they had."""
        if all(each.inode in holders for each in listening):
            return listening
        again = self._sockets()
        now = {each.inode for each in (listening if again is None else again)}
        return [each for each in listening if each.inode in holders or each.inode in now]

    def _holders(self, inodes: Collection[int]) -> dict[int, Holder]:
        """Return the process of each socket that one is found for.

        systemd keeps the sockets of services that it starts on demand: another process counts more.
        """
        found: dict[int, int] = {}
        for pid in self._pids():
            for inode in self._socket_inodes(pid):
                if inode in inodes and found.get(inode, 1) == 1:
                    found[inode] = pid
        own = self._text(1, "cgroup")
        known = {pid: self._holder(pid, own) for pid in set(found.values())}
        return {inode: known[pid] for inode, pid in found.items()}

    def _pids(self) -> list[int]:
        try:
            return sorted(int(name) for name in os.listdir(self._proc) if name.isdigit())
        except OSError:
            return []

    def _socket_inodes(self, pid: int) -> Iterator[int]:
        for link in self._open_files(pid):
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith("socket:[") and target[8:-1].isdigit():
                yield int(target[8:-1])

    def _open_files(self, pid: int) -> list[str]:
        """Return the links to what a process has open.

        One that ends shows none as soon as its first thread has ended; the others still hold them.
        """
        found = _entries(f"{self._proc}/{pid}/fd")
        if not found:
            threads = _entries(f"{self._proc}/{pid}/task")
            found = [link for each in threads for link in _entries(f"{each}/fd")]
        return found

    def _holder(self, pid: int, own: str) -> Holder:
        unit, container = unit_and_container(self._text(pid, "cgroup"), own)
        return Holder(
            pid=pid,
            process=self._text(pid, "comm").strip(),
            command=short_command(self._text(pid, "cmdline")),
            unit=unit,
            container=container,
        )

    def _text(self, pid: int, name: str) -> str:
        try:
            with open(f"{self._proc}/{pid}/{name}", encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def _names(self, holders: dict[int, Holder]) -> Names:
        """Return the names of containers and socket units, asked for only where one listens."""
        containers: dict[str, str] = {}
        published: dict[int, str] = {}
        sockets: dict[int, str] = {}
        values = list(holders.values())
        in_container = any(each.container or each.process == "docker-proxy" for each in values)
        # The engine's pid file: to ask an engine that does not run would start it.
        if in_container and glob.glob(self._docker_pid) and self._command.find("docker"):
            containers, published = parse_containers(self._command.run(_DOCKER_PS).out)
        if any(each.pid == 1 for each in values) and self._command.find("systemctl"):
            sockets = parse_list_sockets(self._command.run(_LIST_SOCKETS).out)
        return Names(containers, published, sockets)


def _entries(folder: str) -> list[str]:
    """Return the paths in a folder, none where it cannot be read."""
    try:
        return [entry.path for entry in os.scandir(folder)]
    except OSError:
        return []
