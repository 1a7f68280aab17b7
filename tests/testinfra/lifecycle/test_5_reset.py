# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end: a reset with a node down, its completion, and what is left, which is nothing."""

from __future__ import annotations

from tests.testinfra.lifecycle.support import Cluster, quiet
from tests.testinfra.node_snapshot import Snapshot


def ray_unit(cluster: Cluster, node: str) -> str:
    """Return whether a node's systemd knows Ray: loaded or not-found."""
    return cluster.run(node, "systemctl show --value --property LoadState ray").strip()


def test_reset_with_a_node_down_says_which_is_left(cluster: Cluster) -> None:
    with cluster.powered_off("node3"):
        partial = cluster.play("reset.yml")
        assert partial.rc == 4
        assert "Not reset, because they did not answer: node3." in partial.prose
        assert "reset.yml --limit node3" in partial.prose
        assert partial.lost == {"node3"}
        assert [ray_unit(cluster, name) for name in ("node1", "node2")] == ["not-found"] * 2


def test_the_next_reset_takes_the_node_that_was_left(cluster: Cluster) -> None:
    assert ray_unit(cluster, "node3") == "loaded"
    rest = cluster.play("reset.yml")
    assert rest.rc == 0
    assert {name for name in cluster.names if rest.changed[name] > 0} == {"node3"}


def test_nothing_is_left_and_nothing_is_missing(
    cluster: Cluster, before: dict[str, Snapshot]
) -> None:
    """Nodes that booted with the cluster lack the old default target until they boot again."""
    left = cluster.differences(before)
    assert [line for line in left if ": units: graphical.target: " not in line] == []


def test_the_next_boot_brings_back_the_old_default_target(
    cluster: Cluster, before: dict[str, Snapshot]
) -> None:
    for node in cluster.names:
        with cluster.powered_off(node):
            pass
    assert cluster.differences(before) == []


def test_one_more_reset_changes_nothing(cluster: Cluster) -> None:
    again = cluster.play("reset.yml")
    assert quiet(again, cluster.names), again.recap
