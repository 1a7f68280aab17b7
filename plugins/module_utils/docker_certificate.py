# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates in PEM text: enough of a look to refuse what is none."""

from __future__ import annotations

import base64
import binascii
import re

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s*(.*?)-----END \1-----", re.DOTALL)
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(:[0-9]{1,5})?$")


class CertificateError(Exception):
    """The text holds no certificate that can be trusted, and why."""


def certificates(text: str) -> str:
    """Return the certificates of a PEM text, without what stands around them."""
    blocks = _BLOCK.findall(text)
    if any("PRIVATE KEY" in label for label, _body in blocks):
        raise CertificateError(
            "saw a private key, which must stay where it is; expected certificates only"
        )
    if not blocks:
        raise CertificateError(
            "saw no '-----BEGIN CERTIFICATE-----', expected certificates in PEM form"
        )
    found = []
    for number, (label, body) in enumerate(blocks, start=1):
        if label not in ("CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE") or not _is_der(
            body
        ):
            raise CertificateError(
                f"saw a part {number} ({label}) that is no whole certificate, "
                "expected certificates in PEM form"
            )
        lines = "".join(f"{line}\n" for line in body.split())
        found.append(f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
    return "".join(found)


def _is_der(body: str) -> bool:
    """Return whether the body is one ASN.1 sequence of exactly its length."""
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    if len(data) < 4 or data[0] != 0x30 or not data[1] & 0x80:
        return False
    count = data[1] & 0x7F
    return 1 <= count <= 4 and len(data) == 2 + count + int.from_bytes(data[2 : 2 + count], "big")


def is_registry_host(name: str) -> bool:
    """Return whether ``name`` is a host or host:port, so that a folder can be named after it."""
    return _HOST.match(name) is not None and ".." not in name
