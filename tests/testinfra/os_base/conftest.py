# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario's nodes: two with many inputs, two with none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import testinfra


@pytest.fixture(scope="session")
def every_node(inventory: Path) -> list[Any]:
    """All four."""
    hosts = testinfra.get_hosts(["ansible://all"], ansible_inventory=str(inventory))
    return sorted(hosts, key=lambda host: str(host.backend.host))


@pytest.fixture(scope="session")
def nodes(every_node: list[Any]) -> list[Any]:
    """Those with many inputs."""
    return every_node[:2]


@pytest.fixture(scope="session")
def plain_nodes(every_node: list[Any]) -> list[Any]:
    """Those with none: what a user gets who says nothing."""
    return every_node[2:]
