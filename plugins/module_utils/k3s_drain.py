# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads why kubectl could not drain a node."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: kubectl repeats an eviction that a PodDisruptionBudget refuses, and says so each time.
_BUDGET = re.compile(
    r"when evicting pods?/\"(?P<pod>[^\"]+)\" -n \"(?P<namespace>[^\"]+)\".*"
    r"Cannot evict pod as it would violate the pod's disruption budget"
)
#: Pods that no controller would make again: kubectl names them and stops.
_BARE = re.compile(r"no controller[^:]*:\s*(?P<pods>[^\]]+)")
_MOST = 10


def blocked_by_budget(text: str) -> list[str]:
    """Return the pods, as namespace/name, whose disruption budget refused their eviction."""
    found = (_BUDGET.search(line) for line in text.splitlines())
    return sorted({f"{each.group('namespace')}/{each.group('pod')}" for each in found if each})


def without_controller(text: str) -> list[str]:
    """Return the pods, as namespace/name, that nothing would make again elsewhere."""
    names: set[str] = set()
    for line in text.splitlines():
        match = _BARE.search(line.rstrip())
        if match:
            # The same line goes on with what else keeps kubectl from it.
            told = match.group("pods").split(", cannot ")[0]
            names.update(re.findall(r"[\w.-]+/[\w.-]+", told))
    return sorted(names)


def explain_drain(name: str, text: str, seconds: int, left: Iterable[str]) -> str:
    """Return why the node could not be emptied, with the pods and what to do.

    ``left`` are the pods that are still on it.
    """
    bare = without_controller(text)
    if bare:
        return (
            f"{name} is not drained: {_join(bare)} would be lost, since no controller makes them "
            "again; delete them yourself, or set k3s_drain_force to true"
        )
    budget = blocked_by_budget(text)
    if budget:
        return (
            f"{name} is not drained within {seconds} s: a PodDisruptionBudget keeps "
            f"{_join(budget)}; see 'k3s kubectl get poddisruptionbudgets --all-namespaces', let "
            "the budget allow one pod less or start a replica elsewhere, then run it again"
        )
    still = sorted(left)
    if still:
        return (
            f"{name} is not drained within {seconds} s: {_join(still)} still ran there; see why "
            "with 'k3s kubectl describe pod', or raise k3s_drain_timeout_seconds"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("error")] or lines
    return f"{name} is not drained: {told[-1] if told else 'kubectl did not say why'}"


def _join(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
