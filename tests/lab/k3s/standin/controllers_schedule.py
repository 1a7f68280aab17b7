# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node a pod runs on."""

from __future__ import annotations

import copy
from typing import Any

from .api_resources import condition
from .controllers_base import Cluster, going
from .controllers_nodes import ready_state
from .objects_select import affinity_allows, selector_matches
from .store import Obj

#: Countable devices; processors and memory are not counted here.
DEVICES = ("nvidia.com/gpu", "amd.com/gpu")
_DONE = ("Succeeded", "Failed")


def tolerated(taint: Obj, tolerations: list[Obj]) -> bool:
    """Return whether a pod may run in spite of a taint."""
    return any(_tolerates(row, taint) for row in tolerations)


def _tolerates(row: Obj, taint: Obj) -> bool:
    if row.get("effect") not in (None, "", taint["effect"]):
        return False
    if row.get("operator") == "Exists":
        return row.get("key") in (None, "", taint["key"])
    return bool(row.get("key") == taint["key"] and row.get("value", "") == taint.get("value", ""))


def devices(pod: Obj) -> dict[str, int]:
    """Return how many devices a pod asks for."""
    found: dict[str, int] = {}
    for container in pod["spec"].get("containers", []):
        limits = (container.get("resources") or {}).get("limits") or {}
        for name in DEVICES:
            if name in limits:
                found[name] = found.get(name, 0) + int(limits[name])
    return found


def refusal(pod: Obj, node: Obj, pods: list[Obj]) -> str:
    """Return why a node does not take a pod; '' when it does."""
    spec, meta = pod["spec"], node["metadata"]
    labels = meta.get("labels") or {}
    wanted = spec.get("nodeSelector") or {}
    if node["spec"].get("unschedulable") and not _any_taint(spec):
        return "node(s) were unschedulable"
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] != "PreferNoSchedule" and not tolerated(
            taint, spec.get("tolerations") or []
        ):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    matches = all(labels.get(key) == str(value) for key, value in wanted.items())
    if not matches or not affinity_allows(spec.get("affinity") or {}, labels, meta["name"]):
        return "node(s) didn't match Pod's node affinity/selector"
    here = [p for p in pods if p["spec"].get("nodeName") == meta["name"]]
    if _crowded(spec.get("affinity") or {}, here):
        return "node(s) didn't match pod anti-affinity rules"
    return _short_of(pod, node, here)


def _any_taint(spec: Obj) -> bool:
    return any(
        row.get("operator") == "Exists" and not row.get("key")
        for row in spec.get("tolerations") or []
    )


def _crowded(affinity: dict[str, Any], here: list[Obj]) -> bool:
    rows = (affinity.get("podAntiAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution", []
    )
    return any(
        row.get("topologyKey") == "kubernetes.io/hostname"
        and selector_matches(row.get("labelSelector") or {}, p["metadata"].get("labels") or {})
        for row in rows
        for p in here
    )


def _short_of(pod: Obj, node: Obj, here: list[Obj]) -> str:
    there = node.get("status", {}).get("allocatable") or {}
    for name, count in devices(pod).items():
        used = sum(
            devices(p).get(name, 0) for p in here if p.get("status", {}).get("phase") not in _DONE
        )
        if int(there.get(name, 0)) - used < count:
            return f"Insufficient {name}"
    return ""


def unfit_text(reasons: list[str]) -> str:
    """Return the scheduler's sentence about nodes that do not take a pod."""
    counts = {text: reasons.count(text) for text in sorted(set(reasons))}
    listed = ", ".join(f"{count} {text}" for text, count in counts.items())
    return f"0/{len(reasons)} nodes are available: {listed}."


def schedule(cluster: Cluster) -> None:
    """Give every pod without a node one, or say why not."""
    nodes = cluster.every("nodes")
    for pod in cluster.every("pods"):
        if pod["spec"].get("nodeName") or going(pod):
            continue
        pods = cluster.every("pods")
        reasons = {
            node["metadata"]["name"]: refusal(pod, node, pods) or _not_up(node) for node in nodes
        }
        free = [name for name, reason in reasons.items() if not reason]
        if not free:
            _unschedulable(cluster, pod, list(reasons.values()))
            continue
        loads = {name: len([p for p in pods if p["spec"].get("nodeName") == name]) for name in free}
        bind(cluster, pod, min(free, key=lambda name: (loads[name], name)))


def _not_up(node: Obj) -> str:
    return "" if ready_state(node) == "True" else "node(s) were not ready"


def bind(cluster: Cluster, pod: Obj, name: str) -> None:
    """Have a pod run on a node, with its volumes."""
    for volume in pod["spec"].get("volumes") or []:
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim:
            _bind_claim(cluster, pod["metadata"]["namespace"], claim, name)
    new = copy.deepcopy(pod)
    new["spec"]["nodeName"] = name
    cluster.change(pod, new)
    fresh = cluster.find("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
    if fresh is not None:
        status = {**fresh.get("status", {}), "conditions": [condition("PodScheduled", True, "")]}
        cluster.status(fresh, status)


def _bind_claim(cluster: Cluster, namespace: str, name: str, node: str) -> None:
    claim = cluster.find("persistentvolumeclaims", namespace, name)
    if claim is None or claim.get("status", {}).get("phase") == "Bound":
        return
    size = (claim["spec"].get("resources") or {}).get("requests", {}).get("storage", "1Gi")
    volume = f"pvc-{claim['metadata']['uid']}"
    cluster.ensure(
        "persistentvolumes",
        "",
        {
            "metadata": {"name": volume, "annotations": {"standin/node": node}},
            "spec": {
                "capacity": {"storage": size},
                "accessModes": claim["spec"].get("accessModes", ["ReadWriteOnce"]),
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": "local-path",
                "claimRef": {"namespace": namespace, "name": name},
            },
            "status": {"phase": "Bound"},
        },
    )
    new = copy.deepcopy(claim)
    new["spec"]["volumeName"] = volume
    cluster.change(claim, new)
    bound = cluster.find("persistentvolumeclaims", namespace, name)
    if bound is not None:
        cluster.status(bound, {"phase": "Bound", "capacity": {"storage": size}})


def _unschedulable(cluster: Cluster, pod: Obj, reasons: list[str]) -> None:
    text = unfit_text(reasons)
    rows = pod.get("status", {}).get("conditions", [])
    if any(row["type"] == "PodScheduled" and row.get("message") == text for row in rows):
        return
    row = condition("PodScheduled", False, "Unschedulable", text)
    cluster.status(pod, {**pod.get("status", {}), "phase": "Pending", "conditions": [row]})
