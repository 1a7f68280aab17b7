# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of the port mesh: what proves, in a few bytes, who is at the other end.

Prober and agent share a secret that lives as long as the run. The prober speaks first: a hello
under the secret. Only then does the agent say anything: a welcome under the secret and the nonces
of both, with the address that it sees the prober at. What follows is authenticated by a key
made of the secret and both nonces, numbered in each direction: a recorded talk is worth nothing.
Nothing is kept secret; it is only proven.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets
import socket
import struct
from dataclasses import dataclass
from typing import Optional

NONCE_BYTES = 16
MAGIC = b"rfmesh1\n"
_HEAD = struct.Struct("!IB")
_MAC_BYTES = 16
_ENDS = struct.Struct("!4sH4sH")
HELLO_BYTES = len(MAGIC) + NONCE_BYTES + _MAC_BYTES
WELCOME_BYTES = NONCE_BYTES + _ENDS.size + _MAC_BYTES
#: What a message weighs beside its payload.
FRAME_BYTES = _HEAD.size + _MAC_BYTES
#: All ports of a node in one question, four bytes each.
LARGEST_PAYLOAD = 4 << 16
_PING = struct.Struct("!8s8sH")
_ECHO = struct.Struct("!8s8sH4sH")
LARGEST_DATAGRAM = _ECHO.size + _MAC_BYTES


class WireError(Exception):
    """The other end does not speak as somebody with the secret of this run does."""


class Kind(enum.IntEnum):
    """What a message is about."""

    #: Which of these (own port, port of the asker) does your kernel hold? Answer: a byte each.
    WITNESS = 1
    #: This message is as large as it is on purpose. Answer: an empty one.
    LARGE = 2
    #: Send me a LARGE of so many bytes (0: a full segment). Answer: that.
    SEND_LARGE = 3
    #: What do you listen to? Answer: a ListenReport in JSON.
    REPORT = 4
    #: Send or take a stream for so many milliseconds.
    STREAM = 5
    #: End. Answer: an empty one, as the last.
    LEAVE = 6


class Held(enum.IntEnum):
    """What an agent says about one connection."""

    NOWHERE = 0
    #: The kernel holds it, from the address and port that the asker has.
    HERE = 1
    #: It came in through an address or port that is not the asker's.
    TRANSLATED = 2
    #: This node itself hands it on to a container.
    HANDED_ON = 3


@dataclass(frozen=True)
class Ends:
    """Both ends of a connection as one of them sees it: address and port, first the other's."""

    peer: tuple[str, int]
    own: tuple[str, int]

    def pack(self) -> bytes:
        """Return the bytes for the wire."""
        peer, own = socket.inet_aton(self.peer[0]), socket.inet_aton(self.own[0])
        return _ENDS.pack(peer, self.peer[1], own, self.own[1])


def _unpack_ends(data: bytes) -> Ends:
    peer, peer_port, own, own_port = _ENDS.unpack(data)
    return Ends((socket.inet_ntoa(peer), peer_port), (socket.inet_ntoa(own), own_port))


def key_of(secret: str) -> bytes:
    """Return the key that stands for the secret of a run."""
    return hashlib.sha256(secret.encode()).digest()


def _mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.digest(key, b"".join(parts), "sha256")[:_MAC_BYTES]


def _require(key: bytes, mac: bytes, *parts: bytes) -> None:
    if not hmac.compare_digest(mac, _mac(key, *parts)):
        raise WireError("the other end does not know the secret of this run")


def new_nonce() -> bytes:
    """Return bytes that nobody can know before."""
    return secrets.token_bytes(NONCE_BYTES)


def make_hello(key: bytes, nonce: bytes) -> bytes:
    """Return the first message of the prober."""
    return MAGIC + nonce + _mac(key, b"hello", nonce)


def read_hello(key: bytes, data: bytes) -> bytes:
    """Return the prober's nonce; WireError when it is a stranger."""
    nonce = data[len(MAGIC) : len(MAGIC) + NONCE_BYTES]
    if len(data) != HELLO_BYTES or not data.startswith(MAGIC):
        raise WireError("this is no hello")
    _require(key, data[-_MAC_BYTES:], b"hello", nonce)
    return nonce


