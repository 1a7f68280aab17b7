# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all controllers do with objects."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any, Optional

from .api_resources import Resources, Target
from .objects import Kind, built_in
from .store import ApiError, Obj


def owner(obj: Obj) -> Obj:
    """Return the reference that makes ``obj`` the owner of another."""
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned(obj: Obj, by: Obj) -> bool:
    """Return whether ``by`` owns ``obj``."""
    refs = obj["metadata"].get("ownerReferences") or []
    return any(ref.get("uid") == by["metadata"]["uid"] for ref in refs)


def going(obj: Obj) -> bool:
    """Return whether an object is being deleted."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def digest(value: Any) -> str:
    """Return a short name for a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def pod_of(template: Obj, by: Obj, labels: dict[str, str]) -> Obj:
    """Return the pod that a template describes."""
    meta = template.get("metadata") or {}
    return {
        "metadata": {
            "labels": {**(meta.get("labels") or {}), **labels},
            "annotations": dict(meta.get("annotations") or {}),
            "ownerReferences": [owner(by)],
        },
        "spec": copy.deepcopy(template["spec"]),
    }


class Cluster:
    """Reading and changing objects as a controller."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.store = resources.store

    def every(self, resource: str, namespace: str = "") -> list[Obj]:
        """Return the objects of a built-in kind."""
        return self.store.every(built_in(resource).group, resource, namespace)

    def find(self, resource: str, namespace: str, name: str) -> Optional[Obj]:
        """Return an object of a built-in kind, or None."""
        return self.store.get(built_in(resource).key(namespace, name))

    def make(self, resource: str, namespace: str, obj: Obj) -> Obj:
        """Make an object."""
        return self.resources.create(built_in(resource), namespace, obj)

    def ensure(self, resource: str, namespace: str, obj: Obj) -> None:
        """Make an object unless there is one of that name."""
        if self.find(resource, namespace, obj["metadata"]["name"]) is None:
            self.make(resource, namespace, obj)

    def status(self, obj: Obj, status: Obj) -> None:
        """Have this status, if that is a change."""
        if obj.get("status") != status:
            self._update(obj, {**obj, "status": status}, "status")

    def change(self, obj: Obj, new: Obj) -> None:
        """Have ``new`` in place of ``obj``, if that is a change."""
        if obj != new:
            self._update(obj, new, "")

    def _update(self, obj: Obj, new: Obj, part: str) -> None:
        kind = self.kind_of(obj)
        target = Target(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"], part)
        try:
            self.resources.update(target, new)
        except ApiError as exc:
            # Somebody changed or deleted it meanwhile; the next round sees that.
            if exc.code not in (404, 409):
                raise

    def remove(self, obj: Obj, grace: Optional[int] = None) -> None:
        """Delete an object."""
        with self.store.changed:
            kind = self.kind_of(obj)
            key = kind.key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            now = self.store.get(key)
            if now is not None and now["metadata"]["uid"] == obj["metadata"]["uid"]:
                self.resources.remove(kind, now, grace)

    def kind_of(self, obj: Obj) -> Kind:
        """Return an object's kind."""
        kind = self.resources.registry.of_object(obj)
        if kind is None:
            raise ApiError(404, "NotFound", f"no kind {obj.get('kind')}")
        return kind

    def pods_of(self, by: Obj) -> list[Obj]:
        """Return the pods that an object owns and that are to stay."""
        pods = self.every("pods", by["metadata"].get("namespace", ""))
        return [pod for pod in pods if owned(pod, by) and not going(pod)]
