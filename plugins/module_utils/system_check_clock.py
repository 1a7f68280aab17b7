# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether clocks agree. Offsets are bounds, so only what is certain is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import Inventory
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_requirements import (
    CLOCK_ERROR_SECONDS,
    CLOCK_WARNING_SECONDS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CONTROL_NODE,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_common import (
    probed,
    system_of,
)


@dataclass(frozen=True)
class Offset:
    """A clock minus the control node's: it lies between ``low`` and ``high`` seconds."""

    name: str
    low: float
    high: float


def offset_of(name: str, values: Mapping[str, Any]) -> Optional[Offset]:
    """Return the offset in what a probe brought, None when it brought none."""
    bounds = values.get("clock_offset")
    if not isinstance(bounds, Sequence) or isinstance(bounds, str) or len(bounds) != 2:
        return None
    try:
        low, high = float(bounds[0]), float(bounds[1])
    except (TypeError, ValueError):
        return None
    return Offset(name, low, high) if low <= high else None


def middle(values: Sequence[float]) -> float:
    """Return the median; between the two in the middle of an even number, what is nearest to 0.

    0 is the control node's clock, which so decides between two halves that disagree.
    """
    ordered = sorted(values)
    lower, upper = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return max(lower, min(upper, 0.0))


def check_skew(inventory: Inventory) -> list[Finding]:
    """Return a finding for each clock that is certainly apart from those of the others."""
    read = (offset_of(host.name, system_of(host)) for host in probed(inventory))
    clocks = [offset for offset in read if offset]
    if not clocks:
        return []
    everybody = [*clocks, Offset(CONTROL_NODE, 0.0, 0.0)]
    low = middle([each.low for each in everybody])
    high = middle([each.high for each in everybody])
    return [
        finding
        for each in everybody
        for finding in [_judge(each, each.low - high, each.high - low)]
        if finding
    ]


def _judge(clock: Offset, low: float, high: float) -> Optional[Finding]:
    """Return the finding about a clock that is between ``low`` and ``high`` apart from the rest."""
    certain = max(low, -high)
    if certain <= CLOCK_WARNING_SECONDS:
        return None
    direction = "ahead of" if low > 0 else "behind"
    is_control = clock.name == CONTROL_NODE
    grave = certain > CLOCK_ERROR_SECONDS and not is_control
    return Finding(
        severity=Severity.ERROR if grave else Severity.WARNING,
        code="clock-skewed",
        host=clock.name,
        message=(
            "The clock of the machine that Ansible runs on differs from those of the nodes."
            if is_control
            else "The clock differs from those of the other machines."
        ),
        seen=f"{describe(certain)} or more {direction} the others",
        expected=f"within {CLOCK_WARNING_SECONDS:g} s of them (this collection's number)",
        fix=(
            "chronyc makestep   (or: systemctl restart systemd-timesyncd)"
            if is_control
            else "ansible -i inv.ini -b -m ansible.builtin.command -a 'chronyc makestep' "
            f"{clock.name}   (or restart systemd-timesyncd)"
        ),
    )


def describe(seconds: float) -> str:
    """Return "3.2 s", "14 min", "5 h" or "12 days"."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{seconds:.1f} s"
