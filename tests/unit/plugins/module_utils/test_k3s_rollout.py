"""Claims about k3s_rollout: when an object is ready, and what is said of one that is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import ObjectRef
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_rollout import (
    explain_pods,
    find_item,
    pods_of,
    waits_for,
)


def item(kind: str, spec: Any = None, status: Any = None, generation: int = 1) -> dict[str, Any]:
    versions = {"Job": "batch/v1", "Pod": "v1", "ConfigMap": "v1"}
    versions["CustomResourceDefinition"] = "apiextensions.k8s.io/v1"
    return {
        "apiVersion": versions.get(kind, "apps/v1"),
        "kind": kind,
        "metadata": {"name": "x", "namespace": "team", "generation": generation},
        "spec": spec or {},
        "status": status or {},
    }


def deployment(generation: int = 1, **status: Any) -> dict[str, Any]:
    return item("Deployment", {"replicas": 2}, {"observedGeneration": 1, **status}, generation)


def daemon(**status: Any) -> dict[str, Any]:
    return item("DaemonSet", {}, status)


def stateful(**status: Any) -> dict[str, Any]:
    return item("StatefulSet", {"replicas": 3}, {"observedGeneration": 1, **status})


def job(*conditions: dict[str, str]) -> dict[str, Any]:
    return item("Job", {}, {"conditions": list(conditions)})


TWO = {"replicas": 2, "updatedReplicas": 2}
ON_THREE = {"observedGeneration": 1, "desiredNumberScheduled": 3}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(deployment(**TWO, availableReplicas=2), "", id="deployment"),
        pytest.param(deployment(), "0 of 2 pods are updated", id="deployment-begins"),
        pytest.param(deployment(**TWO), "0 of 2 pods are available", id="deployment-starts"),
        pytest.param(
            deployment(replicas=3, updatedReplicas=2, availableReplicas=3),
            "1 old pods are still there",
            id="deployment-replaces",
        ),
        pytest.param(
            deployment(2, **TWO, availableReplicas=2),
            "its change has not been noticed yet",
            id="deployment-of-before",
        ),
        pytest.param(
            item("Deployment", {"replicas": 0}, {"observedGeneration": 1}), "", id="scaled-to-none"
        ),
        pytest.param(daemon(), "its change has not been noticed yet", id="daemon-fresh"),
        pytest.param(
            daemon(observedGeneration=1, desiredNumberScheduled=0), "", id="daemon-of-no-node"
        ),
        pytest.param(
            daemon(**ON_THREE, updatedNumberScheduled=3, numberAvailable=2),
            "available on 2 of 3 nodes",
            id="daemon-on-two",
        ),
        pytest.param(
            daemon(**ON_THREE, updatedNumberScheduled=1, numberAvailable=3),
            "1 of 3 nodes are updated",
            id="daemon-replaces",
        ),
        pytest.param(
            daemon(**ON_THREE, updatedNumberScheduled=3, numberAvailable=3), "", id="daemon"
        ),
        pytest.param(stateful(readyReplicas=1), "1 of 3 pods are ready", id="stateful-begins"),
        pytest.param(
            stateful(readyReplicas=3, updatedReplicas=1, updateRevision="b", currentRevision="a"),
            "1 of 3 pods are updated",
            id="stateful-replaces",
        ),
        pytest.param(stateful(readyReplicas=3), "", id="stateful"),
        pytest.param(job(), "the job has not ended", id="job-runs"),
        pytest.param(job({"type": "Complete", "status": "True"}), "", id="job"),
        pytest.param(
            job({"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}),
            "the job failed: BackoffLimitExceeded",
            id="job-failed",
        ),
        pytest.param(
            item("Pod", {}, {"phase": "Pending"}), "the pod is Pending, not ready", id="pod-waits"
        ),
        pytest.param(item("Pod", {}, {"phase": "Succeeded"}), "", id="pod-ended-well"),
        pytest.param(
            item("CustomResourceDefinition"), "not established yet", id="definition-begins"
        ),
        pytest.param(item("ConfigMap"), "", id="only-has-to-exist"),
        pytest.param({"kind": "Deployment"}, "", id="no-group-so-not-ours-to-judge"),
        pytest.param(
            {"apiVersion": "apps/v1", "kind": "Deployment", "spec": [], "status": "?"},
            "0 of 1 pods are updated",
            id="garbage",
        ),
    ],
)
def test_what_an_object_waits_for(found: dict[str, Any], expected: str) -> None:
    assert waits_for(found) == expected


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"nodeName": "n2"},
        "status": {"phase": "Pending", **status},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"name": "main", "state": {"waiting": {"reason": reason, "message": message}}}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(
            [pod("a", containerStatuses=[waiting("ImagePullBackOff", "no such image")])],
            "pod a on n2: container main waits: ImagePullBackOff (no such image)",
            id="image",
        ),
        pytest.param(
            [
                pod(
                    "a",
                    containerStatuses=[
                        {
                            **waiting("CrashLoopBackOff"),
                            "lastState": {"terminated": {"exitCode": 3}},
                        }
                    ],
                )
            ],
            "pod a on n2: container main waits: CrashLoopBackOff, it ended with status 3 the last "
            "time",
            id="crash",
        ),
        pytest.param(
            [
                pod(
                    "a",
                    conditions=[
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "message": "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
                        }
                    ],
                )
            ],
            "pod a on n2: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
            id="no-room",
        ),
        pytest.param(
            [pod("a", containerStatuses=[waiting("ContainerCreating")])],
            "pod a on n2: Pending",
            id="only-starting",
        ),
        pytest.param([pod("a", phase="Succeeded")], "", id="ended"),
        pytest.param([], "", id="none"),
        pytest.param(
            [pod(name) for name in "abcde"],
            "pod a on n2 and 4 more: Pending",
            id="many-of-one-reason",
        ),
        pytest.param(
            [pod(each, containerStatuses=[waiting(f"Reason{each}")]) for each in "abcd"],
            "pod a on n2: container main waits: Reasona; pod b on n2: container main waits: "
            "Reasonb; pod c on n2: container main waits: Reasonc; and 1 other reasons",
            id="many-reasons",
        ),
        pytest.param(
            [pod("a", containerStatuses="?", initContainerStatuses=[None])],
            "pod a on n2: Pending",
            id="garbage",
        ),
    ],
)
def test_why_pods_are_not_ready(found: list[dict[str, Any]], expected: str) -> None:
    assert explain_pods(found) == expected


def test_an_object_has_the_pods_that_its_selector_chooses() -> None:
    web = item("Deployment", {"selector": {"matchLabels": {"app": "web"}}})
    other = {**pod("b"), "metadata": {"name": "b", "labels": {"app": "db"}}}
    assert [each["metadata"]["name"] for each in pods_of(web, [pod("a"), other])] == ["a"]


def test_an_object_without_a_selector_has_no_pods() -> None:
    assert pods_of(item("ConfigMap"), [pod("a")]) == []


@pytest.mark.parametrize(
    ("namespace", "wanted", "found"),
    [
        pytest.param("team", "team", True, id="the-same"),
        pytest.param("team", "other", False, id="another-namespace"),
        pytest.param("", "team", True, id="lives-in-none"),
        pytest.param("default", "", True, id="default-not-written"),
        pytest.param("team", "", False, id="elsewhere"),
    ],
)
def test_an_object_is_found_by_its_namespace(namespace: str, wanted: str, found: bool) -> None:
    seen = item("Deployment")
    seen["metadata"]["namespace"] = namespace
    ref = ObjectRef("apps/v1beta2", "Deployment", wanted, "x")
    assert (find_item([seen], ref) is not None) is found
