# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one member hears of the others."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .ha_client import Peer, PeerError
from .ha_members import Member, Position


@dataclass(frozen=True)
class Pace:
    """Seconds: between two looks at a member, until silence means death, for an answer."""

    beat: float = 0.3
    dead_after: float = 2.0
    answer_in: float = 1.5
    #: After which a learner that does not answer is taken off the list (k3s: 5 minutes).
    learner_stall: float = 300.0


@dataclass
class Seen:
    """What was last heard of another member."""

    at: float = 0.0
    since: float = field(default_factory=time.monotonic)
    position: Position = (0, 0)
    leads: bool = False
    term: int = 0


#: Called after every answer of a member: (name, answer, connection).
Heard = Callable[[str, dict[str, Any], Peer], None]


class Links:
    """A thread and a connection for every other member."""

    def __init__(self, me: str, pace: Pace, context: ssl.SSLContext, password: str) -> None:
        self.seen: dict[str, Seen] = {}
        self._me = me
        self._pace = pace
        self._context = context
        self._password = password
        self._peers: dict[str, Peer] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the threads."""
        self._stopped.set()
        for thread in list(self._threads):
            thread.join(2 * self._pace.answer_in)
        for peer in list(self._peers.values()):
            peer.close()

    def alive(self, name: str) -> bool:
        """Return whether a member answered lately; this one always does."""
        if name == self._me:
            return True
        seen = self.seen.get(name)
        return seen is not None and time.monotonic() - seen.at < self._pace.dead_after

    def leader(self, term: int) -> Optional[str]:
        """Return who says that it leads, with no older term than ``term``."""
        live = [
            (seen.term, name)
            for name, seen in list(self.seen.items())
            if seen.leads and self.alive(name) and seen.term >= term
        ]
        return max(live)[1] if live else None

    def ask(self, name: str, what: str, body: dict[str, Any]) -> Optional[dict[str, Any]]:
        """Return a member's answer, or None; who does not answer is dead until it does."""
        peer = self._peers.get(name)
        if peer is None or self._stopped.is_set():
            return None
        try:
            return peer.ask(what, body, self._pace.answer_in)
        except PeerError:
            if name in self.seen:
                self.seen[name].at = 0.0
            return None

    def follow(
        self,
        members: Callable[[], Mapping[str, Member]],
        body: Callable[[], dict[str, Any]],
        heard: Heard,
    ) -> None:
        """Have a thread for every other member."""
        for name, member in members().items():
            with self._lock:
                if name == self._me or name in self._peers:
                    continue
                seen = self.seen[name] = Seen()
                self._peers[name] = self._peer(member)
            arguments = (name, seen, self._peer(member), members, body, heard)
            thread = threading.Thread(target=self._listen, args=arguments, daemon=True)
            # Whoever stops this meanwhile waits for threads that have begun only.
            thread.start()
            self._threads.append(thread)

    def _peer(self, member: Member) -> Peer:
        return Peer(member.address, member.peer_port, self._context, self._password)

    def _listen(
        self,
        name: str,
        seen: Seen,
        peer: Peer,
        members: Callable[[], Mapping[str, Member]],
        body: Callable[[], dict[str, Any]],
        heard: Heard,
    ) -> None:
        # Another connection than that of changes, so that one does not wait for the other.
        while not self._stopped.wait(self._pace.beat):
            if name not in members():
                break
            try:
                answer = peer.ask("ping", body(), self._pace.answer_in)
            except PeerError:
                continue
            seen.position = (answer["position"][0], answer["position"][1])
            seen.leads, seen.term = bool(answer["leads"]), int(answer["term"])
            seen.at = time.monotonic()
            heard(name, answer, peer)
        peer.close()
        # Who left may come back at once, and is then followed by another thread.
        with self._lock:
            gone = self._peers.pop(name, None)
            self.seen.pop(name, None)
        if gone is not None:
            gone.close()
