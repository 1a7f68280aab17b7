# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the owner's a k3s cluster holds, and would be lost with it or with some of its nodes.

Pure. Pods that the inventory's manifests and charts made come back with the next run and are not
told. Volumes always are: what is in them comes back from nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

#: Kubernetes' own; what k3s brings along runs in the first.
OWN_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
#: Who makes pods, and may itself be made by another of them.
CONTROLLERS = ("deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs")
_CONTROLLER_KINDS = frozenset(
    ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob")
)
_RELEASE = "meta.helm.sh/release-name"
_HOSTNAME = "kubernetes.io/hostname"
_ENDED = ("Succeeded", "Failed")
_NAMES = ("namespace", "name")
#: A pod, its Job or ReplicaSet, and its CronJob or Deployment; one more for an operator's object.
_GENERATIONS = 4

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Pod:
    """A pod of the owner's that has not ended; ``again`` tells that a controller remakes it."""

    name: str
    node: str = ""
    again: bool = False


@dataclass(frozen=True)
class Volume:
    """A claimed volume; ``nodes`` are those that its data lies on, empty where it is elsewhere."""

    name: str
    nodes: tuple[str, ...] = ()


def owners_pods(pods: Iterable[Any], controllers: Iterable[Any], ours: Iterable[Any]) -> list[Pod]:
    """Return the pods that neither Kubernetes nor ``ours``, the manifests' objects, made."""
    known = list(ours)
    makers = {_key(item): item for item in controllers}
    objects = {_key(item) for item in known}
    releases = {_text(_metadata(i).get("name")) for i in known if _kind(i) == "HelmChart"}
    found = []
    for pod in pods:
        metadata = _metadata(pod)
        namespace, name = _text(metadata.get("namespace")), _text(metadata.get("name"))
        ended = _part(pod, "status").get("phase") in _ENDED
        if not name or ended or namespace in OWN_NAMESPACES:
            continue
        top = _top(pod, makers)
        if _key(top) not in objects and _release(top) not in releases:
            node = _text(_part(pod, "spec").get("nodeName"))
            found.append(Pod(f"{namespace}/{name}", node, _owner(pod) is not None))
    return sorted(found, key=lambda pod: pod.name)


def being_deleted(pods: Iterable[Any], controllers: Iterable[Any]) -> list[str]:
    """Return the owner's pods that go away: they are marked so, or what made them is gone."""
    makers = {_key(item): item for item in controllers}
    found = []
    for pod in pods:
        key = _key(pod)
        ended = _part(pod, "status").get("phase") in _ENDED
        if not ended and key[1] not in OWN_NAMESPACES and _goes(pod, makers):
            found.append(f"{key[1]}/{key[2]}")
    return sorted(found)


def _goes(item: Mapping[str, Any], makers: Mapping[Key, Any]) -> bool:
    for _step in range(_GENERATIONS):
        if _metadata(item).get("deletionTimestamp"):
            return True
        owner = _owner(item)
        if owner is None or owner[0] not in _CONTROLLER_KINDS:
            return False
        if owner not in makers:
            return True
        item = makers[owner]
    return False


def claimed_volumes(volumes: Iterable[Any]) -> list[Volume]:
    """Return the volumes that somebody has claimed, by the claim's namespace and name."""
    found = []
    for item in volumes:
        spec = _part(item, "spec")
        claim = _part(spec, "claimRef")
        if claim.get("name"):
            name = f"{_text(claim.get('namespace'))}/{_text(claim.get('name'))}"
            found.append(Volume(name, _hosts(spec)))
    return sorted(found, key=lambda volume: volume.name)


def losses(
    pods: Sequence[Pod], volumes: Sequence[Volume], leaving: Collection[str], whole: bool
) -> tuple[list[str], list[str]]:
    """Return the pods and the volumes that would be lost, by name.

    With the whole cluster everything goes. With some nodes the pods that nothing makes again
    elsewhere go, and the volumes whose data lies only there.
    """
    gone = [p.name for p in pods if whole or (p.node in leaving and not p.again)]
    data = [v.name for v in volumes if whole or (v.nodes and set(v.nodes) <= set(leaving))]
    return gone, data


def _top(item: Mapping[str, Any], makers: Mapping[Key, Any]) -> Mapping[str, Any]:
    """Return the object that made another one in the end, as far as it is known."""
    for _step in range(_GENERATIONS):
        owner = _owner(item)
        if owner is None:
            break
        item = makers.get(owner, {"kind": owner[0], "metadata": dict(zip(_NAMES, owner[1:]))})
    return item


def _owner(item: Mapping[str, Any]) -> Optional[Key]:
    """Return the controller that made an object, None where nobody would make it again."""
    for row in _rows(_metadata(item).get("ownerReferences")):
        if row.get("controller"):
            namespace = _text(_metadata(item).get("namespace"))
            return _text(row.get("kind")), namespace, _text(row.get("name"))
    return None


def _release(item: Mapping[str, Any]) -> str:
    annotations = _metadata(item).get("annotations")
    return _text(annotations.get(_RELEASE)) if isinstance(annotations, dict) else ""


def _hosts(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the nodes that a volume is bound to by their names."""
    terms = _part(_part(spec, "nodeAffinity"), "required").get("nodeSelectorTerms")
    rows = [row for term in _rows(terms) for row in _rows(term.get("matchExpressions"))]
    found = (row.get("values") for row in rows if row.get("key") == _HOSTNAME)
    names = (name for values in found if isinstance(values, list) for name in values)
    return tuple(sorted({_text(name) for name in names}))


def _key(item: Any) -> Key:
    metadata = _metadata(item)
    return _kind(item), _text(metadata.get("namespace")), _text(metadata.get("name"))


def _kind(item: Any) -> str:
    return _text(item.get("kind")) if isinstance(item, dict) else ""


def _metadata(item: Any) -> Mapping[str, Any]:
    return _part(item, "metadata")


def _part(item: Any, key: str) -> Mapping[str, Any]:
    found = item.get(key) if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}


def _rows(found: Any) -> list[Mapping[str, Any]]:
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
