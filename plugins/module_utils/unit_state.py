# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a systemd unit stands, and what brings it to its present configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

#: File states in which nothing need be enabled.
_ENABLED = ("enabled", "enabled-runtime", "static", "indirect", "generated", "alias")


@dataclass(frozen=True)
class UnitState:
    """A unit as ``systemctl show`` tells it.

    ``started_at`` is in seconds since 1970, 0 when the unit never ran. ``settled_at`` is when
    its last start or reload ended.
    """

    active_state: str
    sub_state: str
    file_state: str
    needs_reload: bool
    started_at: float
    settled_at: float = 0.0


def parse_unit(text: str, boot_time: float) -> UnitState:
    """Return the state in the output of ``systemctl show``.

    Start times are counted from the monotonic clock's beginning at ``boot_time``, since old systemd
    prints wall-clock times only in a form meant for people.
    """
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    started = int(lines.get("InactiveExitTimestampMonotonic") or 0)
    settled = int(lines.get("StateChangeTimestampMonotonic") or 0)
    return UnitState(
        active_state=lines.get("ActiveState", "inactive"),
        sub_state=lines.get("SubState", "dead"),
        file_state=lines.get("UnitFileState") or "missing",
        needs_reload=lines.get("NeedDaemonReload") == "yes",
        started_at=boot_time + started / 1e6 if started else 0.0,
        settled_at=boot_time + settled / 1e6 if settled else 0.0,
    )


@dataclass(frozen=True)
class Reload:
    """What a running unit reads anew on request: the youngest file, and a foreseen change."""

    youngest_file: float = 0.0
    changed_inputs: bool = False


def plan_unit(
    seen: UnitState, youngest_file: float, changed_inputs: bool, reload: Optional[Reload] = None
) -> list[str]:
    """Return what must be done, in order: enabled, started, restarted or reloaded.

    Starts and restarts read everything, so a reload is only for a unit that goes on running.
    """
    steps = [] if seen.file_state in _ENABLED else ["enabled"]
    if seen.active_state not in ("active", "reloading"):
        # A unit that systemd tries again and again is restarted: it tries with the new files.
        steps.append("restarted" if seen.active_state == "activating" else "started")
    elif changed_inputs or seen.needs_reload or youngest_file > seen.started_at:
        steps.append("restarted")
    elif reload and (
        reload.changed_inputs or reload.youngest_file > max(seen.started_at, seen.settled_at)
    ):
        steps.append("reloaded")
    return steps
