# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a systemd unit stands, and what brings it to its present configuration."""

from __future__ import annotations

from dataclasses import dataclass

#: File states in which nothing need be enabled.
_ENABLED = ("enabled", "enabled-runtime", "static", "indirect", "generated", "alias")


@dataclass(frozen=True)
class UnitState:
    """A unit as ``systemctl show`` tells it.

    ``started_at`` is in seconds since 1970, 0 when the unit never ran.
    """

    active_state: str
    sub_state: str
    file_state: str
    needs_reload: bool
    started_at: float


def parse_unit(text: str, boot_time: float) -> UnitState:
    """Return the state in the output of ``systemctl show``.

    Start times are counted from the monotonic clock's beginning at ``boot_time``, since old systemd
    prints wall-clock times only in a form meant for people.
    """
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    microseconds = int(lines.get("InactiveExitTimestampMonotonic") or 0)
    return UnitState(
        active_state=lines.get("ActiveState", "inactive"),
        sub_state=lines.get("SubState", "dead"),
        file_state=lines.get("UnitFileState") or "missing",
        needs_reload=lines.get("NeedDaemonReload") == "yes",
        started_at=boot_time + microseconds / 1e6 if microseconds else 0.0,
    )


def plan_unit(seen: UnitState, youngest_file: float, changed_inputs: bool) -> list[str]:
    """Return what must be done, in order: enabled, started, restarted."""
    steps = [] if seen.file_state in _ENABLED else ["enabled"]
    if seen.active_state not in ("active", "reloading"):
        # A unit that systemd tries again and again is restarted: it tries with the new files.
        steps.append("restarted" if seen.active_state == "activating" else "started")
    elif changed_inputs or seen.needs_reload or youngest_file > seen.started_at:
        steps.append("restarted")
    return steps
