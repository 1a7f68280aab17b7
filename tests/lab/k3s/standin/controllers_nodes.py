# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes: what servers' nodes are labelled, and what silence means."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Protocol

from .api_join import Heartbeats
from .controllers_base import Cluster
from .ha_members import members_in
from .store import Obj, now_text

if TYPE_CHECKING:
    from .ha_members import Member

UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"
CORDONED = "node.kubernetes.io/unschedulable"
_OURS = (UNREACHABLE, NOT_READY, CORDONED)


class NodeSettings(Protocol):
    """What is to be known about this server."""

    @property
    def node_name(self) -> str:
        """Return the name of the server's node."""

    @property
    def ha(self) -> bool:
        """Return whether servers share their state."""

    @property
    def grace_seconds(self) -> float:
        """Return after how long a silent node is NotReady."""

    @property
    def member(self) -> Member:
        """Return this server as a member."""


def ready_state(node: Obj) -> str:
    """Return the status of the condition Ready: True, False or Unknown."""
    rows = node.get("status", {}).get("conditions", [])
    return next((str(row["status"]) for row in rows if row["type"] == "Ready"), "Unknown")


def wanted_taints(node: Obj) -> list[Obj]:
    """Return the node's taints with those that its state asks for."""
    kept = [t for t in node["spec"].get("taints") or [] if t["key"] not in _OURS]
    state = ready_state(node)
    if node["spec"].get("unschedulable"):
        kept.append({"key": CORDONED, "effect": "NoSchedule"})
    if state != "True":
        key = UNREACHABLE if state == "Unknown" else NOT_READY
        kept += [{"key": key, "effect": effect} for effect in ("NoSchedule", "NoExecute")]
    return kept


def _plain(taints: list[Obj]) -> list[tuple[str, str]]:
    return sorted((taint["key"], taint["effect"]) for taint in taints)


class NodeKeeper:
    """Looks after the Node objects."""

    def __init__(self, cluster: Cluster, heartbeats: Heartbeats, settings: NodeSettings) -> None:
        self._cluster = cluster
        self._heartbeats = heartbeats
        self._settings = settings

    def keep(self) -> None:
        """Look at every node once."""
        members = members_in(self._cluster.store)
        if not self._settings.ha:
            members = {self._settings.node_name: self._settings.member}
        for node in self._cluster.every("nodes"):
            name = node["metadata"]["name"]
            if name in members:
                self._mark_server(node, members[name])
            self._silence(node)
            self._taint(node)

    def _mark_server(self, node: Obj, member: Member) -> None:
        new = copy.deepcopy(node)
        labels = new["metadata"].setdefault("labels", {})
        roles = ["control-plane", "master"]
        if self._settings.ha:
            roles.append("etcd")
            notes = new["metadata"].setdefault("annotations", {})
            notes["etcd.k3s.cattle.io/node-name"] = member.ident
            notes["etcd.k3s.cattle.io/node-address"] = member.address
        labels.update({f"node-role.kubernetes.io/{role}": "true" for role in roles})
        self._cluster.change(node, new)

    def _silence(self, node: Obj) -> None:
        silent = self._heartbeats.silent(node["metadata"]["name"]) > self._settings.grace_seconds
        if not silent or ready_state(node) == "Unknown":
            return
        status = copy.deepcopy(node.get("status", {}))
        rows = status.get("conditions") or [{"type": "Ready", "status": "False"}]
        for row in rows:
            row["status"], row["reason"] = "Unknown", "NodeStatusUnknown"
            row["message"] = "Kubelet stopped posting node status."
            row["lastTransitionTime"] = now_text()
        status["conditions"] = rows
        self._cluster.status(node, status)
        for pod in self._cluster.every("pods"):
            if pod["spec"].get("nodeName") == node["metadata"]["name"]:
                self._not_ready(pod)

    def _not_ready(self, pod: Obj) -> None:
        status = copy.deepcopy(pod.get("status", {}))
        for row in status.get("conditions", []):
            if row["type"] == "Ready" and row["status"] == "True":
                row["status"], row["lastTransitionTime"] = "False", now_text()
                self._cluster.status(pod, status)

    def _taint(self, node: Obj) -> None:
        now = self._cluster.find("nodes", "", node["metadata"]["name"])
        if now is None:
            return
        wanted = wanted_taints(now)
        if _plain(wanted) != _plain(now["spec"].get("taints") or []):
            new = copy.deepcopy(now)
            new["spec"]["taints"] = wanted
            if not wanted:
                del new["spec"]["taints"]
            self._cluster.change(now, new)
