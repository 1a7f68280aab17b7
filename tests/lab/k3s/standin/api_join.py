# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What agents and joining servers ask: k3s' supervisor below /v1-k3s."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from . import accounts, files, tokens
from .api_resources import Answer, Request, Resources, Target
from .objects import Kind, built_in
from .objects_defaults import not_found
from .store import ApiError, Obj, now_text

PREFIX = "/v1-k3s/"
SYSTEM = "kube-system"
#: Files below data_dir/server that every server of a cluster has alike.
BOOTSTRAP = ("tls/*-ca.crt", "tls/*-ca.key", "tls/service.key", "tls/etcd/*-ca.*", "cred/*")


def hashed(password: str, salt: str = "") -> str:
    """Return what is kept of a node's password, in the form that k3s uses."""
    salt = salt or secrets.token_hex(8)
    made = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=1024, r=8, p=1, dklen=64)
    return f"$1:{salt}:10:8:1:{base64.b64encode(made).decode().rstrip('=')}"


def secret_name(node: str) -> str:
    """Return the Secret in kube-system that keeps the hash of a node's password."""
    return f"{node}.node-password.k3s".lower()


@dataclass
class Heartbeats:
    """When each node was last heard of; only the leader keeps it, and only in memory."""

    seen: dict[str, float] = field(default_factory=dict)

    def beat(self, node: str) -> None:
        """Note that a node lives."""
        self.seen[node] = time.monotonic()

    def silent(self, node: str) -> float:
        """Return for how many seconds nothing was heard; the first question starts the clock."""
        return time.monotonic() - self.seen.setdefault(node, time.monotonic())


@dataclass(frozen=True)
class ClusterConfig:
    """What GET /v1-k3s/config tells."""

    version: str
    cluster_cidr: str
    service_cidr: str
    node_ports: tuple[int, int]
    critical: Mapping[str, str]
    ha: bool

    def shown(self) -> Obj:
        """Return it with k3s' names."""
        return {
            "Version": self.version,
            "ClusterIPRange": self.cluster_cidr,
            "ServiceIPRange": self.service_cidr,
            "ServiceNodePortRange": "{}-{}".format(*self.node_ports),
            "ClusterDNS": self.critical.get("cluster-dns", ""),
            "ClusterDomain": self.critical.get("cluster-domain", "cluster.local"),
            "critical": dict(self.critical),
            "HA": self.ha,
        }


