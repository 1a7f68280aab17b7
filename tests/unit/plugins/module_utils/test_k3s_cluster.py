"""Claims about a Kubernetes cluster as its API shows it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import (
    evictable,
    parse_nodes,
    parse_waiting_pods,
)

from tests.unit.plugins.module_utils.k3s_objects import api_node, api_pod


def test_a_node_is_read_whole() -> None:
    item = api_node(
        "gpu1",
        roles=("master", "control-plane"),
        labels={"registry": "yes"},
        taints=[
            {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
            {"key": "alone", "effect": "NoExecute"},
        ],
        unschedulable=True,
        gpus={"nvidia.com/gpu": "2", "amd.com/gpu": "0", "hugepages-2Mi": "0"},
        capacity={"nvidia.com/gpu": "4"},
    )
    (node,) = parse_nodes([item])
    assert (node.name, node.ready, node.reasons) == ("gpu1", True, ())
    assert node.roles == ("control-plane", "master")
    assert (node.version, node.address) == ("v1.33.5+k3s1", "198.19.1.11")
    assert node.labels["registry"] == "yes"
    assert node.taints == ("dedicated=gpu:NoSchedule", "alone:NoExecute")
    assert node.unschedulable is True
    assert node.gpus == {"nvidia.com/gpu": 2, "amd.com/gpu": 0}
    assert node.capacity_gpus == {"nvidia.com/gpu": 4}


@pytest.mark.parametrize(
    ("item", "ready", "reasons"),
    [
        pytest.param(
            api_node("a", ready="Unknown", disk="Unknown"),
            False,
            ("Ready is Unknown: NodeStatusUnknown Kubelet stopped posting node status.",),
            id="silent-kubelet",
        ),
        pytest.param(api_node("a", disk="True"), True, ("DiskPressure: KubeletHas",), id="disk"),
        pytest.param(
            api_node("a", conditions=[]),
            False,
            ("its kubelet has not reported yet",),
            id="no-report",
        ),
        pytest.param(
            {"metadata": {"name": "a"}},
            False,
            ("its kubelet has not reported yet",),
            id="only-a-name",
        ),
    ],
)
def test_a_node_that_is_in_trouble_says_why(
    item: dict[str, Any], ready: bool, reasons: tuple[str, ...]
) -> None:
    (node,) = parse_nodes([item])
    assert (node.ready, node.reasons) == (ready, reasons)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(None, id="null"),
        pytest.param([], id="list"),
        pytest.param({"metadata": None}, id="no-metadata"),
        pytest.param({"metadata": {"name": ""}}, id="no-name"),
    ],
)
def test_what_is_no_object_is_left_out(item: Any) -> None:
    assert parse_nodes([item]) == []
    assert parse_waiting_pods([item]) == []
    assert evictable([item]) == []


@pytest.mark.parametrize(
    "garbage",
    [
        {"metadata": {"name": "a", "labels": 3}, "spec": 4, "status": {"conditions": {"x": 1}}},
        {"metadata": {"name": "a"}, "spec": {"taints": "x"}, "status": {"addresses": [None]}},
        {"metadata": {"name": "a"}, "status": {"allocatable": {"nvidia.com/gpu": "two"}}},
    ],
    ids=["wrong-types", "broken-lists", "words-for-numbers"],
)
def test_garbage_in_an_object_is_unknown_and_no_traceback(garbage: dict[str, Any]) -> None:
    (node,) = parse_nodes([garbage])
    assert (node.ready, node.gpus, node.taints, node.address) == (False, {}, (), "")
    assert [pod.phase for pod in parse_waiting_pods([garbage])] == ["Unknown"]


WAITING = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}}


@pytest.mark.parametrize(
    ("pod", "told"),
    [
        pytest.param(
            api_pod("p", phase="Pending", status={"containerStatuses": [WAITING]}),
            ("Pending", "ImagePullBackOff", "Back-off", 0),
            id="image-cannot-be-pulled",
        ),
        pytest.param(
            api_pod(
                "p",
                phase="Pending",
                status={
                    "conditions": [
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "reason": "Unschedulable",
                            "message": "0/3 nodes are available",
                        }
                    ]
                },
            ),
            ("Pending", "Unschedulable", "0/3 nodes are available", 0),
            id="no-node-takes-it",
        ),
        pytest.param(
            api_pod(
                "p",
                ready=False,
                why={"reason": "ContainersNotReady", "message": "containers: [web]"},
                status={"containerStatuses": [{"restartCount": 7, "state": {"running": {}}}]},
            ),
            ("Running", "ContainersNotReady", "containers: [web]", 7),
            id="runs-but-is-not-ready",
        ),
        pytest.param(
            api_pod("p", phase="Failed", status={"reason": "Evicted", "message": "low on disk"}),
            ("Failed", "Evicted", "low on disk", 0),
            id="evicted",
        ),
        pytest.param(
            api_pod("p", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            ("Running", "Terminating", "", 0),
            id="is-going",
        ),
        pytest.param(
            api_pod(
                "p",
                phase="Pending",
                status={
                    "initContainerStatuses": [
                        {
                            "restartCount": 2,
                            "state": {"terminated": {"reason": "Error", "message": "no disk"}},
                        }
                    ],
                    "containerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}],
                },
            ),
            ("Pending", "Error", "no disk", 2),
            id="init-container-fails",
        ),
    ],
)
def test_a_pod_that_is_not_ready_says_why(
    pod: dict[str, Any], told: tuple[str, str, str, int]
) -> None:
    (seen,) = parse_waiting_pods([pod])
    assert (seen.phase, seen.reason, seen.message, seen.restarts) == told


def test_pods_that_are_ready_or_done_are_not_told() -> None:
    assert parse_waiting_pods([api_pod("web"), api_pod("job", phase="Succeeded")]) == []


def test_a_drain_takes_neither_daemons_nor_mirrors_nor_what_is_done() -> None:
    mirror = {"annotations": {"kubernetes.io/config.mirror": "x"}}
    pods = [
        api_pod("web"),
        api_pod("bare", owner="", namespace="lab"),
        api_pod("proxy", owner="DaemonSet"),
        api_pod("static", owner="Node", metadata=mirror),
        api_pod("job", phase="Succeeded", owner="Job"),
    ]
    assert evictable(pods) == ["default/web", "lab/bare"]
