# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of one server: who may ask, what is answered here, and what the leader answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Optional, Protocol, Union
from urllib.parse import urlencode

from . import accounts
from .api import call, client_context
from .api_discovery import discovery
from .api_join import PREFIX, Supervisor
from .api_resources import Answer, Request, Resources, target_of
from .api_watch import Stream, Watch, is_watch
from .metrics import CONTENT, Metrics
from .store import ApiError, Obj

Reply = Union[Answer, Stream]
#: What the leading server is told about who asks.
USER_HEADER = "x-standin-user"
FORWARD = "/forward"
_FORWARD_SECONDS = 30.0


class Quorum(Protocol):
    """What the gateway wants to know of the datastore."""

    def leading(self) -> bool:
        """Return whether this server may answer by itself."""

    def leader(self) -> Optional[tuple[str, int]]:
        """Return where the leader's peers reach it."""

    def servers(self) -> list[str]:
        """Return address:port of the API on every server."""

    def manage(self, request: Request) -> Optional[Answer]:
        """Return the answer to a question about members, or None."""


def no_leader() -> ApiError:
    """Return what the API says while most servers are gone."""
    return ApiError(500, "InternalError", "etcdserver: no leader")


def version_answer(version: str) -> Obj:
    """Return the body of GET /version."""
    major, minor = version.lstrip("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": version,
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2025-01-01T00:00:00Z",
        "goVersion": "go1.24.6",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


class Gateway:
    """The first to see a request."""

    def __init__(
        self,
        resources: Resources,
        supervisor: Supervisor,
        quorum: Quorum,
        version: str,
        authority: Path,
        peer_authorization: str,
        metrics: Metrics,
    ) -> None:
        self._resources = resources
        self._supervisor = supervisor
        self._quorum = quorum
        self._version = version
        self._authority = authority
        self._authorization = peer_authorization
        self._metrics = metrics
        self.stopped = threading.Event()
        self.started = threading.Event()

    def handle(self, request: Request, user: str) -> Reply:
        """Return the answer to anybody who comes by the API's port, and count it."""
        target = target_of(self._resources.registry, request.path)
        resource = target.kind.resource if target else ""
        began = time.monotonic()
        try:
            answer = self._handle(request, user)
        except ApiError as exc:
            self._metrics.note(request.method, resource, exc.code, time.monotonic() - began)
            raise
        code = answer.code if isinstance(answer, Answer) else 200
        self._metrics.note(request.method, resource, code, time.monotonic() - began)
        return answer

    def _handle(self, request: Request, user: str) -> Reply:
        if request.path == "/cacerts":
            return Answer(200, self._authority.read_bytes(), "text/plain")
        if request.path == "/ping":
            return Answer(200, "pong", "text/plain")
        if request.path.startswith(PREFIX):
            user = self._member(request, user)
        elif user != "admin":
            self._check_account(request)
        own = self._local(request, user)
        if own is not None:
            return own
        if self._quorum.leading():
            return self.lead(request, user)
        return self._forward(request, user)

    def _member(self, request: Request, user: str) -> str:
        """Return who of the cluster's members asks, or raise ApiError."""
        if user not in ("server", "node"):
            if not self._supervisor.is_member(request):
                raise ApiError(401, "Unauthorized", "not authorized")
            user = "node"
        if not self.started.is_set():
            raise ApiError(503, "ServiceUnavailable", "runtime core not ready")
        return user

    def _check_account(self, request: Request) -> None:
        """Raise ApiError unless a service account asks for what its roles let it have."""
        user = accounts.account_of(self._resources.store, request.header("authorization"))
        if not user:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        target = target_of(self._resources.registry, request.path)
        accounts.check(self._resources.store, user, request, target)

    def forwarded(self, request: Request, user: str) -> Reply:
        """Return the leader's answer to another server; only servers reach this."""
        if user != "server":
            raise ApiError(401, "Unauthorized", "not authorized")
        if not self._quorum.leading():
            raise no_leader()
        path = request.path.removeprefix(FORWARD)
        again = Request(request.method, path, request.query, request.body, request.headers)
        return self.lead(again, request.header(USER_HEADER))

    def ask(self, request: Request) -> Answer:
        """Return the answer to this server's own controllers, errors as answers too."""
        try:
            if self._quorum.leading():
                answer = self.lead(request, "admin")
            else:
                answer = self._forward(request, "admin")
        except ApiError as exc:
            return Answer(exc.code, exc.status())
        if isinstance(answer, Stream):
            raise TypeError("a controller does not watch")
        return answer

    def _local(self, request: Request, user: str) -> Optional[Answer]:
        if (request.method, request.path) == ("PUT", f"{PREFIX}token"):
            return self._supervisor.replace_token(request, user)
        if request.path in ("/livez", "/readyz", "/healthz"):
            if self._quorum.leading() or self._quorum.leader():
                return Answer(200, "ok", "text/plain")
            text = "[+]ping ok\n[-]etcd failed: reason withheld\nhealthz check failed\n"
            return Answer(500, text, "text/plain")
        if request.path == "/metrics":
            return Answer(200, self._metrics.text(), CONTENT)
        if request.path == "/version":
            return Answer(200, version_answer(self._version))
        return None

    def lead(self, request: Request, user: str) -> Reply:
        """Return the answer of the server whose word counts."""
        if request.path.startswith(PREFIX):
            return self._supervise(request, user)
        if request.path.endswith("/selfsubjectaccessreviews"):
            return Answer(201, {**request.json(), "status": {"allowed": True}})
        target = target_of(self._resources.registry, request.path)
        if target is None:
            kinds = self._resources.registry.kinds()
            found = discovery(request.path, kinds, self._quorum.servers()[0])
            if found is None:
                text = "the server could not find the requested resource"
                raise ApiError(404, "NotFound", text)
            return found
        if is_watch(request) and not target.subresource:
            return self._watch(request, Watch(self._resources, request, target, self._ended))
        return self._resources.answer(request, target)

    def _ended(self) -> bool:
        return self.stopped.is_set() or not self._quorum.leading()

    def _watch(self, request: Request, watch: Watch) -> Stream:
        stream = watch.stream()
        if not request.header(USER_HEADER):
            return stream
        # An empty line now and then tells the server between whether its client is there.
        return Stream((chunk or b"\n" for chunk in stream.chunks), stream.content_type)

    def _supervise(self, request: Request, user: str) -> Answer:
        what = request.path.removeprefix(PREFIX)
        found = self._supervisor.answer(request, self._quorum.servers())
        if found is not None:
            return found
        if user != "server":
            raise ApiError(403, "Forbidden", "forbidden")
        if what == "server-bootstrap":
            return self._supervisor.bootstrap()
        found = self._quorum.manage(request)
        if found is None:
            raise ApiError(404, "NotFound", "404 page not found")
        return found

    def _forward(self, request: Request, user: str) -> Reply:
        leader = self._quorum.leader()
        if leader is None:
            raise no_leader()
        keep = ("accept", "content-type", "k3s-node-name", "k3s-node-password", "k3s-node-ip")
        headers = {name: value for name, value in request.headers.items() if name in keep}
        headers["Authorization"] = self._authorization
        headers[USER_HEADER] = user
        passed = Request(request.method, request.path, request.query, request.body, headers)
        try:
            context = client_context(self._authority)
            response = call(*leader, context, passed, _FORWARD_SECONDS, _with_query(request))
            content_type = response.getheader("Content-Type", "application/json")
            if is_watch(request) and response.status == 200:
                return Stream(_chunks(response), content_type, response)
            with closing(response):
                return Answer(response.status, response.read(), content_type)
        except (OSError, HTTPException):
            raise ApiError(500, "InternalError", "etcdserver: leader changed") from None


def _with_query(request: Request) -> str:
    query = f"?{urlencode(request.query)}" if request.query else ""
    return f"{FORWARD}{request.path}{query}"


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        while data := response.read1(65536):
            yield data
    except (OSError, HTTPException, ValueError):
        return
