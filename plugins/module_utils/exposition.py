# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measured values in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Union

Number = Union[int, float]


class Kind(str, enum.Enum):
    """A gauge goes up and down, a counter only up."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True)
class Sample:
    """One value and what it belongs to."""

    value: Number
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """All values of one name."""

    name: str
    help: str
    samples: tuple[Sample, ...] = ()
    kind: Kind = Kind.GAUGE


def exposition(families: Iterable[Family]) -> str:
    """Return the text; a name without a value is left out."""
    return "".join(_family(each) for each in families if each.samples)


def _family(family: Family) -> str:
    # Of two values with equal labels a reader of the text would refuse the whole file.
    values = {_labels(each.labels): each.value for each in reversed(family.samples)}
    rows = [f"{family.name}{labels} {_value(values[labels])}" for labels in reversed(values)]
    told = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    head = (f"# HELP {family.name} {told}", f"# TYPE {family.name} {family.kind.value}")
    return "\n".join((*head, *rows)) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    """Return labels in the order in which they were given, so that a text is always the same."""
    pairs = ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _quoted(text: str) -> str:
    # What is no UTF-8 would make the whole file unreadable.
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _value(value: Number) -> str:
    """Return a number as it is: whole ones without a point, others with all their digits."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return str(int(value))
    # repr writes nan and inf, which the format calls NaN and +Inf.
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(repr(value), repr(value))
