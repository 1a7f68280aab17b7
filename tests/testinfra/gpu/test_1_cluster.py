# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster makes of a node with two GPUs that the lab simulates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.testinfra.gpu.support import Desk, run_job
from tests.testinfra.ray_cluster import Cluster, node_address

LABEL = "ray.io/accelerator-type"


def test_ray_offers_the_gpus_of_the_node_that_has_them(
    cluster: Cluster, head: Any, worker: Any
) -> None:
    nodes = cluster.nodes()
    assert nodes[node_address(worker)]["resources_total"]["GPU"] == 2.0
    assert "GPU" not in nodes[node_address(head)]["resources_total"]


def test_ray_found_their_model_by_itself(cluster: Cluster, worker: Any) -> None:
    row = cluster.nodes()[node_address(worker)]
    assert row["labels"][LABEL] == "H100"
    assert row["resources_total"]["accelerator_type:H100"] == 1.0


def test_container_of_ray_has_both_devices_and_the_library(worker: Any) -> None:
    listed = worker.check_output("docker exec ray nvidia-smi -L")
    assert [line.split(":")[0] for line in listed.splitlines()] == ["GPU 0", "GPU 1"]


def test_container_of_ray_is_not_root_for_that(worker: Any) -> None:
    assert worker.check_output("docker exec ray id --user") == "1000"


def test_task_that_asks_for_a_gpu_lands_there_and_sees_one(cluster: Cluster) -> None:
    done = run_job(cluster, "gpu.py")
    asked, named = done.stdout.splitlines()[:2]
    assert done.returncode == 0, done.stdout
    seen = {line.split(" of ")[0] for line in (asked, named)}
    assert seen <= {"node2 sees device 0", "node2 sees device 1"}


def test_status_shows_the_gpus_by_node_and_model(desk: Desk, tmp_path: Path) -> None:
    status = desk.status(tmp_path)
    head, worker = status["ray"]["nodes"]
    assert (status["state"], status["ray"]["state"]) == ("Running", "running")
    assert head["gpus"] is None
    assert worker["gpus"] == {
        "count": 2,
        "usable": 2,
        "offered": 2,
        "models": {"NVIDIA H100 80GB HBM3": 2},
        "text": "2 x H100",
        "problem": "",
    }


def test_status_shows_them_to_people(desk: Desk) -> None:
    line = next(line for line in desk.play("status").stdout.splitlines() if "worker" in line)
    assert "2 x H100" in line
