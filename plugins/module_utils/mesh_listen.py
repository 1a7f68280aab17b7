# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listeners of the port mesh: which ports get one, and why others do not."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Heard,
    ListenReport,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import (
    compress,
    expand,
    spread,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_sockets import (
    Listening,
    read_listening,
    read_number,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import parsed

#: A range wider than this is a pool that a service takes ports out of.
WIDE = 64
#: So many ports of a pool are listened to where services run that take ports out of it.
FEW = 32
#: Files that an agent needs beside its listeners: the talks of a large cluster.
SPARE_FILES = 512
#: Seconds for which the kernel keeps a connection that says nothing from the agent. A prober holds
#: its connections for less.
DEFER_SECONDS = 60
_LEFT_FREE = "left free for the services that run here"
_OUTGOING = "in use by an outgoing connection"
_EPHEMERAL = "left free for outgoing connections"


@dataclass
class Listeners:
    """Sockets by port, and the report about them."""

    report: ListenReport
    tcp: dict[int, socket.socket] = field(default_factory=dict)
    udp: dict[int, socket.socket] = field(default_factory=dict)

    def close(self) -> None:
        """Stop listening."""
        for each in (*self.tcp.values(), *self.udp.values()):
            each.close()


@dataclass(frozen=True)
class Wish:
    """What a node shall listen to; ``few`` where services run that need ports of wide ranges."""

    address: str
    tcp: str
    udp: str
    seconds: int
    few: bool = False


def choose_ports(text: str, taken: frozenset[int], few: bool, room: int) -> tuple[list[int], str]:
    """Return the ports to try, and those of them that are left free because there are services."""
    wanted: list[int] = []
    for first, last in parsed(text):
        span = [port for port in range(first, last + 1) if port not in taken]
        wide = few and last - first >= WIDE
        wanted += spread(span, FEW) if wide else span
    wanted += [port for port in expand(text) if port in taken]
    chosen = spread(sorted(wanted), room)
    return chosen, compress(set(expand(text)) - set(chosen))


def local_ports(path: str = "/proc/sys/net/ipv4/ip_local_port_range") -> range:
    """Return the ports that the kernel gives to outgoing connections."""
    with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
        first, last = (int(word) for word in file.read().split())
        return range(first, last + 1)
    return range(0)


def leave_ephemeral(ports: list[int], ephemeral: range) -> list[int]:
    """Return the ports without every second of the outgoing ones, when they are most of those."""
    inside = [port for port in ports if port in ephemeral]
    if len(inside) * 2 <= len(ephemeral):
        return ports
    return [port for port in ports if port not in ephemeral or port % 2]


def open_tcp(address: str, port: int, backlog: int) -> socket.socket:
    """Return a listener that leaves silent connections with the kernel."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_SECONDS)
        made.bind((address, port))
        made.listen(backlog)
    except OSError:
        made.close()
        raise
    return made


def open_udp(address: str, port: int) -> socket.socket:
    """Return a socket that takes datagrams."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def reason(error: OSError) -> str:
    """Return why nobody could listen to a port."""
    if error.errno == errno.EADDRINUSE:
        return _OUTGOING
    if error.errno in (errno.EACCES, errno.EPERM):
        return "needs root"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many open files"
    return str(error.strerror or error)


def _attempt(
    opener: Callable[[int], socket.socket], port: int
) -> tuple[Optional[socket.socket], OSError]:
    try:
        return opener(port), OSError()
    except OSError as error:
        return None, error


def _listen(
    wish: Wish,
    protocol: str,
    taken: frozenset[int],
    room: int,
    opener: Callable[[int], socket.socket],
) -> tuple[dict[int, socket.socket], Heard]:
    """Return the sockets of one protocol and how its ports stand."""
    text = wish.tcp if protocol == "tcp" else wish.udp
    live, left = choose_ports(text, taken, wish.few, room)
    missing: dict[str, list[int]] = {}
    asked = leave_ephemeral(live, local_ports())
    missing[_EPHEMERAL] = sorted(set(live) - set(asked))
    opened: dict[int, socket.socket] = {}
    served = [port for port in expand(left) if port in taken]
    why_left = _LEFT_FREE if wish.few else f"too many open files: room for {room}"
    missing[why_left] = [port for port in expand(left) if port not in taken]
    for port in asked:
        sock, error = _attempt(opener, port)
        if sock is not None:
            opened[port] = sock
        elif error.errno == errno.EADDRINUSE and port in taken:
            served.append(port)
        else:
            missing.setdefault(reason(error), []).append(port)
    gaps = {compress(ports): why for why, ports in missing.items() if ports}
    return opened, Heard(ours=compress(opened), served=compress(served), missing=gaps)


def open_listeners(wish: Wish, file_limit: int) -> Listeners:
    """Return the listeners that could be opened; OSError when the node lacks the address."""
    socket.inet_aton(wish.address)
    open_udp(wish.address, 0).close()
    taken: Listening = read_listening(wish.address)
    backlog = min(read_number("/proc/sys/net/core/somaxconn") or 128, 1024)
    count_udp = len(expand(wish.udp))
    room = max(file_limit - SPARE_FILES, 1)
    tcp_room = max(room - count_udp, room // 2)
    tcp, tcp_heard = _listen(
        wish, "tcp", taken.tcp, tcp_room, lambda port: open_tcp(wish.address, port, backlog)
    )
    udp, udp_heard = _listen(
        wish, "udp", taken.udp, max(room - len(tcp), 1), lambda port: open_udp(wish.address, port)
    )
    report = ListenReport(wish.address, tcp_heard, udp_heard, wish.seconds)
    return Listeners(report, tcp, udp)
