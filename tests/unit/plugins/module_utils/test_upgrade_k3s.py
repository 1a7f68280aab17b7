# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what an upgrade does to k3s."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_k3s import (
    K3sHost,
    K3sSeen,
    plan_k3s,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_plan import Plan

OLD, NEW = "v1.33.5+k3s1", "v1.34.1+k3s1"


def rows(**versions: str) -> list[dict[str, Any]]:
    """Return nodes as k3s_cluster_info has them; those whose name begins with s are servers."""
    return [
        {"name": name, "version": version, "roles": ["control-plane"] if name[0] == "s" else []}
        for name, version in versions.items()
    ]


def seen(**versions: str) -> K3sSeen:
    """Return what a server tells of these nodes."""
    return K3sSeen(rows(**versions))


def closed(kept_by: str, **versions: str) -> K3sSeen:
    """Return what a server tells of nodes that are closed to pods."""
    return K3sSeen([{**row, "unschedulable": True, "kept_by": kept_by} for row in rows(**versions)])


def hosts(*names: str, wanted: str = NEW) -> list[K3sHost]:
    """Return hosts that bear the names of their nodes."""
    return [K3sHost(name, name, wanted) for name in names]


def test_servers_go_one_at_a_time_and_agents_after_them() -> None:
    plan = plan_k3s(hosts("s1", "s2", "a1"), seen(s1=OLD, s2=OLD, a1=OLD))
    assert [(row.host, row.order) for row in plan.rows] == [("s1", 200), ("s2", 201), ("a1", 202)]
    assert plan.rows[0].note == "server: drained, one at a time"
    assert plan.refusals == ()


def test_what_has_been_done_is_not_planned_again() -> None:
    plan = plan_k3s(hosts("s1", "s2", "a1"), seen(s1=NEW, s2=OLD, a1=OLD))
    assert plan.hosts("k3s") == ["s2", "a1"]


def test_a_node_that_a_run_left_closed_to_pods_is_let_back_in() -> None:
    plan = plan_k3s(hosts("a1"), closed("run", a1=NEW))
    assert [(row.host, row.component, row.found, row.wanted) for row in plan.rows] == [
        ("a1", "k3s", "half-way", "back in the cluster")
    ]
    assert plan.components == ["k3s"]


@pytest.mark.parametrize("kept_by", ["owner", "upgrade", "other", ""])
def test_a_node_that_others_keep_closed_is_left_to_them(kept_by: str) -> None:
    assert plan_k3s(hosts("a1"), closed(kept_by, a1=NEW)).rows == ()


def test_a_node_that_was_emptied_and_not_replaced_has_one_row() -> None:
    plan = plan_k3s(hosts("a1"), closed("run", a1=OLD))
    assert [(row.found, row.wanted) for row in plan.rows] == [(OLD, NEW)]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param("v1.35.0+k3s1", "no minor version may be left out", id="skipped"),
        pytest.param("v1.32.9+k3s1", "is none for the older", id="downgrade"),
        pytest.param("newest", "is none of k3s", id="no-version"),
    ],
)
def test_a_step_that_must_not_be_is_refused_with_the_reason(wanted: str, words: str) -> None:
    plan = plan_k3s(hosts("s1", wanted=wanted), seen(s1=OLD))
    assert plan.rows == ()
    assert [(each.host, each.found, each.wanted) for each in plan.refusals] == [("s1", OLD, wanted)]
    assert words in plan.refusals[0].reason


def test_an_agent_before_its_server_is_refused() -> None:
    plan = plan_k3s([*hosts("s1", wanted=OLD), *hosts("a1")], seen(s1=OLD, a1=OLD))
    assert "upgrade the servers first" in plan.refusals[0].reason


def test_an_older_patch_is_let_through_on_the_way_back_only() -> None:
    back = hosts("s1", "a1", wanted="v1.34.0+k3s1")
    nodes = seen(s1=NEW, a1=NEW)
    assert plan_k3s(back, nodes, back=True).hosts("k3s") == ["s1", "a1"]
    refused = plan_k3s(back, nodes).refusals
    assert "upgrade.yml -e upgrade_rollback=true" in refused[0].reason


def test_an_older_minor_version_is_refused_on_the_way_back_too() -> None:
    plan = plan_k3s(hosts("s1", wanted=OLD), seen(s1=NEW), back=True)
    assert len(plan.refusals) == 1


def test_a_host_that_has_not_joined_is_left_to_provision() -> None:
    plan = plan_k3s(hosts("s1", "a1"), seen(s1=OLD))
    assert plan.hosts("k3s") == ["s1"]
    assert plan.notes == ("no k3s is installed on a1; provision.yml does that",)


def test_without_a_host_or_a_wish_nothing_is_planned() -> None:
    assert plan_k3s([], K3sSeen(why="no reason")) == Plan()
    assert plan_k3s(hosts("s1", wanted=""), seen(s1=OLD)) == Plan()


@pytest.mark.parametrize(
    ("answers", "note"),
    [
        pytest.param(
            {"s1": {}, "s2": {"skipped": True}},
            "k3s is left alone: no server is in this run, or has answered; run with one in the "
            "limit",
            id="outside",
        ),
        pytest.param(
            {"s1": {"reachable": False, "error": "refused", "unit_state": "failed"}, "s2": {}},
            "k3s is left alone: no server tells of its nodes (s1: refused); start k3s there first",
            id="down",
        ),
        pytest.param(
            {"s1": {"reachable": False, "error": "no kubeconfig", "unit_state": "missing"}},
            "k3s is left alone: no server tells of its nodes (s1: no kubeconfig); provision.yml "
            "installs k3s",
            id="not-installed",
        ),
    ],
)
def test_k3s_that_nobody_tells_of_is_left_alone_with_a_note(
    answers: dict[str, Any], note: str
) -> None:
    assert plan_k3s(hosts("a1"), K3sSeen.of(answers)) == Plan(notes=(note,))


def test_the_first_server_that_answers_is_believed() -> None:
    down = {"reachable": False, "error": "refused"}
    answers = {"s1": down, "s2": {"reachable": True, "nodes": rows(s2=OLD)}}
    assert K3sSeen.of(answers) == seen(s2=OLD)


def test_a_host_is_found_by_its_name_in_kubernetes() -> None:
    assert K3sHost.of("GPU_1", {}, NEW) == K3sHost("GPU_1", "gpu-1", NEW)
    named = {"k3s_node_name": "x", "k3s_version": OLD}
    assert K3sHost.of("n1", named, NEW) == K3sHost("n1", "x", OLD)
