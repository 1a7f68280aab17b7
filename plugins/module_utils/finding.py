# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: what preflight has to say about an inventory, and how a terminal shows it.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

ALL_HOSTS = "all hosts"
INVENTORY = "inventory"


class Severity(str, enum.Enum):
    """How much a finding matters: an error stops the run, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """Return 0 for the most severe, so that sorting by rank puts errors first."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Finding:
    """One problem or remark, with what was seen, what was expected and what to type about it."""

    severity: Severity
    code: str
    host: str
    message: str
    seen: str = ""
    expected: str = ""
    fix: str = ""
    variable: str = ""

    @property
    def sort_key(self) -> tuple[int, int, str, str, str]:
        """Return the place in a report: severity, then the inventory as a whole, then by host."""
        everybody = 0 if self.host in (INVENTORY, ALL_HOSTS) else 1
        return (self.severity.rank, everybody, self.host, self.code, self.variable)

    def to_dict(self) -> dict[str, str]:
        """Return plain strings, as results and JSON carry them."""
        return {**asdict(self), "severity": self.severity.value}


def finding_from_dict(values: Mapping[str, Any]) -> Finding:
    """Return the Finding that ``to_dict`` made ``values`` from; unknown keys are left out."""
    texts = {
        name: str(values[name])
        for name in ("code", "host", "message", "seen", "expected", "fix", "variable")
        if values.get(name) is not None
    }
    return Finding(severity=Severity(str(values["severity"])), **texts)


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return each finding once, errors first, then by host."""
    return sorted(set(findings), key=lambda finding: (*finding.sort_key, finding.message))


def merge_common(findings: Iterable[Finding], hosts: Sequence[str]) -> list[Finding]:
    """Return the findings, with one for all hosts in place of equal ones about each of ``hosts``.

    A variable set for a whole group would otherwise be reported once for each of its hosts.
    """
    everyone = set(hosts)
    seen_on: dict[Finding, set[str]] = {}
    for finding in findings:
        seen_on.setdefault(replace(finding, host=""), set()).add(finding.host)
    merged: list[Finding] = []
    for finding, where in seen_on.items():
        if len(everyone) > 1 and everyone <= where:
            merged.append(replace(finding, host=ALL_HOSTS))
            where = where - everyone
        merged.extend(replace(finding, host=host) for host in sorted(where))
    return merged


def count_by_severity(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings there are of each severity, by its name."""
    counts = {severity.value: 0 for severity in Severity}
    for finding in findings:
        counts[finding.severity.value] += 1
    return counts


def plural(count: int, noun: str) -> str:
    """Return "1 node" or "3 nodes"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def join_names(names: Sequence[str], most: int = 6) -> str:
    """Return "a, b and c", with the number of the others beyond ``most``."""
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def summarise(findings: Iterable[Finding]) -> str:
    """Return "2 errors, 1 warning" (only what there is), or "no problem found"."""
    counts = count_by_severity(findings)
    parts = [plural(counts[severity.value], severity.value) for severity in Severity]
    return ", ".join(part for part in parts if not part.startswith("0 ")) or "no problem found"


def render_findings(findings: Iterable[Finding], width: int = 100) -> str:
    """Return the report for a terminal: one aligned line per finding, its details below it."""
    ordered = sort_findings(findings)
    if not ordered:
        return ""
    host_width = max(len("HOST"), *(len(finding.host) for finding in ordered))
    lines = [f"{'SEVERITY':<8}  {'HOST':<{host_width}}  FINDING"]
    for finding in ordered:
        title = f"{finding.severity.value.upper():<8}  {finding.host:<{host_width}}  {finding.code}"
        lines.append(f"{title} ({finding.variable})" if finding.variable else title)
        lines.extend(_details(finding, width))
    return "\n".join(lines)


def _details(finding: Finding, width: int) -> list[str]:
    """Return the indented lines below a finding; the fix stays in one line, to be copied."""
    lines = textwrap.wrap(
        finding.message,
        width=max(width, 40),
        initial_indent=" " * 10,
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for label, text in (("seen", finding.seen), ("expected", finding.expected)):
        if text:
            lines += textwrap.wrap(
                text,
                width=max(width, 40),
                initial_indent=f"{'':10}{label + ':':<10}",
                subsequent_indent=" " * 20,
                break_long_words=False,
                break_on_hyphens=False,
            )
    if finding.fix:
        lines.append(f"{'':10}{'fix:':<10}{finding.fix}")
    return lines
