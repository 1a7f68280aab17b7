# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario with monitoring."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.monitoring import receiver
from tests.testinfra.monitoring.support import Server
from tests.testinfra.ray_cluster import node_address

NAMES = ("mol-monitoring-n1", "mol-monitoring-n2", "mol-monitoring-n3")


@pytest.fixture(scope="session")
def secrets(inventory: Path) -> Path:
    """The folder with the cluster's secrets on the control node."""
    return inventory.parent / "secrets" / inventory.parent.name


@pytest.fixture(scope="session")
def by_name(nodes: list[Any]) -> dict[str, Any]:
    """The nodes by their names in the inventory."""
    return dict(zip(NAMES, nodes, strict=True))


@pytest.fixture(scope="session")
def prometheus(by_name: dict[str, Any], secrets: Path) -> Server:
    """Prometheus on the monitoring host."""
    address = node_address(by_name[NAMES[2]])
    password = (secrets / "monitoring_password").read_text().strip()
    return Server(f"http://{address}:9090", "admin", password)


@pytest.fixture(scope="session")
def alertmanager(prometheus: Server) -> Server:
    """Alertmanager on the monitoring host."""
    address = prometheus.address.replace("9090", "9093")
    return Server(address, prometheus.user, prometheus.password)


@dataclass
class Absence:
    """The time in which the receiver of remote-write is away."""

    began: float
    is_over: bool = False

    def end(self) -> float:
        """Have the receiver back, and return when it was."""
        if not self.is_over:
            receiver.start(NAMES[0], receiver.KNOWN)
            self.is_over = True
        return time.time()


@pytest.fixture(scope="session")
def absence() -> Iterator[Absence]:
    """The receiver of remote-write, away since this fixture was first asked for."""
    receiver.stop(NAMES[0])
    found = Absence(time.time())
    yield found
    found.end()
