# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster on one lab."""

from __future__ import annotations

import os

import pytest

from tests.lab.paths import state_of
from tests.testinfra.lifecycle.support import Cluster
from tests.testinfra.operations.support import Desk


@pytest.fixture(scope="session")
def desk() -> Desk:
    """The control node, with the inventory that the lab wrote."""
    lab = os.environ.get("OPERATIONS_LAB", "mol-operations")
    state = state_of(lab)
    token = state.directory / "secrets" / lab / "ray_auth_token"
    return Desk(Cluster(lab, state.inventory, token))
