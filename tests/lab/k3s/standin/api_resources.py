# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the API on objects: get, list, create, update, patch, delete, and subresources."""

from __future__ import annotations

import copy
import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Optional

from . import objects_defaults as admission
from .objects import Kind, Registry
from .objects_patch import patched
from .objects_select import fields_match, labels_match, selector_matches
from .objects_table import table
from .store import ApiError, Key, Obj, Store, now_text


@dataclass(frozen=True)
class Request:
    """What a client asks."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Return the body; raise ApiError when it is no JSON."""
        if self.body.startswith(b"k8s\0"):
            text = "the body of the request was in an unknown format - JSON is what is understood"
            raise ApiError(415, "UnsupportedMediaType", text)
        try:
            return json.loads(self.body or b"{}")
        except ValueError as exc:
            text = f"the object provided is unrecognized: {exc}"
            raise ApiError(400, "BadRequest", text) from None

    def header(self, name: str) -> str:
        """Return a header, or ''."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True)
class Answer:
    """What a client gets: JSON, or text."""

    code: int
    body: Any
    content_type: str = "application/json"

    def data(self) -> bytes:
        """Return the body's bytes."""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body).encode() + b"\n"


@dataclass(frozen=True)
class Target:
    """What a path of the API names."""

    kind: Kind
    namespace: str
    name: str
    subresource: str


_LETTERS = string.ascii_lowercase + string.digits


def target_of(registry: Registry, path: str) -> Optional[Target]:
    """Return what a path names, or None when no such kind is known."""
    steps = [step for step in path.split("/") if step]
    if steps[:1] == ["api"] and len(steps) > 2:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[:1] == ["apis"] and len(steps) > 3:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = registry.find(group, version, rest[0])
    rest = [*rest, "", ""]
    return Target(kind, namespace, rest[1], rest[2]) if kind else None


