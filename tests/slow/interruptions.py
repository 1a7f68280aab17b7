# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill ansible-playbook between two tasks, many times over, and see that the next run repairs it.

    python3 -m tests.slow.interruptions                                    20 boundaries, spread
    python3 -m tests.slow.interruptions --boundaries provision:3,9 reset:5   these

At each boundary the control process and all its children get SIGKILL when the task's name is
printed. The next run begins at once, while a module may still be at work on a node: it must exit 0,
and the one after it must report changed=0. After a reset the nodes are compared with how they
stood before the first provision as well. Takes about half an hour on two idle cores.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import lifecycle
from tests.lab.paths import ROOT
from tests.testinfra.lifecycle.support import Cluster, Played, Running, cluster_of, quiet
from tests.testinfra.node_snapshot import Snapshot

PLAYBOOKS = ("provision", "reset")
LOGS = ROOT / ".cache" / "logs" / "interruptions"


@dataclass(frozen=True)
class Boundary:
    """The moment before the k-th task of a playbook."""

    playbook: str
    number: int


@dataclass(frozen=True)
class Outcome:
    """What followed an interruption; no complaint means that all was well."""

    boundary: Boundary
    task: str
    seconds: float
    complaint: str

    def row(self) -> str:
        """Return the line of the table."""
        verdict = self.complaint or "converged, then changed=0"
        where = f"{self.boundary.playbook}:{self.boundary.number}"
        return f"{where:<13} {self.seconds:5.0f} s  {self.task[:66]:<66}  {verdict}"


