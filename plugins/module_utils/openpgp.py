# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fingerprint of an OpenPGP public key, without gpg on the node.

RFC 4880, sections 4.2 (packets), 6.2 (armour) and 12.2 (fingerprints).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_END = "-----END PGP PUBLIC KEY BLOCK-----"
_PUBLIC_KEY = 6
_LONGEST = (1 << 16) - 1  # bytes in a key packet that version 4 can frame


class OpenPgpError(ValueError):
    """Bytes that are no public key."""


def fingerprint(key: bytes) -> str:
    """Return the version 4 fingerprint of the one key in ``key``, armoured or not.

    A second key is refused: whoever reads the file would trust both, and only one was looked at.
    """
    data = _dearmoured(key) if key.lstrip().startswith(b"-----") else key
    packets = list(_packets(data))
    tag, body = packets[0] if packets else (0, b"")
    if tag != _PUBLIC_KEY or body[:1] != b"\x04" or len(body) > _LONGEST:
        raise OpenPgpError("the first packet is no public key of version 4")
    if sum(tag == _PUBLIC_KEY for tag, _body in packets) > 1:
        raise OpenPgpError("there is more than one key, expected one")
    framed = b"\x99" + len(body).to_bytes(2, "big") + body
    return hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()


def _dearmoured(key: bytes) -> bytes:
    lines = [line.strip() for line in key.decode("ascii", "replace").splitlines()]
    if _BEGIN not in lines or _END not in lines:
        raise OpenPgpError("no PGP public key block")
    if lines.count(_BEGIN) > 1:
        raise OpenPgpError("there is more than one key block, expected one")
    inside = lines[lines.index(_BEGIN) + 1 : lines.index(_END)]
    if "" in inside:  # Headers end with an empty line.
        inside = inside[inside.index("") + 1 :]
    text = "".join(line for line in inside if not line.startswith("="))
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error is one; other letters than ASCII are another
        raise OpenPgpError(f"the block is damaged: {error}") from error


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and body of each packet."""
    while data:
        if not data[0] & 0x80:
            raise OpenPgpError("no OpenPGP packet")
        if data[0] & 0x40:
            tag, (start, length) = data[0] & 0x3F, _new_frame(data)
        else:
            tag, (start, length) = (data[0] >> 2) & 0x0F, _old_frame(data)
        body = data[start : start + length]
        if len(body) != length or not length:
            raise OpenPgpError("the key is cut short")
        yield tag, body
        data = data[start + length :]


def _old_frame(data: bytes) -> tuple[int, int]:
    """Return where the body of an old-format packet begins, and its length."""
    kind = data[0] & 0x03
    if kind > 2:
        raise OpenPgpError("a packet of unknown length")
    size: int = 1 << kind
    return 1 + size, int.from_bytes(data[1 : 1 + size], "big")


def _new_frame(data: bytes) -> tuple[int, int]:
    """Return where the body of a new-format packet begins, and its length."""
    octets = data[1:6]
    if not octets:
        raise OpenPgpError("the key is cut short")
    if octets[0] < 192:
        return 2, octets[0]
    if octets[0] < 224 and len(octets) > 1:
        return 3, ((octets[0] - 192) << 8) + octets[1] + 192
    if octets[0] == 255:
        return 6, int.from_bytes(octets[1:5], "big")
    raise OpenPgpError("a packet of unknown length")
