# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks on a scenario's nodes as a user does, with ansible-playbook and an inventory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.paths import ROOT

#: Molecule asks for colours, whose codes would stand between a test and the words; and tests read
#: the lines of tasks, which the collection's own callback does not print.
PLAIN = {
    "ANSIBLE_FORCE_COLOR": "false",
    "ANSIBLE_NOCOLOR": "true",
    "ANSIBLE_STDOUT_CALLBACK": "default",
}
#: Seconds for a whole playbook.
PLAY_SECONDS = 900
#: What of a run is kept for the reader of a failed test.
SHOWN = 6000
_RECAP = re.compile(r"^(\S+)\s*: ok=\d+\s+changed=(\d+)", re.MULTILINE)


def start(inventory: Path, name: str, *options: str) -> subprocess.Popen[str]:
    """Return a playbook of this collection that has begun."""
    argv = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(inventory), f"playbooks/{name}"]
    return subprocess.Popen(
        [*argv, *options], cwd=ROOT, text=True, env={**os.environ, **PLAIN},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return exit status and output of a playbook, once it has ended."""
    said = process.communicate(timeout=PLAY_SECONDS)[0]
    sys.stdout.write(said[-SHOWN:])
    return process.returncode, said


def provision(inventory: Path, **variables: Any) -> tuple[int, str]:
    """Return exit status and output of provision.yml with extra variables."""
    return ended(start(inventory, "provision.yml", "-e", json.dumps(variables)))


def changes(said: str) -> dict[str, int]:
    """Return the hosts that a run changed, each with the number of changed tasks."""
    return {name: int(count) for name, count in _RECAP.findall(said) if int(count)}
