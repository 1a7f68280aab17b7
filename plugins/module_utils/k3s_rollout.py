# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether objects of Kubernetes have become what was asked for, and if not, why not.

Nothing here reads anything: objects come as the API gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import ObjectRef

Item = Mapping[str, Any]
#: How many reasons are told of one object that does not get ready.
_MOST_REASONS = 3
_MOST_WORDS = 300


@dataclass(frozen=True)
class Progress:
    """How far an object is; ``reason`` says what it waits for, and is empty when it is ready."""

    ref: ObjectRef
    ready: bool
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "kind": self.ref.kind,
            "namespace": self.ref.namespace,
            "name": self.ref.name,
            "ready": self.ready,
            "reason": self.reason,
        }


def part(item: Item, *names: str) -> Item:
    """Return a mapping inside ``item``, empty where there is none."""
    found: Any = item
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def number(item: Item, name: str, missing: int = 0) -> int:
    """Return a count of ``item``; the API leaves out those that are nought."""
    value = item.get(name)
    return value if isinstance(value, int) else missing


def condition(item: Item, kind: str) -> Item:
    """Return a condition of the object's status, empty where it has none of that type."""
    return named(part(item, "status").get("conditions"), "type", kind)


def named(rows: Any, key: str, value: str) -> Item:
    """Return the first row of a list with this value, empty where there is none."""
    found = rows if isinstance(rows, list) else []
    fitting = (each for each in found if isinstance(each, Mapping) and each.get(key) == value)
    return next(fitting, {})


def waits_for(item: Item) -> str:
    """Return what an object that exists still waits for, nothing when it is what it should be."""
    judge = _JUDGES.get((str(item.get("apiVersion", "")).split("/")[0], str(item.get("kind"))))
    return judge(item) if judge else ""


def _seen(item: Item) -> bool:
    """Return whether the controller has seen the object as it is now."""
    generation = number(part(item, "metadata"), "generation")
    return number(part(item, "status"), "observedGeneration", generation) >= generation


def _deployment(item: Item) -> str:
    status, wanted = part(item, "status"), number(part(item, "spec"), "replicas", 1)
    if not _seen(item):
        return "its change has not been noticed yet"
    if number(status, "updatedReplicas") < wanted:
        return f"{number(status, 'updatedReplicas')} of {wanted} pods are updated"
    if number(status, "replicas") > number(status, "updatedReplicas"):
        old = number(status, "replicas") - number(status, "updatedReplicas")
        return f"{old} old pods are still there"
    if number(status, "availableReplicas") < wanted:
        return f"{number(status, 'availableReplicas')} of {wanted} pods are available"
    return ""


def _stateful_set(item: Item) -> str:
    spec, status = part(item, "spec"), part(item, "status")
    wanted = number(spec, "replicas", 1)
    if not _seen(item):
        return "its change has not been noticed yet"
    if number(status, "readyReplicas") < wanted:
        return f"{number(status, 'readyReplicas')} of {wanted} pods are ready"
    update = status.get("updateRevision")
    partition = part(spec, "updateStrategy", "rollingUpdate").get("partition")
    by_hand = part(spec, "updateStrategy").get("type") == "OnDelete" or bool(partition)
    if not by_hand and update and update != status.get("currentRevision", update):
        return f"{number(status, 'updatedReplicas')} of {wanted} pods are updated"
    return ""


def _daemon_set(item: Item) -> str:
    status = part(item, "status")
    wanted = number(status, "desiredNumberScheduled")
    if "observedGeneration" not in status or not _seen(item):
        return "its change has not been noticed yet"
    by_hand = part(item, "spec", "updateStrategy").get("type") == "OnDelete"
    if not by_hand and number(status, "updatedNumberScheduled") < wanted:
        return f"{number(status, 'updatedNumberScheduled')} of {wanted} nodes are updated"
    if number(status, "numberAvailable") < wanted:
        return f"available on {number(status, 'numberAvailable')} of {wanted} nodes"
    return ""


