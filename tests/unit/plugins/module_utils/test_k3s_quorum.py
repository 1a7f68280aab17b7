# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about who may leave a k3s cluster."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_quorum import (
    Member,
    Removal,
    is_pair,
    majority,
    obstacles,
    strangers,
)


def cluster(
    servers: str, leaving: str, down: str = "", agents: str = "a1", answered: bool = True
) -> Removal:
    """Return a removal of ``leaving``; all names are words of a line."""
    members = [Member(name, name not in down.split(), True) for name in servers.split()]
    members += [Member(name, name not in down.split()) for name in agents.split()]
    return Removal(
        servers=tuple(servers.split()),
        agents=tuple(agents.split()),
        leaving=frozenset(leaving.split()),
        members=tuple(members) if answered else (),
        answered=answered,
    )


@pytest.mark.parametrize(
    ("servers", "expected"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)], ids=str
)
def test_a_majority_is_more_than_half(servers: int, expected: int) -> None:
    assert majority(servers) == expected


@pytest.mark.parametrize(
    "removal",
    [
        pytest.param(cluster("s1", "s1 a1"), id="whole-of-one"),
        pytest.param(cluster("s1 s2 s3", "s1 s2 s3 a1"), id="whole-of-three"),
        pytest.param(cluster("s1 s2 s3", "s1 s2 s3 a1", down="s1 s2"), id="whole-of-a-broken-one"),
        pytest.param(cluster("s1", "s1 a1", answered=False), id="whole-without-an-answer"),
        pytest.param(cluster("s1 s2 s3", "s2"), id="one-of-three"),
        pytest.param(cluster("s1 s2 s3", "s2", down="s2"), id="the-one-that-is-down"),
        pytest.param(cluster("s1 s2 s3 s4 s5", "s4 s5"), id="two-of-five"),
        pytest.param(cluster("s1 s2 s3 s4 s5", "s5", down="s4"), id="one-of-five-beside-one-down"),
        pytest.param(cluster("s1 s2", "s2"), id="one-of-a-pair"),
        pytest.param(cluster("s1", "a1"), id="an-agent"),
        pytest.param(cluster("s1 s2 s3", "a1", down="s3"), id="an-agent-beside-a-server-down"),
    ],
)
def test_a_removal_that_breaks_nothing_is_allowed(removal: Removal) -> None:
    assert obstacles(removal) == []


@pytest.mark.parametrize(
    ("removal", "words"),
    [
        pytest.param(
            cluster("s1 s2 s3", "s1 s2"),
            [
                "of 3 servers s1, s2 would go at once, and only 1",
                "2 must be. Take out one server at a time and let another join before the next",
                "reset.yml without --limit",
            ],
            id="two-of-three",
        ),
        pytest.param(
            cluster("s1 s2 s3", "s2", down="s3"),
            [
                "s3 is not ready, and without s2 only 1 of 3 servers would be",
                "'systemctl start k3s'",
            ],
            id="one-of-three-beside-one-down",
        ),
        pytest.param(
            cluster("s1 s2 s3", "s3", down="s2 s3"),
            ["of 3 servers s1 are ready and s2, s3 not, but 2 must be"],
            id="majority-lost-already",
        ),
        pytest.param(
            cluster("s1 s2", "s2", down="s2"),
            ["of 2 servers s1 are ready and s2 not, but 2 must be"],
            id="the-one-of-a-pair-that-is-down",
        ),
        pytest.param(
            cluster("s1 s2 s3 s4 s5", "s3 s4 s5"), ["only 2", "3 must be"], id="three-of-five"
        ),
        pytest.param(
            cluster("s1", "s1", agents="a1 a2"),
            ["all servers (s1) would go, but the agents a1, a2 would stay", "as well: s1,a1,a2"],
            id="all-servers-without-the-agents",
        ),
        pytest.param(
            cluster("s1 s2 s3", "s2", answered=False),
            ["no server that stays (s1, s3) answers", "'systemctl start k3s' on s1"],
            id="no-answer",
        ),
        pytest.param(
            cluster("s1", "a1", answered=False),
            ["nobody can take a1 out of the cluster's list of nodes"],
            id="no-answer-for-an-agent",
        ),
    ],
)
def test_a_removal_that_breaks_what_stays_is_refused(removal: Removal, words: list[str]) -> None:
    [text] = obstacles(removal)
    assert [word for word in words if word not in text] == []


def test_a_cluster_whose_servers_have_no_k3s_any_more_is_gone() -> None:
    left = Removal(("s1",), ("a1",), frozenset({"a1"}), answered=False, gone=True)
    assert (left.is_whole, obstacles(left)) == (True, [])


def test_a_server_that_never_joined_may_leave() -> None:
    removal = cluster("s1 s2", "s3", down="s2")
    removal = Removal(("s1", "s2", "s3"), (), frozenset({"s3"}), {}, removal.members)
    assert obstacles(removal) == []


def test_servers_are_known_by_what_kubernetes_calls_them() -> None:
    members = tuple(Member(f"node-{n}", n != 3, True) for n in (1, 2, 3))
    names = {f"NODE_{n}": f"node-{n}" for n in (1, 2, 3)}
    removal = Removal(tuple(names), (), frozenset({"NODE_3"}), names, members)
    assert obstacles(removal) == []


def test_a_ready_node_that_the_inventory_does_not_name_is_told_when_all_go() -> None:
    members = (Member("s1", True, True), Member("x1", True), Member("x2", False))
    whole = Removal(("s1",), (), frozenset({"s1"}), members=members)
    assert strangers(whole) == ["x1"]
    assert strangers(Removal(("s1",), ("a1",), frozenset({"a1"}), members=members)) == []


def test_two_servers_are_a_pair_whoever_else_there_is() -> None:
    assert is_pair(cluster("s1 s2", "s2"))
    assert not is_pair(cluster("s1 s2 s3", "s2"))
