"""Read the output of ansible-playbook as a timeline (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PLAY = re.compile(r"^PLAY \[(.+?)\] \*")
_RECAP = re.compile(r"^(\S+)\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")


@dataclass(frozen=True)
class Host:
    """One line of the recap."""

    name: str
    tasks: int
    changed: int
    unreachable: int
    failed: int


@dataclass(frozen=True)
class Timeline:
    """How long each play took, and what the recap says."""

    plays: tuple[tuple[str, float], ...]
    hosts: tuple[Host, ...]
    seconds: float

    def since(self, play: str) -> float:
        """Return the seconds from the start of the first play called ``play`` to the end."""
        names = [name for name, _ in self.plays]
        return sum(seconds for _, seconds in self.plays[names.index(play) :])


def read_timeline(lines: Iterable[tuple[float, str]], end: float) -> Timeline:
    """Return the timeline of a run from its output lines, each with the second it appeared."""
    starts: list[tuple[str, float]] = []
    hosts: list[Host] = []
    for second, line in lines:
        play, recap = _PLAY.match(line), _RECAP.match(line)
        if play:
            starts.append((play[1], second))
        elif recap:
            hosts.append(Host(recap[1], *(int(recap[i]) for i in range(2, 6))))
    ends = [*(second for _, second in starts[1:]), end]
    # Without a play there is an end and no start.
    plays = tuple((name, until - start) for (name, start), until in zip(starts, ends, strict=False))
    return Timeline(plays, tuple(hosts), end)
