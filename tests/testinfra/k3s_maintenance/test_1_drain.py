# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent is drained, stays so, and comes back. Each test goes on from the last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.k3s_maintenance.support import SECOND, THIRD, K3s, play, prose
from tests.testinfra.playbooks import changes


@pytest.fixture(scope="module", autouse=True)
def _web(k3s: K3s) -> Any:
    """Have a pod on the node that is drained, which may run on another."""
    k3s.run_web(SECOND)
    k3s.allow_web(SECOND, THIRD)
    yield
    k3s.permit()
    k3s.end_web()


def row(inventory: Path, told: Path) -> dict[str, Any]:
    """Return what status.yml tells of the node in k3s."""
    play(inventory, "status.yml", status_file=str(told))
    rows = json.loads(told.read_text())["k3s"]["nodes"]
    return next(each for each in rows if each["name"] == SECOND)


def test_check_mode_says_what_would_be_done(inventory: Path, k3s: K3s) -> None:
    before = k3s.web()
    code, said = play(inventory, "drain.yml", "--check", node=SECOND)
    assert code == 0
    assert changes(said) == {SECOND: 1}
    assert f"{SECOND} would be out of service" in prose(said)
    assert (k3s.closed(), k3s.web()) == ([], before)


def test_the_budget_that_keeps_a_pod_is_named_and_the_node_stays_in_service(
    inventory: Path, k3s: K3s
) -> None:
    k3s.forbid()
    before = k3s.web()
    code, said = play(inventory, "drain.yml", node=SECOND, k3s_drain_timeout_seconds=10)
    assert code != 0
    assert (
        f"{SECOND} is not drained within 10 s: the PodDisruptionBudget default/keep-web keeps "
        f"default/{next(iter(before))}" in prose(said)
    )
    assert "Traceback" not in said
    assert (k3s.closed(), k3s.web()) == ([], before)
    k3s.permit()


def test_pods_move_and_the_node_takes_no_more(inventory: Path, k3s: K3s) -> None:
    code, said = play(inventory, "drain.yml", node=SECOND)
    assert code == 0
    assert f"undrain.yml -e node={SECOND}" in prose(said)
    k3s.wait_web()
    assert list(k3s.web().values()) == [THIRD]
    assert k3s.closed() == [SECOND]


def test_a_second_drain_changes_nothing(inventory: Path) -> None:
    code, said = play(inventory, "drain.yml", node=SECOND)
    assert (code, changes(said)) == (0, {})


def test_status_shows_it_as_closed(inventory: Path, tmp_path: Path) -> None:
    told = row(inventory, tmp_path / "status.json")
    assert (told["state"], told["cordoned"]) == ("ready", True)


def test_provision_leaves_it_drained_and_succeeds(inventory: Path, k3s: K3s) -> None:
    code, said = play(inventory, "provision.yml")
    assert (code, changes(said)) == (0, {})
    assert k3s.closed() == [SECOND]


def test_it_comes_back_and_a_second_undrain_changes_nothing(inventory: Path, k3s: K3s) -> None:
    code, said = play(inventory, "undrain.yml", node=SECOND)
    assert (code, changes(said)) == (0, {SECOND: 1})
    assert k3s.closed() == []
    code, said = play(inventory, "undrain.yml", node=SECOND)
    assert (code, changes(said)) == (0, {})


def test_pods_come_to_it_again(k3s: K3s) -> None:
    k3s.allow_web(SECOND)
    k3s.kubectl("delete pods -l app=web")
    k3s.wait_web()
    assert list(k3s.web().values()) == [SECOND]
