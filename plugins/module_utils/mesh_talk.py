# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Talks with agents of the port mesh, many at once, none of which can hold up the others."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Hashable, Mapping
from typing import NamedTuple, Optional, TypeVar

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import (
    WELCOME_BYTES,
    Channel,
    Ends,
    Kind,
    Message,
    WireError,
    make_hello,
    new_nonce,
    read_welcome,
)

#: Seconds for which a hello may stay without an answer.
HELLO_SECONDS = 3.0
#: Segments of a talk that shall not depend on the path's MTU: what every IPv4 host must take.
SMALL_SEGMENT = 536
_READ = 1 << 16
#: struct linger: on, 0 seconds: closing resets the connection.
LINGER_NOT = struct.pack("ii", 1, 0)
#: Linux's option by which connect() and not bind() chooses the port; Python names it from 3.12 on.
IP_BIND_ADDRESS_NO_PORT = 24
K = TypeVar("K", bound=Hashable)


class Place(NamedTuple):
    """Where an agent listens."""

    address: str
    port: int


class Talk:
    """One connection to what may be an agent."""

    def __init__(self, key: bytes, place: Place) -> None:
        self.place = place
        #: What the agent sees; None until it has proven itself.
        self.ends: Optional[Ends] = None
        self.own: tuple[str, int] = ("", 0)
        self.problem = ""
        self.is_refused = False
        self._key = key
        self._nonce = new_nonce()
        self._channel: Optional[Channel] = None
        self._received = bytearray()
        self._to_send = bytearray()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    def start(self, source: str, segment: int) -> None:
        """Connect and say hello; what goes wrong shows when it is gone on with."""
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A talk that is cut off leaves nothing in TIME_WAIT.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            if segment:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
            if source:
                self.sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                self.sock.bind((source, 0))
            self.sock.connect_ex(tuple(self.place))
        except OSError as error:
            self.problem = str(error)
        self._to_send += make_hello(self._key, self._nonce)

    def ask(self, kind: Kind, payload: bytes) -> None:
        """Have a question sent."""
        if self._channel is None:
            raise WireError("there was no welcome yet")
        self._to_send += self._channel.pack(kind, payload)

    @property
    def is_waiting_to_send(self) -> bool:
        """Whether there is something left to send."""
        return bool(self._to_send)

    def go_on(self, event: int) -> Optional[Message]:
        """Send and receive what is possible; return a message when there is one.

        The welcome counts as one. OSError or WireError ends the talk.
        """
        if event & ~select.POLLOUT:
            data = self.sock.recv(_READ)
            if not data:
                raise WireError("the other end closed the connection")
            self._received += data
        if self._to_send and event & select.POLLOUT:
            with contextlib.suppress(BlockingIOError):
                del self._to_send[: self.sock.send(self._to_send)]
        return self._message()

    def _message(self) -> Optional[Message]:
        if self._channel is not None:
            return self._channel.take(self._received)
        if len(self._received) < WELCOME_BYTES:
            return None
        welcome = bytes(self._received[:WELCOME_BYTES])
        nonce, self.ends = read_welcome(self._key, self._nonce, welcome)
        del self._received[:WELCOME_BYTES]
        self._channel = Channel(self._key, self._nonce, nonce, is_agent=False)
        self.own = self.sock.getsockname()
        return Message(Kind.REPORT, b"")

    @property
    def is_translated(self) -> bool:
        """Whether the agent sees this talk come from elsewhere."""
        return self.ends is not None and self.ends.peer != self.own

    def wait_for_end(self, seconds: float) -> bool:
        """Wait until the other end closes; return whether it did."""
        deadline = time.monotonic() + seconds
        try:
            while select.select([self.sock], [], [], max(deadline - time.monotonic(), 0))[0]:
                if not self.sock.recv(_READ):
                    return True
        except OSError:
            return True
        return False

    def close(self) -> None:
        """Cut the connection off."""
        self.sock.close()


def _go_on_all(waiting: dict[K, Talk], seconds: float) -> dict[K, Optional[Message]]:
    """Return for each talk its next message, None when it failed or took too long."""
    answers: dict[K, Optional[Message]] = dict.fromkeys(waiting)
    by_number = {talk.sock.fileno(): key for key, talk in waiting.items()}
    poll, deadline = select.poll(), time.monotonic() + seconds
    for number in by_number:
        poll.register(number, select.POLLIN | select.POLLOUT)
    while by_number:
        events = poll.poll(max(deadline - time.monotonic(), 0) * 1000)
        if not events:
            break
        for number, event in events:
            key = by_number[number]
            talk = waiting[key]
            try:
                answers[key] = talk.go_on(event)
            except (OSError, WireError) as error:
                talk.problem = str(error)
                talk.is_refused = isinstance(error, ConnectionRefusedError)
            if answers[key] is not None or talk.problem:
                poll.unregister(number)
                del by_number[number]
            else:
                poll.modify(number, select.POLLIN | (talk.is_waiting_to_send * select.POLLOUT))
    for key in by_number.values():
        waiting[key].problem = f"no answer in {seconds:g} s"
    return answers


def open_talks(
    key: bytes,
    places: Mapping[K, Place],
    source: str = "",
    segment: int = SMALL_SEGMENT,
    refused: Optional[set[K]] = None,
) -> dict[K, Talk]:
    """Return the talks with those places where an agent of this run proved itself.

    ``refused`` takes up the places where nobody listens.
    """
    talks = {name: Talk(key, place) for name, place in places.items()}
    for talk in talks.values():
        talk.start(source, segment)
    _go_on_all({name: talk for name, talk in talks.items() if not talk.problem}, HELLO_SECONDS)
    proven: dict[K, Talk] = {}
    for name, talk in talks.items():
        if talk.ends is None or talk.problem:
            talk.close()
            if talk.is_refused and refused is not None:
                refused.add(name)
        else:
            proven[name] = talk
    return proven


Question = tuple[Talk, Kind, bytes]


def converse(questions: Mapping[K, Question], seconds: float) -> dict[K, Optional[Message]]:
    """Ask all at once; return each one's answer, None where none came in time."""
    talks: dict[K, Talk] = {}
    for key, (talk, kind, payload) in questions.items():
        if not talk.problem:
            talk.ask(kind, payload)
            talks[key] = talk
    answers = _go_on_all(talks, seconds)
    return {key: answers.get(key) for key in questions}
