# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""UDP ports of all destinations: a ping to each, and the agent's echo under the run's secret."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterable, Sequence

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_budget import Pace
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_connect import (
    ERRORS,
    ICMP_BURST,
    IP_RECVERR,
    read_error_queue,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Target,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import expand
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import (
    LARGEST_DATAGRAM,
    WireError,
    make_ping,
    new_nonce,
    read_echo,
)

#: Seconds between one ping to a port and the next, and after the last one.
TRIES = (0.2, 0.3, 0.5, 1.0)
#: A ping more for a try in which this process did not get to run so long, and how many more.
_STARVED, _MOST_EXTRA = 0.25, 4
#: Seconds for ICMP about a port of a service, which gives no echo.
_SERVED_SECONDS = 0.3
_BATCH = 64
_BUFFER = 1 << 22

Place = tuple[str, int]


class UdpProbe:
    """Tries all ports from one socket; ``verdicts`` fills up while it runs."""

    def __init__(self, key: bytes, source: str, pace: Pace) -> None:
        self._key = key
        self._pace = pace
        self._token = new_nonce()[:8]
        self._source = source
        self._own: Place = ("", 0)
        self.verdicts: dict[Place, Verdict] = {}
        self.strangers: set[Place] = set()

    def run(self, targets: Sequence[Target]) -> list[dict[int, Verdict]]:
        """Return for each target the verdict of each port."""
        ours = {(each.address, port) for each in targets for port in expand(each.udp)}
        served = {(each.address, port) for each in targets for port in expand(each.udp_served)}
        served -= ours
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            sock.bind((self._source, 0))
            self._own = sock.getsockname()
            self._send_all(sock, sorted(served), is_ping=False)
            begun = time.monotonic()
            self._ping(sock, ours)
            if served:
                self._receive(sock, max(_SERVED_SECONDS - (time.monotonic() - begun), 0), served)
        return [self._of(each) for each in targets]

    def _ping(self, sock: socket.socket, ours: set[Place]) -> None:
        """Ping every port until it answers or its tries are used up."""
        pauses, extra = list(TRIES), 0
        while pauses:
            waiting = ours - self.verdicts.keys()
            if not waiting:
                return
            pause = pauses.pop(0)
            begun, busy = time.monotonic(), time.process_time()
            self._send_all(sock, sorted(waiting), is_ping=True)
            self._receive(sock, pause, waiting)
            lost = time.monotonic() - begun - (time.process_time() - busy) - pause
            if lost > _STARVED and extra < _MOST_EXTRA:
                extra += 1
                pauses.append(TRIES[-1])

    def _send_all(self, sock: socket.socket, places: Sequence[Place], is_ping: bool) -> None:
        """Send to all places: a ping, or nothing at all to a service, which it cannot mistake."""
        for start in range(0, len(places), _BATCH):
            self._receive(sock, self._pace.delay(_BATCH), ())
            for place in places[start : start + _BATCH]:
                data = make_ping(self._key, self._token, place[1]) if is_ping else b""
                # An ICMP error about an earlier datagram fails the next call once.
                for _again in range(2):
                    if self._send(sock, data, place):
                        break

    def _send(self, sock: socket.socket, data: bytes, place: Place) -> bool:
        try:
            sock.sendto(data, place)
        except OSError:
            self._take_errors(sock)
            return False
        return True

    def _receive(self, sock: socket.socket, seconds: float, waiting: Iterable[Place]) -> None:
        """Take what comes back, until it is all or the seconds are over."""
        poll, until = select.poll(), time.monotonic() + seconds
        poll.register(sock.fileno(), select.POLLIN)
        left = set(waiting)
        while True:
            events = poll.poll(max(until - time.monotonic(), 0) * 1000)
            if not events:
                return
            self._take_errors(sock)
            self._take_echoes(sock)
            left -= self.verdicts.keys()
            if (waiting and not left) or time.monotonic() >= until:
                return

    def _take_errors(self, sock: socket.socket) -> None:
        for verdict, place in read_error_queue(sock):
            if verdict is not None:
                self.verdicts.setdefault(place, verdict)

    def _take_echoes(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, place = sock.recvfrom(LARGEST_DATAGRAM + 1)
                self._take_echo(data, place)

    def _take_echo(self, data: bytes, place: Place) -> None:
        try:
            port, seen = read_echo(self._key, data, self._token)
        except WireError:
            self.strangers.add(place)
            return
        if port != place[1]:
            self.strangers.add(place)
        else:
            self.verdicts[place] = Verdict.OPEN if seen == self._own else Verdict.TRANSLATED

    def _of(self, target: Target) -> dict[int, Verdict]:
        """Return the verdicts of one target's ports."""
        ours = expand(target.udp)
        found = {
            port: self.verdicts.get((target.address, port), Verdict.UNPROVEN)
            for port in expand(target.udp_served)
        }
        found.update(self._of_ours(target.address, ours))
        return found

    def _of_ours(self, address: str, ports: Sequence[int]) -> dict[int, Verdict]:
        """Return the verdicts of our ports: a row of silent ones has the cause that one has.

        Kernels send few ICMP errors a second.
        """
        found: dict[int, Verdict] = {}
        row: list[int] = []
        cause = Verdict.FILTERED
        for port in (*ports, 0):
            verdict = self.verdicts.get((address, port)) if port else Verdict.OPEN
            if verdict is None and (address, port) in self.strangers:
                verdict = Verdict.WRONG_ANSWERER
            if verdict is None:
                row.append(port)
            elif verdict in ERRORS:
                found[port] = cause = verdict
            else:
                # As many errors as the kernel sends at once speak for themselves only.
                few = len(row) <= ICMP_BURST
                found.update(dict.fromkeys(row, Verdict.FILTERED if few else cause))
                found[port] = verdict
                row, cause = [], Verdict.FILTERED
        del found[0]
        return found
