# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes cluster's nodes, and its pods that are not ready, as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

ROLE_LABEL = "node-role.kubernetes.io/"
#: Whose device plugins' resources are told as GPUs.
GPU_VENDORS = ("nvidia.com/", "amd.com/", "gpu.intel.com/")
#: Conditions of a node that are good news when they are False.
_TROUBLES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
#: An owner that puts its pods on every node, also on one that takes no others.
_DAEMON = "DaemonSet"
#: Marks a pod that the kubelet itself runs from a file; the API cannot evict it.
_MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True)
class ClusterNode:
    """A node as the API shows it.

    ``gpus`` are those that pods can ask for, ``capacity_gpus`` those that its device plugin knows;
    ``reasons`` say why it is not ready, or what else troubles it.
    """

    name: str
    ready: bool
    reasons: tuple[str, ...]
    roles: tuple[str, ...]
    version: str
    address: str
    labels: Mapping[str, str]
    taints: tuple[str, ...]
    unschedulable: bool
    gpus: Mapping[str, int]
    capacity_gpus: Mapping[str, int]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class WaitingPod:
    """A pod that is not ready, and why."""

    namespace: str
    name: str
    node: str
    phase: str
    reason: str
    message: str
    restarts: int


def parse_nodes(items: Iterable[Any]) -> list[ClusterNode]:
    """Return the nodes of a list of the API's, by name; what has no name is left out."""
    nodes = [_node(item) for item in items if _name(item)]
    return sorted(nodes, key=lambda node: node.name)


def _node(item: Mapping[str, Any]) -> ClusterNode:
    status, spec = _part(item, "status"), _part(item, "spec")
    labels = _texts(_part(item, "metadata").get("labels"))
    ready, reasons = _conditions(_rows(status.get("conditions")))
    return ClusterNode(
        name=_name(item),
        ready=ready,
        reasons=reasons,
        roles=tuple(sorted(key[len(ROLE_LABEL) :] for key in labels if key.startswith(ROLE_LABEL))),
        version=str(_part(status, "nodeInfo").get("kubeletVersion") or ""),
        address=_address(_rows(status.get("addresses"))),
        labels=labels,
        taints=tuple(taint_text(row) for row in _rows(spec.get("taints"))),
        unschedulable=bool(spec.get("unschedulable")),
        gpus=_gpus(status.get("allocatable")),
        capacity_gpus=_gpus(status.get("capacity")),
        annotations=_texts(_part(item, "metadata").get("annotations")),
    )


def _part(item: Any, key: str) -> Mapping[str, Any]:
    """Return a mapping inside another one, empty where there is none."""
    found = item.get(key) if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}


def _rows(found: Any) -> list[Mapping[str, Any]]:
    """Return the mappings of a list, none where there is no list."""
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _texts(found: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _name(item: Any) -> str:
    return str(_part(item, "metadata").get("name") or "")


def _address(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the node's own address; a node of both families has its first family's first."""
    found = [str(row.get("address") or "") for row in rows if row.get("type") == "InternalIP"]
    return found[0] if found else ""


def _conditions(rows: Sequence[Mapping[str, Any]]) -> tuple[bool, tuple[str, ...]]:
    """Return whether a node is ready, and what troubles it."""
    by_type = {row.get("type"): row for row in rows}
    ready = by_type.get("Ready")
    if ready is None:
        return False, ("its kubelet has not reported yet",)
    well = ready.get("status") == "True"
    reasons = [] if well else [f"Ready is {ready.get('status')}{_why(ready)}"]
    # A node that reports no more has the conditions of its last report: they say nothing now.
    if ready.get("status") != "Unknown":
        seen = [(kind, by_type[kind]) for kind in _TROUBLES if kind in by_type]
        reasons += [f"{kind}{_why(row)}" for kind, row in seen if row.get("status") == "True"]
    return well, tuple(reasons)


def _why(row: Mapping[str, Any]) -> str:
    """Return the reason and the message of a condition, as the end of a sentence."""
    said = " ".join(str(row[key]) for key in ("reason", "message") if row.get(key))
    return f": {said}" if said else ""


def _gpus(found: Any) -> dict[str, int]:
    quantities = _texts(found)
    return {
        key: int(value)
        for key, value in sorted(quantities.items())
        if key.startswith(GPU_VENDORS) and value.isdigit()
    }


def taint_text(row: Mapping[str, Any]) -> str:
    """Return a taint as it is written in the inventory: key=value:Effect, or key:Effect."""
    value = f"={row['value']}" if row.get("value") else ""
    return f"{row.get('key', '')}{value}:{row.get('effect', '')}"


def parse_waiting_pods(items: Iterable[Any]) -> list[WaitingPod]:
    """Return the pods of a list of the API's that are neither ready nor done, by name."""
    pods = [_pod(item) for item in items if _name(item) and not _is_well(item)]
    return sorted(pods, key=lambda pod: (pod.namespace, pod.name))


def _is_well(item: Mapping[str, Any]) -> bool:
    status = _part(item, "status")
    if status.get("phase") == "Succeeded":
        return True
    rows = _rows(status.get("conditions"))
    ready = any(row.get("type") == "Ready" and row.get("status") == "True" for row in rows)
    return ready and not _part(item, "metadata").get("deletionTimestamp")


def _pod(item: Mapping[str, Any]) -> WaitingPod:
    status, metadata = _part(item, "status"), _part(item, "metadata")
    reason, message = _pod_reason(item)
    containers = [*_containers(status), *_rows(status.get("initContainerStatuses"))]
    return WaitingPod(
        namespace=str(metadata.get("namespace") or ""),
        name=_name(item),
        node=str(_part(item, "spec").get("nodeName") or ""),
        phase=str(status.get("phase") or "Unknown"),
        reason=reason,
        message=message,
        restarts=sum(_count(row.get("restartCount")) for row in containers),
    )


def _containers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _rows(status.get("containerStatuses"))


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _pod_reason(item: Mapping[str, Any]) -> tuple[str, str]:
    """Return why a pod is not ready: the first that says so, from the pod to its containers."""
    status = _part(item, "status")
    if _part(item, "metadata").get("deletionTimestamp"):
        return "Terminating", ""
    if status.get("reason"):
        return str(status["reason"]), str(status.get("message") or "")
    for row in [*_rows(status.get("initContainerStatuses")), *_containers(status)]:
        told = _container_reason(row)
        if told:
            return told
    for row in _rows(status.get("conditions")):
        if row.get("status") == "False" and (row.get("reason") or row.get("message")):
            return str(row.get("reason") or ""), str(row.get("message") or "")
    return "", ""


def _container_reason(row: Mapping[str, Any]) -> Optional[tuple[str, str]]:
    """Return why a container does not run, None where it runs or has ended well."""
    for kind in ("waiting", "terminated"):
        state = _part(_part(row, "state"), kind)
        # What waits for its start only tells nothing: the pod's conditions may tell more.
        if state.get("reason") in (None, "", "Completed", "PodInitializing"):
            continue
        return str(state["reason"]), str(state.get("message") or "")
    return None


def evictable(items: Iterable[Any]) -> list[str]:
    """Return the pods, as namespace/name, that a drain takes off their node."""
    names = []
    for item in items:
        metadata = _part(item, "metadata")
        owners = [row.get("kind") for row in _rows(metadata.get("ownerReferences"))]
        done = _part(item, "status").get("phase") in ("Succeeded", "Failed")
        stays = done or _DAEMON in owners or _MIRROR in _texts(metadata.get("annotations"))
        if _name(item) and not stays:
            names.append(f"{metadata.get('namespace', '')}/{_name(item)}")
    return sorted(names)
