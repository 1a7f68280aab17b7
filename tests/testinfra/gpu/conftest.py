# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the scenario with simulated GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.gpu.support import Desk
from tests.testinfra.ray_cluster import Cluster, node_address


@pytest.fixture(scope="session")
def desk(inventory: Path) -> Desk:
    """The control node."""
    return Desk(inventory)


@pytest.fixture(scope="session")
def cluster(inventory: Path, head: Any) -> Cluster:
    """The Ray cluster of the scenario."""
    token_file = inventory.parent / "secrets" / inventory.parent.name / "ray_auth_token"
    return Cluster(f"http://{node_address(head)}:8265", token_file)