class Resources:
    """Answers for objects. Reading and writing back happens under the store's lock."""

    def __init__(self, store: Store, registry: Registry, limits: admission.Limits) -> None:
        self.store = store
        self.registry = registry
        self.limits = limits
        self.logs: dict[str, str] = {}

    def answer(self, request: Request, target: Target) -> Answer:
        """Return the answer to any request that is no watch."""
        if target.subresource and target.subresource not in target.kind.subresources:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        special = {"eviction": self._evict, "log": self._log, "scale": self._scale}
        if target.subresource in special:
            return special[target.subresource](request, target)
        verbs = {
            "GET": self._get if target.name else self._list,
            "POST": self._create,
            "PUT": self._replace,
            "PATCH": self._patch,
            "DELETE": self._delete if target.name else self._delete_all,
        }
        if request.method not in verbs:
            raise ApiError(405, "MethodNotAllowed", "the method is not allowed on this resource")
        return verbs[request.method](request, target)

    def there(self, target: Target) -> Obj:
        """Return the object, or raise that it is not there."""
        obj = self.store.get(target.kind.key(target.namespace, target.name))
        if obj is None:
            raise admission.not_found(target.kind, target.name)
        return obj

    def _shown(self, request: Request, kind: Kind, objs: list[Obj], whole: Obj) -> Answer:
        if "as=Table" in request.header("accept"):
            return Answer(200, table(kind, objs, str(self.store.revision)))
        return Answer(200, whole)

    def _get(self, request: Request, target: Target) -> Answer:
        obj = self.there(target)
        return self._shown(request, target.kind, [obj], obj)

    def selected(self, request: Request, target: Target) -> list[Obj]:
        """Return the objects that a list asks for."""
        labels = request.query.get("labelSelector", "")
        fields = request.query.get("fieldSelector", "")
        return [
            obj
            for obj in self.store.every(target.kind.group, target.kind.resource, target.namespace)
            if labels_match(labels, obj["metadata"].get("labels") or {})
            and fields_match(fields, obj)
        ]

    def _list(self, request: Request, target: Target) -> Answer:
        objs = self.selected(request, target)
        whole = {
            "kind": f"{target.kind.kind}List",
            "apiVersion": target.kind.group_version,
            "metadata": {"resourceVersion": str(self.store.revision)},
            "items": objs,
        }
        return self._shown(request, target.kind, objs, whole)

    def create(self, kind: Kind, namespace: str, given: Obj, dry: bool = False) -> Obj:
        """Return the object that was made; raise what the API says otherwise."""
        with self.store.changed:
            obj = copy.deepcopy(given)
            meta = obj.setdefault("metadata", {})
            if kind.namespaced:
                meta["namespace"] = namespace or meta.get("namespace", "default")
            if not meta.get("name") and meta.get("generateName"):
                end = "".join(secrets.choice(_LETTERS) for _ in range(5))
                meta["name"] = f"{meta['generateName']}{end}"
            obj = admission.admitted(self.store, kind, obj, self.limits)
            key = kind.key(meta.get("namespace", ""), obj["metadata"]["name"])
            if self.store.get(key) is not None:
                called = f"{kind.resource}.{kind.group}" if kind.group else kind.resource
                text = f'{called} "{key.name}" already exists'
                details = {"name": key.name, "group": kind.group, "kind": kind.resource}
                raise ApiError(409, "AlreadyExists", text, details)
            return obj if dry else self.store.create(key, obj)

    def _create(self, request: Request, target: Target) -> Answer:
        given = request.json()
        if not isinstance(given, dict) or target.name:
            raise ApiError(400, "BadRequest", "the body of the request is not an object")
        said = given.get("metadata", {}).get("namespace")
        if target.namespace and said and said != target.namespace:
            text = "the namespace of the provided object does not match the namespace sent"
            raise ApiError(400, "BadRequest", f"{text} on the request")
        made = self.create(target.kind, target.namespace, given, _dry(request))
        return Answer(201, made)

    def update(self, target: Target, given: Obj, dry: bool = False) -> Obj:
        """Return the object as it is kept after a change of all but, or of only, its status."""
        with self.store.changed:
            old = self.there(target)
            version = given.get("metadata", {}).get("resourceVersion")
            if version and version != old["metadata"]["resourceVersion"]:
                text = f'Operation cannot be fulfilled on {target.kind.resource} "{target.name}": '
                end = "the object has been modified; please apply your changes to the latest"
                raise ApiError(409, "Conflict", f"{text}{end} version and try again")
            if target.subresource == "status":
                new = {**copy.deepcopy(old), "status": given.get("status", {})}
                new["metadata"]["annotations"] = given["metadata"].get("annotations") or {}
                if not new["metadata"]["annotations"]:
                    del new["metadata"]["annotations"]
            else:
                new = admission.changed(self.store, target.kind, old, given, self.limits)
            if dry:
                return new
            key = target.kind.key(target.namespace, target.name)
            if old["metadata"].get("deletionTimestamp") and not _held(target.kind, new):
                self.store.delete(key)
                return new
            return self.store.update(key, new)

    def _replace(self, request: Request, target: Target) -> Answer:
        if target.subresource == "finalize":
            target = Target(target.kind, target.namespace, target.name, "")
        return Answer(200, self.update(target, request.json(), _dry(request)))

    def _patch(self, request: Request, target: Target) -> Answer:
        content_type = request.header("content-type")
        with self.store.changed:
            key = target.kind.key(target.namespace, target.name)
            if "apply-patch" in content_type and self.store.get(key) is None:
                made = self.create(target.kind, target.namespace, request.json(), _dry(request))
                return Answer(201, made)
            new = patched(self.there(target), request.json(), content_type)
            return Answer(200, self.update(target, new, _dry(request)))

    def _delete(self, request: Request, target: Target) -> Answer:
        options = request.json() if request.body else {}
        with self.store.changed:
            obj = self.there(target)
            uid = (options.get("preconditions") or {}).get("uid")
            if uid and uid != obj["metadata"]["uid"]:
                raise ApiError(409, "Conflict", "Precondition failed: UID in precondition differs")
            if not _dry(request) and not options.get("dryRun"):
                grace = options.get("gracePeriodSeconds", request.query.get("gracePeriodSeconds"))
                self.remove(target.kind, obj, None if grace is None else int(grace))
        details = {"name": target.name, "group": target.kind.group, "kind": target.kind.resource}
        details["uid"] = obj["metadata"]["uid"]
        answer = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return Answer(200, {**answer, "details": details})

    def remove(self, kind: Kind, obj: Obj, grace: Optional[int] = None) -> None:
        """Delete an object, or mark it where something has to end first."""
        key = kind.key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        on_node = kind.resource == "pods" and obj["spec"].get("nodeName") and grace != 0
        ended = obj.get("status", {}).get("phase") in ("Succeeded", "Failed")
        waits = (on_node and not ended) or _held(kind, obj)
        if not waits:
            self.store.delete(key)
            if kind.resource == "nodes":
                self._forget_password(key.name)
            return
        if obj["metadata"].get("deletionTimestamp"):
            return
        new = copy.deepcopy(obj)
        seconds = 0 if not on_node else obj["spec"].get("terminationGracePeriodSeconds", 30)
        seconds = seconds if grace is None else grace
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        new["metadata"]["deletionTimestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        new["metadata"]["deletionGracePeriodSeconds"] = seconds
        if kind.resource == "namespaces":
            new["status"] = {"phase": "Terminating"}
        self.store.update(key, new)

    def _forget_password(self, node: str) -> None:
        """Let a node of that name come with another password, as k3s' controller does."""
        self.store.delete(Key("", "secrets", "kube-system", f"{node}.node-password.k3s".lower()))

    def _delete_all(self, request: Request, target: Target) -> Answer:
        with self.store.changed:
            objs = self.selected(request, target)
            for obj in objs:
                self.remove(target.kind, obj)
        return self._list(request, target)

    def _log(self, _request: Request, target: Target) -> Answer:
        pod = self.there(target)
        text = self.logs.get(f"{target.namespace}/{target.name}")
        if text is None:
            name = pod["spec"]["containers"][0]["name"]
            text = f'container "{name}" in pod "{target.name}" is waiting to start'
            raise ApiError(400, "BadRequest", text)
        return Answer(200, text, "text/plain")

    def _scale(self, request: Request, target: Target) -> Answer:
        main = Target(target.kind, target.namespace, target.name, "")
        obj = copy.deepcopy(self.there(main))
        if request.method in ("PUT", "PATCH"):
            wanted = request.json().get("spec", {}).get("replicas")
            obj["spec"]["replicas"] = int(wanted)
            obj = self.update(main, obj)
        meta = {k: obj["metadata"].get(k) for k in ("name", "namespace", "uid", "resourceVersion")}
        scale: Obj = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta}
        scale["spec"] = {"replicas": obj["spec"].get("replicas", 1)}
        scale["status"] = {"replicas": obj.get("status", {}).get("replicas", 0)}
        return Answer(200, scale)

    def _evict(self, request: Request, target: Target) -> Answer:
        with self.store.changed:
            pod = self.there(Target(target.kind, target.namespace, target.name, ""))
            self._check_budget(pod)
            options = (request.json() or {}).get("deleteOptions") or {}
            self.remove(target.kind, pod, options.get("gracePeriodSeconds"))
        answer = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return Answer(201, {**answer, "code": 201})

    def _check_budget(self, pod: Obj) -> None:
        """Refuse as a PodDisruptionBudget asks."""
        space, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels") or {}
        for budget in self.store.every("policy", "poddisruptionbudgets", space):
            selector = budget["spec"].get("selector")
            if selector is None or not selector_matches(selector, labels):
                continue
            pods = [
                other
                for other in self.store.every("", "pods", space)
                if selector_matches(selector, other["metadata"].get("labels") or {})
            ]
            if disruptions(budget["spec"], pods) < 1:
                text = "Cannot evict pod as it would violate the pod's disruption budget."
                raise ApiError(429, "TooManyRequests", text)


