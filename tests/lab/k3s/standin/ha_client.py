# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls from one server to another."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
from pathlib import Path
from typing import Any, Optional, Protocol

from .api import basic, call, client_context, message_of
from .api_join import PREFIX
from .api_resources import Request
from .log import FatalError


class Target(Protocol):
    """Where a server is."""

    @property
    def address(self) -> str:
        """Return its address."""

    @property
    def port(self) -> int:
        """Return the port of its API."""


class PeerError(Exception):
    """The other server did not answer, or refused."""


class Peer:
    """One other member; the connection is kept open."""

    def __init__(self, address: str, port: int, context: ssl.SSLContext, password: str) -> None:
        self.address, self.port = address, port
        self._context = context
        self._authorization = basic("server", password)
        self._connection: Optional[http.client.HTTPSConnection] = None
        self._lock = threading.Lock()
        self._ended = False

    def ask(self, what: str, body: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the answer; raise PeerError when there is none in time."""
        with self._lock:
            if self._ended:
                raise PeerError("this server stops")
            fresh = self._connection is None
            try:
                return self._once(what, body, seconds)
            except (OSError, http.client.HTTPException, ValueError) as exc:
                self._close()
                if fresh or isinstance(exc, TimeoutError):
                    raise PeerError(repr(exc)) from None
            try:
                return self._once(what, body, seconds)
            except (OSError, http.client.HTTPException, ValueError) as exc:
                self._close()
                raise PeerError(repr(exc)) from None

    def _once(self, what: str, body: dict[str, Any], seconds: float) -> dict[str, Any]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self.address, self.port, timeout=seconds, context=self._context
            )
        connection = self._connection
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        connection.request("POST", f"/peer/{what}", json.dumps(body).encode(), headers)
        response = connection.getresponse()
        data = response.read()
        if response.status != 200:
            raise PeerError(message_of(data))
        answer = json.loads(data)
        return answer if isinstance(answer, dict) else {}

    def close(self) -> None:
        """Ask this member nothing more."""
        with self._lock:
            self._ended = True
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def supervised(
    join: Target,
    what: str,
    user: str,
    password: str,
    authority: Optional[Path],
    body: Optional[dict[str, Any]] = None,
) -> tuple[int, bytes]:
    """Return status and body of an answer below /v1-k3s; raise FatalError as k3s words it."""
    headers = {"authorization": basic(user, password), "content-type": "application/json"}
    data = b"" if body is None else json.dumps(body).encode()
    request = Request("GET" if body is None else "POST", PREFIX + what, {}, data, headers)
    url = f"https://{join.address}:{join.port}{PREFIX}{what}"
    try:
        response = call(join.address, join.port, client_context(authority), request, 20)
        return response.status, response.read()
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        text = f'Get "{url}": dial tcp {join.address}:{join.port}: connect: {reason}'
        raise FatalError(f"starting kubernetes: preparing server: {text}") from None


def _checked(join: Target, what: str, answer: tuple[int, bytes]) -> Any:
    status, data = answer
    if status == 200:
        return json.loads(data)
    url = f"https://{join.address}:{join.port}{PREFIX}{what}"
    said = message_of(data)
    text = "401 Unauthorized" if status == 401 else f"{status} {said}"
    raise FatalError(f"starting kubernetes: preparing server: {url}: {text}")


def fetch_config(
    join: Target, user: str, password: str, authority: Optional[Path]
) -> dict[str, Any]:
    """Return what the cluster says about itself."""
    answer = supervised(join, "config", user, password, authority)
    found: dict[str, Any] = _checked(join, "config", answer)
    return found


def fetch_bootstrap(
    join: Target, server_password: str, authority: Optional[Path]
) -> dict[str, bytes]:
    """Return the files below data_dir/server that all servers have alike."""
    answer = supervised(join, "server-bootstrap", "server", server_password, authority)
    files = _checked(join, "server-bootstrap", answer)["files"]
    return {name: base64.b64decode(text) for name, text in files.items()}
