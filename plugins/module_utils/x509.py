# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of authorities: read from PEM text with the standard library alone, and judged."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")
_BOOLEAN, _OID = 0x01, 0x06
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_UTC_TIME = 0x17
_BASIC_CONSTRAINTS = bytes.fromhex("551d13")
_NAMES = {bytes.fromhex("550403"): "CN", bytes.fromhex("55040a"): "O"}


class CertificateError(Exception):
    """A text holds no certificate of an authority that can be trusted, and why."""


@dataclass(frozen=True)
class Certificate:
    """A certificate, as far as trust in an authority asks about it."""

    der: bytes
    subject: str
    self_issued: bool
    authority: bool
    not_before: datetime
    not_after: datetime

    def pem(self) -> str:
        """Return the certificate as PEM, without anything around it."""
        body = base64.b64encode(self.der).decode()
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        return "".join(
            f"{line}\n"
            for line in ("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----")
        )


def authorities(text: str, now: datetime) -> tuple[Certificate, ...]:
    """Return the certificates of a PEM text; raise CertificateError when one of them is no use."""
    blocks = _BLOCK.findall(text)
    if any("PRIVATE KEY" in label for label, _body in blocks):
        raise CertificateError(
            "saw a private key, expected certificates only; the key stays where it is"
        )
    ders = [decoded(body) for label, body in blocks if label in _LABELS]
    if not ders:
        raise CertificateError(
            "saw no '-----BEGIN CERTIFICATE-----', expected PEM; a DER file becomes PEM with "
            "'openssl x509 -inform DER -in FILE -out FILE.pem'"
        )
    found = tuple(parse(der) for der in ders)
    for certificate in found:
        _judge(certificate, now)
    return found


def held(text: str) -> set[bytes]:
    """Return the certificates of a bundle, as DER; what cannot be read counts as not there."""
    found = set()
    for label, body in _BLOCK.findall(text):
        if label in _LABELS:
            try:
                found.add(decoded(body))
            except CertificateError:
                continue
    return found


def earliest_end(text: str) -> float:
    """Return when the first of a PEM text's certificates ends, in seconds since 1970.

    A private key beside them is not looked at.
    """
    ders = [decoded(body) for label, body in _BLOCK.findall(text) if label in _LABELS]
    if not ders:
        raise CertificateError("saw no '-----BEGIN CERTIFICATE-----', expected PEM")
    return min(parse(der).not_after.timestamp() for der in ders)


def decoded(body: str) -> bytes:
    """Return the bytes of a PEM block's body."""
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CertificateError(
            f"saw a certificate whose base64 is broken ({error}), expected a whole one"
        ) from error


def _judge(certificate: Certificate, now: datetime) -> None:
    name = certificate.subject
    if now > certificate.not_after:
        raise CertificateError(
            f"{name} expired on {certificate.not_after:%Y-%m-%d}, expected one that is valid; "
            "ask for its successor"
        )
    if now < certificate.not_before:
        raise CertificateError(
            f"{name} is valid from {certificate.not_before:%Y-%m-%d} on, expected one that is "
            "valid now; is this machine's clock right?"
        )
    if not certificate.authority and not certificate.self_issued:
        raise CertificateError(
            f"{name} is a server's certificate, expected the authority's that signed it"
        )


def parse(der: bytes) -> Certificate:
    """Return what the bytes of a certificate say."""
    try:
        (whole,) = _items(der)
        signed = list(_items(next(_items(whole[1]))[1]))
        if signed[0][0] == _VERSION:
            del signed[0]
        issuer, validity, subject = signed[2], signed[3], signed[4]
        first, last = (_time(tag, value) for tag, value in _items(validity[1]))
        extensions = [value for tag, value in signed[6:] if tag == _EXTENSIONS]
        return Certificate(
            der=der,
            subject=_shown(subject[1]),
            self_issued=issuer[1] == subject[1],
            authority=any(_is_authority(value) for value in extensions),
            not_before=first,
            not_after=last,
        )
    except (ValueError, IndexError, StopIteration) as error:
        raise CertificateError(
            "saw a block that is no X.509 certificate, expected one; "
            "try 'openssl x509 -noout -in FILE'"
        ) from error


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each DER element, in order."""
    at = 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4:
                raise ValueError("length")
            size, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + size > len(data):
            raise ValueError("cut short")
        yield tag, data[at : at + size]
        at += size


def _time(tag: int, value: bytes) -> datetime:
    """Return a moment: two digits of a year mean 1950 to 2049."""
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)


def _shown(name: bytes) -> str:
    """Return the common name, or the organisation's."""
    pairs: list[Sequence[tuple[int, bytes]]] = [
        list(_items(pair)) for _set, group in _items(name) for _sequence, pair in _items(group)
    ]
    found = {
        _NAMES[p[0][1]]: p[1][1].decode("utf-8", "replace") for p in pairs if p[0][1] in _NAMES
    }
    return f"'{found.get('CN') or found.get('O') or 'a certificate without a name'}'"


def _is_authority(extensions: bytes) -> bool:
    for _tag, listed in _items(extensions):
        for _sequence, extension in _items(listed):
            parts = list(_items(extension))
            if parts[0] == (_OID, _BASIC_CONSTRAINTS):
                ((_outer, inner),) = _items(parts[-1][1])
                return (_BOOLEAN, b"\xff") in list(_items(inner))
    return False
