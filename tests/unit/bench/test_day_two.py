# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the measurement of day two name the right hosts."""

from __future__ import annotations

from tests.bench.day_two import LAB, growth_row, tasks_text
from tests.bench.timeline import Host, Timeline


def host(number: int, tasks: int, changed: int = 0) -> Host:
    return Host(f"{LAB}-n{number}", tasks, changed, 0, 0)


def test_the_newcomer_is_the_last_number_and_what_changed_elsewhere_is_told() -> None:
    # The recap sorts names as text: n10 and n11 come before n2.
    hosts = (
        host(1, 9, 1),
        host(10, 5),
        host(11, 60, 20),
        host(2, 4),
        Host("localhost", 3, 0, 0, 0),
    )
    assert growth_row(10, Timeline((), hosts, 99.6)) == (
        "| 10 nodes grow by one | 100 s | newcomer 60, head 9, each other 4-5 "
        "| 20, on all others 1 |"
    )


def test_hosts_with_as_many_tasks_are_one_figure() -> None:
    assert tasks_text([host(1, 4), host(2, 4)]) == "4"
