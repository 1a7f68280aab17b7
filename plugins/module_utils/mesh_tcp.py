# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TCP ports of all destinations: tried together, proven by the nodes that should have them."""

from __future__ import annotations

import array
import select
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_budget import Tracking
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_connect import (
    ERRORS,
    PATIENCE,
    Attempts,
    Connector,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import (
    compress,
    spread,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_rows import (
    CONNECTED,
    Destination,
    Row,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_sockets import (
    is_asked_for,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_talk import (
    Place,
    Question,
    converse,
    open_talks,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import Held, Kind

#: Silent ports that stand for the others of a range when connection tracking has no more room.
REPRESENTATIVES = 64
#: A node that is not there: the kernel says so after three questions for its hardware address.
_ABSENT_PATIENCE = 3.4
#: A long row of a node that never said anything: packets were not lost by chance there.
_GLANCE = 0.4
_CAUSE_ROUNDS = 4
_TALK_TRIES = 5
_WITNESS_SECONDS = 15.0
_LEAST_CHUNK = 256


class Item(NamedTuple):
    """One port of one destination."""

    to: Destination
    port: int

    @property
    def place(self) -> Place:
        """Return where that is."""
        return Place(self.to.target.address, self.port)


def pack_pairs(pairs: Iterable[tuple[int, int]]) -> bytes:
    """Return (port, own port) pairs as they travel."""
    words = array.array("H", [word for pair in pairs for word in pair])
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()


class TcpProbe:
    """Tries all ports of all destinations from one address."""

    def __init__(
        self, key: bytes, source: str, connector: Connector, tracking: Tracking, window: int
    ) -> None:
        self._key = key
        self._source = source
        self._connector = connector
        self._tracking = tracking
        self._window = window
        self.connections = 0
        self.most_held = 0
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []

    def run(self, destinations: Sequence[Destination], deadline: float) -> None:
        """Fill in the verdicts of all destinations."""
        items = [Item(each, port) for each in destinations for port in each.ports]
        place = 0
        while place < len(items):
            if time.monotonic() >= deadline:
                self._give_up(items[place:], "the time was over")
                break
            count = self._next_count(len(items) - place)
            if count == 0:
                items = items[:place] + self._represent(items[place:])
                count = min(len(items) - place, _LEAST_CHUNK, max(self._tracking.room or 1, 1))
            self._try(items[place : place + count], PATIENCE)
            place += count
        self._look_again(destinations, deadline)
        for each in destinations:
            for port in each.silent:
                each.verdicts.setdefault(port, Verdict.FILTERED)

    def meet(self, destinations: Sequence[Destination]) -> None:
        """Find an agent to talk to at each destination with an open port that has none yet."""
        groups = [
            [Item(to, port) for port, verdict in to.verdicts.items() if verdict is Verdict.OPEN]
            for to in destinations
        ]
        self._meet([group for group in groups if group])

    def cost(self) -> dict[str, Any]:
        """Return what it took so far, as plain values."""
        return {
            "connections": self.connections,
            "most_held": self.most_held,
            "seconds": self.seconds,
            "notes": self.notes,
        }

    def add_cost(self, other: Mapping[str, Any]) -> None:
        """Count what another process took; it worked at the same time."""
        self.connections += other["connections"]
        self.most_held += other["most_held"]
        self.notes += other["notes"]
        for name, spent in other["seconds"].items():
            self.seconds[name] = max(self.seconds.get(name, 0.0), spent)

    def _next_count(self, left: int) -> int:
        """Return how many to try now; 0 when silent ones fill the connection tracking."""
        count = min(left, self._window)
        free = self._tracking.free()
        while free is not None and free < min(count, _LEAST_CHUNK, self._tracking.room or 1):
            wait = self._tracking.wait_for_closed()
            if not wait:
                return 0
            select.select([], [], [], wait)
            free = self._tracking.free()
        return count if free is None else min(count, free)

    def _represent(self, items: Sequence[Item]) -> list[Item]:
        """Return few items for the many of destinations that were silent so far."""
        kept: list[Item] = []
        for to in {id(item.to): item.to for item in items}.values():
            own = [item for item in items if item.to is to]
            if not to.silent:
                kept += own
                continue
            some = spread(own, REPRESENTATIVES)
            self._give_up([item for item in own if item not in some], "connection tracking is full")
            kept += some
        return kept

    def _give_up(self, items: Sequence[Item], why: str) -> None:
        for item in items:
            item.to.verdicts[item.port] = Verdict.UNTESTED
        for to in {id(item.to): item.to for item in items}.values():
            ports = compress(item.port for item in items if item.to is to)
            if ports:
                self.notes.append(f"{to.target.host} tcp {ports} not tried: {why}")

    def _try(self, items: Sequence[Item], patience: float) -> None:
        """Try some ports and note what became of them."""
        begun = time.monotonic()
        attempts = self._connector.connect([item.place for item in items], patience)
        connected = time.monotonic()
        made: dict[int, list[tuple[Item, int]]] = {}
        for index, item in enumerate(items):
            sock = attempts.sockets[index]
            if sock is not None:
                made.setdefault(id(item.to), []).append((item, sock.getsockname()[1]))
        held = sum(len(each) for each in made.values())
        self.connections += len(items)
        self.most_held = max(self.most_held, held)
        self._note_failures(items, attempts)
        self._prove(list(made.values()))
        proven_at = time.monotonic()
        attempts.close()
        self._tracking.add(held, len(items) - held)
        self._spend(begun, connected, proven_at)

    def _spend(self, begun: float, connected: float, proven_at: float) -> None:
        """Count what one turn took."""
        ends = (begun, connected, proven_at, time.monotonic())
        for place, name in enumerate(("connect", "prove", "close")):
            self.seconds[name] = self.seconds.get(name, 0.0) + ends[place + 1] - ends[place]

    def _note_failures(self, items: Sequence[Item], attempts: Attempts) -> None:
        untried = []
        for index, item in enumerate(items):
            item.to.silent.discard(item.port)
            failure = attempts.failed[index]
            if attempts.sockets[index] is not None:
                continue
            if index in attempts.untried:
                untried.append(item)
            elif failure is not None:
                item.to.verdicts[item.port] = failure
            else:
                item.to.silent.add(item.port)
        self._give_up(untried, "this node has no free port or file for it")

    def _prove(self, made: Sequence[Sequence[tuple[Item, int]]]) -> None:
        """Ask the nodes which of the connections they have."""
        self._meet([[item for item, _own in each] for each in made])
        answers = self._witness(made)
        again = [
            [pair for pair, held in zip(each, answers[place]) if held is Held.NOWHERE]
            for place, each in enumerate(made)
        ]
        # The table is read while it changes.
        second = self._witness(again)
        for place, each in enumerate(made):
            late = dict(zip((pair[0].port for pair in again[place]), second[place]))
            for (item, _own), held in zip(each, answers[place]):
                seen = late.get(item.port, held) if held is Held.NOWHERE else held
                item.to.verdicts[item.port] = proven(item, seen)

    def _meet(self, groups: Sequence[Sequence[Item]]) -> None:
        """Find an agent to talk to at each destination that has none yet."""
        missing = {}
        for items in groups:
            ours = [item for item in items if item.port not in item.to.served]
            if ours and (ours[0].to.talk is None or ours[0].to.talk.problem):
                missing[id(ours[0].to)] = ours
        self._meet_at({key: ours[:1] for key, ours in missing.items()}, missing)
        self._meet_at(
            {key: spread(ours[1:], _TALK_TRIES) for key, ours in missing.items()}, missing
        )
        self._meet_at({key: ours[:1] for key, ours in missing.items()}, missing)
        for ours in missing.values():
            ours[0].to.is_stranger = True

    def _meet_at(self, candidates: dict[int, list[Item]], missing: dict[int, list[Item]]) -> None:
        """Try to talk at some ports; take those that succeed out of what is missing."""
        items = [item for each in candidates.values() for item in each]
        places = {item.place: item.place for item in items}
        refused: set[Place] = set()
        talks = open_talks(self._key, places, self._source, refused=refused)
        for item in items:
            item.to.is_gone = item.place in refused
            talk = talks.get(item.place)
            if talk is not None and id(item.to) in missing:
                item.to.talk, item.to.is_stranger = talk, False
                del missing[id(item.to)]
            elif talk is not None:
                talk.close()

    def _witness(self, made: Sequence[Sequence[tuple[Item, int]]]) -> list[list[Optional[Held]]]:
        """Return for each connection what the node said of it, None where nobody said anything."""
        own = socket.inet_aton(self._source)
        questions: dict[int, Question] = {}
        for place, each in enumerate(made):
            talk = each[0][0].to.talk if each else None
            if talk is not None and not talk.problem:
                pairs = pack_pairs((item.port, port) for item, port in each)
                questions[place] = (talk, Kind.WITNESS, own + pairs)
        answers = converse(questions, _WITNESS_SECONDS)
        return [_read_answer(answers.get(place), len(each)) for place, each in enumerate(made)]

    def _look_again(self, destinations: Sequence[Destination], deadline: float) -> None:
        """Try silent ports again, so that a lost packet is no finding, and find the cause."""
        rows = [row for each in destinations for row in each.rows()]
        if not rows or time.monotonic() >= deadline:
            return
        samples = [Item(row.to, port) for row in rows for port in row.samples()]
        self._try_all(samples, self._second_patience(rows))
        healed = {id(to) for to, port in samples if to.verdicts.get(port) in CONNECTED}
        whole = [Item(row.to, port) for row in rows if id(row.to) in healed for port in row.silent]
        self._try_all([item for item in whole if item.port in item.to.silent], PATIENCE)
        for _round in range(_CAUSE_ROUNDS):
            rows = [row for row in rows if not row.settle() and self._may_be_told(row.to)]
            first = {id(row.to): row for row in reversed(rows)}
            self._try_all(
                [Item(row.to, row.silent[len(row.silent) // 2]) for row in first.values()], PATIENCE
            )
            rows = [row for row in rows if row not in first.values()] + list(first.values())
        for row in rows:
            row.settle()

    def _second_patience(self, rows: Sequence[Row]) -> float:
        """Return the seconds for a second try: none in vain, for they are seconds of every run."""
        if any(not row.to.verdicts and is_asked_for(row.to.target.address) for row in rows):
            return _ABSENT_PATIENCE
        if any(row.is_short or self._may_be_told(row.to) for row in rows):
            return PATIENCE
        return _GLANCE

    @staticmethod
    def _may_be_told(to: Destination) -> bool:
        """Whether this destination has sent any error: only then is it worth to ask for more."""
        return any(each in ERRORS for each in to.verdicts.values())

    def _try_all(self, items: Sequence[Item], patience: float) -> None:
        for start in range(0, len(items), self._window):
            self._try(items[start : start + self._window], patience)


def _read_answer(message: object, count: int) -> list[Optional[Held]]:
    payload = getattr(message, "payload", b"")
    if len(payload) != count or any(each > Held.HANDED_ON for each in payload):
        return [None] * count
    return [Held(each) for each in payload]


def proven(item: Item, held: Optional[Held]) -> Verdict:
    """Return the verdict about a connection that was made."""
    is_served = item.port in item.to.served
    if held is Held.HERE:
        return Verdict.SERVICE if is_served else Verdict.OPEN
    if held is Held.HANDED_ON:
        return Verdict.SERVICE
    if held is Held.TRANSLATED:
        # Whoever comes from the node's own address was there already: somebody on it hands this on.
        return Verdict.WRONG_ANSWERER if item.to.is_handed_on else Verdict.TRANSLATED
    if is_served or (held is None and not item.to.is_stranger):
        return Verdict.UNPROVEN
    if item.to.is_gone:
        return Verdict.REFUSED
    return Verdict.WRONG_ANSWERER
