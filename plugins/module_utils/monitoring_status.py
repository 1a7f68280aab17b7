# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the monitoring of a cluster stands, put together from what its host says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Optional


@dataclass(frozen=True)
class MonitoringStatus:
    """The monitoring host. ``state``: running, degraded, not-installed, unreachable, unknown.

    ``targets`` is how many are expected, ``problems`` what is not as expected, ``firing`` the
    alerts that fire, the gravest first, each with severity, alert and node.
    """

    host: str
    state: str
    url: Optional[str]
    targets: int
    problems: tuple[str, ...]
    firing: tuple[Mapping[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the status as plain data, the form of ``status_format=json``."""
        return asdict(self)


def monitoring_status(
    host: str, probe: Mapping[str, Any], seen: Mapping[str, Any], url: Optional[str]
) -> MonitoringStatus:
    """Return the status by the probe of the host and what module monitoring_check reported."""
    problems = tuple(seen.get("problems") or ())
    if not probe.get("reachable", False):
        state, problems = "unreachable", ("the node does not answer",)
    elif not seen:
        state, problems = "unknown", ("the server was not asked",)
    elif any("run provision.yml" in each for each in problems):
        state = "not-installed"
    else:
        state = "degraded" if problems else "running"
    return MonitoringStatus(
        host=host,
        state=state,
        url=url if state in ("running", "degraded") else None,
        targets=int(seen.get("targets") or 0),
        problems=problems,
        firing=tuple(seen.get("firing") or ()),
    )


def render_monitoring(status: MonitoringStatus) -> str:
    """Return the status as text for a terminal."""
    watched = f", {status.targets} targets" if status.targets else ""
    lines = [
        f"Monitoring on {status.host}: {status.state}{watched}",
        f"Panels: {status.url or '-'}",
    ]
    if status.problems:
        lines += ["", "Not as expected:", *(f"  {each}" for each in status.problems)]
    if status.firing:
        lines += ["", "Alerts that fire:"]
        lines += [
            f"  {row['severity']:<8}  {row['alert']}  {row['node']}".rstrip()
            for row in status.firing
        ]
    return "\n".join(lines)
