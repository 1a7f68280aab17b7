# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control node of the scenario with planted faults, and what it says while there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lab.paths import state_of
from tests.testinfra.preflight.support import Desk, Report


@pytest.fixture(scope="session")
def desk() -> Desk:
    """The control node."""
    lab = os.environ.get("PREFLIGHT_LAB", "mol-preflight")
    inventory: Path = state_of(lab).inventory
    return Desk(inventory)


@pytest.fixture(scope="session")
def healthy(desk: Desk) -> Report:
    """What preflight says of the nodes as they are, with every port tested."""
    return desk.preflight("preflight_ports=required")
