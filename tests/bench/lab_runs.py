# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs for measurements, and playbooks that run on them with a clock beside each line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.timeline import Timeline, read_timeline

ROOT = Path(__file__).resolve().parents[2]


def lab(*words: str) -> None:
    """Run a command of the lab."""
    subprocess.run([sys.executable, "-m", "tests.lab", *words], cwd=ROOT, check=True)


def play(name: str, playbook: str, *arguments: str, accepted: tuple[int, ...] = (0,)) -> Timeline:
    """Run a playbook on the nodes of a lab, showing its output, and return its timeline."""
    inventory = f".lab/{name}/inventory.ini"
    command = [".venv/bin/ansible-playbook", "-i", inventory, playbook, *arguments]
    # The timeline is read from the tasks that the default callback names.
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "default",
    }
    lines: list[tuple[float, str]] = []
    begin = time.monotonic()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as run:
        for line in run.stdout or ():
            lines.append((time.monotonic() - begin, line))
            print(line, end="")
    if run.returncode not in accepted:
        raise SystemExit(f"{' '.join(command)} exited {run.returncode}; nothing was measured")
    return read_timeline(lines, time.monotonic() - begin)
