# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads why kubectl could not drain a node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

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


def keepers(budgets: Iterable[Any], pods: Iterable[Any]) -> list[str]:
    """Return the budgets, as namespace/name, that are about one of these pods."""
    places = [(_metadata(pod).get("namespace"), _metadata(pod).get("labels") or {}) for pod in pods]
    return sorted(
        {
            f"{_metadata(budget).get('namespace')}/{_metadata(budget).get('name')}"
            for budget in budgets
            for namespace, labels in places
            if namespace == _metadata(budget).get("namespace")
            and _selects((budget.get("spec") or {}).get("selector"), labels)
        }
    )


def _metadata(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return item.get("metadata") or {}


def _selects(selector: Any, labels: Mapping[str, str]) -> bool:
    """Return whether a budget is about pods with these labels; an empty selector is about all.

    Kubernetes reference, LabelSelector and PodDisruptionBudgetSpec (policy/v1).
    """
    if selector is None:
        return False
    same = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in same.items()) and all(
        _holds(each, labels) for each in selector.get("matchExpressions") or []
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key", ""), expression.get("values") or []
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(expression.get("operator", ""), False)


def explain_drain(
    name: str, text: str, seconds: int, left: Iterable[str], budgets: Iterable[str] = ()
) -> str:
    """Return why the node could not be emptied, with the pods and what to do.

    ``left`` are the pods that are still on it, ``budgets`` those that refused an eviction.
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
            f"{name} is not drained within {seconds} s: {_budgets(list(budgets))} "
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


def _budgets(names: list[str]) -> str:
    if len(names) > 1:
        return f"the PodDisruptionBudgets {_join(names)} keep"
    return f"the PodDisruptionBudget {names[0]} keeps" if names else "a PodDisruptionBudget keeps"


def _join(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
