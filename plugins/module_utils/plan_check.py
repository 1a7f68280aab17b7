# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plans of the GPU roles add to the findings of a preflight, each fault told once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
    Severity,
    finding_from_dict,
)

#: Where a role had to stop before it could say why; an error about one of its inputs says more.
UNEXPLAINED = "plan-impossible"
_INPUTS = ("nvidia_", "rocm_", "install_nvidia_driver")


def plan_findings(registered: object) -> list[Finding]:
    """Return the findings in what a role's entry ``plan`` left, none where it did not run."""
    if not isinstance(registered, Mapping):
        return []
    return [finding_from_dict(each) for each in registered.get("findings") or []]


def join_plans(known: Iterable[Finding], planned: Iterable[Finding]) -> list[Finding]:
    """Return both, without what a plan says of a fault that is known, and the other way round.

    Of two findings with one code about one host the more severe one stays, else the known one. A
    value that was refused already is not refused once more by the role that would read it.
    """
    found = list(known)
    for finding in planned:
        if _is_told(finding, found):
            continue
        found = [each for each in found if not _is_same(each, finding)]
        found.append(finding)
    return found


def _is_told(finding: Finding, found: Sequence[Finding]) -> bool:
    here = [each for each in found if each.host in (finding.host, ALL_HOSTS)]
    errors = [each for each in here if each.severity is Severity.ERROR]
    if finding.code == UNEXPLAINED:
        return any(each.variable.startswith(_INPUTS) for each in errors)
    if any(finding.variable and each.variable == finding.variable for each in errors):
        return True
    return any(
        _is_same(each, finding) and each.severity.rank <= finding.severity.rank for each in here
    )


def _is_same(one: Finding, other: Finding) -> bool:
    return one.code == other.code and one.host == other.host
