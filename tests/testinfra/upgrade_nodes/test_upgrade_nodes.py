# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers of a cluster go from 580.95.05 to 580.105.08; each test goes on where the last one left.

GPUs, driver and repository are stand-ins.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests import lab
from tests.lab.paths import state_of
from tests.testinfra.playbooks import changes, ended, start
from tests.testinfra.simulated_gpus import ask

LAB = "mol-upgrade-nodes"
HEAD, FIRST, SECOND = (f"{LAB}-n{number}" for number in (1, 2, 3))
OLD, NEW = "580.95.05", "580.105.08"
RECORD = "/var/lib/rackforge-upgrade.json"


def play(*options: str, name: str = "upgrade_nodes.yml") -> tuple[int, str]:
    """Return exit status and output of a playbook."""
    return ended(start(state_of(LAB).directory / "inventory.ini", name, *options))


def shell(node: str, script: str) -> str:
    """Return what a command on a node prints; it may fail."""
    return lab.exec(node, ["sh", "-c", script]).stdout.strip()


def loaded(node: str) -> str:
    """Return the version of the driver that runs."""
    return shell(node, "cat /sys/module/nvidia/version")


def answering(node: str) -> list[str]:
    """Return the UUIDs of the GPUs that the driver has."""
    _code, rows = ask(lambda script: shell(node, script))
    return sorted(str(row["UUID"]) for row in rows if row["code"] == 0)


def in_service(node: str) -> bool:
    """Return whether Ray runs there."""
    return shell(node, "systemctl is-active ray.service") == "active"


@pytest.fixture(scope="module")
def before() -> dict[str, list[str]]:
    """The GPUs of each node before anything was upgraded."""
    return {node: answering(node) for node in (HEAD, FIRST, SECOND)}


def test_the_plan_names_every_node_and_changes_nothing(before: dict[str, list[str]]) -> None:
    status, said = play(name="upgrade_nodes_plan.yml")
    rows = re.findall(r"([\w-]+): NVIDIA driver ([\d.]+) to ([\d.]+)", said)
    assert (status, sorted(rows)) == (0, [(node, OLD, NEW) for node in sorted(before)])
    assert (changes(said), {loaded(node) for node in before}) == ({}, {OLD})
    assert [len(gpus) for gpus in before.values()] == [2, 2, 2]


def test_a_node_that_loses_a_gpu_stays_out_and_ends_the_batch(before: dict[str, list[str]]) -> None:
    lab.gpus(FIRST, {"gpu.1.fault": "missing"})
    status, said = play()
    assert status != 0
    assert f"Not upgraded: {FIRST}." in said
    gone = [uuid for uuid in before[FIRST] if f"({uuid}) is on the PCI bus, but" in said]
    assert (len(gone), "the driver does not have it" in said) == (1, True)
    assert [in_service(node) for node in (HEAD, FIRST, SECOND)] == [True, False, True]
    assert [loaded(node) for node in (HEAD, FIRST, SECOND)] == [OLD, NEW, OLD]


def test_the_record_outlives_a_boot_and_keeps_both_gpus(before: dict[str, list[str]]) -> None:
    lab.power_off(FIRST)
    lab.power_on(FIRST)
    record: dict[str, Any] = json.loads(shell(FIRST, f"cat {RECORD}"))
    assert sorted(card["uuid"] for card in record["cards"]) == before[FIRST]
    assert in_service(FIRST) is False


def test_the_same_command_does_not_let_it_in_before_it_is_mended() -> None:
    status, said = play()
    assert (status != 0, f"Not upgraded: {FIRST}." in said) == (True, True)
    assert [loaded(SECOND), in_service(FIRST)] == [OLD, False]


def test_when_it_is_mended_the_same_command_finishes(before: dict[str, list[str]]) -> None:
    lab.gpus(FIRST, {"gpu.1.fault": ""})
    lab.power_off(FIRST)
    lab.power_on(FIRST)
    status, _said = play()
    assert status == 0
    assert {node: answering(node) for node in before} == before
    assert {loaded(node) for node in before} == {NEW}
    assert {in_service(node) for node in before} == {True}
    assert [shell(node, f"ls {RECORD}") for node in before] == [""] * 3


def test_a_second_run_changes_nothing() -> None:
    status, said = play()
    assert (status, changes(said)) == (0, {})
    assert "Nothing to do: every node has what is wanted." in said


def test_an_older_driver_is_refused_before_the_first_change() -> None:
    status, said = play("-e", f"nvidia_driver_version={OLD}")
    assert (status != 0, changes(said)) == (True, {})
    assert f"{OLD} is older than {NEW}" in said
    assert "upgrade_rollback=true" in said


def test_the_way_back_is_gone_when_it_is_asked_for(before: dict[str, list[str]]) -> None:
    options = ("-e", f"nvidia_driver_version={OLD}", "-e", "upgrade_rollback=true")
    status, _said = play(*options, "--limit", f"{SECOND},{HEAD}")
    assert (status, loaded(SECOND), in_service(SECOND)) == (0, OLD, True)
    assert answering(SECOND) == before[SECOND]
