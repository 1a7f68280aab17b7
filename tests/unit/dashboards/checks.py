"""What is wrong with a dashboard: against Grafana's own types, in its layout, in its queries."""

from __future__ import annotations

import enum
import json
import re
import types
import typing
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.runtime import Runtime
from grafana_foundation_sdk.models.dashboard import Dashboard

COLUMNS = 24

# Words of the query language that look like metrics.
WORDS = frozenset({"and", "or", "unless", "bool", "offset", "by", "without"})
GROUPS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")

KEPT = re.compile(r"\bby\s*\(([^)]*)\)")

register_default_plugins()


def panels_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that ask something."""
    return [panel for panel in data["panels"] if panel["type"] != "row"]


def schema_faults(data: dict[str, Any]) -> list[str]:
    """Return what Grafana's types do not know, or know as another type."""
    known = Runtime().panelcfg_variants
    faults = [
        f"{panel['title']}: no panel type {panel['type']}"
        for panel in panels_of(data)
        if panel["type"] not in known
    ]
    read = Dashboard.from_json(data)
    written = json.loads(json.dumps(read, cls=JSONEncoder))
    return [*faults, *_lost(data, written, "dashboard"), *_mistyped(read, "dashboard")]


def _lost(given: Any, written: Any, path: str) -> Iterator[str]:
    """Yield what did not survive being read into Grafana's types."""
    if isinstance(given, dict) and isinstance(written, dict):
        for key, value in given.items():
            if key not in written:
                # Grafana's types leave out what is empty anyway.
                if value not in (None, [], {}, ""):
                    yield f"{path}.{key} is unknown"
            else:
                yield from _lost(value, written[key], f"{path}.{key}")
    elif isinstance(given, list) and isinstance(written, list) and len(given) == len(written):
        for place, (one, other) in enumerate(zip(given, written, strict=True)):
            yield from _lost(one, other, f"{path}[{place}]")
    elif given != written:
        yield f"{path} became {written!r}"


def _mistyped(value: Any, path: str) -> Iterator[str]:
    """Yield the fields of Grafana's objects whose values are of another type."""
    if not type(value).__module__.startswith("grafana_foundation_sdk.models"):
        return
    for name, hint in typing.get_type_hints(type(value)).items():
        held = getattr(value, name, None)
        if not _fits(held, hint):
            yield f"{path}.{name} is {held!r}"
        for part in held if isinstance(held, list) else [held]:
            yield from _mistyped(part, f"{path}.{name}")


def _fits(value: Any, hint: Any) -> bool:
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in choices)
    if origin is typing.Literal:
        return value in choices
    if origin is list:
        return isinstance(value, list) and all(_fits(each, choices[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(v, choices[1]) for v in value.values())
    return _is(value, hint)


def _is(value: Any, kind: Any) -> bool:
    if kind in (Any, object) or value is None:
        return kind in (Any, object, type(None))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return value in {each.value for each in kind}
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    # The types read some of their parts as they stand.
    return isinstance(value, (kind, dict)) if kind not in (str, bool) else isinstance(value, kind)


def layout_faults(data: dict[str, Any]) -> list[str]:
    """Return panels that share an id, lie upon each other or stick out."""
    ids = [panel["id"] for panel in data["panels"]]
    faults = [f"id {each} is there twice" for each in sorted({i for i in ids if ids.count(i) > 1})]
    faults += [
        f"{panel['title']} sticks out"
        for panel in data["panels"]
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > COLUMNS
    ]
    return faults + [
        f"{one['title']} lies upon {other['title']}"
        for one, other in combinations(data["panels"], 2)
        if _meet(one["gridPos"], other["gridPos"])
    ]


def _meet(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def query_faults(data: dict[str, Any]) -> list[str]:
    """Return panels that ask nothing, or the same letter twice, or have no unit."""
    faults = []
    for panel in panels_of(data):
        letters = [target.get("refId") for target in panel["targets"]]
        if not letters or not all(target.get("expr") for target in panel["targets"]):
            faults.append(f"{panel['title']} has a target without an expression")
        if len(set(letters)) != len(letters):
            faults.append(f"{panel['title']} uses a letter twice")
        if panel["type"] != "table" and not panel["fieldConfig"]["defaults"].get("unit"):
            faults.append(f"{panel['title']} has no unit")
    return faults


def column_faults(data: dict[str, Any]) -> list[str]:
    """Return headings of tables for labels that no query of the table keeps."""
    return [
        f"{panel['title']}: no query keeps {label}"
        for panel in panels_of(data)
        for turn in panel["transformations"]
        for label in turn["options"].get("renameByName", {})
        if not label.startswith("Value") and label not in _kept(panel)
    ]


def _kept(panel: dict[str, Any]) -> set[str]:
    groups = [each for target in panel["targets"] for each in KEPT.findall(target["expr"])]
    return {label.strip() for group in groups for label in group.split(",")}


def metrics_of(expr: str) -> set[str]:
    """Return the names of the metrics in an expression."""
    bare = re.sub(r'"[^"]*"', "", expr)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = GROUPS.sub(" ", bare)
    return set(re.findall(r"\b([A-Za-z_:][\w:]*)\b(?!\s*\()", bare)) - WORDS
