# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``preflight_ignore`` takes out of a report, and what it may not take out."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    INVENTORY,
    Finding,
    Severity,
    join_names,
    sort_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding_codes import (
    KNOWN,
    NEVER_IGNORED,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import closest_name

VARIABLE = "preflight_ignore"


def apply_ignores(
    findings: Iterable[Finding], codes: Iterable[str], known: Collection[str] = KNOWN
) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that still count, and those that ``codes`` take out, both sorted.

    What is wrong with ``codes`` themselves is among the first.
    """
    given = sort_findings(findings)
    wanted = sorted({str(code).strip() for code in codes} - {""})
    found = {finding.code for finding in given}
    active = [_refused(code) for code in wanted if code in NEVER_IGNORED]
    taken = set()
    for code in wanted:
        if code in NEVER_IGNORED:
            continue
        if code in found:
            taken.add(code)
        else:
            active.append(_unused(code) if code in known else _unknown(code, known))
    ignored = [finding for finding in given if finding.code in taken]
    active += [finding for finding in given if finding.code not in taken]
    return sort_findings(active), ignored


def _refused(code: str) -> Finding:
    """Return the error about a code that cannot be ignored."""
    return Finding(
        severity=Severity.ERROR,
        code="ignore-refused",
        host=INVENTORY,
        message=f"{code} cannot be ignored: {NEVER_IGNORED[code]}.",
        seen=f"{VARIABLE} has {code}",
        expected="codes whose findings leave a cluster that can be built",
        fix=f"take {code} out of {VARIABLE}",
        variable=VARIABLE,
    )


def _unused(code: str) -> Finding:
    """Return the note about a code that nothing has today."""
    return Finding(
        severity=Severity.NOTE,
        code="ignore-unused",
        host=INVENTORY,
        message=f"Nothing has the code {code} that is to be ignored.",
        seen=f"{VARIABLE} has {code}",
        expected="codes of findings that this run has",
        fix=f"take {code} out of {VARIABLE}",
        variable=VARIABLE,
    )


def _unknown(code: str, known: Collection[str]) -> Finding:
    """Return the warning about a code that no finding can have."""
    meant = closest_name(code, known)
    return Finding(
        severity=Severity.WARNING,
        code="ignore-unknown",
        host=INVENTORY,
        message=f"No finding has the code {code}.{f' Did you mean {meant}?' if meant else ''}",
        seen=f"{VARIABLE} has {code}",
        expected=meant or "a code of docs/preflight.md",
        fix=f"{VARIABLE}: [{meant}]" if meant else f"take {code} out of {VARIABLE}",
        variable=VARIABLE,
    )


def describe_ignored(ignored: Iterable[Finding]) -> str:
    """Return the terminal's line about what was ignored, empty when nothing was.

    It reads "Ignored by preflight_ignore: port-filtered on node2 (1)".
    """
    by_code: dict[str, list[Finding]] = {}
    for finding in sort_findings(ignored):
        by_code.setdefault(finding.code, []).append(finding)
    parts = [
        f"{code} on {join_names(list(dict.fromkeys(each.host for each in members)))}"
        f" ({len(members)})"
        for code, members in sorted(by_code.items())
    ]
    return f"Ignored by {VARIABLE}: {'; '.join(parts)}" if parts else ""
