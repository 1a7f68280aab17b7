# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control node that dies in mid-test, a node that freezes there, and what is left at the end."""

from __future__ import annotations

import os
import signal

import pytest

from tests import lab
from tests.testinfra.lab_nodes import differences
from tests.testinfra.lifecycle.support import wait_for
from tests.testinfra.preflight.support import RUN_SECONDS, Desk, Report

NUMBERS = (1, 2, 3, 4)
#: The bound of the listeners' life in these tests; the waits are far longer, since it may be late.
BOUND = 15


def all_listen(desk: Desk) -> bool | None:
    """Return True when every node has listeners of a run, None until then."""
    return all(desk.listening(number) for number in NUMBERS) or None


def test_a_killed_control_node_leaves_nothing_that_listens(desk: Desk) -> None:
    before = {number: desk.ours(number) for number in NUMBERS}
    running = desk.start("preflight_ports=required", f"preflight_ports_seconds={BOUND}")
    try:
        wait_for("listeners on every node", RUN_SECONDS, lambda: all_listen(desk))
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)

    def left() -> dict[int, str] | None:
        now = {number: desk.ours(number) for number in NUMBERS}
        return None if now != before else now

    wait_for(f"every node to have no more than {before}", 8 * BOUND, left)


def test_a_node_that_freezes_meanwhile_does_not_hold_the_others_up(
    desk: Desk, healthy: Report
) -> None:
    running = desk.start("preflight_ports=required", f"preflight_ports_seconds={BOUND * 4}")
    wait_for("listeners on every node", RUN_SECONDS, lambda: all_listen(desk))
    lab.pause("node4", lab=desk.lab)
    try:
        report = desk.finish(running)
    finally:
        lab.unpause("node4", lab=desk.lab)
    assert ("warning", "mesh-incomplete", 4) in report.beyond(healthy)
    assert {node for _severity, _code, node in report.beyond(healthy)} == {4}
    wait_for("the listeners of node 4 to go", 4 * BOUND * 4, lambda: not desk.ours(4) or None)


def test_the_next_run_finds_healthy_nodes(desk: Desk, healthy: Report) -> None:
    again = desk.preflight("preflight_ports=required")
    assert (again.rc, again.said) == (healthy.rc, healthy.said)


@pytest.mark.parametrize("number", NUMBERS)
def test_node_is_as_it_was_before(desk: Desk, number: int) -> None:
    found = differences(desk.lab, f"{desk.lab}-n{number}")
    assert not found, "\n".join(found)
    assert desk.ours(number) == ""
