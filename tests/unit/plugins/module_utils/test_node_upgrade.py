# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what an upgrade of a node is said to change."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_upgrade import (
    node_upgrade,
)

DRIVER = {"found": "580.95.05", "wanted": "580.105.08", "refusal": ""}
DOCKER = {
    "packages": [
        {"name": "docker-ce", "found": "5:28.1.0-1", "wanted": "5:28.2.2-1", "held": ""},
        {"name": "docker-ce-cli", "found": "1", "wanted": "2", "held": "held by its owner"},
    ]
}


def texts(result: dict[str, Any], kind: str = "rows") -> list[str]:
    """Return what is shown."""
    return [row["text"] for row in result[kind]]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param(
            {"__nvidia_offer": DRIVER},
            "n1: NVIDIA driver 580.95.05 to 580.105.08 (kernel module exchanged; booted only "
            "where the old one stays in use)",
            id="driver",
        ),
        pytest.param(
            {"__docker_offer": DOCKER, "__docker_seen": {"running": ["db"], "live_restore": True}},
            "n1: Docker Engine 28.1.0 to 28.2.2 (containers go on (live-restore): db; ray.service "
            "and what requires docker.service stop with it)",
            id="docker-with-live-restore",
        ),
        pytest.param(
            {"__docker_offer": DOCKER, "__docker_seen": {"running": ["db"], "live_restore": False}},
            "n1: Docker Engine 28.1.0 to 28.2.2 (stops containers: db; ray.service and what "
            "requires docker.service stop with it)",
            id="docker-without-live-restore",
        ),
        pytest.param(
            {
                "__os_base_offer": {
                    "due": ["a", "b", "c", "d", "e"],
                    "packages": [{"name": "docker.io", "held": "held by docker"}],
                }
            },
            "n1: packages 5 older to newest (a, b, c, d and 1 more; held: docker.io)",
            id="packages",
        ),
        pytest.param(
            {
                "__rocm_forecast": {"rocm_version": "7.2.1", "driver_version": "30.30.1"},
                "__rocm_due": {"outdated": ["amdgpu-dkms"]},
            },
            "n1: ROCm and AMD driver older to ROCm 7.2.1, driver 30.30.1 (amdgpu-dkms)",
            id="rocm",
        ),
        pytest.param(
            {"__upgrade_record": {"begun": True, "began": "today"}},
            "n1: node half-way to back in the cluster (begun at today and not finished)",
            id="half-way",
        ),
    ],
)
def test_each_change_is_a_row(variables: dict[str, Any], expected: str) -> None:
    result = node_upgrade({"inventory_hostname": "n1", **variables})
    assert (texts(result), result["refusals"], result["due"]) == ([expected], [], True)


def test_a_node_that_has_what_is_wanted_is_not_due() -> None:
    same = {"found": "580.105.08", "wanted": "580.105.08", "refusal": ""}
    variables = {"inventory_hostname": "n1", "__nvidia_offer": same, "__docker_offer": {}}
    assert node_upgrade(variables) == {"rows": [], "refusals": [], "due": False}


@pytest.mark.parametrize(
    ("name", "result"),
    [
        pytest.param(
            "__nvidia_offer", {"found": "590", "wanted": "580", "refusal": "older"}, id="driver"
        ),
        pytest.param(
            "__rocm_forecast", {"findings": [{"message": "ROCm 7.2.1 is installed"}]}, id="rocm"
        ),
    ],
)
def test_a_downgrade_is_a_refusal_and_no_row(name: str, result: dict[str, Any]) -> None:
    found = node_upgrade({"inventory_hostname": "n1", name: result})
    assert (found["rows"], found["due"], len(found["refusals"])) == ([], False, 1)


def test_nodes_that_others_depend_on_come_later() -> None:
    variables = {"inventory_hostname": "n1", "__nvidia_offer": DRIVER}
    order = [node_upgrade(variables, alone=alone)["rows"][0]["order"] for alone in (False, True)]
    assert order[0] < order[1]


def test_a_boot_that_is_asked_for_is_announced() -> None:
    variables = {"inventory_hostname": "n1", "__nvidia_offer": DRIVER}
    assert ", with a boot" in texts(node_upgrade(variables, boots=True))[0]
