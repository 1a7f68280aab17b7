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
            {"unit_state": "drained", "drained": {"since": "then", "reason": "a fan", "by": ""}},
            HEAD,
            "drained",
            "drained since then: a fan; undrain.yml brings it back",
            id="drained",
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
        "Ray cluster lab: degraded, 1 of 2 nodes alive, Ray 2.60.0\n"
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


def gpu_facts(*errors: str) -> dict[str, Any]:
    """Return what gpu_info answers for H100s, one for each of these errors (empty: it is well)."""
    rows = [
        {"vendor": "nvidia", "index": number, "model": "NVIDIA H100 80GB HBM3", "error": error}
        for number, error in enumerate(errors)
    ]
    stacks = [{"vendor": "nvidia", "error": None}]
    return {"ansible_facts": {"gpu": {"gpus": rows, "vendor": "nvidia", "stacks": stacks}}}


def with_gpus(offered: float) -> dict[str, Any]:
    """Return a head that sees the node with so many GPUs."""
    return {**HEAD, "nodes": [{**ALIVE, "resources": {"CPU": 2.0, "GPU": offered}}]}


@pytest.mark.parametrize(
    ("gpus", "offered", "wanted", "text", "problem"),
    [
        pytest.param(gpu_facts("", ""), 2.0, None, "2 x H100", "", id="all-are-offered"),
        pytest.param(
            gpu_facts("", ""),
            0.0,
            None,
            "2 x H100",
            "Ray offers 0 GPUs, expected 2; run verify.yml, which says why",
            id="ray-offers-none",
        ),
        pytest.param(gpu_facts("", ""), 1.0, "1", "2 x H100", "", id="as-the-owner-wants"),
        pytest.param(
            gpu_facts("", "GPU is lost"),
            1.0,
            None,
            "1 x H100",
            "1 of 2 GPUs on the PCI bus answer their driver (GPU is lost); run verify.yml",
            id="one-does-not-answer",
        ),
        pytest.param(
            {"ansible_facts": {"gpu": {"gpus": [], "vendor": None}}},
            0.0,
            None,
            "0",
            "has_gpu is true, but the PCI bus shows no GPU; run preflight.yml",
            id="none-on-the-bus",
        ),
    ],
)
def test_gpus_are_told_by_model_and_a_difference_with_its_reason(
    gpus: dict[str, Any], offered: float, wanted: str | None, text: str, problem: str
) -> None:
    head = with_gpus(offered)
    node = node_status("node2", "worker", PROBE, UNIT, head, gpus, wanted)
    assert node.gpus is not None
    assert (node.gpus.text, node.gpus.problem) == (text, problem)
    state = cluster_status("lab", None, head, [node]).state
    assert state == ("degraded" if problem else "running")


def test_the_document_has_the_full_models() -> None:
    node = node_status("node2", "worker", PROBE, UNIT, with_gpus(2.0), gpu_facts("", ""))
    document = cluster_status("lab", None, HEAD, [node]).to_dict()
    assert document["nodes"][0]["gpus"] == {
        "count": 2,
        "usable": 2,
        "offered": 2,
        "models": {"NVIDIA H100 80GB HBM3": 2},
        "text": "2 x H100",
        "problem": "",
    }


def test_a_silent_driver_is_quoted() -> None:
    facts = {
        "gpus": [{"vendor": "nvidia", "index": None}],
        "vendor": "nvidia",
        "stacks": [{"vendor": "nvidia", "error": "Driver/library version mismatch"}],
    }
    node = node_status(
        "node2", "worker", PROBE, UNIT, with_gpus(0.0), {"ansible_facts": {"gpu": facts}}
    )
    assert (
        "GPUs that are missing, because:\n"
        "  node2: 0 of 1 GPUs on the PCI bus answer their driver (Driver/library version mismatch);"
        " run verify.yml"
    ) in render(cluster_status("lab", None, HEAD, [node]))


def test_a_node_that_was_not_asked_has_the_number_that_ray_offers() -> None:
    node = node_status("node2", "worker", PROBE, UNIT, with_gpus(3.0), {})
    assert node.gpus is None
    assert "2.60.0  2    3    -" in render(cluster_status("lab", None, HEAD, [node]))
