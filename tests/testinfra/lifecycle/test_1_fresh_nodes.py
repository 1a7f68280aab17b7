# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fresh nodes: what check mode says, and how a node that was left half way is taken back.

The files of this directory follow one cluster from its first day to its last, in their order.
"""

from __future__ import annotations

from tests.testinfra.lifecycle.support import Cluster, Played, Running
from tests.testinfra.node_snapshot import Snapshot

HALF_WAY = "rackforge.gpu_cluster.ray : service | Describe Ray to systemd"


def test_each_node_is_reached_in_a_way_of_its_own(cluster: Cluster) -> None:
    text = cluster.inventory.read_text()
    hosts = {line.split()[0]: line for line in text.splitlines() if line.startswith("node")}
    assert "ansible_user" not in hosts["node1"]
    assert "ansible_user=ops ansible_port=2222" in hosts["node2"]
    assert "ansible_host=127.0.0.1" in hosts["node3"]
    assert "ansible_become_password=" in hosts["node3"]
    assert cluster.attempt("node2", "su ops -c 'sudo -n id -u'").stdout == "0\n"
    assert cluster.attempt("node3", "su alice -c 'sudo -n id -u'").returncode != 0


def test_check_mode_passes_and_changes_nothing(
    cluster: Cluster, before: dict[str, Snapshot], predicted: Played
) -> None:
    assert predicted.rc == 0
    assert all(count > 0 for count in predicted.changed.values())
    assert sorted(predicted.changed) == ["node1", "node2", "node3"]
    assert cluster.differences(before) == []


def test_half_provisioned_nodes_are_reset(cluster: Cluster, before: dict[str, Snapshot]) -> None:
    def kill_half_way(task: str, run: Running) -> None:
        if task == HALF_WAY:
            run.kill()

    half = cluster.start("provision.yml", on_task=kill_half_way).finish()
    assert half.rc == -9
    assert cluster.run("node1", "ls -d /opt/ray/2.60.0") == "/opt/ray/2.60.0\n"
    assert cluster.play("reset.yml").rc == 0
    assert cluster.differences(before) == []
