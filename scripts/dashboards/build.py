"""Dashboards as values, and the JSON that Grafana reads for them."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.dashboards.thresholds import Step

# Of Grafana 11.0; every later one reads it.
SCHEMA_VERSION = 39
COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """One expression. ``empty_when`` says why it may rightly give nothing on a healthy cluster."""

    expr: str
    legend: str = ""
    empty_when: str = ""


@dataclass(frozen=True)
class Column:
    """One column of numbers in a table: its query, its heading and how its values look."""

    title: str
    query: Query
    unit: str = "short"
    steps: Sequence[Step] = ()
    words: Mapping[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """One panel; where it stands follows from its size and from what comes before it."""

    title: str
    kind: str
    queries: Sequence[Query]
    width: int
    height: int
    description: str
    # The part of a cluster without which there is nothing to show.
    needs: str = ""
    instant: bool = True
    table: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[Mapping[str, Any]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    transformations: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Row:
    """A heading over the panels that follow."""

    title: str


@dataclass(frozen=True)
class Variable:
    """A choice above the panels: the values of a label."""

    name: str
    title: str
    expr: str


@dataclass(frozen=True)
class Dashboard:
    """One dashboard. ``needs`` is what its panels need unless they say otherwise."""

    name: str
    title: str
    description: str
    needs: str
    variables: Sequence[Variable]
    panels: Sequence[Panel | Row]


def dashboard_text(dashboard: Dashboard) -> str:
    """Return the file that Grafana and our page read."""
    return json.dumps(dashboard_json(dashboard), indent=1, ensure_ascii=False) + "\n"


def dashboard_json(dashboard: Dashboard) -> dict[str, Any]:
    """Return the dashboard in Grafana's format."""
    return {
        "uid": f"rackforge-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["rackforge", f"needs-{dashboard.needs}"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "panels": _placed(dashboard.panels),
        "templating": {"list": [_source(), *(_variable(each) for each in dashboard.variables)]},
        "annotations": {"list": []},
        "links": [],
    }


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Server",
        "type": "datasource",
        "query": "prometheus",
        "hide": 2,
        "multi": False,
        "includeAll": False,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "label": variable.title,
        "type": "query",
        "datasource": SOURCE,
        "query": variable.expr,
        "refresh": 2,
        "sort": 7,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _placed(panels: Sequence[Panel | Row]) -> list[dict[str, Any]]:
    """Return the panels from left to right, a new line wherever one does not fit."""
    placed: list[dict[str, Any]] = []
    left = top = tallest = 0
    for number, panel in enumerate(panels, start=1):
        width, height = (COLUMNS, 1) if isinstance(panel, Row) else (panel.width, panel.height)
        if left + width > COLUMNS:
            left, top, tallest = 0, top + tallest, 0
        spot = {"x": left, "y": top, "w": width, "h": height}
        placed.append({"id": number, "gridPos": spot, **_panel(panel)})
        left, tallest = left + width, max(tallest, height)
    return placed


def _panel(panel: Panel | Row) -> dict[str, Any]:
    if isinstance(panel, Row):
        return {"type": "row", "title": panel.title, "collapsed": False, "panels": []}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "targets": [
            _target(panel, query, letter)
            for query, letter in zip(panel.queries, string.ascii_uppercase, strict=False)
        ],
        "fieldConfig": {"defaults": dict(panel.defaults), "overrides": list(panel.overrides)},
        "options": dict(panel.options),
        "transformations": list(panel.transformations),
    }


def _target(panel: Panel, query: Query, letter: str) -> dict[str, Any]:
    return {
        "refId": letter,
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": panel.instant,
        "range": not panel.instant,
        "format": "table" if panel.table else "time_series",
    }
