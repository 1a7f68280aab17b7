# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.testinfra.lab_nodes import differences


@pytest.mark.parametrize("number", [1, 2, 3], ids=["server", "agent", "another-agent"])
def test_node_is_as_it_was_before(number: int) -> None:
    found = differences("mol-k3s-maintenance", f"mol-k3s-maintenance-n{number}")
    assert not found, "\n".join(found)
