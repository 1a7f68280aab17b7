# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.testinfra.firewall.support import BY_HAND, HEAD, LAB, STRANGER, UFW, reached
from tests.testinfra.lab_nodes import differences


@pytest.mark.parametrize("number", [1, 2, 3, 4], ids=["firewalld", "ufw", "nftables", "stranger"])
def test_node_is_as_it_was_before(number: int) -> None:
    found = differences(LAB, f"{LAB}-n{number}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(HEAD, "22,5000", id="firewalld"),
        pytest.param(UFW, "22,5000,8443-8444", id="ufw"),
        pytest.param(BY_HAND, "22,5000", id="nftables"),
    ],
)
def test_the_owners_rules_filter_as_before(target: str, expected: str) -> None:
    assert reached(STRANGER, target) == expected
