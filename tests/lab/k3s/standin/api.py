# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS: who may ask what, and bytes in and out."""

from __future__ import annotations

import base64
import contextlib
import hmac
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional, Union
from urllib.parse import parse_qsl, urlsplit

from . import log
from .api_resources import Answer, Request
from .api_watch import Stream
from .store import ApiError

#: (request, user) -> answer; the user is admin, server, node, or '' for nobody.
Handle = Callable[[Request, str], Union[Answer, Stream]]
#: Says whether (user name, password) are right.
Passwords = Callable[[str, str], bool]
_IDLE_SECONDS = 600


def user_of(
    headers: Any, subject: dict[str, list[str]], passwords: Passwords, admin_token: str
) -> str:
    """Return who a request is from: admin, server, node, bad (wrong credentials), or ''."""
    if "system:masters" in subject.get("organizationName", []):
        return "admin"
    given = headers.get("authorization", "")
    scheme, _, value = given.partition(" ")
    if scheme.lower() == "bearer":
        same = hmac.compare_digest(value.strip(), admin_token)
        return "admin" if admin_token and same else "bad"
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return "bad"
        return name if name in ("server", "node") and passwords(name, password) else "bad"
    return "bad" if given else ""


def _subject(connection: Any) -> dict[str, list[str]]:
    cert = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    found: dict[str, list[str]] = {}
    for part in (cert or {}).get("subject", ()):
        for row in part:
            found.setdefault(str(row[0]), []).append(str(row[1]))
    return found


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: Frontend

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (base class)
        """Say nothing: k3s does not log requests."""

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = self._chunked()
        else:
            body = self.rfile.read(length)
        return Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            body=body,
            headers={name.lower(): value for name, value in self.headers.items()},
        )

    def _chunked(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _handle(self) -> None:
        request = self._request()
        frontend = self.server
        try:
            user = user_of(
                self.headers, _subject(self.connection), frontend.passwords, frontend.admin_token
            )
            answer = frontend.handle(request, user)
        except ApiError as exc:
            answer = Answer(exc.code, exc.status())
        except Exception as exc:
            log.error(f"API request {request.method} {request.path} failed: {exc!r}")
            answer = Answer(500, ApiError(500, "InternalError", repr(exc)).status())
        if isinstance(answer, Stream):
            self._stream(answer)
        else:
            self._whole(answer)

    def _whole(self, answer: Answer) -> None:
        data = answer.data()
        self.send_response(answer.code)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, stream: Stream) -> None:
        try:
            self.send_response(200)
            self.send_header("Content-Type", stream.content_type)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            for chunk in stream.chunks:
                if chunk:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    self.wfile.flush()
                elif self._left():
                    break
            else:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass
        finally:
            stream.close()
        self.close_connection = True

    def _left(self) -> bool:
        """Return whether the client went away while nothing was to be said."""
        self.connection.settimeout(0)
        try:
            return bool(self.connection.recv(1) == b"")
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True
        finally:
            self.connection.settimeout(_IDLE_SECONDS)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle  # noqa: N815 (base class)


class Frontend(ThreadingHTTPServer):
    """A listening HTTPS socket."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        handle: Handle,
        passwords: Passwords,
        admin_token: str = "",
    ) -> None:
        super().__init__(address, Handler)
        self.handle = handle
        self.passwords = passwords
        self.admin_token = admin_token
        self._context = context
        self._open: set[ssl.SSLSocket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that nobody holds up others."""
        request.settimeout(20)
        try:
            wrapped = self._context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            return
        self._open.add(wrapped)
        try:
            super().finish_request(wrapped, client_address)
        finally:
            self._open.discard(wrapped)
            with contextlib.suppress(OSError):
                wrapped.shutdown(socket.SHUT_RDWR)
            wrapped.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no error."""

    def end(self) -> None:
        """Answer nobody any more, on open connections neither."""
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def start(self) -> None:
        """Answer from now on, in threads."""
        threading.Thread(target=self.serve_forever, args=(0.2,), daemon=True).start()


def server_context(cert: Path, key: Path, authorities: list[Path]) -> ssl.SSLContext:
    """Return TLS for a listener that lets clients show certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    for authority in authorities:
        if authority.exists():
            context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(authority: Optional[Path]) -> ssl.SSLContext:
    """Return TLS for calls to other servers; names are not looked at, the authority is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if authority is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority)
    return context


def basic(user: str, password: str) -> str:
    """Return the header Authorization for a user's password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def call(
    address: str,
    port: int,
    context: ssl.SSLContext,
    request: Request,
    seconds: float,
    target: str = "",
) -> http.client.HTTPResponse:
    """Return another server's answer, not read yet; raise OSError when it is silent."""
    connection = http.client.HTTPSConnection(address, port, timeout=seconds, context=context)
    try:
        connection.request(
            request.method, target or request.path, request.body, dict(request.headers)
        )
        response = connection.getresponse()
        # The answer alone keeps the socket open, so that reading it to its end closes it.
        connection.sock.close()
        connection.sock = None
        return response
    except OSError:
        connection.close()
        raise
    except http.client.HTTPException as exc:
        connection.close()
        raise OSError(f"{address}:{port}: {exc!r}") from None


def message_of(data: bytes) -> str:
    """Return what an error's body says."""
    try:
        return str(json.loads(data).get("message", ""))
    except (ValueError, AttributeError):
        return data.decode(errors="replace").strip()
