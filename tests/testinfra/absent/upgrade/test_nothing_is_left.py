# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a reset neither release is left, the one that ran and the one that was kept."""

from __future__ import annotations

import pytest

from tests.testinfra.lab_nodes import differences


@pytest.mark.parametrize("number", [1, 2, 3], ids=["head", "worker", "other-worker"])
def test_node_is_as_it_was_before(number: int) -> None:
    found = differences("mol-upgrade", f"mol-upgrade-n{number}")
    assert not found, "\n".join(found)