def spread(tasks: int, count: int) -> list[int]:
    """Return ``count`` different numbers from 1 to ``tasks``, evenly spread."""
    if count >= tasks:
        return list(range(1, tasks + 1))
    if count == 1:
        return [(tasks + 1) // 2]
    return [1 + round(step * (tasks - 1) / (count - 1)) for step in range(count)]


def parse_boundaries(words: Sequence[str]) -> list[Boundary]:
    """Return the boundaries named as ``provision:3,9``; ValueError says what is no such name."""
    found = []
    for word in words:
        match = re.fullmatch(rf"({'|'.join(PLAYBOOKS)}):(\d+(?:,\d+)*)", word)
        if not match:
            raise ValueError(
                f"--boundaries: saw {word!r}, expected such as provision:3,9 or reset:5"
            )
        found += [Boundary(match[1], int(number)) for number in match[2].split(",")]
    return found


def interrupt(cluster: Cluster, boundary: Boundary) -> tuple[Played, str]:
    """Return the run that was killed at a boundary, and the task that had just begun."""
    reached: list[str] = []

    def kill(task: str, run: Running) -> None:
        if len(run.tasks) == boundary.number:
            run.kill()
            reached.append(task)

    killed = cluster.start(f"{boundary.playbook}.yml", on_task=kill).finish()
    return killed, reached[0] if reached else ""


def judge(
    boundary: Boundary, killed: Played, following: Played, last: Played, nodes: list[str]
) -> str:
    """Return what is wrong with the runs around an interruption, or nothing."""
    if killed.rc != -9:
        return f"the run ended by itself (rc {killed.rc}) before task {boundary.number}"
    if following.rc != 0:
        return f"the next run failed (rc {following.rc})"
    if not quiet(last, nodes):
        return f"the run after that: rc {last.rc}, changed {last.changed}"
    return ""


def try_boundary(cluster: Cluster, boundary: Boundary, before: Mapping[str, Snapshot]) -> Outcome:
    """Interrupt one run, make the two that follow, and judge them."""
    playbook = f"{boundary.playbook}.yml"
    killed, task = interrupt(cluster, boundary)
    following, last = cluster.start(playbook).finish(), cluster.start(playbook).finish()
    complaint = judge(boundary, killed, following, last, cluster.names)
    if not complaint and boundary.playbook == "reset":
        complaint = "; ".join(cluster.differences(before))
    if complaint:
        keep(LOGS, f"{boundary.playbook}-{boundary.number}", killed, following, last)
    seconds = killed.seconds + following.seconds + last.seconds
    return Outcome(boundary, task, seconds, complaint)


def keep(folder: Path, name: str, *runs: Played) -> None:
    """Write the outputs of runs that did not do what they should below .cache/logs."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, played in enumerate(runs, 1):
        (folder / f"{name}-{number}.log").write_text(f"{played.output}\nrc {played.rc}\n")


def fresh(name: str, nodes: int) -> Cluster:
    """Return a cluster of new nodes."""
    lifecycle.down(name)
    lifecycle.up(lifecycle.Wish(name, nodes, ("debian13",), "venv"))
    return cluster_of(name)


def learn(cluster: Cluster) -> dict[str, int]:
    """Return how many tasks each playbook has; the nodes are as fresh as before afterwards."""
    counts = {}
    for playbook in PLAYBOOKS:
        run = cluster.start(f"{playbook}.yml")
        played = run.finish()
        if played.rc != 0:
            raise SystemExit(
                f"{playbook}.yml fails without any interruption:\n{played.output[-4000:]}"
            )
        counts[playbook] = len(run.tasks)
    return counts


def in_pairs(boundaries: Sequence[Boundary]) -> list[Boundary]:
    """Return the boundaries alternating between provision and reset, as a cluster's life does."""
    rows = [[b for b in boundaries if b.playbook == name] for name in PLAYBOOKS]
    longest = max(len(row) for row in rows)
    return [row[step] for step in range(longest) for row in rows if step < len(row)]


def prepare(cluster: Cluster, boundary: Boundary, built: bool) -> None:
    """Bring the cluster to where the boundary's playbook starts: built before reset, else fresh."""
    if built is (boundary.playbook == "reset"):
        return
    playbook = "provision.yml" if boundary.playbook == "reset" else "reset.yml"
    played = cluster.start(playbook).finish()
    if played.rc != 0:
        raise SystemExit(f"{playbook} fails without any interruption:\n{played.output[-4000:]}")


def carry_out(name: str, nodes: int, count: int, chosen: list[Boundary]) -> list[Outcome]:
    """Return the outcome of each boundary; nodes are renewed after one that was not repaired."""
    cluster = fresh(name, nodes)
    before = cluster.snapshots()
    if not chosen:
        tasks = learn(cluster)
        say(f"tasks: {tasks}")
        halves = {"provision": count - count // 2, "reset": count // 2}
        chosen = [Boundary(p, n) for p in PLAYBOOKS for n in spread(tasks[p], halves[p])]
    outcomes: list[Outcome] = []
    built = False
    for boundary in in_pairs(chosen):
        prepare(cluster, boundary, built)
        outcome = try_boundary(cluster, boundary, before)
        say(outcome.row())
        outcomes.append(outcome)
        built = boundary.playbook == "provision"
        if outcome.complaint:
            cluster, built = fresh(name, nodes), False
            before = cluster.snapshots()
    return outcomes


def main() -> int:
    """Interrupt, judge, print the table."""
    parser = argparse.ArgumentParser(description="Kill ansible-playbook between tasks")
    parser.add_argument("--lab", default="slow", help="name of the lab (default: %(default)s)")
    parser.add_argument("--nodes", type=int, default=2, help="nodes (default: %(default)s)")
    parser.add_argument("--count", type=int, default=20, help="boundaries (default: %(default)s)")
    parser.add_argument("--boundaries", nargs="+", default=[], metavar="PLAYBOOK:N,N")
    args = parser.parse_args()
    try:
        chosen = parse_boundaries(args.boundaries)
    except ValueError as error:
        parser.error(str(error))
    try:
        outcomes = carry_out(args.lab, args.nodes, args.count, chosen)
    finally:
        lifecycle.down(args.lab)
        remove_leftovers(args.lab)
    failed = sum(bool(outcome.complaint) for outcome in outcomes)
    if failed:
        say(f"the outputs of what failed: {LOGS.relative_to(ROOT)}")
    say(f"{len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed or not outcomes else 0


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def remove_leftovers(name: str) -> None:
    """Remove what the runs left beside the lab's inventory, the generated token among it."""
    directory = ROOT / ".lab" / name
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    if directory.is_dir():
        directory.rmdir()


if __name__ == "__main__":
    sys.exit(main())
