# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what of the owner's would be lost with a k3s cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_contents import (
    Pod,
    Volume,
    being_deleted,
    claimed_volumes,
    losses,
    owners_pods,
)


def thing(kind: str, name: str, owner: str = "", namespace: str = "default", **more: Any) -> Any:
    """Return an object of the API's; ``owner`` is Kind/name."""
    kind_of, _slash, named = owner.partition("/")
    owners = [{"kind": kind_of, "name": named, "controller": True}] if owner else []
    metadata = {"name": name, "namespace": namespace, "ownerReferences": owners}
    return {"kind": kind, "metadata": {**metadata, **more.pop("metadata", {})}, **more}


def pod(name: str, owner: str = "", namespace: str = "default", phase: str = "Running") -> Any:
    """Return a pod on node n1."""
    spec, status = {"nodeName": "n1"}, {"phase": phase}
    return thing("Pod", name, owner, namespace, spec=spec, status=status)


SET = thing("ReplicaSet", "web-1", "Deployment/web")
CHART = thing(
    "Deployment", "hub", metadata={"annotations": {"meta.helm.sh/release-name": "jupyterhub"}}
)


@pytest.mark.parametrize(
    ("found", "controllers", "ours", "expected"),
    [
        pytest.param(pod("train"), [], [], [Pod("default/train", "n1", False)], id="bare"),
        pytest.param(pod("t", "Job/t"), [], [], [Pod("default/t", "n1", True)], id="made-again"),
        pytest.param(pod("t", phase="Pending"), [], [], [Pod("default/t", "n1")], id="pending"),
        pytest.param(pod("t", phase="Succeeded"), [], [], [], id="done"),
        pytest.param(pod("t", phase="Failed"), [], [], [], id="failed"),
        pytest.param(pod("dns", namespace="kube-system"), [], [], [], id="kubernetes-own"),
        pytest.param(
            pod("w", "ReplicaSet/web-1"),
            [SET],
            [thing("Deployment", "web")],
            [],
            id="of-a-manifest",
        ),
        pytest.param(
            pod("w", "ReplicaSet/web-1"),
            [SET],
            [thing("Deployment", "web", namespace="other")],
            [Pod("default/w", "n1", True)],
            id="same-name-elsewhere",
        ),
        pytest.param(
            pod("h", "ReplicaSet/hub-1"),
            [thing("ReplicaSet", "hub-1", "Deployment/hub"), CHART],
            [thing("HelmChart", "jupyterhub", namespace="kube-system")],
            [],
            id="of-a-chart",
        ),
        pytest.param(
            pod("h", "ReplicaSet/hub-1"),
            [thing("ReplicaSet", "hub-1", "Deployment/hub"), CHART],
            [],
            [Pod("default/h", "n1", True)],
            id="of-the-owners-chart",
        ),
        pytest.param(None, [None], [None], [], id="garbage"),
        pytest.param({"metadata": "x"}, [{}], [[]], [], id="more-garbage"),
    ],
)
def test_pods_of_the_owner_are_told(
    found: Any, controllers: list[Any], ours: list[Any], expected: list[Pod]
) -> None:
    assert owners_pods([found], controllers, ours) == expected


MARKED = {"deletionTimestamp": "2026-01-31T09:00:00Z"}


@pytest.mark.parametrize(
    ("found", "controllers", "expected"),
    [
        pytest.param(pod("train"), [], [], id="bare"),
        pytest.param(thing("Pod", "train", metadata=MARKED), [], ["default/train"], id="marked"),
        pytest.param(pod("w", "ReplicaSet/web-1"), [], ["default/w"], id="its-set-is-gone"),
        pytest.param(
            pod("w", "ReplicaSet/web-1"), [SET], ["default/w"], id="its-deployment-is-gone"
        ),
        pytest.param(
            pod("w", "ReplicaSet/web-1"), [SET, thing("Deployment", "web")], [], id="stays"
        ),
        pytest.param(
            pod("w", "ReplicaSet/web-1"),
            [SET, thing("Deployment", "web", metadata=MARKED)],
            ["default/w"],
            id="its-deployment-is-marked",
        ),
        pytest.param(pod("r", "RayCluster/r"), [], [], id="made-by-who-is-not-known"),
        pytest.param(pod("t", "Job/t", phase="Failed"), [], [], id="ended"),
        pytest.param(pod("d", "ReplicaSet/d", "kube-system"), [], [], id="kubernetes-own"),
        pytest.param(None, [None], [], id="garbage"),
    ],
)
def test_pods_that_go_away_are_known(
    found: Any, controllers: list[Any], expected: list[str]
) -> None:
    assert being_deleted([found], controllers) == expected


def test_a_volume_is_told_with_the_nodes_that_its_data_lies_on() -> None:
    terms = [
        {
            "matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n2"]}
            ]
        }
    ]
    local = {
        "claimRef": {"namespace": "default", "name": "results"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
    }
    shared = {"claimRef": {"namespace": "ml", "name": "data"}, "nfs": {"server": "192.0.2.1"}}
    items = [{"spec": shared}, {"spec": local}, {"spec": {}}, {}, None]
    assert claimed_volumes(items) == [Volume("default/results", ("n2",)), Volume("ml/data")]


PODS = [Pod("a/bare", "n1"), Pod("a/web", "n1", True), Pod("a/far", "n2")]
VOLUMES = [Volume("a/here", ("n1",)), Volume("a/both", ("n1", "n2")), Volume("a/nfs")]


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        pytest.param(
            True, (["a/bare", "a/web", "a/far"], ["a/here", "a/both", "a/nfs"]), id="whole"
        ),
        pytest.param(False, (["a/bare"], ["a/here"]), id="one-node"),
    ],
)
def test_with_a_node_only_that_is_lost_which_is_nowhere_else(
    whole: bool, expected: tuple[list[str], list[str]]
) -> None:
    assert losses(PODS, VOLUMES, ["n1"], whole) == expected
