# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run preflight with every port over and over on healthy nodes: no run may say more than another.

    python3 -m tests.slow.mesh_soak                            50 runs on 4 nodes: about ten minutes
    python3 -m tests.slow.mesh_soak --runs 9 --lab x --keep    on a lab that is up and stays up

A false alarm is a finding that the first run did not have, an error of any run, or a pair of nodes
with a port that is not proven open. Outputs of such runs lie below .cache/logs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass

from tests.lab import lifecycle
from tests.lab.paths import ROOT, state_of
from tests.slow.interruptions import remove_leftovers, say
from tests.testinfra.preflight.support import Desk, Report

LOGS = ROOT / ".cache" / "logs" / "mesh-soak"


@dataclass(frozen=True)
class Outcome:
    """One run; no complaint means that all was well."""

    number: int
    seconds: float
    tested: int
    complaint: str

    def row(self) -> str:
        """Return the line of the table."""
        verdict = self.complaint or "as healthy as the first"
        return f"{self.number:>4} {self.seconds:6.1f} s {self.tested:>8} ports  {verdict}"


def judge(first: Report, report: Report) -> str:
    """Return what a run says that it must not say about healthy nodes, or nothing."""
    errors = sorted(each for each in report.said if each[0] == "error")
    cells = report.document["mesh"]["cells"]
    doubtful = [
        f"{cell['source']} -> {cell['destination']} {cell['state']}"
        for cell in cells
        if cell["state"] != "good" and cell["source"] in report.document["mesh"]["destinations"]
    ]
    said = report.beyond(first)
    told = [
        f"exit status {report.rc}" if report.rc else "",
        f"errors {errors}" if errors else "",
        f"not said before: {said}" if said else "",
        f"pairs: {doubtful}" if doubtful else "",
    ]
    return "; ".join(text for text in told if text)


def tested(report: Report) -> int:
    """Return how many ports were tried in all pairs."""
    return sum(int(cell.get("tested") or 0) for cell in report.document["mesh"]["cells"])


def soak(desk: Desk, runs: int) -> list[Outcome]:
    """Return the outcome of each run."""
    outcomes: list[Outcome] = []
    first: Report | None = None
    for number in range(1, runs + 1):
        begin = time.monotonic()
        report = desk.preflight("preflight_ports=required", quiet=True)
        first = first or report
        outcome = Outcome(number, time.monotonic() - begin, tested(report), judge(first, report))
        say(outcome.row())
        if outcome.complaint:
            LOGS.mkdir(parents=True, exist_ok=True)
            (LOGS / f"{number}.log").write_text(report.output)
        outcomes.append(outcome)
    return outcomes


def main() -> int:
    """Boot nodes, run, print the table."""
    parser = argparse.ArgumentParser(description="Run preflight on healthy nodes many times")
    parser.add_argument("--lab", default="soak", help="name of the lab (default: %(default)s)")
    parser.add_argument("--nodes", type=int, default=4, help="nodes (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=50, help="runs (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="the lab is up already and stays up")
    args = parser.parse_args()
    if not args.keep:
        lifecycle.up(lifecycle.Wish(args.lab, args.nodes, ("debian13",), "venv", False))
    try:
        outcomes = soak(Desk(state_of(args.lab).inventory), args.runs)
    finally:
        if not args.keep:
            lifecycle.down(args.lab)
            remove_leftovers(args.lab)
    seconds = [outcome.seconds for outcome in outcomes]
    failed = sum(bool(outcome.complaint) for outcome in outcomes)
    say(f"seconds: median {statistics.median(seconds):.1f}, most {max(seconds):.1f}")
    say(f"{len(outcomes) - failed} of {len(outcomes)} runs without a false alarm")
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
