# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control plane of one server, from its settings to its end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Union

from . import log
from .api import Frontend, Handle, basic, server_context
from .api_gateway import Gateway
from .api_join import ClusterConfig, Heartbeats, Supervisor
from .api_resources import Answer, Request, Resources
from .controllers import Controllers
from .controllers_nodes import ready_state
from .ha import Replica
from .ha_members import Member
from .log import FatalError
from .metrics import Metrics, MetricsPort, Row
from .objects import Registry
from .objects_defaults import Limits
from .store import ApiError, Store
from .store_disk import Disk
from .store_solo import Solo

ServerError = FatalError


@dataclass(frozen=True)
class JoinTarget:
    """A server of the cluster to become part of."""

    address: str
    port: int


@dataclass(frozen=True)
class ServerSettings:
    """What a server is told by its flags and finds on its disk."""

    node_name: str
    node_ip: str
    api_port: int
    data_dir: Path
    version: str
    tls_ca: Path
    tls_cert: Path
    tls_key: Path
    server_password: str
    agent_password: str
    join: Optional[JoinTarget]
    ha: bool
    cluster_cidr: str
    service_cidr: str
    node_ports: tuple[int, int]
    manifests_dir: Path
    disabled: frozenset[str]
    bind_address: str = "0.0.0.0"  # noqa: S104 (as k3s does)
    peer_port: int = 2380
    client_port: int = 2379
    #: Where etcd shows its metrics, on loopback and with expose_etcd_metrics on the node's address;
    #: 0 is nowhere (k3s pkg/etcd: metricsURL).
    metrics_port: int = 0
    expose_etcd_metrics: bool = False
    #: Seconds without a word after which a node is NotReady (k3s leaves Kubernetes' 40 s).
    grace_seconds: float = 40.0
    critical: Mapping[str, str] = field(default_factory=dict)
    helm_controller: bool = True
    #: Seconds between two walks through the manifests (k3s pkg/deploy: 15 s).
    manifest_seconds: float = 15.0

    @property
    def server_dir(self) -> Path:
        """Return the folder that only servers have."""
        return self.data_dir / "server"

    @property
    def member(self) -> Member:
        """Return this server as the others know it."""
        return Member(self.node_name, self.node_ip, self.peer_port, self.api_port)


