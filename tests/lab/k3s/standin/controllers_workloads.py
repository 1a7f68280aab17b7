# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments, their ReplicaSets, DaemonSets and the addresses of services."""

from __future__ import annotations

import copy
import ipaddress
from typing import TYPE_CHECKING

from .api_resources import condition, ready
from .controllers_base import Cluster, digest, going, owned, owner, pod_of
from .controllers_schedule import refusal
from .objects_select import selector_matches
from .store import Obj

if TYPE_CHECKING:
    from .ha_members import Member

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
#: What pods of a DaemonSet run in spite of (Kubernetes documentation, DaemonSet).
_DAEMON_TOLERATES = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
    ("not-ready", "NoSchedule"),
    ("unreachable", "NoSchedule"),
)


def deployments(cluster: Cluster) -> None:
    """Have a ReplicaSet for every Deployment's template."""
    for obj in cluster.every("deployments"):
        if not going(obj):
            _deployment(cluster, obj)


def _deployment(cluster: Cluster, obj: Obj) -> None:
    space = obj["metadata"]["namespace"]
    mark = digest(obj["spec"]["template"])
    sets = [rs for rs in cluster.every("replicasets", space) if owned(rs, obj)]
    new = next((rs for rs in sets if rs["metadata"]["labels"].get(HASH) == mark), None)
    olds = [rs for rs in sets if rs is not new]
    revision = max([int(rs["metadata"]["annotations"][REVISION]) for rs in sets], default=0)
    wanted = int(obj["spec"].get("replicas", 1))
    if new is None:
        new = cluster.make("replicasets", space, _replica_set(obj, mark, revision + 1))
    up = len([pod for pod in cluster.pods_of(new) if ready(pod)])
    recreate = obj["spec"]["strategy"].get("type") == "Recreate"
    old_pods = sum(len(cluster.pods_of(rs)) for rs in olds)
    _scale(cluster, new, 0 if recreate and old_pods else wanted)
    for rs in olds:
        _scale(cluster, rs, 0 if recreate else max(0, min(rs["spec"]["replicas"], wanted - up)))
    fresh = cluster.find("deployments", space, obj["metadata"]["name"])
    if fresh is not None:
        cluster.status(fresh, _deployment_status(cluster, fresh, new, old_pods))


