"""Provision test nodes twice and write what it cost to docs/benchmarks.md.

    python -m tests.bench --nodes 3

Run it with nothing else going on: two cores are the whole machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys

from tests.bench.lab_runs import ROOT, lab, play
from tests.bench.timeline import Timeline

LAB = "bench"
#: The play that starts once the head's unit is up.
WORKERS_JOIN = "Let the Ray workers join"


def row(what: str, seconds: float, tasks: str = "", changed: str = "") -> str:
    """Return one row of the table."""
    return f"| {what} | {seconds:.0f} s | {tasks} | {changed} |"


def run_row(what: str, timeline: Timeline) -> str:
    """Return the row of one run of a playbook."""
    tasks = ", ".join(f"{host.name} {host.tasks}" for host in timeline.hosts)
    changed = str(sum(host.changed for host in timeline.hosts))
    return row(what, timeline.seconds, tasks, changed)


def role_rows(first: Timeline, second: Timeline) -> list[str]:
    """Return the table of how many tasks each role ran on the node where it ran most."""
    rows = ["| role | first run | second run |", "| --- | --- | --- |"]
    for role, hosts in first.roles.items():
        again = second.roles.get(role, {})
        rows.append(f"| {role} | {max(hosts.values())} | {max(again.values(), default=0)} |")
    return rows


def summary_rows() -> list[str]:
    """Return what earlier `make test` and `make demo` runs of this checkout took, if any."""
    rows = []
    for name, what in (("test", "`make test`, all steps"), ("demo", "`make demo`")):
        path = ROOT / ".cache" / "logs" / f"{name}.seconds"
        if path.is_file():
            rows.append(row(what, float(path.read_text(encoding="utf-8"))))
    return rows


def page(nodes: int, rows: list[str], roles: list[str]) -> str:
    """Return docs/benchmarks.md."""
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Written by `make bench` (`python -m tests.bench --nodes {nodes}`): {nodes} lab nodes "
            f"(containers with systemd on one machine with {os.cpu_count()} cores, Linux "
            f"{platform.release()}), the real Ray, single runs: plus or minus a third.",
            "A host-task is a task that ran on a node, as the recap counts them.",
            "",
            "| what | wall time | host-tasks per node | changed |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "Tasks of each role that ran for a node (the check of its arguments and skipped tasks "
            "do not count; a task that only judges on the control node does):",
            "",
            *roles,
            "",
        ]
    )


def main() -> int:
    """Measure on fresh nodes and write the page."""
    parser = argparse.ArgumentParser(description="Measure provisioning on lab nodes")
    parser.add_argument("--nodes", type=int, default=3)
    nodes = parser.parse_args().nodes
    lab("down", "--name", LAB)
    try:
        lab("up", "--name", LAB, "--nodes", str(nodes), "--os", "debian13")
        first = play(LAB, "playbooks/provision.yml")
        second = play(LAB, "playbooks/provision.yml")
        reset = play(LAB, "playbooks/reset.yml")
    finally:
        lab("down", "--name", LAB)
    rows = [
        run_row("first provision", first),
        row("of it: from `ray_head` up to every node ALIVE", first.since(WORKERS_JOIN)),
        run_row("second provision", second),
        run_row("reset", reset),
        *summary_rows(),
    ]
    target = ROOT / "docs" / "benchmarks.md"
    target.write_text(page(nodes, rows, role_rows(first, second)), encoding="utf-8")
    print(f"wrote {target.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