class Single:
    """What the gateway is told when there is one server only."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    def leading(self) -> bool:
        """Return True: there is nobody else."""
        return True

    def leader(self) -> Optional[tuple[str, int]]:
        """Return None: nothing is passed on."""
        return None

    def servers(self) -> list[str]:
        """Return where the API is."""
        return [f"{self._settings.node_ip}:{self._settings.api_port}"]

    def manage(self, request: Request) -> Optional[Answer]:
        """Refuse everything about members."""
        if "/etcd/" in request.path:
            raise ApiError(400, "BadRequest", "etcd disabled")
        return None


class Server:
    """A server that can be started and stopped."""

    def __init__(self, settings: ServerSettings, metrics: Optional[Metrics] = None) -> None:
        self.settings = settings
        self.metrics = metrics or Metrics()
        self.metrics.version = settings.version
        self.metrics.add(self._rows)
        self.passwords = {"server": settings.server_password, "node": settings.agent_password}
        self.store = Store()
        self.failure: Optional[str] = None
        self._stop = threading.Event()
        registry = Registry(self.store)
        limits = Limits(settings.service_cidr, settings.node_ports)
        self.resources = Resources(self.store, registry, limits)
        self.heartbeats = Heartbeats()
        self.replica = Replica(settings, self.store, self.fail) if settings.ha else None
        self.gateway = Gateway(
            self.resources,
            Supervisor(self.resources, self._config(), settings.server_dir, self.heartbeats),
            self.replica or Single(settings),
            settings.version,
            settings.tls_ca,
            basic("server", settings.server_password),
            self.metrics,
        )
        self.controllers = Controllers(
            settings, self.resources, self.heartbeats, self._leads, self.gateway.ask
        )
        self._frontends: list[Union[Frontend, MetricsPort]] = []

    def _config(self) -> ClusterConfig:
        own = self.settings
        return ClusterConfig(
            own.version,
            own.cluster_cidr,
            own.service_cidr,
            own.node_ports,
            own.critical,
            own.ha,
        )

    def _rows(self) -> list[Row]:
        """Return what the API server, the node controller and etcd show of themselves."""
        kept = Counter(key.resource for key in self.store.known())
        rows = [
            Row("apiserver_storage_objects", count, {"resource": resource})
            for resource, count in sorted(kept.items())
        ]
        if self._leads():
            states = [ready_state(node) for node in self.store.every("", "nodes")]
            away = sum(state != "True" for state in states)
            rows += [
                Row("node_collector_zone_size", len(states), {"zone": ""}),
                Row("node_collector_unhealthy_nodes_in_zone", away, {"zone": ""}),
            ]
        if self.replica is not None:
            rows += [
                Row("etcd_server_has_leader", float(self.replica.leader() is not None)),
                Row("etcd_server_is_leader", float(self.replica.leading())),
                Row(
                    "etcd_mvcc_db_total_size_in_bytes", _size(self.settings.server_dir / "db/etcd")
                ),
            ]
        return rows

    def _show_etcd(self) -> None:
        own = self.settings
        for address in ["127.0.0.1", *([own.node_ip] if own.expose_etcd_metrics else [])]:
            try:
                made = MetricsPort((address, own.metrics_port), self.metrics.text)
            except OSError as exc:
                text = (
                    f"listen tcp {address}:{own.metrics_port}: bind: {(exc.strerror or '').lower()}"
                )
                raise FatalError(f"starting kubernetes: preparing server: {text}") from None
            made.start()
            self._frontends.append(made)

    def _leads(self) -> bool:
        return self.replica is None or self.replica.leading()

    def _password_is(self, user: str, password: str) -> bool:
        return password != "" and self.passwords.get(user) == password

    def fail(self, message: str) -> None:
        """End the server with what it logs at level fatal."""
        self.failure = message
        self._stop.set()

    def stop(self) -> None:
        """End the server."""
        self._stop.set()

    def _listen(self, address: str, port: int, peers: bool = False) -> None:
        own = self.settings
        authorities = [own.tls_ca, own.server_dir / "tls" / "client-ca.crt"]
        context = server_context(own.tls_cert, own.tls_key, authorities)
        token = own.server_dir / "cred" / "admin-token"
        admin = token.read_text(encoding="utf-8").strip() if token.exists() else ""
        handle: Handle = self.gateway.handle
        if peers and self.replica is not None:
            handle = self.replica.handler(self.gateway.forwarded)
        try:
            frontend = Frontend((address, port), context, handle, self._password_is, admin)
        except OSError as exc:
            text = f"listen tcp {address}:{port}: bind: {(exc.strerror or str(exc)).lower()}"
            raise FatalError(f"starting kubernetes: preparing server: {text}") from None
        frontend.start()
        self._frontends.append(frontend)

    def start(self) -> None:
        """Listen, get the state and lead or follow; return when the API answers."""
        own = self.settings
        if self.replica is None:
            Solo(self.store, Disk(own.server_dir / "db")).start()
            self._listen(own.bind_address, own.api_port)
        else:
            self._listen(own.node_ip, own.peer_port, peers=True)
            if own.metrics_port:
                self._show_etcd()
            if own.client_port:
                self._listen(own.node_ip, own.client_port)
            self._listen(own.bind_address, own.api_port)
            self.replica.start(self._stop)
        if self.failure is not None:
            raise FatalError(self.failure)
        self.gateway.started.set()
        self.controllers.start()

    def close(self) -> None:
        """Take the sockets and threads away."""
        self._stop.set()
        self.gateway.stopped.set()
        self.controllers.stop()
        if self.replica is not None:
            self.replica.stop()
        with self.store.changed:
            self.store.changed.notify_all()
        for frontend in self._frontends:
            frontend.end()

    def wait(self) -> None:
        """Return when the server is to end; raise what it ended by."""
        while not self._stop.wait(1.0):
            pass
        if self.failure is not None:
            raise FatalError(self.failure)


def _size(folder: Path) -> int:
    """Return the bytes in a folder's files; one may go while it is looked at."""
    used = 0
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            used += path.stat().st_size
    return used


def run_server(
    settings: ServerSettings, on_ready: Callable[[], None], metrics: Optional[Metrics] = None
) -> None:
    """Run until SIGTERM; raise FatalError for what ends k3s."""
    server = Server(settings, metrics)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
    try:
        server.start()
        log.info(f"k3s is up and running, API at {settings.node_ip}:{settings.api_port}")
        on_ready()
        server.wait()
    finally:
        server.close()
