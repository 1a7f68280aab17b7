# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fingerprint of an OpenPGP public key, without gpg on the node (RFC 4880, sections 4.2, 6.2 and 12.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib

_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_END = "-----END PGP PUBLIC KEY BLOCK-----"
_PUBLIC_KEY = 6


class OpenPgpError(ValueError):
    """Bytes that are no public key."""


def fingerprint(key: bytes) -> str:
    """Return the version 4 fingerprint of the first key in ``key``, armoured or not."""
    data = _dearmoured(key) if key.lstrip().startswith(b"-----") else key
    tag, body = _first_packet(data)
    if tag != _PUBLIC_KEY or body[:1] != b"\x04":
        raise OpenPgpError("the first packet is no public key of version 4")
    framed = b"\x99" + len(body).to_bytes(2, "big") + body
    return hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()


def _dearmoured(key: bytes) -> bytes:
    lines = [line.strip() for line in key.decode("ascii", "replace").splitlines()]
    if _BEGIN not in lines or _END not in lines:
        raise OpenPgpError("no PGP public key block")
    inside = lines[lines.index(_BEGIN) + 1 : lines.index(_END)]
    if "" in inside:  # Headers end with an empty line.
        inside = inside[inside.index("") + 1 :]
    text = "".join(line for line in inside if not line.startswith("="))
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise OpenPgpError(f"the block is damaged: {error}") from error


def _first_packet(data: bytes) -> tuple[int, bytes]:
    if not data or not data[0] & 0x80:
        raise OpenPgpError("no OpenPGP packet")
    first = data[0]
    if first & 0x40:  # new format
        tag, (length, start) = first & 0x3F, _new_length(data)
    else:
        size = (1, 2, 4)[first & 0x03] if first & 0x03 < 3 else 0
        if not size:
            raise OpenPgpError("a packet of unknown length")
        tag, length, start = (first >> 2) & 0x0F, int.from_bytes(data[1 : 1 + size], "big"), 1 + size
    body = data[start : start + length]
    if len(body) != length or not length:
        raise OpenPgpError("the key is cut short")
    return tag, body


def _new_length(data: bytes) -> tuple[int, int]:
    """Return the body's length and where it begins."""
    octets = data[1:6]
    if not octets:
        raise OpenPgpError("the key is cut short")
    if octets[0] < 192:
        return octets[0], 2
    if octets[0] < 224 and len(octets) > 1:
        return ((octets[0] - 192) << 8) + octets[1] + 192, 3
    if octets[0] == 255:
        return int.from_bytes(octets[1:5], "big"), 6
    raise OpenPgpError("a packet of unknown length")
