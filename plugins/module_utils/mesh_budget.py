# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast a probe may go, and how much of the kernel's connection tracking it may fill."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_sockets import read_number

#: Seconds that connection tracking remembers a connection that was reset, and one without answer
#: (defaults of nf_conntrack_tcp_timeout_close and nf_conntrack_tcp_timeout_syn_sent).
CLOSED_SECONDS = 10.0
SILENT_SECONDS = 120.0
_FOLDER = "/proc/sys/net/netfilter"


class Pace:
    """At most so many connections a second."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._next = clock()

    def delay(self, count: int) -> float:
        """Return the seconds to wait before the next ``count`` connections, and count them."""
        now = self._clock()
        wait = max(self._next - now, 0.0)
        self._next = max(self._next, now) + count / self._rate
        return wait


class Tracking:
    """What a probe has in the kernel's connection tracking; ``room`` None is no limit."""

    def __init__(self, room: Optional[int], clock: Callable[[], float] = time.monotonic) -> None:
        self.room = room
        self._clock = clock
        self._closed: deque[tuple[float, int]] = deque()
        self._silent: deque[tuple[float, int]] = deque()

    def add(self, closed: int, silent: int) -> None:
        """Count connections that were reset just now, and some that stay without an answer."""
        now = self._clock()
        if closed:
            self._closed.append((now + CLOSED_SECONDS, closed))
        if silent:
            self._silent.append((now + SILENT_SECONDS, silent))

    def free(self) -> Optional[int]:
        """Return how many more connections there is room for now; None is no limit."""
        if self.room is None:
            return None
        return max(self.room - self._count(self._closed) - self._count(self._silent), 0)

    def _count(self, entries: deque[tuple[float, int]]) -> int:
        now = self._clock()
        while entries and entries[0][0] <= now:
            entries.popleft()
        return sum(count for _until, count in entries)

    def wait_for_closed(self) -> float:
        """Return the seconds until the oldest reset connections are forgotten, 0 without any."""
        self._count(self._closed)
        return max(self._closed[0][0] - self._clock(), 0.0) if self._closed else 0.0


def tracking_room() -> tuple[Optional[int], str]:
    """Return half of the free entries of connection tracking, None where there is none; and why."""
    most = read_number(f"{_FOLDER}/nf_conntrack_max")
    used = read_number(f"{_FOLDER}/nf_conntrack_count")
    if most is None or used is None:
        return None, "this kernel tracks no connections"
    return max(most - used, 0) // 2, f"{used} of {most} entries were in use"
