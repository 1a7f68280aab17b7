# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent of the port mesh: it listens for a bounded time and answers those with the secret.

Connections that say nothing stay with the kernel and cost it nothing. It answers all questions that
came in meanwhile from one reading of the kernel's table.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import Listeners
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_mtu_sizes import (
    full_segment,
    packet_bytes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_sockets import (
    Connections,
    read_connections,
    read_handed_on,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import (
    FRAME_BYTES,
    HELLO_BYTES,
    LARGEST_DATAGRAM,
    Channel,
    Ends,
    Held,
    Kind,
    Message,
    WireError,
    answer_ping,
    make_welcome,
    new_nonce,
    read_hello,
)

#: Seconds that somebody who connects has to prove that he knows the secret.
STRANGER_SECONDS = 1.0
#: Seconds until the first question of somebody who does.
SILENT_SECONDS = 20.0
#: Talks at one time; beyond, the oldest that proved nothing goes.
MOST_TALKS = 1024
#: Bounds of a stream, whatever the prober wishes.
STREAM_SECONDS, STREAM_BYTES = 1.0, 512 << 20
_READ = 1 << 16
_ZEROS = bytes(1 << 18)
_PIECES = 16


@dataclass
class Talk:
    """One accepted connection."""

    sock: socket.socket
    since: float
    ends: Ends
    channel: Optional[Channel] = None
    received: bytearray = field(default_factory=bytearray)
    to_send: bytearray = field(default_factory=bytearray)
    questions: list[Message] = field(default_factory=list)
    #: Whether the other end has said anything that only this talk can have.
    is_proven: bool = False
    #: Whether what comes is thrown away: the prober measures how fast it goes.
    is_sink: bool = False
    #: What is left to send of a stream, and until when.
    stream_left: int = 0
    stream_until: float = 0.0

    def next_of_stream(self) -> bytes:
        """Return the next piece of the stream; nothing when it is over."""
        if not self.stream_left or time.monotonic() >= self.stream_until:
            self.stream_left = 0
            return b""
        piece = _ZEROS[: min(len(_ZEROS), self.stream_left)]
        self.stream_left -= len(piece)
        return piece

    @property
    def worth(self) -> tuple[bool, float]:
        """Return what puts those first that proved nothing, and of them the oldest."""
        return self.is_proven, self.since


def judge_pairs(
    pairs: bytes, ends: Ends, asker: str, held: Connections, handed_on: Connections
) -> bytes:
    """Return for each pair (own port, asker's port) of four bytes what became of it, as a byte.

    ``asker`` is the address that the asker believes to have. Where the talk itself came from
    elsewhere, ports are looked for and not pairs: a translation may have changed the asker's.
    """
    believed, seen = socket.inet_aton(asker), socket.inet_aton(ends.peer[0])
    here = held.get(believed, set())
    onward = handed_on.get(believed, set()) | handed_on.get(seen, set())
    elsewhere = {pair[:2] for pair in held.get(seen, set())} if seen != believed else set()
    answer = bytearray()
    for place in range(0, len(pairs), 4):
        pair = pairs[place : place + 4]
        if pair in here:
            answer.append(Held.HERE)
        elif pair[:2] in elsewhere:
            answer.append(Held.TRANSLATED)
        else:
            answer.append(Held.HANDED_ON if pair in onward else Held.NOWHERE)
    return bytes(answer)


def read_held(asked: Sequence[tuple[Ends, Message]]) -> tuple[Connections, Connections]:
    """Return the connections that some questions are about: those held here, and those handed on.

    What is read only for few is read only when one of them misses something.
    """
    questions = [
        (ends, each.payload[4:], socket.inet_ntoa(each.payload[:4]))
        for ends, each in asked
        if each.kind is Kind.WITNESS
    ]
    peers = {
        socket.inet_aton(name) for ends, _p, asker in questions for name in (asker, ends.peer[0])
    }
    held = read_connections(peers) if peers else {}

    def is_missed() -> bool:
        return any(
            Held.NOWHERE in judge_pairs(pairs, ends, asker, held, {})
            for ends, pairs, asker in questions
        )

    if not is_missed():
        return held, {}
    for peer, pairs in read_connections(peers, socket.AF_INET6).items():
        held.setdefault(peer, set()).update(pairs)
    return held, read_handed_on(questions[0][0].own[0]) if is_missed() else {}


class Agent:
    """Answers on all listeners until its time is over or somebody with the secret ends it."""

    def __init__(self, key: bytes, listeners: Listeners, deadline: float) -> None:
        self._key = key
        self._listeners = listeners
        self._deadline = deadline
        self._epoll = select.epoll()
        self._accepting = {each.fileno(): each for each in listeners.tcp.values()}
        self._datagrams = {each.fileno(): (port, each) for port, each in listeners.udp.items()}
        self._talks: dict[int, Talk] = {}
        self._leaving = False

    def run(self) -> None:
        """Serve; return when it is over."""
        for number in (*self._accepting, *self._datagrams):
            self._epoll.register(number, select.EPOLLIN)
        while not (self._leaving and not any(each.to_send for each in self._talks.values())):
            now = time.monotonic()
            if now >= self._deadline:
                break
            wait = min(self._deadline - now, STRANGER_SECONDS if self._talks else 60.0)
            for number, event in self._epoll.poll(wait, 1024):
                self._serve(number, event)
            self._answer_questions()
            self._drop_strangers()
        self._listeners.close()
        for talk in self._talks.values():
            talk.sock.close()

    def _serve(self, number: int, event: int) -> None:
        if number in self._accepting:
            self._accept(self._accepting[number])
        elif number in self._datagrams:
            self._echo(*self._datagrams[number])
        elif number in self._talks:
            talk = self._talks[number]
            try:
                if event & ~select.EPOLLOUT:
                    self._hear(talk)
                if talk.to_send or talk.stream_left:
                    self._flush(talk)
            except (OSError, WireError):
                self._drop(number)

    def _accept(self, listener: socket.socket) -> None:
        for _each in range(64):
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            if len(self._talks) >= MOST_TALKS:
                self._drop(min(self._talks, key=lambda each: self._talks[each].worth))
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ends = Ends(peer, sock.getsockname())
            except OSError:
                sock.close()
                continue
            self._talks[sock.fileno()] = Talk(sock, time.monotonic(), ends)
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _echo(self, port: int, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for _each in range(256):
                data, seen = sock.recvfrom(LARGEST_DATAGRAM + 1)
                with contextlib.suppress(WireError):
                    sock.sendto(answer_ping(self._key, data, port, seen), seen)

    def _hear(self, talk: Talk) -> None:
        data = talk.sock.recv(_READ)
        if not data:
            raise WireError("the other end has gone")
        if talk.is_sink:
            return
        talk.received += data
        if talk.channel is None:
            if len(talk.received) < HELLO_BYTES:
                return
            self._welcome(talk)
        while talk.channel is not None:
            message = talk.channel.take(talk.received)
            if message is None:
                return
            talk.is_proven = True
            talk.questions.append(message)

    def _welcome(self, talk: Talk) -> None:
        prober = read_hello(self._key, bytes(talk.received[:HELLO_BYTES]))
        del talk.received[:HELLO_BYTES]
        nonce = new_nonce()
        talk.channel = Channel(self._key, prober, nonce, is_agent=True)
        talk.to_send += make_welcome(self._key, prober, nonce, talk.ends)
        self._flush(talk)

    def _answer_questions(self) -> None:
        """Answer all that was asked meanwhile; the table is read once for all."""
        asked = [talk for talk in self._talks.values() if talk.questions]
        if not asked:
            return
        held, onward = read_held([(talk.ends, each) for talk in asked for each in talk.questions])
        for talk in asked:
            for question in talk.questions:
                answer = self._answer(talk, question, held, onward)
                if talk.channel is not None:
                    talk.to_send += talk.channel.pack(*answer)
            talk.questions.clear()
            try:
                self._flush(talk)
            except OSError:
                self._drop(talk.sock.fileno())

    def _answer(
        self, talk: Talk, question: Message, held: Connections, onward: Connections
    ) -> tuple[Kind, bytes]:
        if question.kind is Kind.WITNESS:
            asker, pairs = socket.inet_ntoa(question.payload[:4]), question.payload[4:]
            return Kind.WITNESS, judge_pairs(pairs, talk.ends, asker, held, onward)
        if question.kind is Kind.SEND_LARGE:
            return Kind.LARGE, large_payload(talk.sock, question.payload)
        if question.kind is Kind.REPORT:
            return Kind.REPORT, json.dumps(self._listeners.report.to_plain()).encode()
        if question.kind is Kind.STREAM and question.payload:
            talk.stream_left = STREAM_BYTES
            talk.stream_until = time.monotonic() + STREAM_SECONDS
        elif question.kind is Kind.STREAM:
            talk.is_sink = True
        if question.kind is Kind.LEAVE:
            self._leaving = True
        return question.kind, b""

    def _flush(self, talk: Talk) -> None:
        with contextlib.suppress(BlockingIOError):
            # Others wait, too: some pieces at a time.
            for _each in range(_PIECES):
                while talk.to_send:
                    del talk.to_send[: talk.sock.send(talk.to_send)]
                talk.to_send += talk.next_of_stream()
        more = talk.to_send or talk.stream_left
        wanted = select.EPOLLIN | (select.EPOLLOUT if more else 0)
        self._epoll.modify(talk.sock.fileno(), wanted)

    def _drop_strangers(self) -> None:
        now = time.monotonic()
        for number, talk in list(self._talks.items()):
            # A hello may be a recorded one.
            patience = STRANGER_SECONDS if talk.channel is None else SILENT_SECONDS
            if not talk.is_proven and talk.since < now - patience:
                self._drop(number)

    def _drop(self, number: int) -> None:
        talk = self._talks.pop(number, None)
        if talk is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(number)
            talk.sock.close()


def large_payload(sock: socket.socket, wish: bytes) -> bytes:
    """Return what makes one full segment, or one packet of so many bytes: its size, then zeros."""
    wanted = struct.unpack("!I", wish)[0] if len(wish) == 4 else 0
    around = packet_bytes(sock, 0)
    size = min(full_segment(sock), wanted - around) if wanted else full_segment(sock)
    padding = max(size - FRAME_BYTES - 4, 0)
    return struct.pack("!I", around + FRAME_BYTES + 4 + padding) + bytes(padding)
