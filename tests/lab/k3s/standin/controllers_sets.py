# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""StatefulSets and Jobs."""

from __future__ import annotations

from .api_resources import condition, ready
from .controllers_base import Cluster, digest, going, owned, owner, pod_of
from .store import Obj, now_text

REVISION = "controller-revision-hash"


def stateful_sets(cluster: Cluster) -> None:
    """Have the pods of every StatefulSet, one after the other."""
    for obj in cluster.every("statefulsets"):
        if not going(obj):
            _stateful_set(cluster, obj)


def _claims(cluster: Cluster, obj: Obj, pod: Obj) -> None:
    space = obj["metadata"]["namespace"]
    volumes = pod["spec"].setdefault("volumes", [])
    for claim in obj["spec"].get("volumeClaimTemplates") or []:
        kind = claim["metadata"]["name"]
        name = f"{kind}-{pod['metadata']['name']}"
        made = {"metadata": {"name": name}, "spec": claim["spec"], "status": {"phase": "Pending"}}
        cluster.ensure("persistentvolumeclaims", space, made)
        volumes.append({"name": kind, "persistentVolumeClaim": {"claimName": name}})


def _stateful_set(cluster: Cluster, obj: Obj) -> None:
    space, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
    mark, wanted = digest(obj["spec"]["template"]), int(obj["spec"].get("replicas", 1))
    together = obj["spec"].get("podManagementPolicy") == "Parallel"
    for at in range(wanted):
        pod = cluster.find("pods", space, f"{name}-{at}")
        if pod is None:
            new = pod_of(obj["spec"]["template"], obj, {REVISION: mark})
            new["metadata"]["name"] = f"{name}-{at}"
            new["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = f"{name}-{at}"
            _claims(cluster, obj, new)
            cluster.make("pods", space, new)
        if not together and (pod is None or not ready(pod)):
            break
    pods = {pod["metadata"]["name"]: pod for pod in cluster.pods_of(obj)}
    for pod_name in pods:
        if int(pod_name.rpartition("-")[2]) >= wanted:
            cluster.remove(pods[pod_name])
    _roll(cluster, obj, pods, mark)
    _stateful_status(cluster, obj, mark)


def _roll(cluster: Cluster, obj: Obj, pods: dict[str, Obj], mark: str) -> None:
    """Replace the last pod of an older template once the others are up."""
    old = [name for name, pod in pods.items() if pod["metadata"]["labels"][REVISION] != mark]
    if not old or obj["spec"]["updateStrategy"].get("type") == "OnDelete":
        return
    last = max(old, key=lambda name: int(name.rpartition("-")[2]))
    if all(ready(pod) for name, pod in pods.items() if name != last):
        cluster.remove(pods[last])


def _stateful_status(cluster: Cluster, obj: Obj, mark: str) -> None:
    pods = cluster.pods_of(obj)
    up = len([pod for pod in pods if ready(pod)])
    new = len([pod for pod in pods if pod["metadata"]["labels"][REVISION] == mark])
    update = f"{obj['metadata']['name']}-{mark}"
    done = new == len(pods) == int(obj["spec"].get("replicas", 1))
    current = obj.get("status", {}).get("currentRevision", update)
    status = {
        "replicas": len(pods),
        "readyReplicas": up,
        "availableReplicas": up,
        "updatedReplicas": new,
        "currentReplicas": new if done else len(pods) - new,
        "updateRevision": update,
        "currentRevision": update if done and up == len(pods) else current,
        "observedGeneration": obj["metadata"]["generation"],
    }
    cluster.status(obj, status)


def jobs(cluster: Cluster) -> None:
    """Have pods for every Job until it is done or has failed too often."""
    for obj in cluster.every("jobs"):
        rows = obj.get("status", {}).get("conditions", [])
        if not going(obj) and not any(row["status"] == "True" for row in rows):
            _job(cluster, obj)


def _job(cluster: Cluster, obj: Obj) -> None:
    space, spec = obj["metadata"]["namespace"], obj["spec"]
    pods = [pod for pod in cluster.every("pods", space) if owned(pod, obj)]
    phases = [pod.get("status", {}).get("phase") for pod in pods]
    done, failed = phases.count("Succeeded"), phases.count("Failed")
    active = len(pods) - done - failed
    status = {**obj.get("status", {}), "succeeded": done, "failed": failed, "active": active}
    status.setdefault("startTime", now_text())
    status["ready"] = len([pod for pod in pods if ready(pod)])
    if done >= spec["completions"]:
        status["completionTime"] = now_text()
        status["conditions"] = [condition("Complete", True, "CompletionsReached")]
    elif failed > spec["backoffLimit"]:
        text = "Job has reached the specified backoff limit"
        status["conditions"] = [condition("Failed", True, "BackoffLimitExceeded", text)]
    elif active < min(spec["parallelism"], spec["completions"] - done):
        pod = pod_of(spec["template"], obj, {"job-name": obj["metadata"]["name"]})
        pod["metadata"]["generateName"] = f"{obj['metadata']['name']}-"
        pod["metadata"]["ownerReferences"] = [owner(obj)]
        cluster.make("pods", space, pod)
    cluster.status(obj, status)
