# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about where upgrades are cut off, and about when status.yml is not believed."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.lab.paths import ROOT
from tests.slow.cut_points import (
    BACK,
    FORWARD,
    KILL,
    NAMES,
    ONLY_FORWARD,
    PHASES,
    POWER,
    Moment,
    Point,
    draw,
    missing,
    moments,
    told,
    untrue,
)

HEAD, BRING = "Start the Ray head", "Bring the release of Ray to every node while the old one runs"
ROLE = "rackforge.gpu_cluster.ray : "
RUN = f"{ROLE}service | Run Ray with what was just laid down"
VENV = "runtime_venv | Have Ray in its virtual environment (takes a minute where it is missing)"
OUTPUT = f"""
PLAY [Find every problem before the first change] ***

TASK [rackforge.gpu_cluster.os_base : look] ***
ok: [node1]

PLAY [{BRING}] ***

TASK [{ROLE}fetch | Record how the node stands before the first change] ***
ok: [node1]

TASK [{ROLE}{VENV}] ***
ok: [node1]
changed: [node2]

PLAY [{HEAD}] ***

TASK [{ROLE}service | Describe Ray to systemd] ***
changed: [node1]

TASK [{RUN}] ***
changed: [node1]

TASK [{RUN}] ***
skipping: [node1]
"""


def test_moments_are_tasks_that_begin_and_hosts_that_are_done() -> None:
    found = moments(OUTPUT.splitlines())
    assert [(each.task.removeprefix(ROLE), each.host) for each in found["fetch"]] == [
        (VENV, ""),
        (VENV, "node1"),
        (VENV, "node2"),
    ]
    assert [each.host for each in found["head switches"]] == ["", "node1"]
    assert found["head stops"] == [Moment(HEAD, RUN), Moment(HEAD, RUN, "node1")]
    assert str(Moment(HEAD, RUN, "node1")) == (
        "service | Run Ray with what was just laid down (done on node1)"
    )
    assert missing(found, BACK) == ["jobs", "workers", "back again", "verify"]


def test_every_phase_is_a_play_of_the_upgrade() -> None:
    names = ("upgrade", "ray_upgrade", "ray_install", "verify")
    plays = [
        play["name"]
        for name in names
        for play in yaml.safe_load((ROOT / "playbooks" / f"{name}.yml").read_text())
    ]
    assert [each.play for each in PHASES if not any(each.play in play for play in plays)] == []


def learned() -> dict[str, dict[str, list[Moment]]]:
    rows = {name: [Moment(name, f"{name} {step}") for step in range(9)] for name in NAMES}
    nothing: list[Moment] = []
    back = {name: nothing if name in ONLY_FORWARD else rows[name] for name in NAMES}
    return {FORWARD: rows, BACK: back}


@pytest.mark.parametrize("seed", range(20))
def test_ten_points_go_both_ways_through_all_phases_half_of_them_by_power(seed: int) -> None:
    points = draw(learned(), ["node1", "node2"], 10, seed)
    assert points == draw(learned(), ["node1", "node2"], 10, seed), "a seed can be repeated"
    assert [each.way for each in points] == [FORWARD, BACK] * 5
    assert {each.moment.play for each in points} == set(NAMES)
    assert [each.kind for each in points].count(KILL) == 5
    power = [each.node for each in points if each.kind == POWER]
    assert power == ["node1", "node2", "node1", "node2", "node1"]


def document(**changes: Any) -> dict[str, Any]:
    operations = [
        {"operation": "upgrade", "result": "interrupted", "phase": "changes", "failed_hosts": []},
        {"operation": "provision", "result": "succeeded", "phase": "", "failed_hosts": []},
    ]
    nodes = [{"name": "node1", "version": "2.60.0"}, {"name": "node2", "version": None}]
    return {
        "state": "Failed", "health": "degraded", "operations": operations,
        "notes": ["upgrade of now was interrupted; to finish it, run upgrade.yml again"],
        "reasons": [{"node": "node2", "reason": "node2 could not be reached"}],
        "ray": {"nodes": nodes}, **changes,
    }  # fmt: skip


SEEN = {"node1": "2.60.0", "node2": ""}


@pytest.mark.parametrize("kind", [KILL, POWER])
def test_the_truth_is_believed(kind: str) -> None:
    point = Point(FORWARD, Moment(HEAD, RUN), kind, "node2" if kind == POWER else "")
    assert untrue(document(), point, 4, SEEN) == ""
    assert told(document()) == "Failed, degraded; interrupted at changes"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"operations": []}, "the upgrade is told to have None", id="forgotten"),
        pytest.param({"notes": []}, "upgrade.yml is to be run again is not told", id="no-help"),
        pytest.param({"state": "Upgrading"}, "Upgrading, though nothing runs", id="runs"),
        pytest.param({"reasons": []}, "node2 is off: Failed, reasons for []", id="node-off"),
        pytest.param(
            {"ray": {"nodes": [{"name": "node1", "version": "2.59.0"}]}},
            "node1 runs 2.60.0, told is 2.59.0",
            id="version",
        ),
    ],
)
def test_what_is_not_so_is_named(changes: dict[str, Any], said: str) -> None:
    point = Point(FORWARD, Moment(HEAD, RUN), POWER, "node2")
    assert said in untrue(document(**changes), point, 4, SEEN)


def test_a_run_that_got_through_without_the_node_is_not_to_be_run_again() -> None:
    point = Point(FORWARD, Moment(HEAD, RUN), POWER, "node2")
    done = [{"operation": "upgrade", "result": "succeeded", "phase": "", "failed_hosts": []}]
    assert untrue(document(operations=done, notes=[]), point, 0, SEEN) == ""
    assert "run again is told" in untrue(document(operations=done), point, 0, SEEN)
