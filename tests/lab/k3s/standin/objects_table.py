# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as the tables that ``kubectl get`` prints (pure but for the clock)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .objects import Kind
from .objects_select import field
from .store import Obj

#: Name of a column, whether only ``-o wide`` has it, and how its cell is made.
Column = tuple[str, bool, Callable[[Obj], Any]]


def age(moment: str) -> str:
    """Return the time since ``moment`` in short."""
    try:
        then = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return "<unknown>"
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _node_status(obj: Obj) -> str:
    rows = obj.get("status", {}).get("conditions", [])
    state = next((row["status"] for row in rows if row["type"] == "Ready"), "Unknown")
    text = "Ready" if state == "True" else "NotReady"
    return f"{text},SchedulingDisabled" if obj["spec"].get("unschedulable") else text


def roles(obj: Obj) -> str:
    """Return the roles that a node's labels say."""
    mark = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    names = sorted(key.removeprefix(mark) for key in labels if key.startswith(mark))
    return ",".join(names) or "<none>"


def _address(obj: Obj) -> str:
    rows = obj.get("status", {}).get("addresses", [])
    return next((row["address"] for row in rows if row["type"] == "InternalIP"), "<none>")


def _pod_ready(obj: Obj) -> str:
    rows = obj.get("status", {}).get("containerStatuses", [])
    ready = len([row for row in rows if row.get("ready")])
    return f"{ready}/{len(obj['spec'].get('containers', []))}"


def pod_state(obj: Obj) -> str:
    """Return what stands in the column STATUS of a pod."""
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for row in obj.get("status", {}).get("containerStatuses", []):
        waiting = row.get("state", {}).get("waiting")
        if waiting:
            return str(waiting.get("reason", "Waiting"))
    phase = str(obj.get("status", {}).get("phase", "Pending"))
    return "Completed" if phase == "Succeeded" else phase


def _restarts(obj: Obj) -> int:
    rows = obj.get("status", {}).get("containerStatuses", [])
    return sum(int(row.get("restartCount", 0)) for row in rows)


def _number(path: str) -> Callable[[Obj], Any]:
    return lambda obj: int(field(obj, path) or 0)


def _text(path: str) -> Callable[[Obj], Any]:
    return lambda obj: field(obj, path) or "<none>"


def _ports(obj: Obj) -> str:
    rows = obj["spec"].get("ports", [])
    return ",".join(
        f"{row['port']}{':' + str(row['nodePort']) if row.get('nodePort') else ''}"
        f"/{row.get('protocol', 'TCP')}"
        for row in rows
    )


def _of(done: str, all_of: str) -> Callable[[Obj], Any]:
    return lambda obj: f"{field(obj, done) or 0}/{field(obj, all_of) or 0}"


def _job_state(obj: Obj) -> str:
    rows = obj.get("status", {}).get("conditions", [])
    return next((row["type"] for row in rows if row["status"] == "True"), "Running")


_COLUMNS: dict[str, tuple[Column, ...]] = {
    "nodes": (
        ("Status", False, _node_status),
        ("Roles", False, roles),
        ("Age", False, lambda obj: age(obj["metadata"]["creationTimestamp"])),
        ("Version", False, _text("status.nodeInfo.kubeletVersion")),
        ("Internal-IP", True, _address),
        ("External-IP", True, lambda _obj: "<none>"),
        ("OS-Image", True, _text("status.nodeInfo.osImage")),
        ("Kernel-Version", True, _text("status.nodeInfo.kernelVersion")),
        ("Container-Runtime", True, _text("status.nodeInfo.containerRuntimeVersion")),
    ),
    "pods": (
        ("Ready", False, _pod_ready),
        ("Status", False, pod_state),
        ("Restarts", False, _restarts),
        ("Age", False, lambda obj: age(obj["metadata"]["creationTimestamp"])),
        ("IP", True, _text("status.podIP")),
        ("Node", True, _text("spec.nodeName")),
    ),
    "namespaces": (("Status", False, _text("status.phase")),),
    "services": (
        ("Type", False, _text("spec.type")),
        ("Cluster-IP", False, _text("spec.clusterIP")),
        ("External-IP", False, lambda _obj: "<none>"),
        ("Port(s)", False, _ports),
    ),
    "deployments": (
        ("Ready", False, _of("status.readyReplicas", "spec.replicas")),
        ("Up-to-date", False, _number("status.updatedReplicas")),
        ("Available", False, _number("status.availableReplicas")),
    ),
    "statefulsets": (("Ready", False, _of("status.readyReplicas", "spec.replicas")),),
    "replicasets": (
        ("Desired", False, _number("spec.replicas")),
        ("Current", False, _number("status.replicas")),
        ("Ready", False, _number("status.readyReplicas")),
    ),
    "daemonsets": (
        ("Desired", False, _number("status.desiredNumberScheduled")),
        ("Current", False, _number("status.currentNumberScheduled")),
        ("Ready", False, _number("status.numberReady")),
        ("Up-to-date", False, _number("status.updatedNumberScheduled")),
        ("Available", False, _number("status.numberAvailable")),
    ),
    "jobs": (
        ("Status", False, _job_state),
        ("Completions", False, _of("status.succeeded", "spec.completions")),
    ),
    "secrets": (
        ("Type", False, _text("type")),
        ("Data", False, lambda obj: len(obj.get("data") or {})),
    ),
    "configmaps": (("Data", False, lambda obj: len(obj.get("data") or {})),),
    "runtimeclasses": (("Handler", False, _text("handler")),),
    "events": (
        ("Type", False, _text("type")),
        ("Reason", False, _text("reason")),
        ("Message", False, _text("message")),
    ),
}


def _columns(kind: Kind) -> list[Column]:
    if kind.columns:
        own: list[Column] = [(name, False, _text(path.lstrip("."))) for name, path in kind.columns]
    else:
        own = list(_COLUMNS.get(kind.resource, ()))
    if not any(name == "Age" for name, _, _ in own):
        own.append(("Age", False, lambda obj: age(obj["metadata"]["creationTimestamp"])))
    return [("Name", False, lambda obj: obj["metadata"]["name"]), *own]


def table(kind: Kind, objs: list[Obj], revision: str) -> Obj:
    """Return objects as a meta.k8s.io Table."""
    columns = _columns(kind)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": revision},
        "columnDefinitions": [
            {
                "name": name,
                "type": "string",
                "format": "name" if name == "Name" else "",
                "description": name,
                "priority": 1 if wide else 0,
            }
            for name, wide, _ in columns
        ],
        "rows": [
            {
                "cells": [cell(obj) for _, _, cell in columns],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": obj["metadata"],
                },
            }
            for obj in objs
        ],
    }
