# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words for the progress of a run: lines for a log, a block of lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_timeline import (
    Busy,
    Ended,
    View,
    Work,
)

#: Hosts that one line names; the others are counted.
NAMED = 4
_OWN = "rackforge.gpu_cluster."
_MINUTE = 60
_HOUR = 3600


def clock(seconds: float) -> str:
    """Return 0:42, 12:03 or 1:02:03."""
    whole = int(seconds)
    hours, minutes, rest = whole // _HOUR, whole % _HOUR // _MINUTE, whole % _MINUTE
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about_left(seconds: float | None) -> str:
    """Return such as "about 12 min left", "" where nothing is known."""
    if seconds is None:
        return ""
    minutes = round(seconds / _MINUTE)
    if seconds < _MINUTE:
        return "less than a minute left"
    if minutes < _MINUTE:
        return f"about {minutes} min left"
    return f"about {minutes // _MINUTE} h {minutes % _MINUTE} min left"


def at(elapsed: float, text: str) -> str:
    """Return a line with the time since the start before it."""
    return f"{clock(elapsed):>7}  {text}"


def short_task(name: str) -> str:
    """Return the name of a task without the collection's own name before the role."""
    return name.strip().removeprefix(_OWN).replace(" : ", ": ", 1) or "a task without a name"


def count(number: int, what: str) -> str:
    """Return such as "1 host" or "3 hosts"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def name_hosts(hosts: Sequence[str], named: int = NAMED) -> str:
    """Return the first hosts by name, and how many more there are."""
    more = len(hosts) - named
    shown = ", ".join(hosts[:named])
    return f"{shown} and {more} more" if more > 0 else shown


def phase_of(view: View) -> str:
    """Return the phase with its number and, where earlier runs tell, what is left."""
    said = f"Phase {view.number} of {view.phases}: {view.phase}"
    left = about_left(view.left)
    return f"{said} ({left})" if left else said


def heading(view: View) -> str:
    """Return the line with which a phase begins."""
    return at(view.elapsed, phase_of(view))


def over(elapsed: float, ended: Ended) -> str:
    """Return the line with which a phase ends."""
    parts = [count(ended.hosts, "host"), count(ended.changed, "change")]
    if ended.failed:
        parts.append(f"{ended.failed} failed")
    return at(elapsed, f"  done in {clock(ended.seconds)}: {', '.join(parts)}")


def _busy(each: Busy) -> str:
    """Return a host with how long it is busy and how far it is."""
    detail = f" ({each.detail})" if each.detail else ""
    return f"{each.host} {clock(each.seconds)}{detail}"


def still(view: View) -> list[str]:
    """Return a line for each task that goes on, for a log that only grows."""
    lines = []
    for work in view.works:
        hosts = name_hosts([_busy(each) for each in work.busy])
        ended = f"; {work.ended} done" if work.ended else ""
        lines.append(f"  still: {work.task}: {hosts}{ended}")
    if lines and view.left is not None:
        lines[-1] += f"; {about_left(view.left)}"
    return [at(view.elapsed, line) for line in lines]


def cut(line: str, width: int) -> str:
    """Return a line that fits, with its end marked where something is missing."""
    return line if len(line) <= width else f"{line[: max(0, width - 3)]}..."[:width]


def _rows(work: Work, places: int) -> list[str]:
    """Return a task and the hosts at it in at most ``places`` lines (one at least)."""
    ended = f", {work.ended} done" if work.ended else ""
    head = f"  {work.task}  [{len(work.busy)} busy{ended}]"
    if places < 2:
        return [head]
    fit = len(work.busy) if len(work.busy) < places else places - 2
    width = max((len(each.host) for each in work.busy[:fit]), default=0)
    rows = [
        f"    {each.host:<{width}}  {clock(each.seconds):>7}  {each.detail}".rstrip()
        for each in work.busy[:fit]
    ]
    more = len(work.busy) - fit
    return [head, *rows, *([f"    and {count(more, 'more host')}"] if more else [])]


def block(view: View, width: int, height: int) -> list[str]:
    """Return what stands at the foot of a terminal, never more than ``height`` lines.

    Tasks share the lines; hosts that do not fit are counted.
    """
    lines = [heading(view)]
    works = view.works[: max(0, height - 1)]
    for number, work in enumerate(works):
        places = (height - len(lines)) // (len(works) - number)
        lines += _rows(work, places)
    missing = len(view.works) - len(works)
    if missing and len(lines) < height:
        lines.append(f"  and {count(missing, 'more task')}")
    return [cut(line, width) for line in lines[:height]]
