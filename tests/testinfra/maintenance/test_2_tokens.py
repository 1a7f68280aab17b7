# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token that members of Ray's cluster show each other is replaced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.maintenance.support import begin, end, play, works
from tests.testinfra.playbooks import changes, ended, start
from tests.testinfra.ray_cluster import Cluster, node_address


@pytest.fixture(scope="module")
def old(cluster: Cluster) -> str:
    """The token before the first test."""
    return cluster.token_file.read_text().strip()


def test_a_job_keeps_the_token_from_being_replaced(
    inventory: Path, cluster: Cluster, nodes: list[Any], old: str
) -> None:
    job = begin(cluster, "slow_tasks")
    works(nodes[1], "work")
    status, said = play(inventory, "rotate_ray_token.yml")
    assert status != 0
    assert "1 Ray jobs have not ended" in said
    assert cluster.token_file.read_text().strip() == old
    assert end(job, nodes[0])


def test_every_member_gets_the_new_token(
    inventory: Path, cluster: Cluster, nodes: list[Any], old: str
) -> None:
    status, said = play(inventory, "rotate_ray_token.yml")
    assert status == 0
    seconds = re.search(r"Ray was away for (\d+\.\d) s", said)
    assert seconds is not None
    assert 0 < float(seconds[1]) < 120
    assert cluster.refusal("/api/version", old) in (401, 403)
    assert sorted(cluster.nodes()) == sorted(map(node_address, nodes))
    assert not cluster.token_file.with_name("ray_auth_token.previous").exists()


def test_a_rotation_that_was_cut_off_is_gone_on_with(
    inventory: Path, cluster: Cluster, nodes: list[Any]
) -> None:
    # What a run leaves that was killed after it had made the new token.
    kept = cluster.token_file.with_name("ray_auth_token.previous")
    kept.write_text(cluster.token_file.read_text())
    kept.chmod(0o600)
    cluster.token_file.write_text("0" * 63 + "1")
    assert play(inventory, "rotate_ray_token.yml")[0] == 0
    assert cluster.token_file.read_text() == "0" * 63 + "1"
    assert sorted(cluster.nodes()) == sorted(map(node_address, nodes))
    assert not kept.exists()


def test_provision_finds_nothing_to_do_afterwards(inventory: Path) -> None:
    status, said = ended(start(inventory, "provision.yml"))
    assert (status, changes(said)) == (0, {})
