# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens where, from the kernel's tables of sockets and the processes that hold them.

Pure: texts in, plain values out.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import joined

ANY = "*"
LOOPBACK = "loopback"
#: Rows beyond these are told by program instead of by process.
MOST_ROWS = 400

# States of a socket as the kernel numbers them (include/net/tcp_states.h).
_TIME_WAIT, _CLOSE, _LISTEN = "06", "07", "0A"
#: Programs whose own name says nothing of what they run.
_INTERPRETERS = re.compile(r"(python|perl|ruby|node|java|bash|sh|dash)[\d.]*$")
_CONTAINER = re.compile(r"(?:^|[-/:])([0-9a-f]{64})(?:\.scope)?(?:$|/)")
_UNIT = re.compile(r"[^/]+\.(?:service|scope|socket)")


@dataclass(frozen=True)
class Socket:
    """One socket: ``address`` is ANY, LOOPBACK or an address; ``listens`` or goes out."""

    protocol: str
    address: str
    port: int
    inode: int
    listens: bool
    uid: int = 0


@dataclass(frozen=True)
class Holder:
    """A process, as far as it can be told."""

    pid: int
    process: str
    command: str = ""
    unit: str = ""
    container: str = ""


def parse_sockets(lines: Iterable[str], protocol: str) -> Iterator[Socket]:
    """Yield the sockets of /proc/net/tcp, tcp6, udp or udp6; lines that say nothing are skipped."""
    listening = _LISTEN if protocol == "tcp" else _CLOSE
    for line in lines:
        words = line.split()
        if len(words) < 10 or ":" not in words[1] or words[3] == _TIME_WAIT:
            continue
        try:
            local, port = words[1].split(":")
            yield Socket(
                protocol=protocol,
                address=_address(local),
                port=int(port, 16),
                inode=int(words[9]),
                listens=words[3] == listening,
                uid=int(words[7]),
            )
        except (ValueError, struct.error):
            continue


@lru_cache(maxsize=1024)
def _address(text: str) -> str:
    """Return the address that the kernel writes as words of 32 bits in the machine's order."""
    if len(text) not in (8, 32):
        raise ValueError(text)
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    if len(packed) == 4:
        address: Any = ipaddress.IPv4Address(packed)
    else:
        address = ipaddress.IPv6Address(packed)
        address = address.ipv4_mapped or address
    if address.is_unspecified:
        return ANY
    return LOOPBACK if address.is_loopback else str(address)


def unit_and_container(cgroup: str, own: str = "") -> tuple[str, str]:
    """Return unit and container id in the text of /proc/PID/cgroup, '' for none.

    ``own`` is the text of process 1: a container that the whole node lives in is not meant.
    """
    around = set(_CONTAINER.findall(own)) | set(re.findall(r"[0-9a-f]{64}", own))
    paths = [line.split(":", 2)[2] for line in cgroup.splitlines() if line.count(":") >= 2]
    units, containers = [""], [""]
    for path in paths:
        units += _UNIT.findall(path)[-1:]
        containers += [each for each in _CONTAINER.findall(path) if each not in around][-1:]
    unit = max(units, key=len)
    return ("" if containers[-1] and containers[-1] in unit else unit, containers[-1])


def short_command(cmdline: str) -> str:
    """Return the program of a command line, and for an interpreter what it runs; no arguments."""
    words = [word for word in cmdline.split("\0") if word]
    if not words:
        return ""
    program = words[0].split()[0] if words[0].split() else words[0]
    if len(words) > 1 and _INTERPRETERS.search(program):
        if words[1] == "-m":
            return " ".join([program, *words[1:3]])[:120]
        if not words[1].startswith("-"):
            return f"{program} {words[1]}"[:120]
    return program[:120]