class Supervisor:
    """Answers of the leading server to agents and servers."""

    def __init__(
        self,
        resources: Resources,
        config: ClusterConfig,
        server_dir: Path,
        heartbeats: Heartbeats,
    ) -> None:
        self._resources = resources
        self._store = resources.store
        self._config = config
        self._server_dir = server_dir
        self._heartbeats = heartbeats
        self._nodes: Kind = built_in("nodes")
        self._pods: Kind = built_in("pods")
        self._secrets: Kind = built_in("secrets")
        self._signing = threading.Lock()

    def answer(self, request: Request, servers: list[str]) -> Optional[Answer]:
        """Return the answer for agents, or None when the path is another's."""
        what = request.path.removeprefix(PREFIX)
        if what == "config":
            return Answer(200, self._config.shown())
        if what == "apiservers":
            return Answer(200, servers)
        if what == "readyz":
            return Answer(200, "ok", "text/plain")
        if what == "serving-kubelet.crt":
            return Answer(200, self._serving(self._check_node(request), request))
        if what == "client-kubelet.crt":
            self._check_node(request)
            return Answer(200, {})
        if what == "kubelet-review":
            row = request.json()
            return Answer(200, accounts.review(self._store, row["authorization"], row["path"]))
        if what == "node" and request.method == "POST":
            name = self._check_node(request)
            return Answer(200, self.register(name, request.json()))
        if what == "heartbeat" and request.method == "POST":
            return Answer(200, {**self.heartbeat(request.json()), "servers": servers})
        return None

    def bootstrap(self) -> Answer:
        """Return the files that a joining server needs."""
        if not self._config.ha:
            raise ApiError(400, "BadRequest", "etcd disabled")
        files = {
            str(path.relative_to(self._server_dir)): base64.b64encode(path.read_bytes()).decode()
            for pattern in BOOTSTRAP
            for path in sorted(self._server_dir.glob(pattern))
            if path.is_file()
        }
        return Answer(200, {"files": files})

    def replace_token(self, request: Request, user: str) -> Answer:
        """Have this server, and what starts from its data, take another token from its next start.

        As k3s does it, agents get the new one too unless they have one of their own.
        """
        if user != "server":
            raise ApiError(403, "Forbidden", "forbidden")
        new = str(request.json().get("newToken") or "")
        if not new:
            raise ApiError(400, "BadRequest", "newToken must be specified")
        password = tokens.parse(new).password
        agents = self._server_dir / "agent-token"
        kept = (
            password if agents.is_symlink() else tokens.parse(agents.read_text().strip()).password
        )
        files.write_tokens(self._server_dir, password, kept)
        files.write(self._server_dir / "db/.passphrase", files.passphrase(password))
        return Answer(200, "", "text/plain")

    def is_member(self, request: Request) -> bool:
        """Return whether a node that has joined says how it is, or asks who somebody is.

        With k3s these show the client certificates that they got when they joined, which outlive
        the token; here the node's password stands for them.
        """
        if request.path.removeprefix(PREFIX) not in ("heartbeat", "kubelet-review"):
            return False
        name = request.header("k3s-node-name").lower()
        if self._store.get(self._secrets.key(SYSTEM, secret_name(name))) is None:
            return False
        try:
            return self._check_node(request) == name
        except ApiError:
            return False

    def _check_node(self, request: Request) -> str:
        """Return the node's name once its password is right; the first password is kept."""
        name = request.header("k3s-node-name").lower()
        password = request.header("k3s-node-password")
        if not name or not password:
            raise ApiError(400, "BadRequest", "node name not set")
        with self._store.changed:
            kept = self._store.get(self._secrets.key(SYSTEM, secret_name(name)))
            if kept is None:
                value = base64.b64encode(hashed(password).encode()).decode()
                made = {
                    "metadata": {"name": secret_name(name)},
                    "data": {"hash": value},
                    "immutable": True,
                }
                self._resources.create(self._secrets, SYSTEM, made)
                return name
        wanted = base64.b64decode(kept["data"].get("hash", "")).decode()
        salt = wanted.split(":")[1] if wanted.count(":") > 1 else "00"
        if not hmac.compare_digest(hashed(password, salt), wanted):
            text = f"unable to verify hash for node '{name}': hash does not match"
            raise ApiError(403, "Forbidden", text)
        return name

    def _serving(self, name: str, request: Request) -> Obj:
        """Return a certificate for a kubelet, signed by the servers' authority, and its key."""
        tls, made = self._server_dir / "tls", f"kubelet-{name}"
        names = [name, "localhost", "127.0.0.1", request.header("k3s-node-ip")]
        with self._signing:
            files.sign(tls, "server-ca", made, f"/CN={name}", [each for each in names if each])
            found = {}
            for ending in ("crt", "key"):
                path = tls / f"{made}.{ending}"
                found[ending] = path.read_text(encoding="utf-8")
                path.unlink()
        return found

    def register(self, name: str, given: Obj) -> Obj:
        """Return the node as it is kept after its kubelet has said what it is."""
        given = copy.deepcopy(given)
        given["metadata"]["name"] = name
        self._heartbeats.beat(name)
        with self._store.changed:
            key = self._nodes.key("", name)
            old = self._store.get(key)
            if old is None:
                made = self._resources.create(self._nodes, "", _new_node(given))
                return self._with_status(made, given.get("status", {}))
            new = copy.deepcopy(old)
            for part in ("labels", "annotations"):
                new["metadata"].setdefault(part, {}).update(given["metadata"].get(part) or {})
            return self._with_status(self._store.update(key, new), given.get("status", {}))

    def _with_status(self, node: Obj, status: Obj) -> Obj:
        new = {**copy.deepcopy(node), "status": merged_status(node.get("status", {}), status)}
        return self._store.update(self._nodes.key("", node["metadata"]["name"]), new)

    def heartbeat(self, body: Obj) -> Obj:
        """Return what a node is to run, after noting what it says about itself."""
        name = str(body.get("name", "")).lower()
        with self._store.changed:
            node = self._store.get(self._nodes.key("", name))
            if node is None:
                raise not_found(self._nodes, name)
            self._heartbeats.beat(name)
            node = self._with_status(node, body.get("status") or node.get("status", {}))
            for row in body.get("pods", []):
                self._pod_status(row)
            for row in body.get("gone", []):
                self._pod_gone(row)
            self._resources.logs.update(body.get("logs", {}))
            pods = [
                pod for pod in self._store.every("", "pods") if pod["spec"].get("nodeName") == name
            ]
            classes = self._store.every("node.k8s.io", "runtimeclasses")
            return {
                "pods": pods,
                "node": node,
                "runtimeclasses": [item["metadata"]["name"] for item in classes],
            }

    def _pod(self, row: Obj) -> Optional[Obj]:
        pod = self._store.get(self._pods.key(row["namespace"], row["name"]))
        return pod if pod and pod["metadata"]["uid"] == row.get("uid") else None

    def _pod_status(self, row: Obj) -> None:
        pod = self._pod(row)
        if pod is None:
            return
        target = Target(self._pods, row["namespace"], row["name"], "status")
        status = merged_status(pod.get("status", {}), row["status"])
        if status != pod.get("status"):
            given = {**pod, "status": status}
            self._resources.update(target, given)

    def _pod_gone(self, row: Obj) -> None:
        pod = self._pod(row)
        if pod is not None and pod["metadata"].get("deletionTimestamp"):
            self._store.delete(self._pods.key(row["namespace"], row["name"]))


def _new_node(given: Obj) -> Obj:
    """Return a node at its first registration; until its kubelet is ready nothing runs there."""
    spec: dict[str, Any] = dict(given.get("spec") or {})
    meta = {k: given["metadata"].get(k) or {} for k in ("labels", "annotations")}
    return {"metadata": {"name": given["metadata"]["name"], **meta}, "spec": spec}


def merged_status(old: Obj, new: Obj) -> Obj:
    """Return a status whose conditions tell when they last changed."""
    merged = {**old, **copy.deepcopy(new)}
    before = {row["type"]: row for row in old.get("conditions", [])}
    rows = []
    for row in merged.get("conditions", []):
        kept = before.get(row["type"], {})
        same = kept.get("status") == row.get("status")
        moment = kept.get("lastTransitionTime") if same else row.get("lastTransitionTime")
        heard = kept.get("lastHeartbeatTime") if same else None
        row["lastTransitionTime"] = moment or now_text()
        if "lastHeartbeatTime" in row:
            row["lastHeartbeatTime"] = heard or row["lastHeartbeatTime"]
        rows.append(row)
    if rows:
        merged["conditions"] = rows
    return merged
