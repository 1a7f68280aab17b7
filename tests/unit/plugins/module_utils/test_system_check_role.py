"""Claims about nodes that do not fit their place in the inventory."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_role import (
    check_roles,
)

from tests.unit.plugins.system_nodes import brief, facts, node

A100 = "nvidia 0x20b5 at 0000:3b:00.0"


@pytest.mark.parametrize("value", [True, "true", "True"])
def test_head_with_gpus_beside_workers_is_a_remark(value: object) -> None:
    hosts = [node("h1", "ray_head", values={"has_gpu": value}), node("w1")]
    assert brief(check_roles, *hosts) == [
        ("note", "h1", "head-with-gpu", "has_gpu=true beside 1 worker")
    ]


@pytest.mark.parametrize(
    ("groups", "value"),
    [
        pytest.param(["ray_head"], "true", id="alone"),
        pytest.param(["ray_head", "ray_worker"], "false", id="without-gpus"),
        pytest.param(["ray_head", "k3s_agent"], "true", id="beside-other-nodes"),
    ],
)
def test_other_heads_are_not_remarked(groups: list[str], value: str) -> None:
    hosts = [
        node(f"n{number}", group, values={"has_gpu": value} if group == "ray_head" else {})
        for number, group in enumerate(groups)
    ]
    assert brief(check_roles, *hosts) == []


@pytest.mark.parametrize(
    ("value", "gpus", "expected"),
    [
        pytest.param("true", [A100], [], id="used"),
        pytest.param("false", [], [], id="none"),
        pytest.param("false", None, [], id="unknown"),
        pytest.param("false", [A100], [("note", "w1", "gpu-unused", A100)], id="switched-off"),
        pytest.param(None, [A100], [("note", "w1", "gpu-unused", A100)], id="not-said"),
    ],
)
def test_gpus_that_the_inventory_does_not_know_are_remarked(
    value: str | None, gpus: list[str] | None, expected: list[tuple[str, str, str, str]]
) -> None:
    values = {} if value is None else {"has_gpu": value}
    host = node("w1", values=values, facts=facts(1, system={"pci_gpus": gpus}))
    assert brief(check_roles, host) == expected


@pytest.mark.parametrize(
    ("workers", "profile", "expected"),
    [
        pytest.param(2, "k3s", [], id="k3s-needs-none"),
        pytest.param(3, "management", [], id="enough"),
        pytest.param(2, "management", ["k3s_agent: a0 and a1"], id="too-few"),
        pytest.param(0, "management", ["k3s_agent: no host"], id="none"),
    ],
)
def test_a_management_cluster_has_three_workers(
    workers: int, profile: str, expected: list[str]
) -> None:
    hosts = [node("s1", "k3s_server"), *(node(f"a{n}", "k3s_agent") for n in range(workers))]
    found = brief(check_roles, *hosts, profiles=(profile,))
    assert found == [("warning", "inventory", "workers-too-few", seen) for seen in expected]
