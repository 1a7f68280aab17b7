# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about which nodes may be taken out of a cluster that stays."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.filter.k3s_node_names import (
    FilterModule as Names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.filter.removal_problems import FilterModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.membership import (
    Wish,
    named,
    removal_problems,
)

GROUPS = {
    "ray_head": ["n1"],
    "ray_worker": ["n2", "n3", "node4"],
    "k3s_server": ["n1"],
    "k3s_agent": ["n2", "n3"],
    "monitoring": ["m1"],
    "storage": ["nas"],
}
SERVERS = {"k3s_server": ["s1", "s2", "s3"], "k3s_agent": ["a1"]}


@pytest.mark.parametrize(
    ("wish", "beginning"),
    [
        pytest.param(Wish(()), "no node is named; say", id="nobody"),
        pytest.param(Wish(("nas",)), "nas is no node of this inventory; its nodes", id="stranger"),
        pytest.param(Wish(("node5",)), "node5 is no node of this inventory (did", id="misspelt"),
        pytest.param(Wish(("n3",), limit="n3"), "--limit n3 would leave out", id="limited"),
        pytest.param(Wish(("m1",)), "m1 is the monitoring host", id="monitoring"),
    ],
)
def test_what_cannot_leave_is_named_with_the_reason(wish: Wish, beginning: str) -> None:
    found = removal_problems(GROUPS, wish)
    assert [problem[: len(beginning)] for problem in found] == [beginning]


def test_the_head_is_kept_with_the_steps_to_another_one() -> None:
    head, server = removal_problems(GROUPS, Wish(("n1",)))
    assert "run 'reset.yml --limit n1', put n2 into [ray_head] in its place" in head
    assert server.startswith("n1 is the only k3s server, and n2, n3 would stay without one.")


def test_a_head_that_is_gone_is_not_to_be_reset() -> None:
    head = removal_problems(GROUPS, Wish(("n1",), successor="n3", gone=True))[0]
    assert head.startswith("n1 was the Ray head, and the cluster's state")
    assert "Put n3 into [ray_head] in its place, take its line out of the inventory" in head
    assert "reset.yml" not in head


def test_the_steps_name_the_head_that_the_owner_wants() -> None:
    found = removal_problems(GROUPS, Wish(("n1",), successor="n3"))
    assert "put n3 into [ray_head]" in found[0]


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param(Wish(("n3",)), id="worker-and-agent"),
        pytest.param(Wish(("n2", "n3")), id="several"),
        pytest.param(Wish(("m1",), samples_decided=True), id="monitoring-host-without-regret"),
        pytest.param(Wish(("n1", "n2", "n3", "node4")), id="whole-engines-that-leave-a-third"),
    ],
)
def test_others_may_leave(wish: Wish) -> None:
    assert removal_problems(GROUPS, wish) == []


def test_one_of_several_servers_is_for_the_servers_themselves_to_judge() -> None:
    assert removal_problems(SERVERS, Wish(("s2",))) == []


def test_a_cluster_without_nodes_is_for_reset() -> None:
    found = removal_problems(SERVERS, Wish(("s1", "s2", "s3", "a1")))
    assert found == ["no node would stay; reset.yml takes the whole cluster out"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("n1", ("n1",), id="one"),
        pytest.param(" n1, n2,,n1", ("n1", "n2"), id="with-commas"),
        pytest.param(["n1", "n2"], ("n1", "n2"), id="list"),
        pytest.param(None, (), id="nothing"),
    ],
)
def test_names_are_read_in_each_form(text: object, expected: tuple[str, ...]) -> None:
    assert named(text) == expected  # type: ignore[arg-type]


def test_the_filter_hands_over_what_it_is_told() -> None:
    judge = FilterModule().filters()["removal_problems"]
    assert judge(GROUPS, ["m1"], "", "", True) == []
    assert judge(GROUPS, ["n3"], "n3")[0].startswith("--limit n3")


def test_kubernetes_has_names_of_its_own_for_hosts() -> None:
    names = Names().filters()["k3s_node_names"]
    assert names({"GPU_1": {}, "g2": {"k3s_node_name": "two"}}, ["GPU_1", "g2"]) == {
        "GPU_1": "gpu-1",
        "g2": "two",
    }
