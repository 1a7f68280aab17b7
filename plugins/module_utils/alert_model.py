# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an alert consists of, and the numbers from which the rules are made."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_requirements import (
    CLOCK_WARNING_SECONDS,
)

#: Inputs of role monitoring start with this, followed by a field of Thresholds.
PREFIX = "monitoring_alert_"
#: What a rule's text says where the node's name is filled in.
NODE = "{{ $labels.node }}"
#: The value of a rule, as a whole number.
WHOLE = '{{ printf "%.0f" $value }}'
#: On a node that answers nothing at all, only one alert speaks.
ANSWERS = "on (cluster, node) (max by (cluster, node) (up) == 1)"


class AlertError(ValueError):
    """A number from which no sensible rule can be made."""


class Severity(enum.Enum):
    """How soon somebody has to look."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Thresholds:
    """The numbers of the rules; inputs of role monitoring, with the reasons in its defaults."""

    hold_seconds: int = 120
    gpu_temperature_celsius: int = 85
    gpu_memory_percent: int = 95
    gpu_xid_minutes: int = 30
    memory_percent: int = 90
    disk_free_percent: int = 10
    disk_hours: int = 24
    disk_predict_percent: int = 40
    certificate_days: int = 21
    clock_skew_seconds: float = CLOCK_WARNING_SECONDS
    collector_seconds: int = 300


@dataclass(frozen=True)
class Alert:
    """One alert.

    ``when`` says for documents what ``expression`` says for the server; ``command`` is the next
    thing to type.
    """

    name: str
    severity: Severity
    expression: str
    when: str
    summary: str
    description: str
    command: str
    hold: bool = True


#: Least and most that each number may be.
LIMITS: Mapping[str, tuple[int, int]] = {
    "hold_seconds": (0, 86400),
    "gpu_temperature_celsius": (30, 120),
    "gpu_memory_percent": (1, 100),
    "gpu_xid_minutes": (1, 10080),
    "memory_percent": (1, 100),
    "disk_free_percent": (0, 100),
    "disk_hours": (1, 720),
    "disk_predict_percent": (0, 100),
    "certificate_days": (1, 365),
    "clock_skew_seconds": (0, 3600),
    "collector_seconds": (30, 86400),
}


def thresholds_from(given: Mapping[str, Any]) -> Thresholds:
    """Return the numbers given, defaults for those left out; AlertError names the input."""
    known = [field.name for field in fields(Thresholds)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise AlertError(
            f"{PREFIX}{unknown[0]}: saw an unknown name, expected one of "
            f"{', '.join(PREFIX + name for name in known)}; correct its spelling"
        )
    return Thresholds(**{name: _number(name, given[name]) for name in known if name in given})


def _number(name: str, value: Any) -> Any:
    low, high = LIMITS[name]
    kind = float if name == "clock_skew_seconds" else int
    try:
        number = kind(str(value))
    except ValueError:
        number = None
    if number is None or isinstance(value, bool) or not low <= number <= high:
        raise AlertError(
            f"{PREFIX}{name}: saw {value}, expected a {'' if kind is float else 'whole '}number "
            f"from {low} to {high}; correct it in the inventory"
        )
    return number


def plain_number(value: float) -> str:
    """Return a number as people write it: 2, not 2.0."""
    return f"{value:g}"
