# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from tests.testinfra.ray_cluster import Cluster, listeners, node_address

EVERYWHERE = {"0.0.0.0"}  # noqa: S104 (Ray's own choice for these; the token guards them)
HEAD_PORTS = (6379, 8265, 10001, 44217, 44227)
NODE_PORTS = (8076, 8077, 8078, 52365, 54311, 56999)


def test_every_node_is_in_the_cluster(cluster: Cluster, nodes: list[Any]) -> None:
    assert sorted(cluster.nodes()) == [node_address(node) for node in nodes]


@pytest.mark.parametrize("number", [0, 1], ids=["head", "worker"])
def test_unit_runs_and_comes_back_after_a_boot(nodes: list[Any], number: int) -> None:
    assert nodes[number].service("ray").is_running
    assert nodes[number].service("ray").is_enabled


@pytest.mark.parametrize("number", [0, 1], ids=["head", "worker"])
def test_running_container_has_the_pinned_version(nodes: list[Any], number: int) -> None:
    said = nodes[number].check_output("docker exec ray ray --version")
    assert said == "ray, version 2.60.0"


@pytest.mark.parametrize("number", [0, 1], ids=["head", "worker"])
def test_ray_is_not_root_in_its_container(nodes: list[Any], number: int) -> None:
    assert nodes[number].check_output("docker exec ray id --user") == "1000"


@pytest.mark.parametrize("port", HEAD_PORTS + NODE_PORTS)
def test_head_listens(head: Any, port: int) -> None:
    assert listeners(head).get(port, set()) & {*EVERYWHERE, node_address(head)}


@pytest.mark.parametrize("port", NODE_PORTS)
def test_worker_listens(worker: Any, port: int) -> None:
    assert listeners(worker).get(port, set()) & {*EVERYWHERE, node_address(worker)}


@pytest.mark.parametrize("port", HEAD_PORTS)
def test_worker_has_nothing_of_the_head(worker: Any, port: int) -> None:
    assert port not in listeners(worker)


def test_dashboard_is_on_the_node_address_only(head: Any) -> None:
    assert listeners(head)[8265] == {node_address(head)}


@pytest.mark.parametrize("number", [0, 1], ids=["head", "worker"])
def test_token_is_for_root_only(nodes: list[Any], number: int) -> None:
    node = nodes[number]
    assert node.check_output("stat -c '%a %U:%G' /etc/ray/auth_token") == "600 root:root"
    assert node.run("runuser -u ops -- cat /etc/ray/auth_token").rc != 0
    assert node.run("runuser -u ops -- cat /run/ray/auth_token").rc != 0


def test_token_on_the_control_node_is_for_its_owner_only(cluster: Cluster) -> None:
    assert cluster.token_file.stat().st_mode & 0o777 == 0o600
    assert cluster.token_file.parent.stat().st_mode & 0o777 == 0o700


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


@pytest.mark.parametrize("token", ["", "0" * 64], ids=["none", "another-cluster's"])
def test_api_refuses_another_token(cluster: Cluster, token: str) -> None:
    assert cluster.refusal("/api/v0/nodes", token) in (401, 403)


def test_head_loaded_its_image_from_the_archive(head: Any) -> None:
    images = head.check_output("docker image ls --format '{{.Repository}}:{{.Tag}}'").split()
    assert images == ["rackforge-lab/ray:2.60.0"]


def test_worker_pulled_its_image_from_the_registry_once(worker: Any) -> None:
    images = worker.check_output("docker image ls --format '{{.Repository}}:{{.Tag}}'").split()
    assert images == ["127.0.0.1:5000/rackforge-lab/ray:2.60.0"]
    requests = worker.check_output("journalctl --unit stand-in-image-registry --output cat")
    fetched = [line.split()[6] for line in requests.splitlines() if '"GET /v2/rackf' in line]
    assert [path for path in fetched if "/blobs/" in path] != []
    assert len(fetched) == len(set(fetched))
