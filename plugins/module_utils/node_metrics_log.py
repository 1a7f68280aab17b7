# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the Xid events of a boot, also when the kernel's log has lost its beginning.

The log is a ring: its old lines go. Reading the journal again every few seconds would cost more
than all the rest, so that what was counted is kept between runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_log import is_whole
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import (
    XidEvent,
    parse_xids,
)

_STAMP = re.compile(r"^\[\s*(\d{1,12}\.\d{1,9})\]")


@dataclass(frozen=True)
class XidRecord:
    """What was counted in one boot, up to the line with the time ``stamp`` (seconds).

    Of each GPU and number there is one event, in the order of their last lines.
    """

    boot: str = ""
    stamp: float = -1.0
    events: tuple[XidEvent, ...] = ()


def follow(record: XidRecord, boot: str, log: str, journal: Callable[[], str]) -> XidRecord:
    """Return the record of this boot after ``log``, which is the kernel's log as it is now.

    ``journal`` gives the log since the beginning of the boot. It is asked once, and only when the
    log does not reach that far back.
    """
    lines = log.splitlines()
    stamp = _newest(lines)
    if is_whole(log):
        return XidRecord(boot, stamp, _ordered((), lines))
    # A ring never goes back in time: an older one is that of another boot.
    if record.boot != boot or (lines and stamp < record.stamp):
        earlier = journal().splitlines() or lines
        return XidRecord(boot, stamp, _ordered((), earlier))
    fresh = list(_after(lines, record.stamp))
    return XidRecord(boot, max(stamp, record.stamp), _ordered(record.events, fresh))


def last_numbers(events: Iterable[XidEvent]) -> dict[str, int]:
    """Return the last number of each GPU by its address."""
    return {event.address: event.number for event in events}


def _ordered(known: Sequence[XidEvent], lines: Iterable[str]) -> tuple[XidEvent, ...]:
    """Return the events with those of ``lines``; the one whose line is last comes last."""
    events = {(each.address, each.number): each for each in known}
    for line in lines:
        for event in parse_xids([line]):
            key = (event.address, event.number)
            before = events.pop(key, None)
            events[key] = replace(event, count=event.count + (before.count if before else 0))
    return tuple(events.values())


def _after(lines: Iterable[str], stamp: float) -> Iterable[str]:
    """Yield the lines that are younger; a line without a time is of that of the one before."""
    newest = -1.0
    for line in lines:
        found = _STAMP.match(line)
        newest = float(found.group(1)) if found else newest
        if newest > stamp:
            yield line


def _newest(lines: Iterable[str]) -> float:
    times = (_STAMP.match(line) for line in lines)
    return max((float(found.group(1)) for found in times if found), default=-1.0)
