# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: what preflight has to say about an inventory, and how a terminal shows it.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import enum
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Optional

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


@dataclass(frozen=True)
class Group:
    """Findings that say the same of different hosts, sorted by host; ``first`` speaks for all."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """Return the finding of the first host."""
        return self.findings[0]

    @property
    def hosts(self) -> list[str]:
        """Return the names of the hosts."""
        return [finding.host for finding in self.findings]

    @property
    def message(self) -> str:
        """Return the message, with HOST for the name of each of several hosts."""
        return self._common(self.first.message)

    @property
    def expected(self) -> str:
        """Return what was expected of every host."""
        return self._common(self.first.expected)

    def seen(self, most: Optional[int] = None) -> str:
        """Return what was seen, by host where it differs; of at most ``most`` hosts."""
        texts = {_without_host(finding, finding.seen) for finding in self.findings}
        if len(texts) == 1:
            return self._common(self.first.seen)
        parts = [f"{finding.host}: {finding.seen or '-'}" for finding in self.findings]
        rest = len(parts) - most if most is not None else 0
        shown = "; ".join(parts[:most])
        return f"{shown}; and {rest} more" if rest > 0 else shown

    def fixes(self) -> list[str]:
        """Return the lines to type: one for all hosts where ansible takes several names."""
        fixes = list(dict.fromkeys(each.fix for each in self.findings if each.fix))
        pattern = _without_host(self.first, self.first.fix)
        if len(fixes) > 1 and pattern.startswith("ansible ") and pattern.count(_HOST) == 1:
            return [pattern.replace(_HOST, ",".join(self.hosts))]
        return fixes

    def _common(self, text: str) -> str:
        """Return a text of the first finding as it holds for all of them."""
        if len(self.findings) == 1:
            return text
        return _without_host(self.first, text).replace(_HOST, "HOST")


# Stands for the name of a finding's own host while texts are compared; no text has it.
_HOST = "\0"


def _without_host(finding: Finding, text: str) -> str:
    """Return ``text`` with a placeholder for the name of the finding's own host."""
    name = re.escape(finding.host)
    return re.sub(rf"(?<![\w.-]){name}(?![\w-]|\.\w)", _HOST, text) if name else text


def group_findings(findings: Iterable[Finding]) -> list[Group]:
    """Return the findings in their order, with those together that differ by their host only."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in sort_findings(findings):
        texts = (finding.message, finding.expected, finding.fix)
        same = tuple(_without_host(finding, text) for text in texts)
        key = (finding.severity.value, finding.code, finding.variable, *same)
        members = groups.setdefault(key, [])
        # One host may have two findings that differ in what was seen; each is told by itself.
        if any(each.host == finding.host for each in members):
            members = groups.setdefault((*key, finding.host, finding.seen), [])
        members.append(finding)
    return [Group(tuple(members)) for members in groups.values()]


def render_findings(
    findings: Iterable[Finding], width: int = 100, most: Optional[int] = None
) -> str:
    """Return the report for a terminal: one aligned line per group of findings, its details below.

    Errors are shown all; of the warnings and notes together ``most``, and the others are counted.
    """
    groups = group_findings(findings)
    if not groups:
        return ""
    errors = [group for group in groups if group.first.severity is Severity.ERROR]
    others = groups[len(errors) :]
    kept = len(others) if most is None else most
    left_out = [each for group in others[kept:] for each in group.findings]
    shown = [*errors, *others[:kept]]
    titles = [_title_host(group) for group in shown]
    host_width = max(len(title) for title in ["HOST", *titles])
    lines = [f"{'SEVERITY':<8}  {'HOST':<{host_width}}  FINDING"]
    for group, host in zip(shown, titles):
        finding = group.first
        title = f"{finding.severity.value.upper():<8}  {host:<{host_width}}  {finding.code}"
        lines.append(f"{title} ({finding.variable})" if finding.variable else title)
        lines.extend(_details(group, width))
    if left_out:
        lines.append(f"{'':10}and {summarise(left_out)} more: see the report")
    return "\n".join(lines)


# Names longer than this together are told below the title instead of in its column.
_HOSTS_WIDTH = 24


def _title_host(group: Group) -> str:
    """Return what stands in the column of the host."""
    names = ", ".join(group.hosts)
    short = len(group.hosts) == 1 or len(names) <= _HOSTS_WIDTH
    return names if short else plural(len(group.hosts), "host")


def _details(group: Group, width: int) -> list[str]:
    """Return the indented lines below a title; a fix stays in one line, to be copied."""
    most = None if group.first.severity is Severity.ERROR else 6
    lines = _wrapped(group.message, width, " " * 10, 10)
    names = ", ".join(group.hosts) if most is None else join_names(group.hosts, 12)
    hosts = names if _title_host(group) != ", ".join(group.hosts) else ""
    for label, text in (("hosts", hosts), ("seen", group.seen(most)), ("expected", group.expected)):
        if text:
            lines += _wrapped(text, width, f"{'':10}{label + ':':<10}", 20)
    fixes = group.fixes()
    lines += [f"{'':10}{'fix:':<10}{fix}" for fix in fixes[:most]]
    if most is not None and len(fixes) > most:
        lines.append(f"{'':20}and likewise on {len(fixes) - most} more")
    return lines


def _wrapped(text: str, width: int, first: str, indent: int) -> list[str]:
    """Return the lines of a text, the first begun by ``first``, with no word broken."""
    return textwrap.wrap(
        text,
        width=max(width, 40),
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
