# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects a client asks for: label and field selectors (pure)."""

from __future__ import annotations

import re
from typing import Any

from .store import ApiError, Obj

_SETS = re.compile(r"^\s*(?P<key>[^\s=!,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_EQUALS = re.compile(r"^\s*(?P<key>[^\s=!,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s=!,()]*)\s*$")
_THERE = re.compile(r"^\s*(?P<no>!?)\s*(?P<key>[^\s=!,()]+)\s*$")


def _split(text: str) -> list[str]:
    """Return the parts between commas that are not within parentheses."""
    return [part for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _holds(part: str, labels: dict[str, str]) -> bool:
    if found := _SETS.match(part):
        values = [value.strip() for value in found["values"].split(",")]
        inside = labels.get(found["key"]) in values
        return inside if found["op"] == "in" else not inside
    if found := _EQUALS.match(part):
        same = labels.get(found["key"]) == found["value"]
        return not same if found["op"] == "!=" else same
    if found := _THERE.match(part):
        return (found["key"] in labels) != bool(found["no"])
    raise ApiError(400, "BadRequest", f"unable to parse requirement: {part!r}")


def labels_match(selector: str, labels: dict[str, str]) -> bool:
    """Return whether labels fulfil every part of a selector's text."""
    return all(_holds(part, labels) for part in _split(selector))


def _needs(need: dict[str, Any], labels: dict[str, str]) -> bool:
    value, values = labels.get(need["key"]), need.get("values", [])
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(need["operator"], False)


def selector_matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether labels fulfil a selector as objects have it."""
    wanted = selector.get("matchLabels", {})
    needs = selector.get("matchExpressions", [])
    return all(labels.get(k) == v for k, v in wanted.items()) and all(
        _needs(need, labels) for need in needs
    )


def affinity_allows(affinity: dict[str, Any], labels: dict[str, str], name: str) -> bool:
    """Return whether a node is one that a pod's required node affinity names."""
    required = affinity.get("nodeAffinity", {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if not required:
        return True
    return any(
        all(_needs(need, labels) for need in term.get("matchExpressions", []))
        and all(_needs(need, {"metadata.name": name}) for need in term.get("matchFields", []))
        for term in required.get("nodeSelectorTerms", [])
    )


def field(obj: Obj, path: str) -> str:
    """Return the field's text; empty where there is none."""
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def fields_match(selector: str, obj: Obj) -> bool:
    """Return whether an object has the fields that a selector names."""
    for part in _split(selector):
        found = _EQUALS.match(part)
        if not found:
            raise ApiError(400, "BadRequest", f"invalid field selector: {part!r}")
        same = field(obj, found["key"]) == found["value"]
        if same == (found["op"] == "!="):
            return False
    return True
