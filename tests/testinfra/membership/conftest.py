# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster, which the tests follow from file to file."""

from __future__ import annotations

import pytest

from tests.testinfra.lab_nodes import record
from tests.testinfra.membership.support import LAB, Cluster


@pytest.fixture(scope="session")
def members() -> Cluster:
    """The cluster; how its nodes stood before anything was done is written down."""
    record(LAB)
    return Cluster(LAB)
