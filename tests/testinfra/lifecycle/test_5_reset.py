# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end: a reset with a node down, its completion, and what is left, which is nothing."""

from __future__ import annotations

from tests.testinfra.lifecycle.support import Cluster, quiet
from tests.testinfra.node_snapshot import Snapshot


def test_reset_with_a_node_down_says_which_is_left(cluster: Cluster) -> None:
    with cluster.powered_off("node3"):
        partial = cluster.play("reset.yml")
        assert partial.rc == 4
        assert "Not reset, because they did not answer: node3." in partial.prose
        assert "reset.yml --limit node3" in partial.prose
        recap = partial.recap
        assert {name: recap[name]["failed"] for name in cluster.names} == {"node1": 0, "node2": 0, "node3": 0}
        assert {name: recap[name]["unreachable"] for name in cluster.names} == {"node1": 0, "node2": 0, "node3": 1}
        for name in ("node1", "node2"):
            assert cluster.run(name, "systemctl show --value --property LoadState ray") == "not-found\n"


def test_the_next_reset_takes_the_node_that_was_left(cluster: Cluster) -> None:
    assert cluster.run("node3", "systemctl show --value --property LoadState ray") == "loaded\n"
    rest = cluster.play("reset.yml")
    assert rest.rc == 0
    assert {name: rest.changed[name] > 0 for name in cluster.names} == {"node1": False, "node2": False, "node3": True}


def test_nothing_is_left_and_nothing_is_missing(cluster: Cluster, before: dict[str, Snapshot]) -> None:
    assert cluster.differences(before) == []


def test_one_more_reset_changes_nothing(cluster: Cluster) -> None:
    again = cluster.play("reset.yml")
    assert quiet(again, cluster.names), again.recap
