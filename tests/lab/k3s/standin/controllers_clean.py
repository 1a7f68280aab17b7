# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes with something else: with its owner, its namespace or its node."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .api_resources import disruptions, ready
from .controllers_base import Cluster, going
from .objects_select import selector_matches
from .store import Key, Obj

#: Namespaces that every cluster has.
SPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
#: How long a namespace's contents stay after it was deleted (Kubernetes: 5 s).
GRACE = timedelta(seconds=1)


def clean(cluster: Cluster) -> None:
    """Do all of it once."""
    for name in SPACES:
        cluster.ensure("namespaces", "", {"metadata": {"name": name}})
    for space in cluster.every("namespaces"):
        if going(space):
            _end_namespace(cluster, space)
        else:
            name = space["metadata"]["name"]
            cluster.ensure("serviceaccounts", name, {"metadata": {"name": "default"}})
    _orphans(cluster)
    _stray_pods(cluster)
    _budgets(cluster)


def _end_namespace(cluster: Cluster, space: Obj) -> None:
    name = space["metadata"]["name"]
    marked = datetime.strptime(space["metadata"]["deletionTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    if datetime.now(UTC).replace(tzinfo=None) - marked < GRACE:
        return
    left = [key for key in cluster.store.known() if key.namespace == name]
    for key in left:
        obj = cluster.store.get(key)
        if obj is not None and not going(obj):
            cluster.remove(obj)
    if not left:
        cluster.store.delete(Key("", "namespaces", "", name))


def _orphans(cluster: Cluster) -> None:
    """Delete objects all of whose owners are gone."""
    objects = cluster.store.everything()
    uids = {obj["metadata"].get("uid") for obj in objects}
    for obj in objects:
        refs = obj["metadata"].get("ownerReferences") or []
        if refs and not going(obj) and all(ref.get("uid") not in uids for ref in refs):
            cluster.remove(obj)


def _stray_pods(cluster: Cluster) -> None:
    nodes = {node["metadata"]["name"] for node in cluster.every("nodes")}
    for pod in cluster.every("pods"):
        node = pod["spec"].get("nodeName")
        if (node and node not in nodes) or (going(pod) and not node):
            cluster.remove(pod, 0)


def _budgets(cluster: Cluster) -> None:
    for budget in cluster.every("poddisruptionbudgets"):
        selector = budget["spec"].get("selector") or {}
        pods = [
            pod
            for pod in cluster.every("pods", budget["metadata"]["namespace"])
            if selector_matches(selector, pod["metadata"].get("labels") or {})
        ]
        status = {
            "disruptionsAllowed": max(0, disruptions(budget["spec"], pods)),
            "currentHealthy": len([pod for pod in pods if ready(pod)]),
            "expectedPods": len(pods),
            "observedGeneration": budget["metadata"]["generation"],
        }
        cluster.status(budget, status)
