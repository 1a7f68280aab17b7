# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent: joins with a token, registers the node, and keeps telling the server how it is."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.k3s.standin import (
    agent_kubelet,
    agent_machine,
    agent_network,
    agent_pods,
    files,
    images,
    metrics,
    tokens,
)
from tests.lab.k3s.standin.config import Settings
from tests.lab.k3s.standin.log import error, info, warning

BEAT = 2.0
#: An agent asks through its balancer, which hangs up when no server answers.
NO_SERVER = 'failed to get CA certs: Get "https://127.0.0.1:6444/cacerts": EOF'
_PRESSURES = tuple(
    {"type": f"{what}Pressure", "status": "False", "reason": f"KubeletHas{why}"}
    for what, why in (
        ("Memory", "SufficientMemory"),
        ("Disk", "NoDiskPressure"),
        ("PID", "SufficientPID"),
    )
)


@dataclass(frozen=True)
class Identity:
    """Who this node is."""

    name: str
    address: str
    version: str
    server_url: str
    token: str
    roles: tuple[str, ...] = ()


@dataclass
class Agent:
    """A running agent."""

    identity: Identity
    settings: Settings
    binaries: Path
    stop: threading.Event = field(default_factory=threading.Event)
    pods: dict[str, agent_pods.Pod] = field(default_factory=dict)
    servers: list[str] = field(default_factory=list)
    gone: list[dict[str, str]] = field(default_factory=list)
    resources: dict[str, str] = field(default_factory=dict)
    registered: bool = False
    shown: dict[str, str] = field(default_factory=dict)
    metrics: metrics.Metrics = field(default_factory=metrics.Metrics)

    def run(self, on_ready: Callable[[], None]) -> None:
        """Join, register, report until stopped; `on_ready` is called once the node is set up."""
        access = self._connect()
        if access is None:
            return
        cluster = self._cluster(access)
        if cluster is None:
            return
        data = self.settings.data_dir
        self.machine = agent_machine.prepare(self.settings, self.binaries)
        self.access = access
        self.metrics.version = self.identity.version
        self.shown = self._headers()
        told = agent_kubelet.Node(self.identity.name, self.pods, self.metrics, self.shown)
        agent_kubelet.serve(told, data / "agent", lambda: self.access)
        self.images = images.import_all(data / "agent" / "images", data / "agent" / ".imported")
        backend = str((cluster.get("critical") or {}).get("flannel-backend") or "vxlan")
        self.network = agent_network.Network(
            backend,
            str(cluster.get("ClusterIPRange") or "10.42.0.0/16"),
            self.settings.text("flannel-iface"),
            self.identity.address,
        )
        self._register(access)
        on_ready()
        while not self.stop.wait(BEAT):
            self.access = access = self._beat(access)

    def _connect(self) -> tokens.Access | None:
        while not self.stop.is_set():
            try:
                user = tokens.parse(self.identity.token).user or "node"
                return tokens.connect(self.identity.server_url, self.identity.token, user)
            except tokens.AnswerError as problem:
                told = NO_SERVER if 'Get "' in str(problem) else problem
                error(
                    "Failed to validate connection to cluster at "
                    f"{self.identity.server_url}: {told}"
                )
            self.stop.wait(2)
        return None

    def _cluster(self, access: tokens.Access) -> dict[str, Any] | None:
        while not self.stop.is_set():
            try:
                found = access.request("GET", "/v1-k3s/config")
                self._serving(access)
                return dict(found)
            except tokens.AnswerError as problem:
                text = str(problem)
                if problem.status == 403:
                    text = (
                        "Node password rejected, duplicate hostname or contents of "
                        f"'{files.NODE_PASSWORD}' may not match server node-passwd entry, try "
                        "enabling a unique node name with the --with-node-id flag"
                    )
                elif "/v1-k3s/config" in text:
                    text = f"failed to retrieve configuration from server: {text}"
                info(f"Waiting to retrieve agent configuration; server is not ready: {text}")
            self.stop.wait(5)
        return None

    def _headers(self) -> dict[str, str]:
        return {
            "k3s_Node_Name": self.identity.name,
            "k3s_Node_Password": files.node_password(),
            "k3s_Node_IP": self.identity.address,
        }

    def _serving(self, access: tokens.Access) -> None:
        made = access.request("GET", "/v1-k3s/serving-kubelet.crt", **self._headers())
        folder = self.settings.data_dir / "agent"
        files.private(folder)
        for ending in ("crt", "key"):
            files.write(folder / f"serving-kubelet.{ending}", made[ending])
        files.write(folder / "server-ca.crt", access.certificate)
        files.write(folder / "client-ca.crt", access.certificate)

    def _register(self, access: tokens.Access) -> None:
        while not self.stop.is_set():
            try:
                node = access.request("POST", "/v1-k3s/node", self._node(), **self._headers())
                self._assign(node)
                self.registered = True
                info(
                    f"Annotations and labels have been set successfully on node: "
                    f"{self.identity.name}"
                )
                self._beat(access)
                return
            except tokens.AnswerError as problem:
                error(f"Unable to register node with API server: {problem}")
            self.stop.wait(2)

    def _assign(self, node: Mapping[str, Any]) -> None:
        cidr = str((node.get("spec") or {}).get("podCIDR") or "")
        if cidr and not self.network.cidr:
            self.network.start(cidr)
            info(f"PodCIDR {cidr} of node {self.identity.name}")

    def _node(self) -> dict[str, Any]:
        name = self.identity.name
        labels = {
            "beta.kubernetes.io/arch": "amd64",
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux",
            "kubernetes.io/hostname": name,
            "node.kubernetes.io/instance-type": "k3s",
            **{f"node-role.kubernetes.io/{role}": "true" for role in self.identity.roles},
            **dict(_label(entry) for entry in self.settings.many("node-label")),
        }
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {
                    "k3s.io/hostname": platform.node(),
                    "k3s.io/internal-ip": self.identity.address,
                    "k3s.io/node-args": "[]",
                    "node.alpha.kubernetes.io/ttl": "0",
                },
            },
            "spec": {
                "taints": [_taint(entry) for entry in self.settings.many("node-taint")],
                "podCIDR": self.network.share(),
                "providerID": f"k3s://{name}",
            },
            "status": self._status(),
        }

    def _status(self) -> dict[str, Any]:
        amounts = {
            "cpu": str(os.cpu_count() or 1),
            "memory": agent_machine.memory(),
            "ephemeral-storage": agent_machine.storage(),
            "pods": "110",
            **self.resources,
        }
        return {
            "addresses": [
                {"type": "InternalIP", "address": self.identity.address},
                {"type": "Hostname", "address": self.identity.name},
            ],
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [*_PRESSURES, self._ready()],
            "nodeInfo": agent_machine.facts(self.identity.version),
            "images": [{"names": [name], "sizeBytes": 1024} for name in self.images],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        }

    def _ready(self) -> dict[str, str]:
        if self.network.ready():
            reason, message = "KubeletReady", "kubelet is posting ready status"
            return {"type": "Ready", "status": "True", "reason": reason, "message": message}
        message = (
            "container runtime network not ready: NetworkReady=false "
            "reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not "
            "initialized"
        )
        reason = "KubeletNotReady"
        return {"type": "Ready", "status": "False", "reason": reason, "message": message}

    def _beat(self, access: tokens.Access) -> tokens.Access:
        body = {
            "name": self.identity.name,
            "status": self._status(),
            "pods": list(self._reports),
            "gone": self.gone,
        }
        try:
            answer = access.request("POST", "/v1-k3s/heartbeat", body, **self.shown)
        except tokens.AnswerError as problem:
            if problem.status == 404:
                return access
            warning(f"Error updating node status, will retry: {problem}")
            return self._elsewhere(access)
        self.gone = []
        self.servers = list(answer.get("servers") or self.servers)
        self._assign(answer.get("node") or {})
        self._sync(answer)
        return access

    _reports: tuple[dict[str, Any], ...] = ()

    def _elsewhere(self, access: tokens.Access) -> tokens.Access:
        """Return a way to the next server, as k3s' load balancer in the agent does."""
        urls = [f"https://{server}" for server in self.servers]
        if not urls:
            return access
        place = urls.index(access.url) + 1 if access.url in urls else 0
        return tokens.Access(
            urls[place % len(urls)], access.certificate, access.user, access.password
        )

    def _sync(self, answer: Mapping[str, Any]) -> None:
        bound = {entry["metadata"]["uid"]: entry for entry in answer.get("pods") or []}
        pulling = agent_pods.Pulling(self.images, agent_network.has_registry)
        classes = set(answer.get("runtimeclasses") or [])
        for uid in [uid for uid in self.pods if uid not in bound]:
            self.machine.stop(self.pods.pop(uid), self.network)
        reports = []
        for uid, entry in bound.items():
            meta = entry["metadata"]
            key = {"namespace": meta["namespace"], "name": meta["name"], "uid": uid}
            if meta.get("deletionTimestamp"):
                if uid in self.pods:
                    self.machine.stop(self.pods.pop(uid), self.network)
                self.gone.append(key)
                continue
            state = self.pods.setdefault(uid, agent_pods.Pod(meta["namespace"], meta["name"], uid))
            reports.append({**key, "status": self._pod(entry, state, pulling, classes)})
        self._reports = tuple(reports)
        self.resources = self.machine.gpus(
            [bound[uid] for uid, pod in self.pods.items() if pod.running]
        )

    def _pod(
        self,
        entry: Mapping[str, Any],
        state: agent_pods.Pod,
        pulling: agent_pods.Pulling,
        classes: set[str],
    ) -> dict[str, Any]:
        problem = next(
            (text for image in agent_pods.all_images(entry) if (text := pulling.problem(image))), ""
        )
        wanted = str(entry["spec"].get("runtimeClassName") or "")
        missing = ""
        if wanted and wanted not in self.machine.runtimes:
            missing = (
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get "
                f'sandbox runtime: no runtime for "{wanted}" is configured'
            )
            if wanted not in classes:
                missing = f'RuntimeClass "{wanted}" not found'
        if not problem and not missing and not state.running and not agent_pods.of_job(entry):
            self.machine.start(entry, state, self.network, self.identity.address)
        return agent_pods.status(entry, state, self.identity.address, problem, missing)


def _label(entry: str) -> tuple[str, str]:
    key, _, value = entry.partition("=")
    return key, value


def _taint(entry: str) -> dict[str, str]:
    front, _, effect = entry.rpartition(":")
    key, _, value = front.partition("=")
    found = {"key": key, "effect": effect}
    return {**found, "value": value} if value else found
