# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: their two forms, and how a node proves which cluster it joins.

Source: k3s documentation, CLI Tools, token.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.lab.k3s.standin.log import FatalError, warning

_PREFIX = "K10"
_HASH_LENGTH = 64
TIMEOUT = 10.0


class AnswerError(Exception):
    """A server that refuses, or does not answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Token:
    """A token's parts; the user is empty in the short form."""

    ca_hash: str
    user: str
    password: str


def ca_hash(certificate: bytes) -> str:
    """Return the hash that stands in secure tokens: of the file's bytes, as for one certificate."""
    return hashlib.sha256(certificate).hexdigest()


def secure(certificate: bytes, user: str, password: str) -> str:
    """Return a token in the secure form."""
    return f"{_PREFIX}{ca_hash(certificate)}::{user}:{password}"


def parse(text: str) -> Token:
    """Return a token's parts, or raise FatalError as k3s words it."""
    if not text:
        raise FatalError("token must not be empty")
    if not text.startswith(_PREFIX):
        return Token("", "", text)
    middle, colons, credentials = text[len(_PREFIX) :].partition("::")
    if not colons:
        middle, credentials = "", middle
    if middle and len(middle) != _HASH_LENGTH:
        raise FatalError("invalid token CA hash length")
    user, colon, password = credentials.partition(":")
    if not colon or not password:
        raise FatalError("invalid token format")
    return Token(middle, user, password)


@dataclass(frozen=True)
class Access:
    """A way to a server: its address, the certificate that it is checked with, credentials."""

    url: str
    certificate: bytes
    user: str
    password: str

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return what the server answers: parsed JSON, or bytes where it is none."""
        context = ssl.create_default_context(cadata=self.certificate.decode())
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        sent.setdefault("Authorization", f"Basic {credentials}")
        return _call(self.url, method, path, context, body, sent)


def connect(url: str, token: str, user: str) -> Access:
    """Return a way to the server whose certificate was checked against the token's hash.

    A token without a hash is taken on trust, with k3s' warning.
    """
    parts = parse(token)
    if urlsplit(url).scheme != "https":
        raise FatalError(f"only https:// URLs are supported, invalid scheme: {url}")
    blind = ssl._create_unverified_context()  # noqa: S323 (as k3s: the hash is what is trusted)
    try:
        certificate = _call(url, "GET", "/cacerts", blind, None, {})
    except AnswerError as error:
        raise AnswerError(f"failed to get CA certs: {error}", error.status) from error
    found = ca_hash(certificate)
    if not parts.ca_hash:
        warning(
            "Cluster CA certificate is not trusted by the host CA bundle, but the token does not "
            "include a CA hash. Use the full token from the server's node-token file to enable "
            "Cluster CA validation."
        )
    elif parts.ca_hash != found:
        raise AnswerError(
            "token CA hash does not match the Cluster CA certificate hash: "
            f"{parts.ca_hash} != {found}"
        )
    return Access(url, certificate, user, parts.password)


def _call(
    url: str, method: str, path: str, context: ssl.SSLContext, body: Any, headers: dict[str, str]
) -> Any:
    parts = urlsplit(url)
    where = f"https://{parts.netloc}{path}"
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 443, timeout=TIMEOUT, context=context
    )
    try:
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers = {"Content-Type": "application/json", **headers}
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        raw = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise AnswerError(f'Get "{where}": {error}') from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise AnswerError(f"{where}: {answer.status} {answer.reason}{_why(raw)}", answer.status)
    if answer.headers.get_content_type() == "application/json":
        return json.loads(raw)
    return raw


def _why(raw: bytes) -> str:
    text = raw.decode(errors="replace").strip()
    with contextlib.suppress(ValueError, AttributeError):
        text = json.loads(text).get("message", "")
    return f" ({text[:300]})" if text else ""
