# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that brings what is nearer to what is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from . import accounts, log
from .api_join import Heartbeats
from .api_resources import Resources
from .controllers_base import Cluster
from .controllers_clean import clean
from .controllers_helm import charts
from .controllers_manifests import Ask, Manifests, ManifestSettings
from .controllers_nodes import NodeKeeper
from .controllers_schedule import schedule
from .controllers_sets import jobs, stateful_sets
from .controllers_workloads import daemon_sets, deployments, replica_sets, services
from .store import ApiError

if TYPE_CHECKING:
    from .ha_members import Member

#: Seconds between two rounds at the least, and when nothing changed.
_REST, _TICK = 0.1, 1.0


class Settings(ManifestSettings, Protocol):
    """What controllers must know of their server."""

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
    def helm_controller(self) -> bool:
        """Return whether charts are installed."""

    @property
    def tls_ca(self) -> Path:
        """Return the certificate of the authority that signs servers' certificates."""

    @property
    def member(self) -> Member:
        """Return this server as a member."""


class Controllers:
    """All controllers of one server; only the leading server's act on the cluster."""

    def __init__(
        self,
        settings: Settings,
        resources: Resources,
        heartbeats: Heartbeats,
        leads: Callable[[], bool],
        ask: Ask,
    ) -> None:
        self._store = resources.store
        self._leads = leads
        self._stopped = threading.Event()
        cluster = Cluster(resources)
        nodes = NodeKeeper(cluster, heartbeats, settings)
        self._steps: list[Callable[[], None]] = [
            nodes.keep,
            lambda: clean(cluster),
            lambda: accounts.keep_tokens(cluster, settings.tls_ca),
            lambda: deployments(cluster),
            lambda: replica_sets(cluster),
            lambda: daemon_sets(cluster),
            lambda: stateful_sets(cluster),
            lambda: jobs(cluster),
            lambda: schedule(cluster),
            lambda: services(cluster, settings.member, settings.service_cidr),
        ]
        if settings.helm_controller:
            self._steps.append(lambda: charts(cluster))
        self._manifests = Manifests(settings, ask)
        self._pause = settings.manifest_seconds

    def start(self) -> None:
        """Work in threads from now on."""
        threading.Thread(target=self._loop, daemon=True).start()
        threading.Thread(target=self._deploy, daemon=True).start()

    def stop(self) -> None:
        """End the threads."""
        self._stopped.set()

    def round(self) -> None:
        """Do everything once."""
        for step in self._steps:
            try:
                step()
            except ApiError as exc:
                log.warning(f"controller: {exc.message}")
            except Exception as exc:
                log.error(f"controller failed: {exc!r}")

    def _loop(self) -> None:
        done = -1
        while not self._stopped.is_set():
            with self._store.changed:
                if self._store.revision == done:
                    self._store.changed.wait(_TICK)
                done = self._store.revision
            if self._leads():
                self.round()
            self._stopped.wait(_REST)

    def _deploy(self) -> None:
        self._manifests.stage()
        while not self._stopped.is_set():
            began = time.monotonic()
            done = self._manifests.walk()
            pause = self._pause if done else min(1.0, self._pause)
            self._stopped.wait(max(0.0, pause - (time.monotonic() - began)))
