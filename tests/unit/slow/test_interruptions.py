# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.slow.interruptions import Boundary, in_pairs, judge, parse_boundaries, spread
from tests.testinfra.lifecycle.support import Played

RECAP = "node1 : ok=3 changed={changed} unreachable=0 failed=0 skipped=0 rescued=0 ignored=0\n"


def played(rc: int, changed: int = 0) -> Played:
    return Played(rc, RECAP.format(changed=changed), 1.0)


@pytest.mark.parametrize(
    ("tasks", "count", "expected"),
    [
        pytest.param(38, 10, [1, 5, 9, 13, 17, 22, 26, 30, 34, 38], id="first-and-last-among-them"),
        pytest.param(3, 10, [1, 2, 3], id="fewer-tasks-than-wished"),
        pytest.param(9, 1, [5], id="one-in-the-middle"),
    ],
)
def test_boundaries_are_spread_evenly(tasks: int, count: int, expected: list[int]) -> None:
    assert spread(tasks, count) == expected


def test_boundaries_are_named_by_playbook_and_number() -> None:
    assert parse_boundaries(["provision:3,9", "reset:5"]) == [
        Boundary("provision", 3),
        Boundary("provision", 9),
        Boundary("reset", 5),
    ]


@pytest.mark.parametrize("word", ["provision", "status:3", "reset:", "reset:x", "reset:3,"])
def test_another_name_is_refused_with_an_example(word: str) -> None:
    with pytest.raises(ValueError, match=r"expected such as provision:3,9 or reset:5"):
        parse_boundaries([word])


def test_provision_and_reset_take_turns() -> None:
    order = in_pairs(parse_boundaries(["provision:1,2,3", "reset:7"]))
    assert [(b.playbook, b.number) for b in order] == [
        ("provision", 1),
        ("reset", 7),
        ("provision", 2),
        ("provision", 3),
    ]


@pytest.mark.parametrize(
    ("killed", "following", "last", "complaint"),
    [
        pytest.param(played(-9), played(0, 4), played(0), "", id="repaired"),
        pytest.param(
            played(0),
            played(0),
            played(0),
            "the run ended by itself (rc 0) before task 4",
            id="late",
        ),
        pytest.param(played(-9), played(2), played(0), "the next run failed (rc 2)", id="failed"),
        pytest.param(
            played(-9),
            played(0),
            played(0, 1),
            "the run after that: rc 0, changed {'node1': 1}",
            id="not-quiet",
        ),
    ],
)
def test_an_interruption_is_judged_by_the_runs_around_it(
    killed: Played, following: Played, last: Played, complaint: str
) -> None:
    assert judge(Boundary("reset", 4), killed, following, last, ["node1"]) == complaint
