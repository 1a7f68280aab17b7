# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster on one lab, whose life the tests follow from file to file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.testinfra.lifecycle.support import Cluster, Played, cluster_of
from tests.testinfra.node_snapshot import Snapshot


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The lab's nodes with an inventory in which each is reached in its own way."""
    return cluster_of(os.environ.get("LIFECYCLE_LAB", "mol-lifecycle"))


@pytest.fixture(scope="session")
def before(cluster: Cluster) -> dict[str, Snapshot]:
    """How every node stood before anything was done to it; asked for first by test_1.

    Some units run at a machine's very first boot only. Nodes are switched off in later tests, so
    they are at their second boot here already.
    """
    for node in cluster.names:
        with cluster.powered_off(node):
            pass
    return cluster.snapshots()


@pytest.fixture(scope="session")
def canary(cluster: Cluster) -> str:
    """A token that is known to the tests, laid where the collection would have generated one."""
    token = secrets.token_hex(32)
    cluster.token.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    cluster.token.touch(mode=0o600)
    cluster.token.write_text(token)
    return token


@pytest.fixture
def scratch(cluster: Cluster, request: pytest.FixtureRequest) -> Path:
    """A directory for what a test writes, beside the inventory; it goes with the lab."""
    path: Path = cluster.directory / "scratch" / request.node.name
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="session")
def predicted(cluster: Cluster, before: dict[str, Snapshot]) -> Played:
    """What check mode says about the first provision of fresh nodes."""
    assert sorted(before) == cluster.names
    return cluster.play("provision.yml", "--check")
