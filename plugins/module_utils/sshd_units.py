# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who listens for SSH: a service, or a socket of systemd's that starts it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_config import HEADER

#: Debian and Ubuntu call it ssh, Enterprise Linux sshd.
UNITS = ("ssh.service", "sshd.service", "ssh.socket", "sshd.socket")
PROPERTIES = (
    "Id,LoadState,ActiveState,MainPID,InactiveExitTimestampMonotonic,Accept,Listen,NeedDaemonReload"
)
GENERATORS = (
    "/usr/lib/systemd/system-generators/sshd-socket-generator",
    "/lib/systemd/system-generators/sshd-socket-generator",
)
_VENDOR = ("/usr/lib/", "/lib/")
_MADE_FOLDER = "# Made with its folder"


@dataclass(frozen=True)
class SshUnit:
    """A unit as ``systemctl show`` tells it; ``started`` in microseconds since boot."""

    name: str
    loaded: bool
    active: bool
    main_pid: int
    started: int
    accepts: bool
    ports: frozenset[int]
    needs_reload: bool


@dataclass(frozen=True)
class Listener:
    """Who listens: ``socket`` is None where sshd does it itself."""

    service: SshUnit
    socket: Optional[SshUnit]

    @property
    def main(self) -> SshUnit:
        """Return the unit that holds the ports."""
        return self.socket or self.service

    @property
    def pids(self) -> frozenset[int]:
        """Return the processes that hold the ports; 1 is systemd."""
        return frozenset({self.service.main_pid, *([1] if self.socket else [])}) - {0}

    @property
    def restart(self) -> tuple[str, ...]:
        """Return the command line that has what listens take up a new configuration.

        A socket cannot be bound while its service runs, so both stop first. systemd itself does
        that: with this process killed in between, nobody would listen any more. A socket that
        starts one sshd for each connection has no service that lasts.
        """
        if self.socket is None or self.socket.accepts:
            return ("systemctl", "restart", self.main.name)
        socket, service = self.socket.name, self.service.name
        script = (
            f"systemctl stop {socket} {service}; "
            f"systemctl start {socket} || {{ systemctl start {service}; exit 1; }}"
        )
        return ("systemd-run", "--quiet", "--wait", "--collect", "sh", "-c", script)


def parse_units(text: str) -> tuple[SshUnit, ...]:
    """Return the loaded units in the output of ``systemctl show``, aliases once."""
    found: dict[str, SshUnit] = {}
    for stanza in text.split("\n\n"):
        pairs = [line.partition("=")[::2] for line in stanza.splitlines() if "=" in line]
        values = dict(pairs)
        if values.get("LoadState") != "loaded":
            continue
        listens = [value.split(" ")[0] for key, value in pairs if key == "Listen"]
        unit = SshUnit(
            name=values["Id"],
            loaded=True,
            active=values.get("ActiveState") in ("active", "reloading", "activating"),
            main_pid=int(values.get("MainPID") or 0),
            started=int(values.get("InactiveExitTimestampMonotonic") or 0),
            accepts=values.get("Accept") == "yes",
            ports=frozenset(port for port in map(stream_port, listens) if port),
            needs_reload=values.get("NeedDaemonReload") == "yes",
        )
        found.setdefault(unit.name, unit)
    return tuple(found.values())


def find_listener(units: Iterable[SshUnit]) -> Optional[Listener]:
    """Return who listens, None when systemd runs neither an sshd nor its socket."""
    known = list(units)
    services = [unit for unit in known if unit.name.endswith(".service")]
    sockets = [unit for unit in known if unit.name.endswith(".socket") and unit.active]
    active = [unit for unit in services if unit.active]
    if not services or not (active or sockets):
        return None
    return Listener((active or services)[0], sockets[0] if sockets else None)


def stream_port(stream: str) -> int:
    """Return the port of a ListenStream value, 0 when it is a path or another kind of address."""
    if stream.startswith(("/", "@", "vsock:")):
        return 0
    port = stream.rpartition(":")[2]
    return int(port) if port.isdigit() else 0


def parse_bound(text: str, pids: frozenset[int]) -> frozenset[int]:
    """Return the ports that one of ``pids`` holds, from ``ss -Hltnp``."""
    return frozenset(port for port, owners in _sockets(text) if pids & owners)


def port_takers(text: str, port: int) -> tuple[str, ...]:
    """Return the names of the programs that listen on ``port``."""
    lines = [line for line in text.splitlines() if _local_port(line) == port]
    return tuple(dict.fromkeys(name for line in lines for name in re.findall(r'\("([^"]+)"', line)))


def _sockets(text: str) -> Iterable[tuple[int, set[int]]]:
    for line in text.splitlines():
        port = _local_port(line)
        if port:
            yield port, {int(pid) for pid in re.findall(r"pid=(\d+)", line)}


def _local_port(line: str) -> int:
    words = line.split()
    port = words[3].rpartition(":")[2] if len(words) > 3 else ""
    return int(port) if port.isdigit() else 0


@dataclass(frozen=True)
class Streams:
    """What a socket unit listens on without our drop-in: its vendor's streams, and its owner's."""

    vendor: tuple[str, ...]
    owner: tuple[tuple[str, str], ...]

    @property
    def explicit(self) -> tuple[tuple[int, str], ...]:
        """Return the owner's ports, each with the file that names it."""
        pairs = [(stream_port(stream), path) for stream, path in self.owner]
        return tuple((port, path) for port, path in pairs if port)

    @property
    def default(self) -> tuple[int, ...]:
        """Return the vendor's ports."""
        ports = [stream_port(stream) for stream in self.vendor]
        return tuple(dict.fromkeys(port for port in ports if port))


def drop_in_path(socket: str) -> str:
    """Return where our drop-in of a socket unit lies."""
    return f"/etc/systemd/system/{socket}.d/60-rackforge.conf"


def parse_streams(text: str, own: str) -> Streams:
    """Return the streams in the output of ``systemctl cat``, without those of the file ``own``."""
    vendor: list[str] = []
    owner: list[tuple[str, str]] = []
    path = ""
    for line in text.splitlines():
        header = re.match(r"^# (/\S+)$", line)
        stream = re.match(r"^ListenStream\s*=\s*(\S*)\s*$", line)
        if header:
            path = header.group(1)
        elif stream and path != own:
            if not stream.group(1):
                vendor, owner = [], []
            elif path.startswith(_VENDOR):
                vendor.append(stream.group(1))
            else:
                owner.append((stream.group(1), path))
    return Streams(tuple(vendor), tuple(owner))


def socket_text(streams: Streams, ports: Sequence[int], made_folder: bool) -> str:
    """Return our drop-in: the owner's streams, and the vendor's with our ports."""
    if not ports:
        return ""
    moved = [_moved(stream, port) for port in ports for stream in streams.vendor]
    lines = [HEADER, *([_MADE_FOLDER] if made_folder else []), "[Socket]", "ListenStream="]
    values = [stream for stream, _path in streams.owner] + (moved or [str(port) for port in ports])
    lines += [f"ListenStream={value}" for value in dict.fromkeys(values)]
    return "".join(f"{line}\n" for line in lines)


def _moved(stream: str, port: int) -> str:
    return re.sub(r"\d+$", str(port), stream) if stream_port(stream) else stream


def made_folder(text: str) -> bool:
    """Return whether our drop-in says that its folder was not there before."""
    return _MADE_FOLDER in text.split("\n")
