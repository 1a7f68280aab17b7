"""Nodes and pods in the form of the Kubernetes API, for tests."""

from __future__ import annotations

from typing import Any


def api_node(name: str, **changes: Any) -> dict[str, Any]:
    """Return a Ready node as the API shows it; ``changes`` are ready, version, labels and so on."""
    ready = changes.get("ready", "True")
    conditions = [
        {"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficientMemory"},
        {"type": "DiskPressure", "status": changes.get("disk", "False"), "reason": "KubeletHas"},
        {
            "type": "Ready",
            "status": ready,
            "reason": "KubeletReady" if ready == "True" else "NodeStatusUnknown",
            "message": "" if ready == "True" else "Kubelet stopped posting node status.",
        },
    ]
    roles = {f"node-role.kubernetes.io/{role}": "true" for role in changes.get("roles", ())}
    spec: dict[str, Any] = {}
    if "taints" in changes:
        spec["taints"] = changes["taints"]
    if changes.get("unschedulable"):
        spec["unschedulable"] = True
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "resourceVersion": "77",
            "labels": {**roles, **changes.get("labels", {})},
            "annotations": changes.get("annotations", {}),
        },
        "spec": spec,
        "status": {
            "conditions": changes.get("conditions", conditions),
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "InternalIP", "address": changes.get("address", "198.19.1.11")},
            ],
            "nodeInfo": {"kubeletVersion": changes.get("version", "v1.33.5+k3s1")},
            "allocatable": {"cpu": "2", "memory": "1Ki", **changes.get("gpus", {})},
            "capacity": {"cpu": "2", **changes.get("capacity", changes.get("gpus", {}))},
        },
    }


def api_pod(name: str, **changes: Any) -> dict[str, Any]:
    """Return a running pod as the API shows it."""
    phase = changes.get("phase", "Running")
    ready = "True" if changes.get("ready", phase == "Running") else "False"
    owner = changes.get("owner", "ReplicaSet")
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": changes.get("namespace", "default"),
            "ownerReferences": [{"kind": owner, "name": "x"}] if owner else [],
            **changes.get("metadata", {}),
        },
        "spec": {"nodeName": changes["node"]} if "node" in changes else {},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": ready, **changes.get("why", {})}],
            **changes.get("status", {}),
        },
    }
