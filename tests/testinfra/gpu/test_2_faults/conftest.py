# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node whose simulated GPUs are broken and mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testinfra.gpu_faults import GpuNode, gpu_node


@pytest.fixture(scope="session")
def node(inventory: Path) -> Iterator[GpuNode]:
    """The node with GPUs, healthy and without Ray; mended at the end."""
    found = gpu_node(inventory)
    with found.ray_stopped():
        found.mend()
        yield found
        found.mend()


@pytest.fixture
def broken(node: GpuNode) -> Iterator[GpuNode]:
    """The node, whose settings and kernel log are as before after the test."""
    with node.faults():
        yield node
