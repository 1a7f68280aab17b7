# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of a playbook is doing and for how long: events in, a view of the moment out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_history import (
    Run,
    seconds_left,
)


class Outcome(Enum):
    """How a task ended on a host."""

    OK = "ok"
    CHANGED = "changed"
    SKIPPED = "skipped"
    FAILED = "failed"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Busy:
    """A host at work, for how many seconds, and how far it is (an item, a retry)."""

    host: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Work:
    """A task with the hosts that are at it, the longest first, and how many have ended it."""

    task: str
    busy: tuple[Busy, ...]
    ended: int = 0


@dataclass(frozen=True)
class View:
    """The moment: the phase, its number among all, seconds since the start, and who is busy."""

    phase: str
    number: int
    phases: int
    elapsed: float
    left: float | None
    works: tuple[Work, ...] = ()


@dataclass(frozen=True)
class Ended:
    """A phase that is over."""

    phase: str
    seconds: float
    hosts: int
    changed: int
    failed: int


@dataclass
class _Phase:
    """What is known of a phase that goes on."""

    key: str
    name: str
    number: int
    began: float
    hosts: set[str] = field(default_factory=set)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    #: Ends of each task, by its identity.
    ended: Counter[str] = field(default_factory=Counter)


@dataclass
class _Doing:
    """A host's task, since when, and how far it is."""

    task: str
    since: float
    detail: str = ""


def phase_keys(names: Sequence[str]) -> list[str]:
    """Return a name for each phase that no other one has: the second of a name gets ``#2``."""
    seen: Counter[str] = Counter()
    keys = []
    for name in names:
        seen[name] += 1
        keys.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return keys


class Timeline:
    """Follows a run by its events; ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float], earlier: Sequence[Run] = ()) -> None:
        self._clock = clock
        self._earlier = tuple(earlier)
        self._start = clock()
        self._keys: dict[str, tuple[int, str]] = {}
        self._order: tuple[str, ...] = ()
        self._phase: _Phase | None = None
        self._spent: dict[str, float] = {}
        self._tasks: dict[str, str] = {}
        self._doing: dict[str, _Doing] = {}
        self._hosts: set[str] = set()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def phase(self) -> str:
        """The name of the phase that goes on, "" between two."""
        return self._phase.name if self._phase else ""

    def playbook(self, plays: Sequence[tuple[str, str]]) -> None:
        """Hear which plays there are: (identity, name) in their order."""
        keys = phase_keys([name for _, name in plays])
        self._order = tuple(keys)
        self._keys = {
            identity: (number, key)
            for number, ((identity, _), key) in enumerate(zip(plays, keys, strict=True), 1)
        }

    def play_began(self, identity: str, name: str) -> None:
        """Begin a phase, or go on with it where this is a further batch of its hosts."""
        self._doing.clear()
        if not self.is_same_play(identity):
            number, key = self._keys.get(identity, (len(self._spent) + 1, name))
            self._phase = _Phase(key, name, number, self._clock())

    def play_ended(self) -> Ended | None:
        """End the phase that goes on, if one does, and return what came of it."""
        phase, self._phase = self._phase, None
        self._doing.clear()
        if phase is None:
            return None
        seconds = self._clock() - phase.began
        self._spent[phase.key] = self._spent.get(phase.key, 0.0) + seconds
        counts = phase.outcomes
        return Ended(
            phase.name,
            seconds,
            len(phase.hosts),
            counts[Outcome.CHANGED],
            counts[Outcome.FAILED],
        )

    def is_same_play(self, identity: str) -> bool:
        """Whether a play is the phase that goes on: the next batch of its hosts."""
        known = self._keys.get(identity)
        return bool(known and self._phase and known[1] == self._phase.key)

    def task_began(self, task: str, name: str) -> None:
        """Hear the name of a task before hosts begin it."""
        self._tasks[task] = name

    def host_began(self, host: str, task: str, name: str = "") -> None:
        """Hear that a host begins a task; ``name`` helps where nothing was heard of the task."""
        self._tasks.setdefault(task, name)
        self._doing[host] = _Doing(task, self._clock())
        self._hosts.add(host)
        if self._phase:
            self._phase.hosts.add(host)

    def host_at(self, host: str, detail: str) -> None:
        """Hear how far a host is with its task."""
        if host in self._doing:
            self._doing[host].detail = detail

    def host_ended(self, host: str, task: str, outcome: Outcome) -> float:
        """Hear how a task ended on a host; return the seconds that it took there."""
        doing = self._doing.pop(host, None)
        if self._phase:
            self._phase.hosts.add(host)
            self._phase.outcomes[outcome] += 1
            self._phase.ended[task] += 1
        return self._clock() - doing.since if doing else 0.0

    def task_name(self, task: str) -> str:
        """Return the name under which a task was announced."""
        return self._tasks.get(task, "")

    def view(self) -> View | None:
        """Return the moment, None between two phases."""
        phase = self._phase
        if phase is None:
            return None
        now = self._clock()
        in_phase = now - phase.began + self._spent.get(phase.key, 0.0)
        left = seconds_left(self._earlier, self._order, phase.number, in_phase)
        phases = max(len(self._order), phase.number)
        elapsed = now - self._start
        return View(phase.name, phase.number, phases, elapsed, left, self._works(phase, now))

    def run(self) -> Run:
        """Return how long each phase took, for the estimates of later runs."""
        return Run(self.elapsed, len(self._hosts), dict(self._spent))

    def _works(self, phase: _Phase, now: float) -> tuple[Work, ...]:
        """Return the tasks that hosts are at, the one with most hosts first."""
        busy: dict[str, list[Busy]] = {}
        for host, doing in self._doing.items():
            busy.setdefault(doing.task, []).append(Busy(host, now - doing.since, doing.detail))
        works = [
            Work(
                self._tasks.get(task, ""),
                tuple(sorted(hosts, key=lambda each: -each.seconds)),
                phase.ended[task],
            )
            for task, hosts in busy.items()
        ]
        return tuple(sorted(works, key=lambda work: -len(work.busy)))


def outcome_of(result: Mapping[str, object]) -> Outcome:
    """Return how a task that did not fail ended."""
    return Outcome.CHANGED if result.get("changed") else Outcome.OK
