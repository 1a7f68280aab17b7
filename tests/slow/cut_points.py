# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an upgrade of Ray is cut off, and whether status.yml tells the truth afterwards (pure)."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FORWARD, BACK = "forward", "back"
KILL, POWER = "kill", "power"

_PLAY = re.compile(r"PLAY \[(.*)\] \*+$")
_TASK = re.compile(r"TASK \[(.*)\] \*+$")
_RESULT = re.compile(r"(?:ok|changed): \[([\w.-]+)")
_FETCHED = "virtual environment (takes a minute"
_RUNS = "service | Run Ray"


@dataclass(frozen=True)
class Phase:
    """A part of the upgrade: the play, what its tasks' names hold, and how it is seen at work.

    ``at_work`` is a shell command that succeeds on a node while the phase's longest task is there.
    """

    name: str
    play: str
    task: str = ""
    at_work: str = ""


#: In the order of the run; a moment belongs to the first one that fits. Of the first play only the
#: step that takes long counts: others would be drawn in its place.
PHASES = (
    Phase("fetch", "Bring the release of Ray to every node", _FETCHED, "pgrep -f '[p]ip install'"),
    Phase("jobs", "Have no job that would be lost"),
    Phase("head stops", "Start the Ray head", _RUNS),
    Phase("head switches", "Start the Ray head"),
    Phase("workers", "Let the Ray workers join"),
    Phase("back again", "Tell how long Ray was away"),
    Phase("prune", "Remove the releases of Ray"),
    Phase("verify", "Look at the nodes themselves"),
    Phase("verify", "Wait for the nodes at the Ray head"),
)
NAMES = tuple(dict.fromkeys(phase.name for phase in PHASES))
#: A rollback fetches nothing and removes nothing.
ONLY_FORWARD = ("fetch", "prune")


@dataclass(frozen=True)
class Moment:
    """A task that begins, or with ``host`` that host's result of it."""

    play: str
    task: str
    host: str = ""

    @property
    def phase(self) -> Phase | None:
        """The phase of the upgrade, None before the first change and after the last."""
        fits = (each for each in PHASES if each.play in self.play and each.task in self.task)
        return next(fits, None)

    def __str__(self) -> str:
        """Return the task's own name, and whose result it is."""
        task = self.task.partition(" : ")[2] or self.task
        return f"{task[:48]} ({f'done on {self.host}' if self.host else 'begins'})"


@dataclass(frozen=True)
class Point:
    """One interruption: which way the upgrade goes, when it is cut off, and what does it."""

    way: str
    moment: Moment
    kind: str
    node: str = ""

    @property
    def phase(self) -> str:
        """The name of the phase."""
        return self.moment.phase.name if self.moment.phase else ""

    @property
    def what(self) -> str:
        """What is done, in words."""
        return f"power of {self.node}" if self.kind == POWER else "SIGKILL"


class Follower:
    """Tells the moments of a run from the lines of its output."""

    def __init__(self) -> None:
        self.play = self.task = ""

    def read(self, line: str) -> Moment | None:
        """Return the moment that a line stands for."""
        if play := _PLAY.match(line):
            self.play = play[1]
        elif task := _TASK.match(line):
            self.task = task[1]
            return Moment(self.play, self.task)
        elif result := _RESULT.match(line):
            return Moment(self.play, self.task, result[1])
        return None


def moments(lines: Iterable[str]) -> dict[str, list[Moment]]:
    """Return the moments of a run by phase, each once."""
    follower = Follower()
    found: dict[str, list[Moment]] = {name: [] for name in NAMES}
    seen = filter(None, (follower.read(line.rstrip()) for line in lines))
    for moment in dict.fromkeys(seen):
        if moment.phase:
            found[moment.phase.name].append(moment)
    return found


def missing(found: Mapping[str, Sequence[Moment]], way: str) -> list[str]:
    """Return the phases without a moment in a run, which means that the playbooks were renamed."""
    return [name for name in open_to(way) if not found[name]]


def open_to(way: str) -> list[str]:
    """Return the phases that a way through an upgrade has."""
    return [name for name in NAMES if way == FORWARD or name not in ONLY_FORWARD]


def draw(
    learned: Mapping[str, Mapping[str, Sequence[Moment]]],
    nodes: Sequence[str],
    count: int,
    seed: int,
) -> list[Point]:
    """Return random points, by turns forward and back, every phase before any comes twice.

    Half of them are kills; the others cut the nodes' power by turns.
    """
    dice = random.Random(seed)  # noqa: S311 (a draw that can be repeated)
    kinds = [KILL] * (count - count // 2) + [POWER] * (count // 2)
    dice.shuffle(kinds)
    drawn: Counter[str] = Counter()
    points: list[Point] = []
    victims = 0
    for number, kind in enumerate(kinds):
        way = (FORWARD, BACK)[number % 2]
        names = open_to(way)
        dice.shuffle(names)
        phase = min(names, key=lambda name: (drawn[name], name not in ONLY_FORWARD))
        drawn[phase] += 1
        node = nodes[victims % len(nodes)] if kind == POWER else ""
        victims += kind == POWER
        points.append(Point(way, dice.choice(learned[way][phase]), kind, node))
    return points


def untrue(document: Mapping[str, Any], point: Point, rc: int, seen: Mapping[str, str]) -> str:
    """Return what status.yml says and is not so, or leaves out, after a run was cut off.

    ``seen`` has the version that runs on each node, empty for none; nodes on which that changed
    meanwhile are left out.
    """
    said = last_upgrade(document)
    wrong = []
    results = ("interrupted",) if point.kind == KILL else ("interrupted", "failed")
    results = results if rc else ("succeeded",)
    if said.get("result") not in results:
        wrong.append(f"the upgrade is told to have {said.get('result')}, expected {results}")
    asks = any("upgrade.yml again" in note for note in document["notes"])
    if asks is (rc == 0):
        wrong.append(f"that upgrade.yml is to be run again is {'' if asks else 'not '}told")
    if document["state"] == "Upgrading":
        wrong.append("Upgrading, though nothing runs")
    away = {each["node"] for each in document["reasons"]}
    if point.node and (point.node not in away or document["state"] != "Failed"):
        wrong.append(f"{point.node} is off: {document['state']}, reasons for {sorted(away)}")
    told = {each["name"]: each["version"] or "" for each in document["ray"]["nodes"]}
    wrong += [
        f"{node} runs {version or 'nothing'}, told is {told.get(node) or 'nothing'}"
        for node, version in seen.items()
        if told.get(node, "") != version
    ]
    return "; ".join(wrong)


def last_upgrade(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the last upgrade on record."""
    rows: Iterable[Mapping[str, Any]] = document["operations"]
    return next((each for each in rows if each["operation"] == "upgrade"), {})


def told(document: Mapping[str, Any]) -> str:
    """Return what status.yml says, for the table."""
    said = last_upgrade(document)
    phase = f" at {said['phase']}" if said.get("result") == "interrupted" else ""
    where = f" on {', '.join(said['failed_hosts'])}" if said.get("failed_hosts") else ""
    return f"{document['state']}, {document['health']}; {said.get('result')}{phase}{where}"
