# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario with monitoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
