"""The kinds of panel that our dashboards use."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.dashboards.build import Column, Panel, Query
from scripts.dashboards.thresholds import PLAIN, Step, thresholds

REDUCE = {"values": False, "calcs": ["lastNotNull"], "fields": ""}


def stat(
    title: str,
    query: Query,
    description: str,
    *,
    unit: str = "short",
    steps: Sequence[Step] = PLAIN,
    width: int = 3,
    words: Mapping[int, tuple[str, str]] | None = None,
    needs: str = "",
    colors: Mapping[str, str] | None = None,
    decimals: int | None = None,
) -> Panel:
    """Return one number, or one for each series with its name."""
    defaults: dict[str, Any] = {
        "unit": unit,
        "thresholds": thresholds(steps),
        "mappings": mappings(words or {}),
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    fixed = [
        override(name, {"color": {"mode": "fixed", "fixedColor": color}})
        for name, color in (colors or {}).items()
    ]
    options = {
        "reduceOptions": REDUCE,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "value_and_name" if query.legend else "value",
    }
    return Panel(
        title,
        "stat",
        [query],
        width,
        4,
        description,
        needs,
        defaults=defaults,
        overrides=fixed,
        options=options,
    )


def graph(
    title: str,
    queries: Sequence[Query],
    description: str,
    *,
    unit: str = "short",
    steps: Sequence[Step] = (),
    width: int = 8,
    top: float | None = None,
    stacked: bool = False,
    needs: str = "",
) -> Panel:
    """Return lines over time; steps are drawn as lines across."""
    custom: dict[str, Any] = {"lineWidth": 1, "fillOpacity": 25 if stacked else 5}
    custom["stacking"] = {"mode": "normal" if stacked else "none", "group": "A"}
    defaults: dict[str, Any] = {"unit": unit, "min": 0, "custom": custom}
    if top is not None:
        defaults["max"] = top
    if steps:
        # Green everywhere below would only add noise.
        defaults["thresholds"] = thresholds([(None, "transparent"), *steps[1:]])
        custom["thresholdsStyle"] = {"mode": "line"}
    options = {
        "legend": {
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
            "calcs": ["lastNotNull", "max"],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return Panel(
        title,
        "timeseries",
        queries,
        width,
        9,
        description,
        needs,
        instant=False,
        defaults=defaults,
        options=options,
    )


def bars(
    title: str,
    query: Query,
    description: str,
    *,
    unit: str,
    steps: Sequence[Step],
    top: float | None = None,
    width: int = 8,
    needs: str = "",
) -> Panel:
    """Return one bar for each series."""
    defaults: dict[str, Any] = {"unit": unit, "min": 0, "thresholds": thresholds(steps)}
    if top is not None:
        defaults["max"] = top
    options = {"reduceOptions": REDUCE, "orientation": "horizontal", "displayMode": "basic"}
    return Panel(
        title,
        "bargauge",
        [query],
        width,
        9,
        description,
        needs,
        defaults=defaults,
        options=options,
    )


def matrix(
    title: str, query: Query, description: str, *, unit: str, steps: Sequence[Step]
) -> Panel:
    """Return a heat map: a row for each node, a column for each GPU, the colour its value."""
    defaults = {
        "unit": unit,
        "decimals": 0,
        "thresholds": thresholds(steps),
        "custom": {"cellOptions": {"type": "color-background", "mode": "basic"}, "minWidth": 40},
    }
    turn = {
        "id": "groupingToMatrix",
        "options": {"columnField": "gpu", "rowField": "node", "valueField": "Value"},
    }
    return Panel(
        title,
        "table",
        [query],
        8,
        10,
        description,
        "gpu",
        table=True,
        defaults=defaults,
        options={"showHeader": True},
        transformations=[turn],
    )


def table(
    title: str,
    columns: Sequence[Column],
    description: str,
    *,
    names: Mapping[str, str],
    width: int = 24,
    height: int = 9,
    needs: str = "",
    words: Mapping[str, Mapping[str, str]] | None = None,
) -> Panel:
    """Return a table: first the labels in ``names`` with their headings, then the columns.

    A column without a title only brings its labels. ``words`` colours the texts of a heading.
    """
    values = (
        ["Value"] if len(columns) == 1 else [f"Value #{letter}" for letter in _letters(columns)]
    )
    renamed = dict(zip(values, (column.title for column in columns), strict=True))
    order = {name: place for place, name in enumerate([*names, *values])}
    silent = [value for value, column in zip(values, columns, strict=True) if not column.title]
    hidden = ["Time", "__name__", "alertstate", "cluster", "instance", "job", *silent]
    organize = {
        "excludeByName": {name: True for name in hidden if name not in names},
        "renameByName": {**names, **renamed},
        "indexByName": order,
    }
    return Panel(
        title,
        "table",
        [column.query for column in columns],
        width,
        height,
        description,
        needs,
        table=True,
        defaults={"custom": {"align": "auto"}},
        overrides=[
            *(_words(name, colors) for name, colors in (words or {}).items()),
            *(_column(column) for column in columns if column.title),
        ],
        options={"showHeader": True},
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": organize},
        ],
    )


def _letters(columns: Sequence[Column]) -> str:
    return string.ascii_uppercase[: len(columns)]


def _column(column: Column) -> dict[str, Any]:
    looks: dict[str, Any] = {"unit": column.unit, "mappings": mappings(column.words)}
    if column.steps:
        looks["thresholds"] = thresholds(column.steps)
    if column.steps or column.words:
        looks["custom.cellOptions"] = {"type": "color-text"}
    return override(column.title, looks)


def _words(name: str, colors: Mapping[str, str]) -> dict[str, Any]:
    options = {
        text: {"text": text, "color": color, "index": place}
        for place, (text, color) in enumerate(colors.items())
    }
    looks = {
        "mappings": [{"type": "value", "options": options}],
        "custom.cellOptions": {"type": "color-text"},
    }
    return override(name, looks)


def override(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is different for the field of that name."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def mappings(words: Mapping[int, tuple[str, str]]) -> list[dict[str, Any]]:
    """Return words and colours that stand for numbers."""
    if not words:
        return []
    options = {
        str(value): {"text": text, "color": color, "index": place}
        for place, (value, (text, color)) in enumerate(words.items())
    }
    return [{"type": "value", "options": options}]
