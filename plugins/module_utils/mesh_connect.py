# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many TCP connections at once, all held until somebody has looked at them."""

from __future__ import annotations

import _socket
import contextlib
import errno
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_budget import Pace
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Verdict
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_talk import (
    IP_BIND_ADDRESS_NO_PORT,
    LINGER_NOT,
    Place,
)

#: Seconds for one connection. The kernel repeats the first packet after 1.0 s, so that each port
#: has two chances.
PATIENCE = 1.4
#: A connection is waited for at most so many times that long when this process was starved.
_MOST_STARVED = 3
_BATCH = 512
IP_RECVERR = 11
_ICMP = 2
_UNREACHABLE = 3
_PROHIBITED_CODES = (9, 10, 13)
_PORT_CODE = 3
#: So many ICMP errors a kernel sends to one address at once, and one a second from then on.
ICMP_BURST = 6
#: What only a firewall or a router says.
ERRORS = frozenset({Verdict.REFUSED, Verdict.PROHIBITED, Verdict.UNREACHABLE})
_PENDING = (errno.EINPROGRESS, errno.EALREADY)
_MADE = (0, errno.EISCONN)


#: The interpreter's own class, without the Python around it: ten thousand are made at once.
RawSocket = _socket.socket


@dataclass
class Attempts:
    """What became of each place: a held socket, or the verdict about what came back.

    Both None: nothing came back.
    """

    sockets: list[Optional[RawSocket]]
    failed: list[Optional[Verdict]]
    #: Places that this node itself had no port or file for.
    untried: set[int] = field(default_factory=set)

    def close(self) -> None:
        """Reset all connections."""
        for each in self.sockets:
            if each is not None:
                each.close()


def icmp_verdict(origin: int, kind: int, code: int) -> Optional[Verdict]:
    """Return what an ICMP error means for a port; None for one that means nothing."""
    if origin != _ICMP or kind != _UNREACHABLE:
        return None
    if code in _PROHIBITED_CODES:
        return Verdict.PROHIBITED
    return Verdict.REFUSED if code == _PORT_CODE else Verdict.UNREACHABLE


def read_error_queue(sock: RawSocket) -> Iterator[tuple[Optional[Verdict], tuple[str, int]]]:
    """Yield what ICMP said on this socket, and the place that it is about."""
    while True:
        try:
            _data, notes, _flags, place = sock.recvmsg(256, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return
        for level, kind, raw in notes:
            if level == socket.IPPROTO_IP and kind == IP_RECVERR and len(raw) >= 8:
                _errno, origin, icmp_type, code = struct.unpack_from("=IBBB", raw)
                yield icmp_verdict(origin, icmp_type, code), place


def error_verdict(sock: RawSocket, number: int) -> Optional[Verdict]:
    """Return what a failed connection means, None when it means that nothing came back."""
    if number == errno.ECONNREFUSED:
        return Verdict.REFUSED
    for verdict, _place in read_error_queue(sock):
        if verdict is not None:
            return verdict
    if number == errno.ETIMEDOUT:
        return None
    return Verdict.PROHIBITED if number in (errno.EACCES, errno.EPERM) else Verdict.UNREACHABLE


class Connector:
    """Connects to places from one address, at a bounded pace."""

    def __init__(self, source: str, pace: Pace) -> None:
        self._source = source
        self._pace = pace
        self._chosen: dict[str, bool] = {}
        self._epoll: Optional[select.epoll] = None
        self._pending: dict[int, int] = {}

    def connect(self, places: Sequence[Place], patience: float = PATIENCE) -> Attempts:
        """Return what became of all places, after as long as the slowest takes."""
        attempts = Attempts([None] * len(places), [None] * len(places))
        begun = time.monotonic()
        with contextlib.closing(select.epoll()) as epoll:
            self._epoll, self._pending = epoll, {}
            for start in range(0, len(places), _BATCH):
                self._poll(attempts, self._pace.delay(_BATCH))
                begun = time.monotonic()
                stop = min(start + _BATCH, len(places))
                self._begin(places, range(start, stop), attempts)
                self._look_again(places, range(start, stop), attempts)
                self._poll(attempts, 0)
            self._wait(attempts, begun + patience, patience)
        for index in self._pending.values():
            self._fail(attempts, index, None)
        return attempts

    def _begin(self, places: Sequence[Place], indexes: range, attempts: Attempts) -> None:
        """Send the first packet to each place."""
        for index in indexes:
            try:
                sock = _socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, 0)
            except OSError:
                attempts.untried.add(index)
                continue
            attempts.sockets[index] = sock
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            if self._needs_source(places[index].address):
                self._bind(sock)
            number = sock.connect_ex(places[index])
            if number not in _PENDING and number not in _MADE:
                self._fail(attempts, index, number)

    def _needs_source(self, address: str) -> bool:
        """Whether connections would go from another address if they were not told."""
        known = self._chosen.get(address)
        if known is None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                known = sock.connect_ex((address, 9)) != 0 or sock.getsockname()[0] != self._source
            self._chosen[address] = known
        return known

    def _bind(self, sock: RawSocket) -> None:
        """Take the source's address, and let connect() choose the port."""
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        # The address went after the measurement began: connect() then shows it.
        with contextlib.suppress(OSError):
            sock.bind((self._source, 0))

    def _look_again(self, places: Sequence[Place], indexes: range, attempts: Attempts) -> None:
        """Sort out those that were made meanwhile; wait for the others."""
        for index in indexes:
            sock = attempts.sockets[index]
            if sock is None:
                continue
            number = sock.connect_ex(places[index])
            if number in _MADE:
                continue
            if number in _PENDING and self._epoll is not None:
                self._pending[sock.fileno()] = index
                self._epoll.register(sock.fileno(), select.EPOLLOUT)
            else:
                self._fail(attempts, index, number)

    def _poll(self, attempts: Attempts, seconds: float) -> None:
        """Take what came back within some seconds."""
        until = time.monotonic() + seconds
        while self._epoll is not None:
            left = max(until - time.monotonic(), 0)
            for number, _event in self._epoll.poll(left, 4096):
                self._settle(attempts, number)
            if time.monotonic() >= until or (not self._pending and seconds == 0):
                return

    def _settle(self, attempts: Attempts, number: int) -> None:
        index = self._pending.pop(number)
        sock = attempts.sockets[index]
        if sock is None or self._epoll is None:
            return
        self._epoll.unregister(number)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._fail(attempts, index, error)

    def _wait(self, attempts: Attempts, deadline: float, patience: float) -> None:
        """Wait for the rest; time in which this process did not get to run does not count."""
        latest = deadline + (_MOST_STARVED - 1) * patience
        while self._pending and self._epoll is not None:
            before, busy = time.monotonic(), time.process_time()
            left = min(deadline, latest) - before
            if left <= 0:
                return
            for number, _event in self._epoll.poll(min(left, 0.2), 4096):
                self._settle(attempts, number)
            spent = time.monotonic() - before - (time.process_time() - busy)
            deadline += max(spent - 0.25, 0)

    def _fail(self, attempts: Attempts, index: int, number: Optional[int]) -> None:
        sock = attempts.sockets[index]
        attempts.sockets[index] = None
        if number in (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.EAGAIN, errno.ENOBUFS):
            attempts.untried.add(index)
        elif number is not None and sock is not None:
            attempts.failed[index] = error_verdict(sock, number)
        if sock is not None:
            sock.close()
