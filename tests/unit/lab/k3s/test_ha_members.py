# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members: who leads, who is let in, who may leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.lab.k3s.standin.ha_members import Member, admit, candidate, majority, may_leave
from tests.lab.k3s.standin.store import ApiError

A, B, C, D = (Member(name, f"198.19.0.{at}", 2380, 6443) for at, name in enumerate("abcd"))
THREE = {"a": A, "b": B, "c": C}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param("a", 1, id="one"),
        pytest.param("ab", 2, id="two"),
        pytest.param("abc", 2, id="three"),
        pytest.param("abcd", 3, id="four"),
    ],
)
def test_more_than_half_of_the_voters_decide(names: str, expected: int) -> None:
    members = {member.name: member for member in (A, B, C, D) if member.name in names}
    assert majority(members) == expected


def test_a_learner_has_no_vote() -> None:
    assert majority({"a": A, "b": replace(B, learner=True), "c": replace(C, learner=True)}) == 1


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param({"a": (1, 5), "b": (1, 5), "c": (1, 5)}, "a", id="alike-the-first-by-name"),
        pytest.param({"a": (1, 4), "b": (1, 5), "c": (1, 4)}, "b", id="who-knows-more"),
        pytest.param({"a": (1, 9), "b": (2, 5)}, "b", id="a-later-term-counts-more"),
        pytest.param({"a": (1, 9)}, None, id="no-majority"),
    ],
)
def test_of_a_live_majority_who_knows_most_leads(
    live: dict[str, tuple[int, int]], expected: str | None
) -> None:
    assert candidate(live, THREE) == expected


def test_a_new_member_learns_first() -> None:
    assert admit(THREE, "abc", D) == replace(D, learner=True)


def test_a_learner_that_asks_again_is_in_already() -> None:
    assert admit({**THREE, "d": replace(D, learner=True)}, "abc", D) is None


@pytest.mark.parametrize(
    ("members", "alive", "new", "message"),
    [
        pytest.param(THREE, "ab", D, "etcdserver: unhealthy cluster", id="a-member-is-down"),
        pytest.param(
            {**THREE, "x": replace(D, name="x", learner=True)},
            "abc",
            D,
            "etcdserver: too many learner members in cluster",
            id="another-is-joining",
        ),
        pytest.param(
            THREE,
            "abc",
            C,
            "duplicate node name found, please use a unique name for this node",
            id="name-is-taken",
        ),
    ],
)
def test_a_member_is_refused(
    members: dict[str, Member], alive: str, new: Member, message: str
) -> None:
    with pytest.raises(ApiError) as caught:
        admit(members, alive, new)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("alive", "name", "expected"),
    [
        pytest.param("abc", "c", True, id="healthy"),
        pytest.param("ab", "c", True, id="the-dead-one"),
        pytest.param("ab", "b", False, id="one-of-the-last-two"),
    ],
)
def test_a_member_leaves_only_where_the_others_still_decide(
    alive: str, name: str, expected: bool
) -> None:
    assert may_leave(THREE, alive, name) is expected


def test_the_only_member_does_not_leave() -> None:
    assert not may_leave({"a": A}, "a", "a")
