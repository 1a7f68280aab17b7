# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to grow a Ray cluster by one node, and to ask for its state.

    python -m tests.bench.day_two --nodes 10 --fleet 30

Lab nodes with the real Ray: state of 3 nodes, then growing ``--nodes`` by one with the whole
inventory, then the state of ``--fleet`` hosts, of which those beyond the cluster are bare machines.
Single runs of the growth, the least of three of the state; it prints a table and decides nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from tests.bench.lab_runs import lab, play
from tests.bench.timeline import Host, Timeline

LAB = "bench-day-two"
FIRST = 3
STATUS = ("playbooks/status.yml", "-e", "status_exit=false")
LOOKS = 3


def tasks_text(hosts: Sequence[Host]) -> str:
    """Return how many tasks ran on these hosts: one figure, or the least and the most."""
    counts = sorted({host.tasks for host in hosts})
    return "-".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))


def growth_row(nodes: int, grown: Timeline) -> str:
    """Return the row of a growth: the newcomer is the last node, the head the first."""
    by_number = sorted(
        (host for host in grown.hosts if host.name.startswith(LAB)),
        key=lambda host: int(host.name.rpartition("-n")[2]),
    )
    head, *others, newcomer = by_number
    changed = sum(host.changed for host in (head, *others))
    return (
        f"| {nodes} nodes grow by one | {grown.seconds:.0f} s | newcomer {newcomer.tasks}, "
        f"head {head.tasks}, each other {tasks_text(others)} | {newcomer.changed}, "
        f"on all others {changed} |"
    )


def look(what: str) -> str:
    """Return the row of the state of all nodes in the lab."""
    looks = [play(LAB, *STATUS) for _ in range(LOOKS)]
    best = min(looks, key=lambda run: run.seconds)
    nodes = [host for host in best.hosts if host.name.startswith(LAB)]
    return f"| status of {what} | {best.seconds:.1f} s | each {tasks_text(nodes)} | 0 |"


def main() -> int:
    """Build, grow, look, print."""
    parser = argparse.ArgumentParser(description="Measure growing and status on lab nodes")
    parser.add_argument("--nodes", type=int, default=10, help="before growing (%(default)s)")
    parser.add_argument("--fleet", type=int, default=30, help="hosts at the end (%(default)s)")
    args = parser.parse_args()
    rows = []

    def up(nodes: int) -> None:
        lab("up", "--name", LAB, "--nodes", str(nodes), "--os", "debian13", "--runtime", "venv")

    lab("down", "--name", LAB)
    try:
        up(FIRST)
        play(LAB, "playbooks/provision.yml")
        rows.append(look(f"{FIRST} nodes"))
        up(args.nodes)
        play(LAB, "playbooks/provision.yml")
        up(args.nodes + 1)
        rows.append(growth_row(args.nodes, play(LAB, "playbooks/provision.yml")))
        rows.append(look(f"{args.nodes + 1} nodes"))
        up(args.fleet)
        bare = args.fleet - args.nodes - 1
        rows.append(look(f"{args.fleet} hosts, {bare} of them bare"))
    finally:
        lab("down", "--name", LAB)
    load = ", ".join(f"{each:.0f}" for each in os.getloadavg())
    print("| what | wall time | tasks per host, as the recap counts | changed |")
    print("| --- | --- | --- | --- |")
    print("\n".join(rows))
    print(f"load average at the end (1, 5, 15 minutes): {load}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
