# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the stand-in: one without sockets, and several on loopback addresses."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab.k3s.standin import ha_join
from tests.lab.k3s.standin.api_resources import Request
from tests.lab.k3s.standin.api_watch import Stream
from tests.lab.k3s.standin.ha import Replica
from tests.lab.k3s.standin.ha_links import Pace
from tests.lab.k3s.standin.objects_packaged import component, packaged
from tests.lab.k3s.standin.server import JoinTarget, Server, ServerSettings
from tests.lab.k3s.standin.store import ApiError

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
Objects = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    code: int
    body: Any


@dataclass
class Cluster:
    """A server that a test talks to as kubectl and as an agent would."""

    server: Server

    def ask(
        self, method: str, path: str, body: Any = None, user: str = "admin", **more: str
    ) -> Reply:
        query = {k: v for k, v in more.items() if not k.startswith("h_")}
        headers = {k[2:].replace("_", "-"): v for k, v in more.items() if k.startswith("h_")}
        headers.setdefault("content-type", "application/json")
        data = b"" if body is None else json.dumps(body).encode()
        try:
            answer = self.server.gateway.handle(Request(method, path, query, data, headers), user)
        except ApiError as exc:
            return Reply(exc.code, exc.status())
        assert not isinstance(answer, Stream)
        text = answer.data().decode()
        return Reply(answer.code, json.loads(text) if "json" in answer.content_type else text)

    def get(self, path: str, **query: str) -> Objects:
        reply = self.ask("GET", path, **query)
        assert reply.code == 200, reply.body
        found: Objects = reply.body
        return found

    def names(self, path: str, **query: str) -> list[str]:
        return [item["metadata"]["name"] for item in self.get(path, **query)["items"]]

    def make(self, path: str, body: Objects) -> Objects:
        reply = self.ask("POST", path, body)
        assert reply.code == 201, reply.body
        made: Objects = reply.body
        return made

    def settle(self, rounds: int = 8) -> None:
        for _ in range(rounds):
            self.server.controllers.round()


@dataclass
class Kubelet:
    """A node that runs every pod it is given, at once."""

    cluster: Cluster
    name: str
    gpus: int = 0
    ready: bool = True
    pods: list[Objects] = field(default_factory=list)
    gone: list[Objects] = field(default_factory=list)

    def status(self) -> Objects:
        state = "True" if self.ready else "False"
        allocatable = {"nvidia.com/gpu": str(self.gpus)}
        return {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": state}]}

    def register(self, known_as: str = "first") -> Reply:
        node = {"metadata": {"name": self.name, "labels": {"kubernetes.io/hostname": self.name}}}
        return self.cluster.ask(
            "POST",
            "/v1-k3s/node",
            {**node, "status": self.status()},
            "node",
            h_k3s_node_name=self.name,
            h_k3s_node_password=known_as,
        )

    def beat(self) -> Reply:
        body = {"name": self.name, "status": self.status(), "pods": self.pods, "gone": self.gone}
        reply = self.cluster.ask("POST", "/v1-k3s/heartbeat", body, "node")
        self.pods, self.gone = [], []
        for pod in reply.body.get("pods", []):
            row = {k: pod["metadata"][k] for k in ("namespace", "name", "uid")}
            if pod["metadata"].get("deletionTimestamp"):
                self.gone.append(row)
            else:
                self.pods.append({**row, "status": pod_status(pod)})
        return reply


def pod_status(pod: Objects) -> Objects:
    command = " ".join(pod["spec"]["containers"][0].get("command", []))
    if any(ref["kind"] == "Job" for ref in pod["metadata"].get("ownerReferences", [])):
        return {"phase": "Failed" if "exit 1" in command else "Succeeded", "conditions": []}
    return {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    names = ",".join(f"IP:{address}" for address in ADDRESSES)
    (folder / "names").write_text(f"subjectAltName={names}")
    commands = (
        ("req", "-x509", *CURVE, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca"),
        ("req", *CURVE, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=k3s"),
        (
            *("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-out", "server.crt", "-extfile", "names"),
        ),
    )
    for command in commands:
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def settings(tmp_path: Path, certificates: Path) -> Callable[..., ServerSettings]:
    def made(number: int = 1, **more: Any) -> ServerSettings:
        folder = tmp_path / f"s{number}"
        manifests = folder / "server" / "manifests"
        manifests.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {
            "node_name": f"s{number}",
            "node_ip": ADDRESSES[number - 1],
            "bind_address": ADDRESSES[number - 1],
            "api_port": 6443,
            "data_dir": folder,
            "version": "v1.33.5+k3s1",
            "tls_ca": certificates / "ca.crt",
            "tls_cert": certificates / "server.crt",
            "tls_key": certificates / "server.key",
            "server_password": "server-word",
            "agent_password": "agent-word",
            "join": None,
            "ha": False,
            "cluster_cidr": "10.42.0.0/16",
            "service_cidr": "10.43.0.0/16",
            "node_ports": (30000, 32767),
            "manifests_dir": manifests,
            "disabled": frozenset({"traefik"}),
        }
        return ServerSettings(**{**values, **more})

    return made


@pytest.fixture
def cluster(settings: Callable[..., ServerSettings]) -> Cluster:
    """One server without sockets and threads; tests do its rounds."""
    server = Server(settings())
    server.gateway.started.set()
    made = Cluster(server)
    made.settle(1)
    return made


@pytest.fixture
def kubelets(cluster: Cluster) -> list[Kubelet]:
    nodes = [Kubelet(cluster, "s1"), Kubelet(cluster, "a1")]
    for node in nodes:
        assert node.register().code == 200
    return nodes


@pytest.fixture
def run(cluster: Cluster, kubelets: list[Kubelet]) -> Callable[[], None]:
    """Return what lets controllers and nodes work until nothing happens any more."""

    def work() -> None:
        for _ in range(40):
            before = cluster.server.store.revision
            cluster.settle(2)
            for node in kubelets:
                node.beat()
            if cluster.server.store.revision == before:
                return
        raise AssertionError("the cluster does not come to rest")

    return work


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


PACE = Pace(beat=0.03, dead_after=0.5, answer_in=0.4, learner_stall=0.6)


@dataclass
class Fleet:
    """Servers that share their state, each with sockets of its own."""

    settings: Callable[..., ServerSettings]
    ports: tuple[int, int]
    servers: dict[int, Server] = field(default_factory=dict)

    def make(self, number: int, **more: Any) -> Server:
        target = None if number == 1 else JoinTarget(ADDRESSES[0], self.ports[0])
        values: dict[str, Any] = {"ha": True, "join": target, "client_port": 0}
        # Fewer objects: what is packaged is looked at with one server.
        values["disabled"] = frozenset(component(name) for name in packaged("10.43.0.10"))
        values.update({"api_port": self.ports[0], "peer_port": self.ports[1], **more})
        made = self.settings(number, **values)
        server = Server(made)
        server.replica = Replica(made, server.store, server.fail, PACE)
        server.gateway._quorum = server.replica
        return server

    def start(self, number: int, **more: Any) -> Server:
        server = self.make(number, **more)
        self.servers[number] = server
        server.start()
        return server

    def stop(self, number: int) -> None:
        self.servers.pop(number).close()

    def leader(self) -> int:
        return next(n for n, server in self.servers.items() if server._leads())


@pytest.fixture
def fleet(
    settings: Callable[..., ServerSettings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fleet]:
    monkeypatch.setattr(ha_join, "AGAIN_AFTER", 0.05)
    made = Fleet(settings, (free_port(), free_port()))
    yield made
    for number in list(made.servers):
        made.stop(number)