def _replica_set(obj: Obj, mark: str, revision: int) -> Obj:
    template = copy.deepcopy(obj["spec"]["template"])
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels[HASH] = mark
    selector = copy.deepcopy(obj["spec"]["selector"])
    selector.setdefault("matchLabels", {})[HASH] = mark
    return {
        "metadata": {
            "name": f"{obj['metadata']['name']}-{mark}",
            "labels": dict(labels),
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [owner(obj)],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }


def _scale(cluster: Cluster, rs: Obj, count: int) -> None:
    if rs["spec"]["replicas"] != count:
        cluster.change(rs, {**rs, "spec": {**rs["spec"], "replicas": count}})


def _deployment_status(cluster: Cluster, obj: Obj, new: Obj, old_pods: int) -> Obj:
    pods = cluster.pods_of(new)
    up, wanted = len([pod for pod in pods if ready(pod)]), int(obj["spec"].get("replicas", 1))
    done = up >= wanted and old_pods == 0 and len(pods) == wanted
    before = {row["type"]: row for row in obj.get("status", {}).get("conditions", [])}
    reason = "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"
    least = "MinimumReplicasAvailable" if up >= wanted else "MinimumReplicasUnavailable"
    rows = [condition("Available", up >= wanted, least), condition("Progressing", True, reason)]
    return {
        "observedGeneration": obj["metadata"]["generation"],
        "replicas": len(pods) + old_pods,
        "updatedReplicas": len(pods),
        "readyReplicas": up,
        "availableReplicas": up,
        "unavailableReplicas": max(0, wanted - up),
        "conditions": [steady(row, before.get(row["type"])) for row in rows],
    }


def steady(row: Obj, before: Obj | None) -> Obj:
    """Return a condition with the time at which it became what it is."""
    if before and before["status"] == row["status"]:
        row["lastTransitionTime"] = before["lastTransitionTime"]
    return row


def replica_sets(cluster: Cluster) -> None:
    """Have as many pods as every ReplicaSet says."""
    for obj in cluster.every("replicasets"):
        if going(obj):
            continue
        pods = cluster.pods_of(obj)
        gone = [pod for pod in pods if pod.get("status", {}).get("phase") in ("Failed",)]
        for pod in gone:
            cluster.remove(pod)
        pods = [pod for pod in pods if pod not in gone]
        space, wanted = obj["metadata"]["namespace"], obj["spec"]["replicas"]
        for _ in range(wanted - len(pods)):
            pod = pod_of(obj["spec"]["template"], obj, {})
            pod["metadata"]["generateName"] = f"{obj['metadata']['name']}-"
            cluster.make("pods", space, pod)
        for pod in sorted(pods, key=ready)[: max(0, len(pods) - wanted)]:
            cluster.remove(pod)
        up = len([pod for pod in pods if ready(pod)])
        status = {"replicas": len(pods), "readyReplicas": up, "availableReplicas": up}
        status["observedGeneration"] = obj["metadata"]["generation"]
        cluster.status(obj, status)


def daemon_sets(cluster: Cluster) -> None:
    """Have one pod on every node that a DaemonSet is for."""
    for obj in cluster.every("daemonsets"):
        if not going(obj):
            _daemon_set(cluster, obj)


def _daemon_pod(obj: Obj, mark: str, node: str) -> Obj:
    pod = pod_of(obj["spec"]["template"], obj, {"controller-revision-hash": mark})
    pod["metadata"]["generateName"] = f"{obj['metadata']['name']}-"
    more = [
        {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
        for name, effect in _DAEMON_TOLERATES
    ]
    pod["spec"]["tolerations"] = [*(pod["spec"].get("tolerations") or []), *more]
    pod["spec"]["nodeName"] = node
    return pod


def _daemon_set(cluster: Cluster, obj: Obj) -> None:
    mark = digest(obj["spec"]["template"])
    fits = [
        node["metadata"]["name"]
        for node in cluster.every("nodes")
        if not refusal(_daemon_pod(obj, mark, ""), node, [])
    ]
    by_node = {pod["spec"].get("nodeName"): pod for pod in cluster.pods_of(obj)}
    for node, pod in by_node.items():
        if node not in fits or pod.get("status", {}).get("phase") == "Failed":
            cluster.remove(pod)
    old = [node for node in fits if node in by_node and _mark(by_node[node]) != mark]
    down = [node for node in fits if node not in by_node or not ready(by_node[node])]
    for node in old:
        # One at a time, as the default of a rolling update; one that is down goes at once.
        if not down or node in down:
            cluster.remove(by_node[node])
            down.append(node)
    busy = {
        pod["spec"].get("nodeName")
        for pod in cluster.every("pods", obj["metadata"]["namespace"])
        if owned(pod, obj)
    }
    for node in fits:
        if node not in busy:
            cluster.make("pods", obj["metadata"]["namespace"], _daemon_pod(obj, mark, node))
    _daemon_status(cluster, obj, fits, mark)


def _mark(pod: Obj) -> str:
    return str((pod["metadata"].get("labels") or {}).get("controller-revision-hash", ""))


def _daemon_status(cluster: Cluster, obj: Obj, fits: list[str], mark: str) -> None:
    pods = [pod for pod in cluster.pods_of(obj) if pod["spec"].get("nodeName") in fits]
    up = len([pod for pod in pods if ready(pod)])
    status = {
        "desiredNumberScheduled": len(fits),
        "currentNumberScheduled": len(pods),
        "updatedNumberScheduled": len([pod for pod in pods if _mark(pod) == mark]),
        "numberReady": up,
        "numberAvailable": up,
        "numberUnavailable": len(fits) - up,
        "numberMisscheduled": 0,
        "observedGeneration": obj["metadata"]["generation"],
    }
    cluster.status(obj, status)


def services(cluster: Cluster, member: Member, service_cidr: str) -> None:
    """Have the addresses of ready pods behind every service, and the API's own service."""
    own = {
        "metadata": {"name": "kubernetes", "labels": {"component": "apiserver"}},
        "spec": {
            "clusterIP": str(ipaddress.ip_network(service_cidr)[1]),
            "ports": [{"name": "https", "port": 443, "targetPort": member.api_port}],
        },
    }
    cluster.ensure("services", "default", own)
    for obj in cluster.every("services"):
        selector = obj["spec"].get("selector")
        if selector:
            _endpoints(cluster, obj, selector)


def _endpoints(cluster: Cluster, obj: Obj, selector: dict[str, str]) -> None:
    space, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
    pods = [
        pod
        for pod in cluster.every("pods", space)
        if selector_matches({"matchLabels": selector}, pod["metadata"].get("labels") or {})
        and ready(pod)
    ]
    addresses = [{"ip": pod.get("status", {}).get("podIP", "")} for pod in pods]
    ports = [{"port": port["port"]} for port in obj["spec"].get("ports", [])]
    subsets = [{"addresses": addresses, "ports": ports}] if addresses else []
    old = cluster.find("endpoints", space, name)
    if old is None:
        meta = {"name": name, "ownerReferences": [owner(obj)]}
        cluster.make("endpoints", space, {"metadata": meta, "subsets": subsets})
    elif old.get("subsets") != subsets:
        cluster.change(old, {**old, "subsets": subsets})
