# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade is about to do: rows of host, component and versions, or why it must not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

#: Parts of an upgrade in the order in which they are done; others come before k3s.
NODE, K3S, RAY = 100, 200, 300
_HEADING = ("HOST", "COMPONENT", "FROM", "TO", "REBOOT", "NOTE")


@dataclass(frozen=True)
class Row:
    """One thing that is brought from one version to another.

    Rows are done by ``order``, those with the same number at the same time.
    """

    host: str
    component: str
    found: str
    wanted: str
    reboot: bool = False
    order: int = NODE
    note: str = ""

    @classmethod
    def from_data(cls, data: Any) -> Row:
        """Return the row that a task has registered; ValueError says what is wrong with it."""
        try:
            return cls(
                host=str(data["host"]),
                component=str(data["component"]),
                found=str(data["found"] or "-"),
                wanted=str(data["wanted"]),
                reboot=bool(data.get("reboot", False)),
                order=int(data.get("order", NODE)),
                note=str(data.get("note", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"a row of the plan is {data!r}, expected host, component, found and wanted "
                f"({error!r})"
            ) from error


@dataclass(frozen=True)
class Refusal:
    """Something that must not be done, and why."""

    host: str
    component: str
    found: str
    wanted: str
    reason: str

    def __str__(self) -> str:
        """Return the sentence."""
        where = f"{self.host}: {self.component} {self.found}"
        return f"{where}, expected {self.wanted}: {self.reason}"


@dataclass(frozen=True)
class Plan:
    """What an upgrade does, what stands in its way, and what else is to be said."""

    rows: tuple[Row, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def components(self) -> list[str]:
        """Return the components with something to do, in their order."""
        return list(dict.fromkeys(row.component for row in self.rows))

    def hosts(self, component: str) -> list[str]:
        """Return the hosts on which something is done to a component, in their order."""
        return [row.host for row in self.rows if row.component == component]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "components": self.components}


def joined(plans: Iterable[Plan]) -> Plan:
    """Return one plan out of several, its rows in the order in which they are done."""
    parts = list(plans)
    return Plan(
        rows=tuple(sorted((row for each in parts for row in each.rows), key=lambda r: r.order)),
        refusals=tuple(refusal for each in parts for refusal in each.refusals),
        notes=tuple(note for each in parts for note in each.notes),
    )


def render(cluster: str, plan: Plan) -> str:
    """Return the plan as text for a terminal."""
    lines = [f"Upgrade of cluster {cluster}"]
    if plan.rows:
        cells = [_HEADING, *(_cells(row) for row in plan.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADING))]
        lines += ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in cells]
    elif not plan.refusals:
        # What a note tells of may lack something.
        every = "read the notes." if plan.notes else "every node has what is wanted."
        lines.append(f"Nothing to do: {every}")
    lines += [f"Note: {note}" for note in plan.notes]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.host,
        row.component,
        row.found,
        row.wanted,
        "yes" if row.reboot else "no",
        row.note,
    )


def refused(plan: Plan) -> Optional[str]:
    """Return the message that ends the run, None where nothing stands in the way."""
    if not plan.refusals:
        return None
    lines = [f"- {refusal}" for refusal in plan.refusals]
    return "\n".join(["Nothing was changed, because:", *lines])


def named(hosts: Sequence[str], most: int = 5) -> str:
    """Return some names, and how many more there are."""
    more = f" and {len(hosts) - most} more" if len(hosts) > most else ""
    return ", ".join(hosts[:most]) + more
