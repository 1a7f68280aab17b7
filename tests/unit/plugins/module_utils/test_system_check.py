"""Claims about the judgement of nodes as a whole."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check import (
    check_system,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_common import (
    WHERE,
    for_hosts,
    size,
)

from tests.unit.plugins.system_nodes import brief, facts, inventory, node, system

EVERY_PROFILE = ("ray", "k3s", "k3s-ha", "management", "monitoring", "lan")


@pytest.mark.parametrize(
    ("groups", "profiles"),
    [
        pytest.param(["ray_head", "ray_worker", "ray_worker"], ("ray",), id="ray"),
        pytest.param(["ray_head"], ("ray",), id="ray-head-alone"),
        pytest.param(["k3s_server", "k3s_agent"], ("k3s",), id="k3s"),
        pytest.param(["k3s_server"] * 3 + ["k3s_agent"], ("k3s", "k3s-ha"), id="k3s-ha"),
        pytest.param(["k3s_server"] + ["k3s_agent"] * 3, ("k3s", "management"), id="management"),
        pytest.param(["monitoring", "registry"], ("monitoring", "lan"), id="no-engine"),
    ],
)
def test_healthy_nodes_have_no_finding(groups: list[str], profiles: tuple[str, ...]) -> None:
    hosts = [
        node(f"n{number}", group, facts=facts(number))
        for number, group in enumerate(groups, start=1)
    ]
    assert check_system(inventory(*hosts, profiles=profiles)) == []


@pytest.mark.parametrize(
    "brought",
    [
        pytest.param(None, id="no-probe"),
        pytest.param({"hostname": "node1"}, id="probe-of-before"),
        pytest.param({"hostname": "node1", "system": {}}, id="nothing-read"),
        pytest.param(
            {"hostname": "n", "system": dict.fromkeys(system()), "os": None, "kernel": None},
            id="everything-unknown",
        ),
    ],
)
def test_what_could_not_be_read_is_no_finding(brought: dict[str, Any] | None) -> None:
    hosts = [node("n1", "ray_head", facts=brought), node("n2", "k3s_server", facts=brought)]
    assert brief(check_system, *hosts, profiles=("ray", "k3s")) == []


def _without_some(values: Any, choose: random.Random) -> Any:
    """Return ``values`` with parts replaced by null or left out."""
    if isinstance(values, dict):
        return {
            key: None if choose.random() < 0.1 else _without_some(value, choose)
            for key, value in values.items()
            if choose.random() > 0.1
        }
    return values


@pytest.mark.parametrize("seed", range(40))
def test_holes_in_the_facts_break_nothing(seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311 - repeatable, not secret
    hosts = [
        node("n1", "ray_head", facts=_without_some(facts(1), choose) or None),
        node("n2", "k3s_agent", facts=_without_some(facts(2), choose) or None),
    ]
    codes = {each.code for each in check_system(inventory(*hosts, profiles=EVERY_PROFILE))}
    assert codes <= {"workers-too-few"}


def test_facts_that_went_through_json_are_judged_alike() -> None:
    few = facts(1, cpu_count=4, system={"swap": ["/dev/sda2"], "cgroup": "v1"})
    through = json.loads(json.dumps(few))
    assert brief(check_system, node("n1", "k3s_server", facts=through), profiles=("k3s",)) == [
        ("warning", "n1", "cgroup-v1", "control groups v1"),
        ("note", "n1", "swap-on", "/dev/sda2"),
    ]


def test_what_every_node_has_is_told_once_with_who_has_what() -> None:
    hosts = [
        node("n1", "ray_head", facts=facts(1, cpu_count=2)),
        node("n2", facts=facts(2, cpu_count=4)),
        node("n3", facts=facts(3, cpu_count=2)),
    ]
    assert brief(check_system, *hosts) == [
        (
            "warning",
            "all hosts",
            "cpu-too-few",
            "2 processors on n1 and n3; 4 processors on n2",
        )
    ]


def test_what_some_nodes_have_is_told_of_each() -> None:
    hosts = [
        node("n1", "ray_head", facts=facts(1)),
        node("n2", facts=facts(2, cpu_count=4)),
        node("n3", facts=facts(3, cpu_count=2)),
    ]
    assert brief(check_system, *hosts) == [
        ("warning", "n2", "cpu-too-few", "4 processors"),
        ("warning", "n3", "cpu-too-few", "2 processors"),
    ]


def test_fix_is_typed_for_the_host_or_for_the_groups_that_have_hosts() -> None:
    pair = [
        Finding(Severity.WARNING, "reboot-pending", name, "It waits.", fix=f"ansible -b {WHERE}")
        for name in ("n1", "n2")
    ]
    both = inventory(node("n1", "ray_head"), node("n2"))
    three = inventory(node("n1", "ray_head"), node("n2"), node("n3"))
    assert [each.fix for each in for_hosts(pair, both)] == ["ansible -b ray_head:ray_worker"]
    assert [each.fix for each in for_hosts(pair, three)] == ["ansible -b n1", "ansible -b n2"]


@pytest.mark.parametrize(
    ("mib", "text"),
    [
        pytest.param(None, "unknown", id="unknown"),
        pytest.param(0, "0 MiB", id="zero"),
        pytest.param(1023, "1023 MiB", id="below-a-gib"),
        pytest.param(1024, "1.0 GiB", id="one-gib"),
        pytest.param(16_000, "15.6 GiB", id="gib"),
    ],
)
def test_size_is_written_in_the_unit_that_fits(mib: int | None, text: str) -> None:
    assert size(mib) == text
