# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of a k3s cluster's maintenance share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.testinfra.k3s_maintenance.support import K3s


@pytest.fixture(scope="session")
def k3s(nodes: list[Any]) -> K3s:
    """The cluster."""
    return K3s(nodes[0])
