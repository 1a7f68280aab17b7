# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.testinfra.lab_nodes import differences


@pytest.mark.parametrize(
    ("number", "booted"),
    [
        pytest.param(1, False, id="head-and-server"),
        pytest.param(2, True, id="gpus-booted"),
        pytest.param(3, False, id="monitoring"),
    ],
)
def test_node_is_as_it_was_before(number: int, booted: bool) -> None:
    found = differences("mol-monitoring", f"mol-monitoring-n{number}", booted)
    assert not found, "\n".join(found)
