"""Answers of made-up clusters to the queries of the dashboards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.browser.metrics_server import Answers, QueryError, Series

EVIL = '<img src=x onerror="window.hit = 1"><script>window.hit = 1</script>'

# Labels by which queries group; a series has all of them, so each panel finds its own.
LABELS = {
    "device": "eth1",
    "mountpoint": "/",
    "path": "/etc/docker/server.crt",
    "modelName": "NVIDIA H100 80GB HBM3",
    "state": "ok",
    "State": "RUNNING",
    "reason": "thermal",
    "xid": "79",
    "namespace": "kube-system",
    "pod": "coredns",
    "code": "200",
    "verb": "GET",
    "Component": "raylet",
    "Location": "MMAP_SHM",
    "alertname": "GpuHot",
    "severity": "warning",
    "vendor": "nvidia",
    "loaded": "570.124.06",
    "installed": "570.124.06",
    "library": "570.124.06",
    "cluster": "atlas",
}


def cluster(nodes: int, gpus: int) -> Answers:
    """Return the answers of a healthy cluster: every query gives a series for each node or GPU."""

    def answers(query: str) -> Sequence[Series]:
        wide = "gpu)" in query or "gpu," in query
        if not wide:
            return [({**LABELS, "node": f"gpu-{node:02d}"}, 40 + node) for node in range(nodes)]
        return [
            ({**LABELS, "node": f"gpu-{node:02d}", "gpu": str(gpu)}, (node * 7 + gpu * 13) % 100)
            for node in range(nodes)
            for gpu in range(gpus)
        ]

    return answers


def hostile(query: str) -> Sequence[Series]:
    """Answer with labels of which every value is an attack."""
    return [({**dict.fromkeys(LABELS, EVIL), "node": EVIL, "gpu": EVIL}, float(len(query)))]


def nothing(query: str) -> Sequence[Series]:
    """Answer without any series."""
    del query
    return []


def failing(part: str, otherwise: Answers) -> Answers:
    """Return answers of which those to queries with ``part`` in them are errors."""

    def answers(query: str) -> Sequence[Series]:
        if part in query:
            raise QueryError(f"query timed out <b>{part}</b>")
        return otherwise(query)

    return answers


def fixed(values: Mapping[str, Sequence[Series]], otherwise: Answers = nothing) -> Answers:
    """Return answers that are told for queries with a text in them."""

    def answers(query: str) -> Sequence[Series]:
        return next((series for part, series in values.items() if part in query), otherwise(query))

    return answers


def alert(name: str, severity: str, node: str, state: str = "firing") -> dict[str, Any]:
    """Return an alert as the server lists it."""
    return {
        "state": state,
        "activeAt": "2026-11-22T13:40:02.5Z",
        "value": "1e+00",
        "labels": {"alertname": name, "severity": severity, "node": node},
        "annotations": {
            "summary": f"{name} on {node}",
            "description": f"{node} was seen with it; expected none.",
            "command": f"ssh {node} nvidia-smi",
        },
    }
