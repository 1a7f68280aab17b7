# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from tests.testinfra.ray_cluster import Cluster, listeners, node_address, until

# As molecule/ray_venv/group_vars/all.yml moves them.
HEAD_PORTS = (6390, 8300, 8307, 8308, 10901)
NODE_PORTS = (8301, 8302, 8303, 8304, 8305, 8306)
USUAL = {6379, 8265, 44217, 44227, 10001, 8076, 8077, 8078, 52365, 54311, 56999}


def test_every_node_is_in_the_cluster(cluster: Cluster, nodes: list[Any]) -> None:
    assert sorted(cluster.nodes()) == [node_address(node) for node in nodes]


@pytest.mark.parametrize("number", [0, 1], ids=["wheel-folder", "index"])
def test_pinned_version_runs_from_its_own_directory(nodes: list[Any], number: int) -> None:
    assert nodes[number].service("ray").is_running
    assert nodes[number].service("ray").is_enabled
    said = nodes[number].check_output("/opt/ray/2.60.0/bin/ray --version")
    assert said == "ray, version 2.60.0"


@pytest.mark.parametrize("number", [0, 1], ids=["head", "worker"])
def test_ray_runs_as_a_user_without_a_login(nodes: list[Any], number: int) -> None:
    node = nodes[number]
    assert set(node.check_output("ps -o user= -C raylet").split()) == {"ray"}
    assert node.user("ray").shell == "/usr/sbin/nologin"


@pytest.mark.parametrize("port", HEAD_PORTS + NODE_PORTS)
def test_head_listens_on_the_moved_port(head: Any, port: int) -> None:
    assert port in listeners(head)


@pytest.mark.parametrize("port", NODE_PORTS)
def test_worker_listens_on_the_moved_port(worker: Any, port: int) -> None:
    assert port in listeners(worker)


@pytest.mark.parametrize("number", [0, 1], ids=["head", "worker"])
def test_nothing_is_left_on_the_usual_ports(nodes: list[Any], number: int) -> None:
    assert listeners(nodes[number]).keys() & USUAL == set()


def test_moved_ports_are_reserved(worker: Any) -> None:
    reserved = worker.check_output("cat /proc/sys/net/ipv4/ip_local_reserved_ports").split(",")
    assert {"6390", "8300-8308", "21000-22000"} <= set(reserved)


def test_dashboard_is_on_the_node_address_only(head: Any) -> None:
    assert listeners(head)[8300] == {node_address(head)}


@pytest.mark.parametrize("number", [0, 1], ids=["head", "worker"])
def test_token_is_for_root_and_ray_only(nodes: list[Any], number: int) -> None:
    node = nodes[number]
    assert node.check_output("stat -c '%a %U:%G' /etc/ray/auth_token") == "600 root:root"
    assert node.run("runuser -u ops -- cat /etc/ray/auth_token").rc != 0
    assert node.run("runuser -u ops -- cat /run/ray/auth_token").rc != 0


def test_job_runs_on_every_node(cluster: Cluster, nodes: list[Any]) -> None:
    done = cluster.submit("--token-file", str(cluster.token_file))
    head, worker = (node_address(node) for node in nodes)
    assert done.stdout.splitlines()[:3] == [
        f"node1 {head}",
        f"node2 {worker}",
        "2 of 2 nodes answered",
    ]
    assert done.returncode == 0


def test_job_without_the_token_is_refused(cluster: Cluster) -> None:
    done = cluster.submit()
    assert "HTTP Error 401: Unauthorized" in done.stderr
    assert done.returncode == 1


def test_labels_and_resources_are_those_of_the_inventory(cluster: Cluster, worker: Any) -> None:
    seen = cluster.nodes()[node_address(worker)]
    assert {key: seen["labels"][key] for key in ("rack", "disk")} == {"rack": "r7", "disk": "nvme"}
    assert seen["resources_total"]["ssd"] == 3
    assert seen["resources_total"]["CPU"] == 1
    assert seen["resources_total"]["object_store_memory"] == 200 * 1024**2


def test_index_was_asked_for_each_wheel_once(worker: Any) -> None:
    requests = worker.check_output("journalctl --unit stand-in-package-index --output cat")
    wheels = [line.split()[6] for line in requests.splitlines() if ".whl " in line]
    assert any("/ray-2.60.0-" in wheel for wheel in wheels)
    assert len(wheels) == len(set(wheels))


def test_killed_worker_rejoins_without_us(cluster: Cluster, worker: Any) -> None:
    address = node_address(worker)
    before = cluster.nodes()[address]["node_id"]
    worker.check_output("pkill -KILL --exact raylet")

    def rejoined() -> bool:
        node = cluster.nodes().get(address)
        return node is not None and bool(node["node_id"] != before)

    until(rejoined, f"a new Ray at {address}")
    assert worker.service("ray").is_running
