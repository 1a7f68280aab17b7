# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new version meets a pod that must stay and a node that its owner has cordoned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.k3s import inputs
from tests.testinfra.k3s_maintenance.support import (
    NEW,
    NODES,
    OLD,
    SECOND,
    SERVER,
    THIRD,
    K3s,
    play,
    prose,
)
from tests.testinfra.playbooks import changes


@pytest.fixture(scope="module", autouse=True)
def _closed(k3s: K3s) -> Iterator[None]:
    """Have the second node cordoned by its owner, and a pod on the third that may not leave."""
    k3s.run_web(THIRD)
    k3s.forbid()
    k3s.kubectl(f"cordon {SECOND}")
    yield
    k3s.permit()
    k3s.end_web()
    k3s.kubectl(f"uncordon {SECOND}")


def upgrade(inventory: Path) -> tuple[int, str]:
    return play(inventory, "upgrade.yml", **inputs(NEW), k3s_drain_timeout_seconds=10)


def test_a_budget_stops_the_upgrade_at_its_node_which_goes_on(inventory: Path, k3s: K3s) -> None:
    before = k3s.web()
    code, said = upgrade(inventory)
    assert code != 0
    assert f"fatal: [{THIRD}" in said
    assert (
        f"{THIRD} is not drained within 10 s: the PodDisruptionBudget default/keep-web keeps "
        f"default/{next(iter(before))}" in prose(said)
    )
    assert "Traceback" not in said
    assert k3s.versions() == {SERVER: NEW, SECOND: NEW, THIRD: OLD}
    assert k3s.ready() == list(NODES)
    assert (k3s.closed(), k3s.web()) == ([SECOND], before)


def test_the_same_command_finishes_once_the_pod_may_leave(inventory: Path, k3s: K3s) -> None:
    k3s.permit()
    code, _said = upgrade(inventory)
    assert code == 0
    assert k3s.versions() == dict.fromkeys(NODES, NEW)
    assert k3s.ready() == list(NODES)
    k3s.wait_web()


def test_a_node_that_its_owner_had_cordoned_stays_so(inventory: Path, k3s: K3s) -> None:
    assert k3s.closed() == [SECOND]
    code, said = upgrade(inventory)
    assert (code, changes(said)) == (0, {})
    assert k3s.closed() == [SECOND]
