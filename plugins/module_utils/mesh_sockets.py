# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel says about its sockets: who listens, and which connections it holds."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Optional

#: Peer address -> pairs (own port, peer's port), four bytes as on the wire.
Connections = dict[bytes, set[bytes]]

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_DUMP = 0x301
_HEADER = struct.Struct("=IHHII")
_SIZE_AND_KIND = struct.Struct("=IH")
#: An attribute with a small program for the kernel, and the operation "the peer's address is".
_BYTECODE, _PEER_IS = 1, 8
_FILTER = struct.Struct("=BBH")
_DONE, _ERROR = 3, 2
#: Family, protocol, extensions, padding, states, and the address part that a dump leaves empty.
_QUESTION = struct.Struct("=BBBxI48x")
_PROC_LISTEN, _PROC_UDP = "0A", "07"
#: Every state of a connection that somebody took: ESTABLISHED, SYN_RECV, FIN_WAIT1, FIN_WAIT2,
#: CLOSE_WAIT, LAST_ACK, CLOSING, NEW_SYN_RECV (the kernel's name for a request). Those
#: that this node has asked for itself are among them; nobody asks for those.
_TAKEN = (1, 3, 4, 5, 8, 9, 11, 12)
_STATES = sum(1 << state for state in _TAKEN)
_ANY4, _ANY6 = bytes(4), bytes(16)
_MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True)
class Listening:
    """Ports where a service takes what comes to an address."""

    tcp: frozenset[int]
    udp: frozenset[int]


def read_listening(address: str) -> Listening:
    """Return where services listen that are reached at ``address``."""
    own = socket.inet_aton(address)
    found: dict[str, set[int]] = {"tcp": set(), "udp": set()}
    for protocol, state in (("tcp", _PROC_LISTEN), ("udp", _PROC_UDP)):
        for local, _peer, seen, _inode in _proc_rows(protocol):
            host, port = local
            if seen == state and host in (_ANY4, _ANY6, own, _MAPPED + own):
                found[protocol].add(port)
    return Listening(frozenset(found["tcp"]), frozenset(found["udp"]))


def read_listeners(address: str) -> dict[int, int]:
    """Return the inode of the socket behind each TCP port of ``read_listening``.

    It tells whether the same socket still listens; the lowest one where several share a port.
    """
    own = socket.inet_aton(address)
    found: dict[int, int] = {}
    for (host, port), _peer, seen, inode in _proc_rows("tcp"):
        if seen == _PROC_LISTEN and host in (_ANY4, _ANY6, own, _MAPPED + own):
            found[port] = min(inode, found.get(port, inode))
    return found


def read_connections(
    peers: Iterable[bytes], family: int = socket.AF_INET, *, ask: bool = True
) -> Connections:
    """Return the connections that this node's kernel holds with some peers, by their addresses.

    Those of services that listen with IPv6 as well are of that ``family``. The kernel sorts them
    out by the peer; where it cannot be asked (``ask``), its table is read as text.
    """
    found: Connections = {}
    for peer in peers:
        if not (ask and _dump(peer, family, found)):
            _read_table(peer, family, found)
    return found


def _dump(peer: bytes, family: int, found: Connections) -> bool:
    """Add what the kernel says; return whether it said it, for some lack the module for it."""
    question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, _STATES)
    # A filter for the kernel: go on behind this when the peer's address is that one, else give up.
    wanted = struct.pack("=BBxxi4s", socket.AF_INET, 32, -1, peer)
    size = _FILTER.size + len(wanted)
    code = _FILTER.pack(_PEER_IS, size, size + 4) + wanted
    question += struct.pack("=HH", len(code) + 4, _BYTECODE) + code
    pairs = found.setdefault(peer, set())
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(5)
            size = _HEADER.size + len(question)
            kernel.send(_HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + question)
            while _take(kernel.recv(1 << 18), pairs):
                pass
    except OSError:
        return False
    return True


def _take(data: bytes, pairs: set[bytes]) -> bool:
    """Add the connections of one answer; say whether there are more answers to come."""
    place, end = 0, len(data)
    while place + _HEADER.size <= end:
        size, kind = _SIZE_AND_KIND.unpack_from(data, place)
        if kind == _DONE:
            return False
        if kind == _ERROR or size < _HEADER.size:
            raise OSError("the kernel does not tell its sockets")
        pairs.add(data[place + 20 : place + 24])
        place += (size + 3) & ~3
    return True


def _read_table(peer: bytes, family: int, found: Connections) -> None:
    states = {f"{state:02X}" for state in _TAKEN}
    pairs = found.setdefault(peer, set())
    table = "tcp" if family == socket.AF_INET else "tcp6"
    for (_host, port), (host, peer_port), state, _inode in _proc_table(table):
        if state in states and host[-4:] == peer:
            pairs.add(struct.pack("!HH", port, peer_port))


_Row = tuple[tuple[bytes, int], tuple[bytes, int], str, int]


def _proc_rows(protocol: str) -> Iterator[_Row]:
    """Yield own end, peer's end, state and inode of each socket that can be read."""
    for name in (protocol, f"{protocol}6"):
        yield from _proc_table(name)


def _proc_table(name: str) -> Iterator[_Row]:
    with contextlib.suppress(OSError), open(f"/proc/net/{name}", encoding="ascii") as file:
        next(file, "")
        for line in file:
            words = line.split(None, 10)
            with contextlib.suppress(ValueError, IndexError):
                yield _proc_end(words[1]), _proc_end(words[2]), words[3], int(words[9])


def _proc_end(text: str) -> tuple[bytes, int]:
    address, _colon, port = text.partition(":")
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    return struct.pack(f"={len(words)}I", *words), int(port, 16)


def read_handed_on(address: str, path: str = "/proc/net/nf_conntrack") -> Connections:
    """Return the connections to ``address`` that this node itself hands on to another one.

    That is how ports of containers work. Only root may read it, and not every kernel has it; what
    cannot be read is empty.
    """
    found: Connections = {}
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
        for line in file:
            words = [word.split("=", 1)[1] for word in line.split() if "=" in word]
            # src, dst, sport, dport as sent, then the same of the answer.
            if len(words) >= 8 and " tcp " in line and words[1] == address != words[4]:
                with contextlib.suppress(ValueError, OSError):
                    pair = struct.pack("!HH", int(words[3]), int(words[2]))
                    found.setdefault(socket.inet_aton(words[0]), set()).add(pair)
    return found


def is_asked_for(address: str, path: str = "/proc/net/arp") -> bool:
    """Return whether the kernel still asks for the hardware address of a neighbour."""
    with contextlib.suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
        for line in file:
            words = line.split()
            if len(words) > 2 and words[0] == address:
                return words[2] == "0x0"
    return False


def read_number(path: str) -> Optional[int]:
    """Return the number in a kernel file; None when there is none to read."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def raise_file_limit(wanted: int) -> int:
    """Return how many files this process may have open, after asking for ``wanted`` or more."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted and os.geteuid() == 0:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    top = (1 << 20) if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
    return top
