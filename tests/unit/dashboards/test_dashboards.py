"""Claims about the dashboards, and that the checks bite."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from scripts.dashboards.build import Column, Dashboard, Panel, Query, Row, Variable, dashboard_json
from scripts.dashboards.catalogue import DASHBOARDS, QUERIES, asked, files
from scripts.dashboards.common import per_gpu
from scripts.dashboards.panels import graph, matrix, stat, table
from scripts.generate_dashboards import stale
from tests.unit.dashboards.checks import (
    column_faults,
    layout_faults,
    metrics_of,
    panels_of,
    query_faults,
    schema_faults,
)

ROOT = Path(__file__).parents[3]
METRICS = ROOT / "tests" / "fixtures" / "monitoring" / "metrics"
WRITTEN = [pytest.param(dashboard_json(each), id=each.name) for each in DASHBOARDS]

Broken = Callable[[dict[str, Any]], object]


def known_metrics() -> set[str]:
    """Return every metric that a job of ours scrapes."""
    lines = [
        line for path in METRICS.glob("*.txt") for line in path.read_text("utf-8").splitlines()
    ]
    return {line for line in lines if line and not line.startswith("#")}


def sample() -> dict[str, Any]:
    """Return a small dashboard with nothing wrong."""
    return dashboard_json(
        Dashboard(
            name="sample",
            title="Sample",
            description="Two panels.",
            needs="node",
            variables=[Variable("node", "Node", 'label_values(up{job="node"}, node)')],
            panels=[
                stat("Up", Query("sum(up)"), "How many."),
                Row("More"),
                graph("Load", [Query("node_load1", "{{node}}")], "Of a minute."),
            ],
        )
    )


def test_the_files_are_what_the_code_gives() -> None:
    assert stale(ROOT, files()) == []


def test_a_changed_and_a_missing_file_are_stale(tmp_path: Path) -> None:
    (tmp_path / "same.json").write_text("{}\n", encoding="utf-8")
    (tmp_path / "changed.json").write_text("{ }\n", encoding="utf-8")
    wanted = dict.fromkeys(["same.json", "changed.json", "missing.json"], "{}\n")
    assert stale(tmp_path, wanted) == ["changed.json", "missing.json"]


@pytest.mark.parametrize("data", WRITTEN)
def test_grafana_s_own_types_take_it_whole(data: dict[str, Any]) -> None:
    assert schema_faults(data) == []


@pytest.mark.parametrize("data", WRITTEN)
def test_its_panels_stand_side_by_side(data: dict[str, Any]) -> None:
    assert layout_faults(data) == []


@pytest.mark.parametrize("data", WRITTEN)
def test_every_panel_asks_something_and_has_a_unit(data: dict[str, Any]) -> None:
    assert query_faults(data) == []


@pytest.mark.parametrize("data", WRITTEN)
def test_every_heading_of_a_table_has_a_label(data: dict[str, Any]) -> None:
    assert column_faults(data) == []


def test_a_heading_without_a_label_is_found() -> None:
    columns = [Column("Load", Query("max by (node) (node_load1)"))]
    panel = table("Nodes", columns, "All.", names={"node": "Node", "rack": "Rack"})
    data = dashboard_json(Dashboard("x", "X", "X.", "node", [], [panel]))
    assert column_faults(data) == ["Nodes: no query keeps rack"]


@pytest.mark.parametrize("data", WRITTEN)
def test_every_panel_says_what_it_shows(data: dict[str, Any]) -> None:
    assert [panel["title"] for panel in panels_of(data) if not panel["description"]] == []


@pytest.mark.parametrize("data", WRITTEN)
def test_no_query_asks_for_what_is_not_scraped(data: dict[str, Any]) -> None:
    asked_for = {
        name
        for panel in panels_of(data)
        for target in panel["targets"]
        for name in metrics_of(target["expr"])
    }
    assert asked_for - known_metrics() == set()


@pytest.mark.parametrize(
    ("breaks", "fault"),
    [
        pytest.param(
            lambda data: data["panels"][0].update(type="pie"),
            "Up: no panel type pie",
            id="unknown-panel-type",
        ),
        pytest.param(
            lambda data: data["panels"][0].update(tittle="x"),
            "dashboard.panels[0].tittle is unknown",
            id="misspelt-field",
        ),
        pytest.param(
            lambda data: data["panels"][0]["options"].update(colorMode="loud"),
            "dashboard.panels.options.color_mode is 'loud'",
            id="no-such-choice",
        ),
        pytest.param(
            lambda data: data["panels"][0]["gridPos"].update(w="wide"),
            "dashboard.panels.grid_pos.w is 'wide'",
            id="text-for-a-number",
        ),
        pytest.param(
            lambda data: data["panels"][2]["targets"][0].update(query="x"),
            "dashboard.panels[2].targets[0].query is unknown",
            id="misspelt-target",
        ),
    ],
)
def test_what_grafana_does_not_know_is_found(breaks: Broken, fault: str) -> None:
    data = deepcopy(sample())
    assert schema_faults(data) == []
    breaks(data)
    assert fault in schema_faults(data)


@pytest.mark.parametrize(
    ("breaks", "fault"),
    [
        pytest.param(
            lambda data: data["panels"][2].update(id=1), "id 1 is there twice", id="same-id"
        ),
        pytest.param(
            lambda data: data["panels"][2]["gridPos"].update(y=3),
            "Up lies upon Load",
            id="overlapping",
        ),
        pytest.param(
            lambda data: data["panels"][2]["gridPos"].update(x=20),
            "Load sticks out",
            id="too-far-right",
        ),
    ],
)
def test_a_bad_layout_is_found(breaks: Broken, fault: str) -> None:
    data = deepcopy(sample())
    assert layout_faults(data) == []
    breaks(data)
    assert fault in layout_faults(data)


@pytest.mark.parametrize(
    ("breaks", "fault"),
    [
        pytest.param(
            lambda data: data["panels"][0]["targets"][0].pop("expr"),
            "Up has a target without an expression",
            id="no-expression",
        ),
        pytest.param(
            lambda data: data["panels"][0].update(targets=[]),
            "Up has a target without an expression",
            id="no-target",
        ),
        pytest.param(
            lambda data: data["panels"][0]["targets"].append(data["panels"][0]["targets"][0]),
            "Up uses a letter twice",
            id="same-letter",
        ),
        pytest.param(
            lambda data: data["panels"][0]["fieldConfig"]["defaults"].pop("unit"),
            "Up has no unit",
            id="no-unit",
        ),
    ],
)
def test_a_bad_query_is_found(breaks: Broken, fault: str) -> None:
    data = deepcopy(sample())
    assert query_faults(data) == []
    breaks(data)
    assert fault in query_faults(data)


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        pytest.param("sum(up)", {"up"}, id="bare"),
        pytest.param('sum by (node) (rate(a_total{x="b{c"}[5m]))', {"a_total"}, id="selector"),
        pytest.param("a and on (node, device) b or vector(0)", {"a", "b"}, id="two"),
        pytest.param('label_replace(up{job="node"}, "a", "$1", "b", "(.*)")', {"up"}, id="strings"),
        pytest.param("a * on (n) group_left() max by (n) (b)", {"a", "b"}, id="joined"),
    ],
)
def test_metrics_are_found_in_an_expression(expr: str, names: set[str]) -> None:
    assert metrics_of(expr) == names


def test_panels_flow_from_left_to_right() -> None:
    panel = stat("Up", Query("up"), "How many.", width=9)
    data = dashboard_json(Dashboard("x", "X", "X.", "node", [], [panel, panel, panel, Row("R")]))
    places = [(spot["x"], spot["y"], spot["w"]) for spot in (p["gridPos"] for p in data["panels"])]
    assert places == [(0, 0, 9), (9, 0, 9), (0, 4, 9), (0, 8, 24)]


def test_a_gpu_is_one_series_whichever_exporter_it_comes_from() -> None:
    expected = 'max by (node, gpu) (DCGM_FI_DEV_GPU_TEMP{node=~"$node"})'
    assert per_gpu("DCGM_FI_DEV_GPU_TEMP") == expected


def test_a_heat_map_has_a_row_for_each_node_and_a_column_for_each_gpu() -> None:
    panel: Panel = matrix("Map", Query("x"), "All.", unit="percent", steps=())
    assert panel.transformations == [
        {
            "id": "groupingToMatrix",
            "options": {"columnField": "gpu", "rowField": "node", "valueField": "Value"},
        }
    ]


def test_a_query_is_asked_for_every_node_and_gpu() -> None:
    expr = 'rate(a{node=~"$node",gpu=~"$gpu"}[$__rate_interval])'
    assert asked(expr) == 'rate(a{node=~".*",gpu=~".*"}[5m])'


def test_the_list_of_queries_has_every_query_of_every_dashboard() -> None:
    listed = json.loads((ROOT / QUERIES).read_text(encoding="utf-8"))
    expected = [
        (each.name, panel["title"], asked(target["expr"]))
        for each in DASHBOARDS
        for panel in panels_of(dashboard_json(each))
        for target in panel["targets"]
    ]
    assert [(row["dashboard"], row["panel"], row["query"]) for row in listed] == expected


def test_what_may_be_empty_says_when() -> None:
    listed = json.loads((ROOT / QUERIES).read_text(encoding="utf-8"))
    reasons = {row["empty_when"] for row in listed if row["empty_when"] is not None}
    assert all(len(reason) > 10 for reason in reasons)
    assert {row["needs"] for row in listed} == {"node", "gpu", "ray", "k3s"}