def ready(pod: Obj) -> bool:
    """Return whether a pod is Ready and is to stay."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    rows = pod.get("status", {}).get("conditions", [])
    return any(row["type"] == "Ready" and row["status"] == "True" for row in rows)


def disruptions(spec: dict[str, Any], pods: list[Obj]) -> int:
    """Return how many of a budget's pods may go now."""
    healthy = len([pod for pod in pods if ready(pod)])
    if "maxUnavailable" in spec:
        return _count(spec["maxUnavailable"], len(pods)) - (len(pods) - healthy)
    return healthy - _count(spec.get("minAvailable", 1), len(pods))


def _count(value: Any, total: int) -> int:
    text = str(value)
    return -(-int(text[:-1]) * total // 100) if text.endswith("%") else int(text)


def _dry(request: Request) -> bool:
    return request.query.get("dryRun") == "All"


def _held(kind: Kind, obj: Obj) -> bool:
    """Return whether something must happen before the object may go."""
    if kind.resource == "namespaces" and kind.group == "":
        return bool((obj.get("spec") or {}).get("finalizers"))
    return bool(obj["metadata"].get("finalizers"))


def condition(name: str, status: bool, reason: str, message: str = "") -> Obj:
    """Return a condition as objects have it."""
    return {
        "type": name,
        "status": "True" if status else "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": now_text(),
    }
