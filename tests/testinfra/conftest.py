# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for the scenarios' tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import testinfra

from tests.testinfra.ray_cluster import Cluster, node_address

DASHBOARD_PORTS = {
    "mol-k3s": 8265,
    "mol-maintenance": 8265,
    "mol-monitoring": 8265,
    "mol-ray": 8265,
    "mol-ray-venv": 8300,
    "mol-upgrade": 8265,
}


@pytest.fixture(scope="session")
def inventory(request: pytest.FixtureRequest) -> Path:
    """The inventory of the scenario's lab, which lies in the folder with the lab's name."""
    return Path(request.config.getoption("--ansible-inventory")).resolve()


@pytest.fixture(scope="session")
def nodes(inventory: Path) -> list[Any]:
    """The scenario's nodes, in the order of their numbers."""
    hosts = testinfra.get_hosts(["ansible://all"], ansible_inventory=str(inventory))
    return sorted(hosts, key=lambda host: str(host.backend.host))


@pytest.fixture(scope="session")
def head(nodes: list[Any]) -> Any:
    """The head: a lab's first node."""
    return nodes[0]


@pytest.fixture(scope="session")
def worker(nodes: list[Any]) -> Any:
    """The worker: the second node."""
    return nodes[1]


@pytest.fixture(scope="session")
def cluster(inventory: Path, head: Any) -> Cluster:
    """The Ray cluster of the scenario."""
    lab = inventory.parent.name
    token_file = inventory.parent / "secrets" / lab / "ray_auth_token"
    return Cluster(f"http://{node_address(head)}:{DASHBOARD_PORTS[lab]}", token_file)
