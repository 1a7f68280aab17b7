# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A moment of a run becomes lines that fit."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_text import (
    about_left,
    block,
    clock,
    cut,
    heading,
    name_hosts,
    over,
    short_task,
    still,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_timeline import (
    Busy,
    Ended,
    View,
    Work,
)


def view(*works: Work, left: float | None = None) -> View:
    return View("Prepare the nodes", 3, 9, 75.0, left, works)


def hundred() -> tuple[Busy, ...]:
    return tuple(Busy(f"node{number}", 100.0 - number) for number in range(100))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0.9, "0:00", id="less-than-a-second"),
        pytest.param(42.0, "0:42", id="seconds"),
        pytest.param(723.0, "12:03", id="minutes"),
        pytest.param(3723.0, "1:02:03", id="hours"),
    ],
)
def test_a_time_reads_as_on_a_clock(seconds: float, expected: str) -> None:
    assert clock(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(None, "", id="no-earlier-run"),
        pytest.param(0.0, "less than a minute left", id="nothing"),
        pytest.param(59.0, "less than a minute left", id="seconds"),
        pytest.param(700.0, "about 12 min left", id="minutes"),
        pytest.param(7500.0, "about 2 h 5 min left", id="hours"),
    ],
)
def test_an_estimate_is_no_more_exact_than_it_is(seconds: float | None, expected: str) -> None:
    assert about_left(seconds) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "rackforge.gpu_cluster.docker : install | Run the engine",
            "docker: install | Run the engine",
            id="a-role-of-the-collection",
        ),
        pytest.param("Note the members", "Note the members", id="a-task-of-a-playbook"),
        pytest.param(" ", "a task without a name", id="none"),
    ],
)
def test_a_task_is_named_without_the_collection(name: str, expected: str) -> None:
    assert short_task(name) == expected


def test_a_phase_begins_with_its_number_and_what_is_left() -> None:
    assert heading(view(left=700.0)) == (
        "   1:15  Phase 3 of 9: Prepare the nodes (about 12 min left)"
    )
    assert heading(view()) == "   1:15  Phase 3 of 9: Prepare the nodes"


def test_a_phase_ends_with_what_came_of_it() -> None:
    quiet = Ended("Prepare", 42.0, hosts=1, changed=0, failed=0)
    assert over(75.0, quiet) == "   1:15    done in 0:42: 1 host, 0 changes"
    broken = Ended("Prepare", 42.0, hosts=3, changed=1, failed=2)
    assert over(75.0, broken) == "   1:15    done in 0:42: 3 hosts, 1 change, 2 failed"


def test_a_log_names_the_longest_hosts_and_counts_the_others() -> None:
    assert still(view(Work("Install", hundred(), 7), left=30.0)) == [
        "   1:15    still: Install: node0 1:40, node1 1:39, node2 1:38, node3 1:37 and 96 more; "
        "7 done; less than a minute left"
    ]


def test_a_log_says_how_far_a_host_is() -> None:
    busy = (Busy("node1", 12.0, "try 3 of 10"),)
    assert still(view(Work("Wait", busy))) == ["   1:15    still: Wait: node1 0:12 (try 3 of 10)"]


def test_a_log_says_nothing_where_nothing_is_going_on() -> None:
    assert still(view(left=30.0)) == []


def test_a_terminal_has_a_line_for_each_host() -> None:
    busy = (Busy("node10", 62.0, "after vim"), Busy("n2", 1.0))
    assert block(view(Work("Install", busy, 3)), 60, 20) == [
        "   1:15  Phase 3 of 9: Prepare the nodes",
        "  Install  [2 busy, 3 done]",
        "    node10     1:02  after vim",
        "    n2         0:01",
    ]


def test_as_many_hosts_as_fit_are_shown_and_the_others_counted() -> None:
    lines = block(view(Work("Install", hundred())), 60, 6)
    assert lines[1:] == [
        "  Install  [100 busy]",
        "    node0     1:40",
        "    node1     1:39",
        "    node2     1:38",
        "    and 97 more hosts",
    ]


def test_tasks_share_the_lines() -> None:
    lines = block(view(Work("Install", hundred()), Work("Wait", hundred())), 60, 9)
    assert [line for line in lines if "[" in line or "more" in line] == [
        "  Install  [100 busy]",
        "    and 98 more hosts",
        "  Wait  [100 busy]",
        "    and 98 more hosts",
    ]


@pytest.mark.parametrize("height", range(1, 30))
@pytest.mark.parametrize("tasks", [0, 1, 2, 5, 40])
def test_a_block_never_takes_more_than_its_place(tasks: int, height: int) -> None:
    works = [Work(f"A task with a long name {number}", hundred()) for number in range(tasks)]
    lines = block(view(*works), 30, height)
    assert 1 <= len(lines) <= height
    assert max(len(line) for line in lines) <= 30


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        pytest.param(11, "hello world", id="it-fits"),
        pytest.param(10, "hello w...", id="its-end-is-marked"),
        pytest.param(2, "..", id="hardly-a-place"),
    ],
)
def test_a_line_is_cut_to_the_width(width: int, expected: str) -> None:
    assert cut("hello world", width) == expected


def test_hosts_are_named_or_counted() -> None:
    assert name_hosts(["a", "b"]) == "a, b"
    assert name_hosts(["a", "b", "c", "d", "e", "f"]) == "a, b, c, d and 2 more"
