# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the plays that every operation begins and ends with, in real runs here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PLAYBOOK = """
- ansible.builtin.import_playbook: {playbooks}/operation_begin.yml
  vars: {{__operation: upgrade, __operation_phase: checks}}
- ansible.builtin.import_playbook: {playbooks}/operation_reached.yml
  vars: {{__operation: upgrade, __operation_phase: agents}}
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.assert:
        that: inventory_hostname not in broken | default([])
    - ansible.builtin.command: "{{{{ meanwhile }}}}"
      when: meanwhile is defined
      run_once: true
      failed_when: met.rc != 2
      register: met
    - ansible.builtin.debug:
        var: met
- ansible.builtin.import_playbook: {playbooks}/operation_end.yml
  vars: {{__operation: upgrade}}
"""


@dataclass(frozen=True)
class Desk:
    """A control node with an inventory of two nodes, which are this machine."""

    folder: Path
    repository: Path

    @property
    def command(self) -> list[str]:
        """The command of an operation."""
        program = Path(sys.executable).parent / "ansible-playbook"
        return [str(program), "-i", str(self.folder / "inv.ini"), str(self.folder / "play.yml")]

    def play(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Return how a run of the operation ended."""
        return subprocess.run(
            [*self.command, *options],
            cwd=self.repository,
            env={**os.environ, "ANSIBLE_CONFIG": str(self.repository / "ansible.cfg")},
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )

    @property
    def operations(self) -> list[dict[str, Any]]:
        """What is on record."""
        text = (self.folder / "state" / "gpu-cluster.json").read_text(encoding="utf-8")
        found: list[dict[str, Any]] = json.loads(text)["operations"]
        return found

    @property
    def results(self) -> list[str]:
        """How the operations on record ended."""
        return [each["result"] for each in self.operations]


@pytest.fixture
def desk(tmp_path: Path, repository: Path) -> Desk:
    local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    inventory = f"[ray_head]\nn1 {local}\n[ray_worker]\nn2 {local}\n"
    (tmp_path / "inv.ini").write_text(inventory, encoding="utf-8")
    text = PLAYBOOK.format(playbooks=repository / "playbooks")
    (tmp_path / "play.yml").write_text(text, encoding="utf-8")
    return Desk(tmp_path, repository)


def test_an_operation_is_noted_on_some_nodes_as_well_and_in_check_mode_never(desk: Desk) -> None:
    assert desk.play("--check").returncode == 0
    assert not (desk.folder / "state").exists()
    done = desk.play("--limit", "n2")
    assert done.returncode == 0, done.stdout
    (noted,) = desk.operations
    assert (noted["name"], noted["result"], noted["phase"]) == ("upgrade", "succeeded", "agents")
    assert noted["wanted"] == {"ray": "2.60.0"}
    assert noted["seconds"] >= 0


def test_nodes_that_failed_are_named(desk: Desk) -> None:
    assert desk.play("-e", '{"broken": ["n2"]}').returncode == 2
    assert [each["failed_hosts"] for each in desk.operations] == [["n2"]]
    assert desk.results == ["failed"]


def test_the_end_that_nobody_reached_is_found_by_the_next_run(desk: Desk) -> None:
    assert desk.play("-e", '{"broken": ["n1", "n2"]}').returncode == 2
    assert desk.results == ["running"]
    again = desk.play()
    assert again.returncode == 0
    assert "was interrupted at 'agents'." in again.stdout
    assert desk.results == ["interrupted", "succeeded"]


def test_a_run_in_the_middle_of_another_is_refused(desk: Desk) -> None:
    done = desk.play("-e", json.dumps({"meanwhile": " ".join(desk.command)}))
    assert done.returncode == 0, done.stdout
    told = " ".join(done.stdout.split())
    assert "The cluster gpu-cluster is in other hands: upgrade by " in told
    assert desk.results == ["succeeded"]


def test_a_directory_that_cannot_be_written_stops_the_run_with_what_to_do(desk: Desk) -> None:
    (desk.folder / "state").write_text("a file", encoding="utf-8")
    done = desk.play()
    assert done.returncode == 2
    assert "name one in cluster_state_dir" in " ".join((done.stdout + done.stderr).split())
