# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the filter k3s_removal: which answers count, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.filter.k3s_removal import (
    FilterModule,
    k3s_removal,
)

NAMES = {"S1": "s1", "S2": "s2", "S3": "s3", "A1": "a1"}
SERVERS, AGENTS = ["S1", "S2", "S3"], ["A1"]
AWAY = {"item": "S1", "unreachable": True, "msg": "no route to host"}
EMPTY: dict[str, Any] = {"members": [], "pods": [], "volumes": [], "reachable": False}


def answer(item: str = "S2", down: str = "") -> dict[str, Any]:
    """Return what a server tells of three servers and an agent."""
    rows = [(name, name.startswith("s")) for name in NAMES.values()]
    return {
        "item": item,
        "present": True,
        "reachable": True,
        "members": [{"name": n, "ready": n not in down.split(), "server": s} for n, s in rows],
        "pods": [
            {"name": "default/bare", "node": "a1", "again": False},
            {"name": "default/web", "node": "a1", "again": True},
        ],
        "volumes": [{"name": "default/data", "nodes": ["s1"]}],
    }


def test_an_agent_leaves_through_the_server_that_answered() -> None:
    assert k3s_removal([AWAY, answer("S2")], SERVERS, AGENTS, ["A1"], NAMES) == {
        "whole": False,
        "through": "S2",
        "obstacles": [],
        "pods": ["default/bare"],
        "volumes": [],
        "strangers": [],
        "ready": ["s1", "s2", "s3", "a1"],
        "pair": False,
    }


def test_the_whole_cluster_goes_through_nobody_and_loses_all() -> None:
    found = k3s_removal([answer("S1")], SERVERS, AGENTS, [*SERVERS, *AGENTS], NAMES)
    assert (found["whole"], found["through"], found["obstacles"]) == (True, "", [])
    assert found["pods"] == ["default/bare", "default/web"]
    assert found["volumes"] == ["default/data"]


def test_a_whole_cluster_that_does_not_answer_goes() -> None:
    found = k3s_removal([], SERVERS, AGENTS, [*SERVERS, *AGENTS], NAMES)
    assert (found["whole"], found["obstacles"], found["pods"]) == (True, [], [])


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([AWAY], id="unreachable"),
        pytest.param([{**EMPTY, "item": "S1", "present": True}], id="stopped"),
        pytest.param([AWAY, {**EMPTY, "item": "S2", "present": False}], id="one-may-have-it"),
    ],
)
def test_nobody_leaves_a_cluster_that_does_not_answer(answers: list[dict[str, Any]]) -> None:
    found = k3s_removal(answers, SERVERS, AGENTS, ["S3"], NAMES)
    assert len(found["obstacles"]) == 1
    assert found["through"] == ""


def test_what_is_left_of_a_cluster_that_is_gone_may_go() -> None:
    gone = [{**EMPTY, "item": name, "present": False} for name in ("S1", "S2")]
    found = k3s_removal(gone, SERVERS, AGENTS, ["S3"], NAMES)
    assert (found["whole"], found["obstacles"]) == (True, [])


def test_a_server_beside_one_that_is_down_is_refused() -> None:
    found = k3s_removal([answer("S1", down="s2")], SERVERS, AGENTS, ["S3"], NAMES)
    assert "s2 is not ready, and without s3" in found["obstacles"][0]


def test_the_filter_is_offered_under_its_name() -> None:
    assert FilterModule().filters() == {"k3s_removal": k3s_removal}
