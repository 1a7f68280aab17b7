"""All dashboards, the files they become, and every query for tests that ask a live server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scripts.dashboards.build import Dashboard, Panel, dashboard_text
from scripts.dashboards.cluster import CLUSTER
from scripts.dashboards.gpu import GPUS
from scripts.dashboards.k3s import K3S
from scripts.dashboards.node import NODES
from scripts.dashboards.ray import RAY

DASHBOARDS = (CLUSTER, NODES, GPUS, RAY, K3S)

DIRECTORY = "roles/monitoring/files/dashboards"
QUERIES = "tests/fixtures/monitoring/dashboard_queries.json"

# What a test that asks a server puts in for the variables.
EVERYTHING = {"$node": ".*", "$gpu": ".*", "$__rate_interval": "5m"}


def files() -> dict[str, str]:
    """Return the text of every generated file by its path in the repository."""
    written = {f"{DIRECTORY}/{each.name}.json": dashboard_text(each) for each in DASHBOARDS}
    rows = [row for each in DASHBOARDS for row in query_rows(each)]
    return {**written, QUERIES: json.dumps(rows, indent=1) + "\n"}


def query_rows(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    """Yield every query of a dashboard, ready to be asked, and when its answer may be empty."""
    for panel in dashboard.panels:
        if not isinstance(panel, Panel):
            continue
        for query in panel.queries:
            yield {
                "dashboard": dashboard.name,
                "panel": panel.title,
                "needs": panel.needs or dashboard.needs,
                "empty_when": query.empty_when or None,
                "query": asked(query.expr),
            }


def asked(expr: str) -> str:
    """Return the expression with every variable put in."""
    for name, value in EVERYTHING.items():
        expr = expr.replace(name, value)
    return expr