def parse_containers(text: str) -> tuple[dict[str, str], dict[int, str]]:
    """Return the containers' names by id and by published port.

    The text is that of ``docker ps`` with id, names and ports, tabs between them.
    """
    names: dict[str, str] = {}
    published: dict[int, str] = {}
    for line in text.splitlines():
        words = line.split("\t")
        if len(words) != 3 or not words[0]:
            continue
        names[words[0]] = words[1]
        for first, last in re.findall(r":(\d{1,5})(?:-(\d{1,5}))?->", words[2]):
            for port in range(int(first), int(last or first) + 1):
                published[port] = words[1]
    return names, published


def parse_list_sockets(text: str) -> dict[int, str]:
    """Return the unit by port in the output of ``systemctl list-sockets``."""
    found = {}
    for line in text.splitlines():
        matched = re.match(r"\s*\S*?:(\d{1,5})\s+(\S+\.socket)", line)
        if matched:
            found[int(matched[1])] = matched[2]
    return found


@dataclass(frozen=True)
class Names:
    """What programs of the node call things: containers by id and port, socket units by port."""

    containers: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[int, str] = field(default_factory=dict)
    sockets: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Group:
    """What makes several sockets one row: a service, a container or a program."""

    protocol: str
    address: str
    unit: str = ""
    container: str = ""
    container_name: str = ""
    program: str = ""
    pid: int = 0


def describe_listeners(
    sockets: Iterable[Socket], holders: Mapping[int, Holder], names: Names
) -> list[dict[str, Any]]:
    """Return who listens: one row for each protocol, address and holder, its ports as a list.

    A service or a container is one holder, however many processes it has; where there are very
    many others, those of one program are.
    """
    found = [(_group(each, holders.get(each.inode), names), each) for each in sockets]
    if len({group for group, _socket in found}) > MOST_ROWS:
        found = [(replace(group, pid=0), each) for group, each in found]
    groups: dict[_Group, list[tuple[Socket, Optional[Holder]]]] = {}
    for group, each in found:
        groups.setdefault(group, []).append((each, holders.get(each.inode)))
    rows = [_row(group, members) for group, members in groups.items()]
    return sorted(rows, key=lambda row: (row["protocol"], _first(row["ports"]), row["address"]))


def _group(socket: Socket, holder: Optional[Holder], names: Names) -> _Group:
    place = _Group(socket.protocol, socket.address)
    if holder is None:
        return place
    if holder.container:
        name = names.containers.get(holder.container, "")
        return replace(place, container=holder.container, container_name=name)
    if holder.process == "docker-proxy":
        name = names.published.get(socket.port, "")
        return replace(place, unit=holder.unit, container_name=name, program=holder.process)
    unit = names.sockets.get(socket.port, "") if holder.pid == 1 else holder.unit
    is_service = unit.endswith((".service", ".socket"))
    if is_service:
        return replace(place, unit=unit)
    return replace(place, unit=unit, program=holder.process, pid=holder.pid)


def _row(group: _Group, members: Sequence[tuple[Socket, Optional[Holder]]]) -> dict[str, Any]:
    known = sorted({holder for _socket, holder in members if holder}, key=lambda each: each.pid)
    first = known[0] if known else None
    return {
        "protocol": group.protocol,
        "address": group.address,
        "ports": joined(*{str(each.port) for each, _holder in members}),
        "pid": first.pid if first else None,
        "processes": len(known),
        "process": first.process if first else None,
        "command": (first.command or None) if first else None,
        "unit": group.unit or None,
        "container": group.container or None,
        "container_name": group.container_name or None,
        "uid": members[0][0].uid,
    }


def _first(ports: str) -> int:
    return int(re.split("[,-]", ports)[0])


def outgoing_ports(sockets: Iterable[Socket], low: int, high: int) -> dict[str, str]:
    """Return, by protocol, the local ports of the range that connections to elsewhere hold.

    A connection that came in has the port of its listener, so these do not count.
    """
    inside = [each for each in sockets if low <= each.port <= high]
    listening = {(each.protocol, each.port) for each in inside if each.listens}
    found: dict[str, set[str]] = {"tcp": set(), "udp": set()}
    for each in inside:
        if (each.protocol, each.port) not in listening:
            found[each.protocol].add(str(each.port))
    return {protocol: joined(*ports) for protocol, ports in found.items()}
