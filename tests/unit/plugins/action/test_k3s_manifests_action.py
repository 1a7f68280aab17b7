"""Claims about what the control node's half of k3s_manifests tells."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.k3s_manifests import (
    extra_objects,
    put_together,
    too_late,
    waiting_line,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import (
    ManifestError,
)


def row(name: str, reason: str = "", namespace: str = "team") -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "namespace": namespace,
        "name": name,
        "ready": not reason,
        "reason": reason,
    }


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        pytest.param(
            [row("a"), row("b", "0 of 1 pods are available"), row("c", "missing")],
            "1 of 3 ready; Deployment b in team: 0 of 1 pods are available",
            id="the-first-that-is-late",
        ),
        pytest.param([row("a")], "1 ready", id="all"),
        pytest.param([row("a", "x", "")], "0 of 1 ready; Deployment a: x", id="no-namespace"),
    ],
)
def test_what_is_waited_for_is_told_in_one_line(
    objects: list[dict[str, Any]], expected: str
) -> None:
    assert waiting_line(objects) == expected


def test_a_failure_names_each_object_and_the_next_command() -> None:
    found = too_late([row("a"), row("b", "broken"), row("c", "missing")], 60)
    assert found["failed"] is True
    assert found["msg"] == (
        "2 of 3 objects were not ready after 60 s:\n"
        "- Deployment b in team: broken\n"
        "- Deployment c in team: missing\n"
        "They stay deployed. Look closer on the server with: k3s kubectl -n team get pods,events"
    )


def test_the_changes_of_all_calls_are_told() -> None:
    first = {"changed": True, "written": ["a"], "removed": ["z"], "diff": [1], "ready": False}
    last = {"changed": False, "written": [], "removed": [], "diff": [], "ready": True}
    assert put_together([first, last]) == {
        "changed": True,
        "written": ["a"],
        "removed": ["z"],
        "diff": [1],
        "ready": True,
    }


def test_more_objects_to_wait_for_are_deployments_unless_told() -> None:
    entries: list[dict[str, Any]] = [
        {"name": "hub", "wait_for": [{"name": "proxy", "namespace": "hub"}]},
        {"name": "x"},
    ]
    proxy = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "proxy", "namespace": "hub"},
    }
    assert extra_objects(entries) == {"hub": [proxy], "x": []}


def test_an_object_to_wait_for_needs_a_name() -> None:
    with pytest.raises(ManifestError, match=r"without metadata\.name"):
        extra_objects([{"name": "hub", "wait_for": [{"kind": "Job"}]}])
