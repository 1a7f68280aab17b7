# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast a stream goes to another node and back, for at most a second each way."""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import struct
import time
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_agent import (
    STREAM_BYTES,
    STREAM_SECONDS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_talk import (
    Place,
    converse,
    open_talks,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import Kind

_SIOCOUTQ = 0x5411
_PIECE = bytes(1 << 20)
_START_SECONDS = 3.0


def stream(key: bytes, source: str, place: Place, is_back: bool) -> Optional[float]:
    """Return Mbit/s to a place, or back from it; None when there is no agent to measure with."""
    talk = open_talks(key, {0: place}, source, segment=0).get(0)
    if talk is None:
        return None
    with contextlib.closing(talk):
        if converse({0: (talk, Kind.STREAM, b"1" if is_back else b"")}, _START_SECONDS)[0] is None:
            return None
        begun = time.monotonic()
        try:
            count = _take(talk.sock, begun) if is_back else _give(talk.sock, begun)
        except OSError:
            return None
        return round(count * 8 / 1e6 / max(time.monotonic() - begun, 1e-6), 1)


def _left(begun: float) -> float:
    return max(begun + STREAM_SECONDS - time.monotonic(), 0)


def _give(sock: socket.socket, begun: float) -> int:
    """Return how many bytes the other end has acknowledged after a second of sending."""
    count = 0
    while count < STREAM_BYTES and _left(begun):
        if select.select([], [sock], [], _left(begun))[1]:
            with contextlib.suppress(BlockingIOError):
                count += sock.send(_PIECE[: min(len(_PIECE), STREAM_BYTES - count)])
    waiting = struct.unpack("=i", fcntl.ioctl(sock.fileno(), _SIOCOUTQ, bytes(4)))[0]
    return max(count - int(waiting), 0)


def _take(sock: socket.socket, begun: float) -> int:
    """Return how many bytes came in a second."""
    count = 0
    while count < STREAM_BYTES and select.select([sock], [], [], _left(begun))[0]:
        data = sock.recv(1 << 20)
        if not data:
            break
        count += len(data)
        if not _left(begun):
            break
    return count
