# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for words in every process's command line and environment, again and again.

The words come through stdin, one a line and then a blank one, so that the sampler does not find
itself; the report is printed when stdin is closed. The lab's nodes are containers: their processes
and the control node's are all in the /proc of this machine, if root looks.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
from dataclasses import dataclass, field

PAUSE_SECONDS = 0.02


@dataclass
class Report:
    """What was looked at and what was found."""

    rounds: int = 0
    longest_gap: float = 0.0
    processes: set[tuple[int, str]] = field(default_factory=set)
    namespaces: dict[str, int] = field(default_factory=dict)
    hits: dict[str, dict[str, str]] = field(default_factory=dict)

    def note(self, pid: int, where: str, start: str, needle: int) -> None:
        """Note a hit, once for each process and place, without the word itself."""
        key = f"{pid} {start} {where} {needle}"
        if key not in self.hits:
            self.hits[key] = {
                "pid": str(pid),
                "where": where,
                "needle": str(needle),
                "namespace": namespace(pid),
                "name": text_of(f"/proc/{pid}/comm").strip(),
            }

    def as_data(self) -> dict[str, object]:
        """Return the report for JSON."""
        return {
            "rounds": self.rounds,
            "longest_gap": round(self.longest_gap, 3),
            "processes": len(self.processes),
            "namespaces": self.namespaces,
            "hits": list(self.hits.values()),
        }


def text_of(path: str) -> str:
    """Return a file's text, or nothing when its process has ended."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def bytes_of(path: str) -> bytes:
    """Return a file's bytes, or nothing when its process has ended."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""


def namespace(pid: int) -> str:
    """Return the PID namespace of a process, which tells its node."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return ""


def look(report: Report, needles: list[bytes]) -> None:
    """Look at every process once."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        pid = int(name)
        start = text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()[19:20]
        key = (pid, start[0] if start else "")
        if start and key not in report.processes:
            report.processes.add(key)
            space = namespace(pid)
            report.namespaces[space] = report.namespaces.get(space, 0) + 1
        for where in ("cmdline", "environ"):
            content = bytes_of(f"/proc/{pid}/{where}")
            for number, needle in enumerate(needles):
                if needle in content:
                    report.note(pid, where, key[1], number)
    report.rounds += 1


def main() -> int:
    """Read the words, sample until stdin closes, print the report as JSON."""
    needles = []
    while line := sys.stdin.buffer.readline().strip():
        needles.append(line)
    report = Report()
    sys.stdout.write("sampling\n")
    sys.stdout.flush()
    last = time.monotonic()
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        look(report, needles)
        now = time.monotonic()
        report.longest_gap, last = max(report.longest_gap, now - last), now
    sys.stdout.write(json.dumps(report.as_data()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