def _job(item: Item) -> str:
    if condition(item, "Complete").get("status") == "True":
        return ""
    failed = condition(item, "Failed")
    if failed.get("status") == "True":
        said = failed.get("message") or failed.get("reason") or "no reason given"
        return f"the job failed: {said}"
    return "the job has not ended"


def _pod(item: Item) -> str:
    phase = part(item, "status").get("phase")
    if phase == "Succeeded" or condition(item, "Ready").get("status") == "True":
        return ""
    return f"the pod is {phase or 'unknown'}, not ready"


def _definition(item: Item) -> str:
    return "" if condition(item, "Established").get("status") == "True" else "not established yet"


_JUDGES: dict[tuple[str, str], Callable[[Item], str]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("v1", "Pod"): _pod,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}


def pods_of(item: Item, pods: Iterable[Item]) -> list[Item]:
    """Return the pods that an object's selector chooses, or the pod itself."""
    if item.get("kind") == "Pod":
        return [item]
    labels = part(item, "spec", "selector", "matchLabels")
    if not labels:
        return []
    return [
        pod
        for pod in pods
        if all(part(pod, "metadata", "labels").get(key) == labels[key] for key in labels)
    ]


def explain_pods(pods: Sequence[Item]) -> str:
    """Return why pods are not ready, those that are left out."""
    by_words: dict[str, list[str]] = {}
    for pod in pods:
        if _pod(pod):
            about, node = part(pod, "metadata"), part(pod, "spec").get("nodeName")
            where = f"{about.get('name')} on {node}" if node else str(about.get("name"))
            by_words.setdefault(_explain_pod(pod), []).append(where)
    told = [f"pod {_first(names)}: {words}" for words, names in by_words.items()]
    more = f"; and {len(told) - _MOST_REASONS} other reasons" if len(told) > _MOST_REASONS else ""
    return "; ".join(told[:_MOST_REASONS]) + more


def _first(names: Sequence[str]) -> str:
    """Return the first name, and how many others there are."""
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def _explain_pod(pod: Item) -> str:
    for key in ("initContainerStatuses", "containerStatuses"):
        rows = part(pod, "status").get(key)
        for row in rows if isinstance(rows, list) else []:
            said = _explain_container(row if isinstance(row, Mapping) else {})
            if said:
                return said
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return _cut(scheduled.get("message") or scheduled.get("reason"))
    return str(part(pod, "status").get("phase") or "nothing is known of it yet")


def _explain_container(row: Item) -> str:
    state = part(row, "state")
    waiting, ended = part(state, "waiting"), part(state, "terminated")
    before = part(row, "lastState", "terminated")
    if waiting.get("reason") in (None, "PodInitializing", "ContainerCreating"):
        if number(ended, "exitCode") == 0:
            return ""
        return f"container {row.get('name')} ended with status {ended.get('exitCode')}"
    words = f"container {row.get('name')} waits: {waiting['reason']}"
    if waiting.get("message"):
        words += f" ({_cut(waiting['message'])})"
    if before:
        words += f", it ended with status {before.get('exitCode')} the last time"
    return words


def _cut(text: Any) -> str:
    words = " ".join(str(text or "").split())
    return words if len(words) <= _MOST_WORDS else f"{words[:_MOST_WORDS]}..."


def find_item(items: Iterable[Item], ref: ObjectRef) -> Optional[Item]:
    """Return the object among those that the API gave, None when it is not there.

    Where the reference names no namespace, the object is in ``default`` or in none.
    """
    for item in items:
        about = part(item, "metadata")
        group = str(item.get("apiVersion", "")).rpartition("/")[0]
        same = (group, item.get("kind"), about.get("name")) == (ref.group, ref.kind, ref.name)
        if same and (about.get("namespace") or "") in ("", ref.namespace or "default"):
            return item
    return None


def not_ready(progress: Iterable[Progress]) -> list[str]:
    """Return one line for each object that is not ready."""
    return [f"{each.ref}: {each.reason}" for each in progress if not each.ready]
