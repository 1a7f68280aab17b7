# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches: the changes of one kind as they happen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Optional

from .api_resources import Request, Resources, Target
from .objects_select import fields_match, labels_match
from .objects_table import table
from .store import ApiError, Event, Obj

#: Seconds that a watch stays open when the client does not say (the API server's own is random).
DEFAULT_SECONDS = 1800
_TICK = 1.0


@dataclass(frozen=True)
class Stream:
    """An answer without an end of its own: lines of JSON."""

    chunks: Iterator[bytes]
    content_type: str = "application/json"
    #: The answer that chunks are passed on from; a generator that never began cannot close it.
    source: Optional[HTTPResponse] = None

    def close(self) -> None:
        """Let go of what the chunks come from."""
        if isinstance(self.chunks, Generator):
            self.chunks.close()
        if self.source is not None:
            self.source.close()


def is_watch(request: Request) -> bool:
    """Return whether a request asks for changes instead of objects."""
    return request.method == "GET" and request.query.get("watch") in ("1", "true")


class Watch:
    """One client's watch."""

    def __init__(
        self,
        resources: Resources,
        request: Request,
        target: Target,
        stopped: Callable[[], bool],
    ) -> None:
        self._resources = resources
        self._store = resources.store
        self._request = request
        self._target = target
        self._stopped = stopped
        self._fields = request.query.get("fieldSelector", "")
        if target.name:
            self._fields = ",".join(
                part for part in (self._fields, f"metadata.name={target.name}") if part
            )

    def _wanted(self, obj: Optional[Obj]) -> bool:
        if obj is None:
            return False
        labels = self._request.query.get("labelSelector", "")
        return labels_match(labels, obj["metadata"].get("labels") or {}) and fields_match(
            self._fields, obj
        )

    def _line(self, what: str, obj: Obj) -> bytes:
        shown = obj
        if "as=Table" in self._request.header("accept"):
            version = obj["metadata"].get("resourceVersion", "")
            shown = table(self._target.kind, [obj], version)
        return json.dumps({"type": what, "object": shown}).encode() + b"\n"

    def _of_event(self, event: Event) -> Optional[bytes]:
        kind, key = self._target.kind, event.key
        if (key.group, key.resource) != (kind.group, kind.resource):
            return None
        if self._target.namespace and key.namespace != self._target.namespace:
            return None
        now, before = self._wanted(event.now), self._wanted(event.before)
        if now and event.now is not None:
            return self._line("MODIFIED" if before else "ADDED", event.now)
        if before and event.before is not None:
            meta = {**event.before["metadata"], "resourceVersion": str(event.revision)}
            return self._line("DELETED", {**event.before, "metadata": meta})
        return None

    def _start(self) -> tuple[int, list[Obj]]:
        given = self._request.query.get("resourceVersion", "")
        with self._store.changed:
            if given not in ("", "0"):
                revision = int(given)
                if revision < self._store.oldest() and revision != self._store.revision:
                    text = f"too old resource version: {revision} ({self._store.oldest()})"
                    raise ApiError(410, "Expired", text)
                return revision, []
            objs = self._store.every(
                self._target.kind.group, self._target.kind.resource, self._target.namespace
            )
            return self._store.revision, [obj for obj in objs if self._wanted(obj)]

    def stream(self) -> Stream:
        """Return the changes; raise now what is wrong with the request."""
        revision, first = self._start()
        seconds = float(self._request.query.get("timeoutSeconds", DEFAULT_SECONDS))
        return Stream(self._chunks(revision, first, time.monotonic() + seconds))

    def _chunks(self, revision: int, first: list[Obj], end: float) -> Iterator[bytes]:
        for obj in first:
            yield self._line("ADDED", obj)
        while time.monotonic() < end and not self._stopped():
            for event in self._store.events_after(revision, _TICK, self._stopped):
                revision = max(revision, event.revision)
                line = self._of_event(event)
                if line is not None:
                    yield line
            yield b""
