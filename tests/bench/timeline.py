"""Read the output of ansible-playbook as a timeline (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_PLAY = re.compile(r"^PLAY \[(.+?)\] \*")
_TASK = re.compile(r"^TASK \[(?:rackforge\.gpu_cluster\.)?(\w+) : (.+)\] \*")
_DONE = re.compile(r"^(?:ok|changed): \[([^\]]+)\]")
#: A task that Ansible adds to each role; it runs on the control node.
_ARGUMENTS = "Validating arguments against arg spec"
_RECAP = re.compile(r"^(\S+)\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")


@dataclass(frozen=True)
class Host:
    """One line of the recap."""

    name: str
    tasks: int
    changed: int
    unreachable: int
    failed: int


def tasks_by_role(lines: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return how many tasks of each role ran for each host: role, host, number.

    Skipped tasks and the check of a role's arguments do not count; a task that only judges on the
    control node does, since the output does not tell.
    """
    found: dict[str, dict[str, int]] = {}
    role = ""
    for line in lines:
        if line.startswith("TASK ["):
            task = _TASK.match(line)
            role = task[1] if task and not task[2].startswith(_ARGUMENTS) else ""
        elif role and (done := _DONE.match(line)):
            hosts = found.setdefault(role, {})
            hosts[done[1]] = hosts.get(done[1], 0) + 1
    return found


@dataclass(frozen=True)
class Timeline:
    """How long each play took, what the recap says, and how many tasks each role ran where."""

    plays: tuple[tuple[str, float], ...]
    hosts: tuple[Host, ...]
    seconds: float
    roles: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def since(self, play: str) -> float:
        """Return the seconds from the start of the first play called ``play`` to the end."""
        names = [name for name, _ in self.plays]
        return sum(seconds for _, seconds in self.plays[names.index(play) :])


def read_timeline(lines: Sequence[tuple[float, str]], end: float) -> Timeline:
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
    return Timeline(plays, tuple(hosts), end, tasks_by_role(line for _, line in lines))
