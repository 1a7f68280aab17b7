# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ray comes to nodes that run k3s, and each keeps off the other's ports.

The inventory keeps Ray's groups from here on, so that the removal takes both away.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.playbooks import changes, ended, provision, start
from tests.testinfra.ray_cluster import Cluster, node_address

RAY = "\n[ray_head]\nmol-k3s-n1\n\n[ray_worker]\nmol-k3s-n2\n"
SHARED = ["server-and-head", "agent-and-worker"]
UNITS = ("k3s", "k3s-agent")
#: k3s documentation, Requirements: Networking; and what kubelet and its parts keep to themselves.
PORTS_OF_K3S = {6443, 6444, 10010, *range(10248, 10261), *range(30000, 32768)}


def processes(nodes: list[Any]) -> list[str]:
    """Return the main processes of k3s and of Ray on the nodes that have both."""
    return [
        node.check_output(f"systemctl show --property=MainPID --value {unit} ray")
        for node, unit in zip(nodes[:2], UNITS, strict=True)
    ]


def held_by(node: Any, names: set[str]) -> set[int]:
    """Return the TCP ports on which processes of these names listen."""
    rows = [line.split() for line in node.check_output("ss -Hltnp").splitlines()]
    return {
        int(row[3].rpartition(":")[2])
        for row in rows
        if row[-1].startswith("users:")
        and {name.strip('"') for name in re.findall(r'"[^"]+"', row[-1])} & names
    }


@pytest.fixture(scope="module")
def shared(inventory: Path, nodes: list[Any]) -> tuple[int, list[str], list[str]]:
    """How provision.yml ended with Ray's groups, and the processes of k3s before and after."""
    command = "systemctl show --property=MainPID --value"
    pairs = list(zip(nodes[:2], UNITS, strict=True))
    before = [node.check_output(f"{command} {unit}") for node, unit in pairs]
    inventory.write_text(inventory.read_text() + RAY)
    code, _said = provision(inventory)
    return code, before, [node.check_output(f"{command} {unit}") for node, unit in pairs]


def test_ray_joins_nodes_of_k3s_without_a_restart_of_k3s(
    shared: tuple[int, list[str], list[str]], cluster: Cluster, nodes: list[Any]
) -> None:
    code, before, after = shared
    assert code == 0
    assert sorted(cluster.nodes()) == [node_address(node) for node in nodes[:2]]
    assert after == before


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("number", [0, 1], ids=SHARED)
def test_rays_workers_may_take_no_port_of_k3s(nodes: list[Any], number: int) -> None:
    said = nodes[number].check_output("ps -ww -C raylet -o args=")
    first, last = (
        int(re.findall(rf"--{side}_worker_port=(\d+)", said)[0]) for side in ("min", "max")
    )
    assert first < last
    assert PORTS_OF_K3S.isdisjoint(range(first, last + 1))


@pytest.mark.usefixtures("shared")
def test_k3s_gets_its_ports_back_beside_a_running_ray(cluster: Cluster, nodes: list[Any]) -> None:
    for node, unit in zip(nodes[:2], UNITS, strict=True):
        node.check_output(f"systemctl restart {unit}")
        assert node.service(unit).is_running
    done = cluster.submit("--token-file", str(cluster.token_file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 nodes answered" in done.stdout
    for node in nodes[:2]:
        rays = held_by(node, {"raylet", "gcs_server"})
        assert rays
        assert rays & PORTS_OF_K3S == set()


@pytest.mark.usefixtures("shared")
def test_the_second_run_on_both_changes_and_restarts_nothing(
    inventory: Path, nodes: list[Any]
) -> None:
    before = processes(nodes)
    code, said = provision(inventory)
    assert code == 0
    assert changes(said) == {}
    assert processes(nodes) == before


@pytest.mark.usefixtures("shared")
def test_status_shows_both(inventory: Path) -> None:
    code, said = ended(start(inventory, "status.yml"))
    assert code == 0
    assert "Cluster mol-k3s: Running, healthy" in said
    assert "Ray cluster mol-k3s: running, 2 of 2 nodes alive" in said
    assert "k3s cluster mol-k3s: running, 3 of 3 nodes ready" in said
