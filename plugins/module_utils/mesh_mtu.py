# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Large packets between two nodes, in both directions: one segment of the full size, and smaller.

What is sent is one segment of exactly the size in question, so that no network card and no kernel
takes part in cutting it.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import PathMtu
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_mtu_sizes import (
    full_segment,
    packet_bytes,
    path_mtu,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_talk import (
    Place,
    Question,
    Talk,
    converse,
    open_talks,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import (
    FRAME_BYTES,
    Kind,
)

#: Seconds for a large packet; the kernel repeats it several times in that time.
STALL_SECONDS = 1.6
#: MTUs that networks have: jumbo frames, Ethernet, PPPoE, tunnels, and the least that IPv4 allows.
COMMON = (9000, 8900, 4000, 1500, 1492, 1480, 1450, 1420, 1400, 1376, 1300, 1280, 576)
#: The largest packet that passes is found to so many bytes.
EXACT = 8
_SPLIT, _ROUNDS = 8, 5
#: Destinations with a black hole whose size is found; the others get no figure.
MOST_SEARCHED = 3
_SIOCGIFADDR, _SIOCGIFMTU = 0x8915, 0x8921


class Way(NamedTuple):
    """A direction to a place: there, or back from it."""

    place: Place
    is_back: bool


def interface_mtu(address: str) -> Optional[int]:
    """Return the MTU of the interface that has an address, None when none says so."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _index, name in socket.if_nameindex():
            wish = struct.pack("256s", name.encode()[:15])
            try:
                found = fcntl.ioctl(sock.fileno(), _SIOCGIFADDR, wish)[20:24]
                mtu = fcntl.ioctl(sock.fileno(), _SIOCGIFMTU, wish)[16:20]
            except OSError:  # An interface without an address, or one that has just gone.
                continue
            if socket.inet_ntoa(found) == address:
                return int(struct.unpack("=I", mtu)[0])
    return None


def question_of(talk: Talk, is_back: bool, packet: int) -> Question:
    """Return the question that makes one packet of so many bytes go (0: the largest)."""
    around = packet_bytes(talk.sock, 0)
    if is_back:
        return talk, Kind.SEND_LARGE, struct.pack("!I", packet)
    full = full_segment(talk.sock)
    size = min(packet - around, full) if packet else full
    return talk, Kind.LARGE, bytes(max(size - FRAME_BYTES, 0))


def try_sizes(
    key: bytes, source: str, wishes: Mapping[Way, Sequence[int]]
) -> dict[tuple[Way, int], Optional[int]]:
    """Return for each way and size the packet that arrived, None for those that did not."""
    places = {(way, size): way.place for way, sizes in wishes.items() for size in sizes}
    open_now = open_talks(key, places, source, segment=0)
    asked = {each: question_of(talk, each[0].is_back, each[1]) for each, talk in open_now.items()}
    sent = {
        each: packet_bytes(open_now[each].sock, FRAME_BYTES + len(asked[each][2])) for each in asked
    }
    answers = converse(asked, STALL_SECONDS)
    # A router may have told the other kernel to send smaller ones; its second answer shows it.
    again = converse(
        {each: asked[each] for each in asked if answers[each] is not None}, STALL_SECONDS
    )
    found: dict[tuple[Way, int], Optional[int]] = dict.fromkeys(places)
    for each, talk in open_now.items():
        answer = again.get(each)
        if answer is not None and each[0].is_back:
            found[each] = struct.unpack_from("!I", answer.payload)[0] if answer.payload else None
        elif answer is not None:
            found[each] = min(sent[each], path_mtu(talk.sock) or sent[each])
        talk.close()
    return found


def search(key: bytes, source: str, ways: Sequence[Way], top: int) -> dict[Way, Optional[int]]:
    """Return the largest packet that passes each way, to 8 bytes; None when no size does."""
    best: dict[Way, int] = dict.fromkeys(ways, 0)
    least_lost: dict[Way, int] = dict.fromkeys(ways, top)
    wishes: dict[Way, Sequence[int]] = {way: [s for s in COMMON if s < top] for way in ways}
    for _round in range(_ROUNDS):
        for (way, size), arrived in try_sizes(key, source, wishes).items():
            if arrived is None:
                least_lost[way] = min(least_lost[way], size)
            else:
                best[way] = max(best[way], min(arrived, size))
        wishes = {
            way: between(best[way], least_lost[way])
            for way in ways
            if best[way] and least_lost[way] - best[way] > EXACT
        }
        if not wishes:
            break
    return {way: size or None for way, size in best.items()}


def between(low: int, high: int) -> list[int]:
    """Return sizes that cut the way from ``low`` to ``high`` into equal parts."""
    step = max((high - low) // _SPLIT, EXACT // 2)
    return list(range(low + step, high, step))


def measure(key: bytes, source: str, places: Mapping[int, Place]) -> dict[int, PathMtu]:
    """Return what large packets did on the way to each place and back."""
    expected = interface_mtu(source)
    wishes = {Way(place, back): [0] for place in places.values() for back in (False, True)}
    full = try_sizes(key, source, wishes)
    # Once more what did not arrive: the other end may have been too busy to answer in time.
    silent = {way: [0] for way in wishes if full.get((way, 0)) is None}
    full.update(try_sizes(key, source, silent) if silent else {})
    found, lost = {}, []
    for number, place in places.items():
        sent, received = (full.get((Way(place, back), 0)) for back in (False, True))
        stalled = None in (sent, received)
        found[number] = PathMtu(expected, sent, received, stalled)
        lost += [number] if stalled else []
    searched = lost[:MOST_SEARCHED]
    ways = [
        Way(places[number], back)
        for number in searched
        for back in (False, True)
        if full.get((Way(places[number], back), 0)) is None
    ]
    sizes = search(key, source, ways, expected or COMMON[0]) if ways else {}
    for number in searched:
        there, back = (sizes.get(Way(places[number], way)) for way in (False, True))
        old = found[number]
        found[number] = replace(old, sent=old.sent or there, received=old.received or back)
    return found
