# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time the callback of progress beside Ansible's default callback, in one run.

    python -m tests.bench.callback --hosts 100 --tasks 20 --rounds 3

The hosts are names for this machine and the tasks are ansible.builtin.debug, so that nearly nothing
but Ansible itself is measured. Turns alternate; the least of the rounds counts, since others share
the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN = "rackforge.gpu_cluster.progress"


@dataclass(frozen=True)
class Way:
    """A callback, and whether it writes to a terminal."""

    name: str
    callback: str
    terminal: bool = False


@dataclass(frozen=True)
class Cost:
    """Seconds of one run: on the clock, and of the processor with all children."""

    wall: float
    cpu: float


WAYS = (
    Way("default, to a file", "default"),
    Way("progress, to a file", OWN),
    Way("default, to a terminal", "default", terminal=True),
    Way("progress, to a terminal", OWN, terminal=True),
)


def write_playbook(folder: Path, hosts: int, tasks: int) -> list[str]:
    """Write the playbook and its inventory, and return the command that runs them."""
    say = [{"name": f"Say {n}", "ansible.builtin.debug": {"msg": f"{n}"}} for n in range(tasks)]
    play = {"name": "Say", "hosts": "all", "gather_facts": False, "tasks": say}
    (folder / "site.json").write_text(json.dumps([play]), encoding="utf-8")
    names = "\n".join(f"h{number} ansible_connection=local" for number in range(hosts))
    (folder / "inv.ini").write_text(f"{names}\n", encoding="utf-8")
    program = str(ROOT / ".venv" / "bin" / "ansible-playbook")
    return [program, "-i", str(folder / "inv.ini"), str(folder / "site.json")]


def drain(terminal: int) -> None:
    """Read what is written to a terminal until its last writer is gone."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        return


def run_once(command: Sequence[str], way: Way, folder: Path) -> Cost:
    """Run the playbook with a callback and return what it cost."""
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": way.callback,
        "RACKFORGE_PROGRESS_CACHE": str(folder / "progress"),
        "TERM": "xterm",
    }
    ours, theirs = pty.openpty()
    reader = threading.Thread(target=drain, args=(ours,))
    reader.start()
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with (folder / "log").open("w", encoding="utf-8") as log:
        out = theirs if way.terminal else log
        subprocess.run(command, cwd=ROOT, env=environment, stdout=out, stderr=out, check=True)
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    os.close(theirs)
    reader.join()
    os.close(ours)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(wall, cpu)


def rows(costs: dict[str, list[Cost]]) -> list[str]:
    """Return the table: the least of each, and the ratio to the default callback above it."""
    lines = ["| callback | wall time | processor | ratio of wall | ratio of processor |"]
    lines.append("| --- | --- | --- | --- | --- |")
    base = Cost(1.0, 1.0)
    for way in WAYS:
        least = Cost(min(c.wall for c in costs[way.name]), min(c.cpu for c in costs[way.name]))
        base = least if way.callback == "default" else base
        ratios = f"{least.wall / base.wall:.2f} | {least.cpu / base.cpu:.2f}"
        lines.append(f"| {way.name} | {least.wall:.1f} s | {least.cpu:.1f} s | {ratios} |")
    return lines


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Time the callback of progress")
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    costs: dict[str, list[Cost]] = {way.name: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = write_playbook(folder, asked.hosts, asked.tasks)
        for _ in range(asked.rounds):
            for way in WAYS:
                costs[way.name].append(run_once(command, way, folder))
    print("\n".join(rows(costs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