def make_welcome(key: bytes, prober: bytes, agent: bytes, ends: Ends) -> bytes:
    """Return the agent's answer to a hello."""
    body = agent + ends.pack()
    return body + _mac(key, b"welcome", prober, body)


def read_welcome(key: bytes, prober: bytes, data: bytes) -> tuple[bytes, Ends]:
    """Return the agent's nonce and what it sees; WireError when it is a stranger."""
    body = data[:-_MAC_BYTES]
    if len(data) != WELCOME_BYTES:
        raise WireError("this is no welcome")
    _require(key, data[-_MAC_BYTES:], b"welcome", prober, body)
    return body[:NONCE_BYTES], _unpack_ends(body[NONCE_BYTES:])


@dataclass(frozen=True)
class Message:
    """One message, and how many bytes it was on the wire."""

    kind: Kind
    payload: bytes
    size: int = 0


class Channel:
    """Numbers and authenticates the messages of one connection, from the prober's side or not."""

    def __init__(self, key: bytes, prober: bytes, agent: bytes, *, is_agent: bool) -> None:
        self._key = hmac.digest(key, b"talk" + prober + agent, "sha256")
        self._ways = (b"<", b">") if is_agent else (b">", b"<")
        self._sent = self._received = 0

    def pack(self, kind: Kind, payload: bytes = b"") -> bytes:
        """Return the next message to send."""
        head = _HEAD.pack(len(payload), kind)
        mac = _mac(self._key, self._ways[0], self._sent.to_bytes(8, "big"), head, payload)
        self._sent += 1
        return head + mac + payload

    def take(self, buffer: bytearray) -> Optional[Message]:
        """Take the next message out of what was received; None when it is not complete.

        WireError when it is not the other end's next message.
        """
        if len(buffer) < FRAME_BYTES:
            return None
        size, kind = _HEAD.unpack_from(buffer)
        if size > LARGEST_PAYLOAD or kind not in Kind.__members__.values():
            raise WireError("this is no message of the mesh")
        if len(buffer) < FRAME_BYTES + size:
            return None
        head, mac = bytes(buffer[: _HEAD.size]), bytes(buffer[_HEAD.size : FRAME_BYTES])
        payload = bytes(buffer[FRAME_BYTES : FRAME_BYTES + size])
        number = self._received.to_bytes(8, "big")
        _require(self._key, mac, self._ways[1], number, head, payload)
        self._received += 1
        del buffer[: FRAME_BYTES + size]
        return Message(Kind(kind), payload, FRAME_BYTES + size)


def make_ping(key: bytes, token: bytes, port: int) -> bytes:
    """Return the datagram that asks the agent for an echo from this port."""
    body = _PING.pack(b"rfping1\n", token, port)
    return body + _mac(key, body)


def answer_ping(key: bytes, data: bytes, port: int, seen: tuple[str, int]) -> bytes:
    """Return the echo, with the address the ping came from; WireError when it is a stranger's."""
    if len(data) != _PING.size + _MAC_BYTES:
        raise WireError("this is no ping")
    body, mac = data[: _PING.size], data[_PING.size :]
    _require(key, mac, body)
    _magic, token, asked = _PING.unpack(body)
    if asked != port:
        raise WireError("this ping was sent to another port")
    echo = _ECHO.pack(b"rfecho1\n", token, port, socket.inet_aton(seen[0]), seen[1])
    return echo + _mac(key, echo)


def read_echo(key: bytes, data: bytes, token: bytes) -> tuple[int, tuple[str, int]]:
    """Return the port that echoes and the address it saw; WireError when it is not for us."""
    if len(data) != LARGEST_DATAGRAM or not data.startswith(b"rfecho1\n"):
        raise WireError("this is no echo")
    body, mac = data[: _ECHO.size], data[_ECHO.size :]
    _require(key, mac, body)
    _magic, owner, port, address, seen_port = _ECHO.unpack(body)
    if owner != token:
        raise WireError("this echo is another prober's")
    return port, (socket.inet_ntoa(address), seen_port)
