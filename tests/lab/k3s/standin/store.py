# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the cluster, numbered changes, and everybody who waits for them."""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Optional

Obj = dict[str, Any]

#: Changes that a watch may still ask for; older ones are answered "410 Gone" as etcd does.
HISTORY = 5000


class ApiError(Exception):
    """What the API refuses, as a Kubernetes Status."""

    def __init__(
        self, code: int, reason: str, message: str, details: Optional[dict[str, Any]] = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    def status(self) -> Obj:
        """Return the body of the answer."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


@dataclass(frozen=True, order=True)
class Key:
    """Where an object is kept; ``namespace`` is empty for those of the whole cluster."""

    group: str
    resource: str
    namespace: str
    name: str

    def text(self) -> str:
        """Return the key as files have it."""
        return json.dumps([self.group, self.resource, self.namespace, self.name])

    @classmethod
    def parsed(cls, text: str) -> Key:
        """Return the key that ``text`` was made from."""
        return cls(*json.loads(text))


@dataclass(frozen=True)
class Event:
    """One change: what is there now and what was there before."""

    revision: int
    key: Key
    now: Optional[Obj]
    before: Optional[Obj]


@dataclass(frozen=True)
class Change:
    """A change that is about to be made; None deletes."""

    key: Key
    obj: Optional[Obj]


def now_text() -> str:
    """Return the time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


#: Called with (revision, changes) before a change counts; raises when it may not be made.
Commit = Callable[[int, list[Change]], None]


class Store:
    """All objects in memory. Objects handed out are shared: who changes one takes a copy."""

    def __init__(self, commit: Optional[Commit] = None) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.objects: dict[Key, Obj] = {}
        self.revision = 1
        self.history: deque[Event] = deque(maxlen=HISTORY)
        self.commit = commit

    def get(self, key: Key) -> Optional[Obj]:
        """Return the object, or None."""
        with self.changed:
            return self.objects.get(key)

    def every(self, group: str, resource: str, namespace: str = "") -> list[Obj]:
        """Return the objects of one kind by name, of one namespace or of all."""
        with self.changed:
            keys = sorted(
                key
                for key in self.objects
                if key.group == group
                and key.resource == resource
                and namespace in ("", key.namespace)
            )
            return [self.objects[key] for key in keys]

    def known(self) -> list[Key]:
        """Return every key there is."""
        with self.changed:
            return list(self.objects)

    def everything(self) -> list[Obj]:
        """Return every object there is."""
        with self.changed:
            return list(self.objects.values())

    def create(self, key: Key, obj: Obj) -> Obj:
        """Return the object as it is kept now; raise ValueError when there is one."""
        with self.changed:
            if key in self.objects:
                raise ValueError(key)
            made = copy.deepcopy(obj)
            meta = made.setdefault("metadata", {})
            meta["uid"] = str(uuid.uuid4())
            meta["creationTimestamp"] = now_text()
            meta.setdefault("generation", 1)
            self._put([Change(key, made)])
            return made

    def update(self, key: Key, obj: Obj) -> Obj:
        """Return the object as it is kept now; the same contents are no change."""
        with self.changed:
            old = self.objects[key]
            made = copy.deepcopy(obj)
            kept = ("uid", "creationTimestamp", "resourceVersion", "generation")
            made["metadata"].update({k: old["metadata"][k] for k in kept})
            if made == old:
                return old
            if made.get("spec") != old.get("spec"):
                made["metadata"]["generation"] = old["metadata"]["generation"] + 1
            self._put([Change(key, made)])
            return made

    def delete(self, key: Key) -> None:
        """Take an object away; one that is gone is no error."""
        with self.changed:
            if key in self.objects:
                self._put([Change(key, None)])

    def _put(self, changes: list[Change]) -> None:
        revision = self.revision + 1
        for change in changes:
            if change.obj is not None:
                change.obj["metadata"]["resourceVersion"] = str(revision)
        if self.commit is not None:
            self.commit(revision, changes)
        self.apply(revision, changes)

    def apply(self, revision: int, changes: list[Change]) -> None:
        """Make changes that are agreed on, and wake everybody who waits."""
        with self.changed:
            for change in changes:
                before = self.objects.get(change.key)
                if change.obj is None:
                    self.objects.pop(change.key, None)
                else:
                    self.objects[change.key] = change.obj
                self.history.append(Event(revision, change.key, change.obj, before))
            self.revision = revision
            self.changed.notify_all()

    def dump(self) -> dict[str, Any]:
        """Return everything, fit for JSON."""
        with self.changed:
            objects = {key.text(): obj for key, obj in self.objects.items()}
            return {"revision": self.revision, "objects": objects}

    def load(self, state: dict[str, Any]) -> None:
        """Have exactly what ``dump`` returned once."""
        with self.changed:
            self.objects = {Key.parsed(text): obj for text, obj in state["objects"].items()}
            self.revision = int(state["revision"])
            self.history.clear()
            self.changed.notify_all()

    def oldest(self) -> int:
        """Return the first revision after which all changes are still known."""
        with self.changed:
            return self.history[0].revision - 1 if self.history else self.revision

    def events_after(
        self, revision: int, seconds: float, stopped: Callable[[], bool]
    ) -> Iterator[Event]:
        """Return changes after ``revision``; wait up to ``seconds`` for the first."""
        with self.changed:
            if self.revision <= revision and not stopped():
                self.changed.wait(seconds)
            return iter([event for event in self.history if event.revision > revision])
