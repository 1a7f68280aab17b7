# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a server on the cluster network, past any proxy and with a bound in time."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import urllib.parse
from dataclasses import dataclass
from typing import Optional

#: Bytes of an answer that are read; one with 10 000 targets stays below.
LIMIT = 64 << 20


class WebAskError(Exception):
    """No answer, and why."""


@dataclass(frozen=True)
class Login:
    """Who asks."""

    user: str
    password: str

    def header(self) -> str:
        """Return the value of the header Authorization."""
        pair = f"{self.user}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


@dataclass(frozen=True)
class Trust:
    """Which certificates count: those in a file, by the name that is expected in the server's."""

    ca_file: Optional[str] = None
    name: Optional[str] = None

    def context(self) -> ssl.SSLContext:
        """Return the settings for a connection."""
        context = ssl.create_default_context(cafile=self.ca_file)
        # The file may hold the server's own certificate, without the one that has signed it.
        context.verify_flags |= ssl.VerifyFlags(0x80000)  # X509_V_FLAG_PARTIAL_CHAIN
        return context


class _NamedConnection(http.client.HTTPSConnection):
    """A connection whose server is checked by another name than its address."""

    def __init__(self, host: str, port: Optional[int], trust: Trust, timeout: float) -> None:
        self._trust_context = trust.context()
        super().__init__(host, port, timeout=timeout, context=self._trust_context)
        self._name = trust.name or host

    def connect(self) -> None:
        """Connect, and check the certificate."""
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._trust_context.wrap_socket(plain, server_hostname=self._name)


def ask(url: str, login: Optional[Login], trust: Trust, timeout: float) -> tuple[int, str]:
    """Return status and text of what the server answers; WebAskError when it does not."""
    parts = urllib.parse.urlsplit(url)
    connection: http.client.HTTPConnection
    try:
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            connection = _NamedConnection(host, port, trust, timeout)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        headers = {"Authorization": login.header()} if login else {}
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(LIMIT).decode("utf-8", "replace")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WebAskError(f"{url.split('?')[0]}: {_why(error)}") from error


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not the expected one: {error.verify_message}"
    if isinstance(error, socket.timeout):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
