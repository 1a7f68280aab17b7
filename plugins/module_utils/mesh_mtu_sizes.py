# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How large the packets of a connection are, as its socket says."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple, Optional

#: Getsockopt's IP_MTU of Linux, which Python does not name.
_IP_MTU = 14
_HEADERS = 40
_TIMESTAMP = 12
_HAS_TIMESTAMPS = 1
_INFO = struct.Struct("=5xB2x8xI48xI")
#: tcpi_options, then tcpi_snd_mss, then tcpi_rtt.


class SocketInfo(NamedTuple):
    """What the kernel tells about a connection."""

    timestamps: bool
    segment: int
    rtt_ms: float


def socket_info(sock: socket.socket) -> SocketInfo:
    """Return what the kernel tells about a connected socket."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    options, segment, rtt = _INFO.unpack_from(raw)
    if len(raw) >= 152:
        least = struct.unpack_from("=I", raw, 148)[0]
        rtt = least if 0 < least < 0xFFFFFFFF else rtt
    return SocketInfo(bool(options & _HAS_TIMESTAMPS), segment, rtt / 1000)


def full_segment(sock: socket.socket) -> int:
    """Return how many bytes of data fit into one packet of the connection."""
    return socket_info(sock).segment


def packet_bytes(sock: socket.socket, data: int) -> int:
    """Return the size of the packet that carries so much data, IP header included."""
    return data + _HEADERS + (_TIMESTAMP if socket_info(sock).timestamps else 0)


def path_mtu(sock: socket.socket) -> Optional[int]:
    """Return what the kernel holds for the MTU of the path; None when it does not tell."""
    try:
        return sock.getsockopt(socket.IPPROTO_IP, _IP_MTU)
    except OSError:
        return None
