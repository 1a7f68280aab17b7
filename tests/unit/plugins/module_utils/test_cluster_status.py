# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status.yml makes of the nodes' and the head's answers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_status import (
    cluster_status,
    node_status,
    render,
)

PROBE = {"reachable": True, "ansible_facts": {"gpu_cluster": {"node_address": "198.19.1.12"}}}
AWAY = {"reachable": False, "findings": [{"message": "node2 did not answer.", "seen": "timed out"}]}
UNIT = {"unit_state": "active", "version": "2.60.0", "restarts": 1}
ALIVE = {"address": "198.19.1.12", "state": "ALIVE", "resources": {"CPU": 2.0, "memory": 2.0**33}}
DEAD = {"address": "198.19.1.12", "state": "DEAD", "resources": {}}
HEAD: dict[str, Any] = {
    "reachable": True,
    "version": "2.60.0",
    "nodes": [DEAD, ALIVE],
    "unfinished_jobs": [],
}


@pytest.mark.parametrize(
    ("probe", "unit", "head", "state", "reason"),
    [
        pytest.param(PROBE, UNIT, HEAD, "alive", "", id="alive-after-an-earlier-death"),
        pytest.param(
            AWAY, {}, HEAD, "unreachable", "node2 did not answer. timed out", id="unreachable"
        ),
        pytest.param({}, {}, HEAD, "unreachable", "the node was not asked", id="outside-the-limit"),
        pytest.param(
            PROBE, {"unit_state": "missing"}, HEAD, "not-installed", "run provision.yml", id="new"
        ),
        pytest.param(
            PROBE,
            {"unit_state": "failed"},
            HEAD,
            "stopped",
            "ray.service is failed; see 'journalctl --unit ray.service' there",
            id="failed-unit",
        ),
        pytest.param(
            PROBE,
            UNIT,
            {"reachable": True, "nodes": [DEAD]},
            "not-joined",
            "ray.service runs, but the head does not see the node",
            id="dead-at-the-head",
        ),
        pytest.param(
            PROBE,
            {"msg": "sudo: a password is required"},
            HEAD,
            "unknown",
            "sudo: a password is required",
            id="unit-not-readable",
        ),
    ],
)
def test_a_nodes_state_and_its_reason(
    probe: dict[str, Any], unit: dict[str, Any], head: dict[str, Any], state: str, reason: str
) -> None:
    node = node_status("node2", "worker", probe, unit, head)
    assert (node.state, node.reason) == (state, reason)


@pytest.mark.parametrize(
    ("head", "probe", "unit", "state"),
    [
        pytest.param(HEAD, PROBE, UNIT, "running", id="all-alive"),
        pytest.param(HEAD, AWAY, {}, "degraded", id="a-node-is-away"),
        pytest.param({"reachable": False}, PROBE, UNIT, "down", id="head-silent"),
        pytest.param({}, PROBE, {"unit_state": "missing"}, "absent", id="nothing-installed"),
    ],
)
def test_the_clusters_state(
    head: dict[str, Any], probe: dict[str, Any], unit: dict[str, Any], state: str
) -> None:
    node = node_status("node2", "worker", probe, unit, head)
    assert cluster_status("lab", "http://198.19.1.11:8265", head, [node]).state == state


def test_the_table_names_what_is_wrong_and_what_runs() -> None:
    head = {**HEAD, "unfinished_jobs": [{"job_id": "j1", "status": "RUNNING", "entrypoint": "x"}]}
    nodes = [
        node_status("node2", "worker", PROBE, UNIT, head),
        node_status("node3", "worker", AWAY, {}, head),
    ]
    assert render(cluster_status("lab", "http://198.19.1.11:8265", head, nodes)) == (
        "Cluster lab: degraded, 1 of 2 nodes alive, Ray 2.60.0\n"
        "Dashboard: http://198.19.1.11:8265\n"
        "\n"
        "NODE   ROLE    ADDRESS      STATE        RAY     CPU  GPU  MEMORY   RESTARTS\n"
        "node2  worker  198.19.1.12  alive        2.60.0  2    -    8.0 GiB  1\n"
        "node3  worker  -            unreachable  -       -    -    -        0\n"
        "\n"
        "Not alive, because:\n"
        "  node3: node2 did not answer. timed out\n"
        "\n"
        "Jobs that have not ended: 1\n"
        "  j1  RUNNING  x"
    )


def test_a_silent_head_has_no_dashboard_and_says_why() -> None:
    node = node_status("node2", "worker", PROBE, UNIT, {"reachable": False})
    status = cluster_status(
        "lab", "http://198.19.1.11:8265", {"reachable": False, "error": "refused"}, [node]
    )
    assert status.to_dict()["dashboard"] is None
    assert "The head does not answer: refused" in render(status)
