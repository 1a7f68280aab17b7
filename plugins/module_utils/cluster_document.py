# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status.yml shows of a cluster: a document for programs, and a text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    Operation,
    Record,
    running,
    seconds_between,
    span_words,
    unfinished,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_state import (
    BROKEN,
    DEGRADED,
    HEALTHY,
    Parts,
    Verdict,
    engine_versions,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_status import render
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_status import render_k3s
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.monitoring_status import (
    render_monitoring,
)

SCHEMA_VERSION = 1
#: With which status a run of status.yml ends, unless status_exit is false.
EXITS = {HEALTHY: 0, BROKEN: 2, DEGRADED: 4}
#: Operations that the text shows; the document has all that are on record.
_MOST_SHOWN = 5


@dataclass(frozen=True)
class Asked:
    """When the nodes were asked, by which version of this collection, and what they should run."""

    at: str
    version: str
    cluster: str
    wanted: Mapping[str, str]
    record_file: str
    record_problem: str = ""


def build_status(asked: Asked, parts: Parts, record: Record, verdict: Verdict) -> dict[str, Any]:
    """Return the document of ``status_format=json``; docs/status-schema.json describes it."""
    now, left = running(record), unfinished(record)
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "rackforge.gpu_cluster", "version": asked.version},
        "asked_at": asked.at,
        "cluster": asked.cluster,
        "state": verdict.state,
        "health": verdict.health,
        "exit": EXITS[verdict.health],
        "reasons": [
            {"node": each.node, "reason": each.text, "planned": each.planned}
            for each in verdict.reasons
        ],
        "notes": list(verdict.notes),
        "versions": [
            {
                "engine": each.engine,
                "wanted": each.wanted,
                "found": {version: list(names) for version, names in each.found.items()},
            }
            for each in engine_versions(parts, asked.wanted)
        ],
        "running": _operation(now, asked.at) if now else None,
        "unfinished": _operation(left) if left and not now else None,
        "operations": [_operation(each, asked.at) for each in reversed(record.operations)],
        "record": {
            "file": asked.record_file,
            "initialized": record.initialized,
            "problem": asked.record_problem,
        },
        "ray": parts.ray.to_dict() if parts.ray else None,
        "k3s": parts.k3s.to_dict() if parts.k3s else None,
        "monitoring": parts.monitoring.to_dict() if parts.monitoring else None,
    }


def _operation(noted: Operation, now: Optional[str] = None) -> dict[str, Any]:
    """Return an operation as plain data; for one that runs, ``seconds`` are those until ``now``."""
    runs = noted.result == "running" and now
    return {
        "operation": noted.name,
        "user": noted.user,
        "host": noted.process.host,
        "pid": noted.process.pid,
        "begun": noted.begun,
        "command": noted.command,
        "nodes": list(noted.nodes),
        "ended": noted.ended,
        "seconds": seconds_between(noted.begun, now) if runs and now else noted.seconds,
        "result": noted.result,
        "phase": noted.phase,
        "failed_hosts": list(noted.failed_hosts),
        "wanted": dict(noted.wanted),
        "note": noted.note,
    }


def render_status(document: Mapping[str, Any], parts: Parts) -> str:
    """Return the text for a terminal: the verdict, each part, and the last operations."""
    texts = [render(parts.ray)] if parts.ray else []
    texts += [render_k3s(parts.k3s)] if parts.k3s else []
    texts += [render_monitoring(parts.monitoring)] if parts.monitoring else []
    said = "\n".join(texts)
    lines = [f"Cluster {document['cluster']}: {document['state']}, {document['health']}"]
    lines += [f"  {note}" for note in document["notes"]]
    # What a part says of its nodes below need not be said twice.
    untold = (each for each in document["reasons"] if each["reason"] not in said)
    lines += [f"  {each['node']}: {each['reason']}" for each in untold]
    if document["record"]["problem"]:
        lines.append(f"  {document['record']['problem']}")
    return "\n\n".join(["\n".join(lines), *texts, *_operations(document["operations"])])


def _operations(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table of the last operations, nothing where there are none."""
    if not rows:
        return []
    cells = [("BEGUN", "OPERATION", "BY", "TOOK", "RESULT"), *map(_row, rows[:_MOST_SHOWN])]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in cells)
    return ["\n".join(["Last operations:", *(f"  {line.rstrip()}" for line in lines)])]


def _row(operation: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        operation["begun"],
        operation["operation"],
        f"{operation['user']}@{operation['host']}",
        span_words(operation["seconds"]),
        result_words(operation),
    )


def result_words(operation: Mapping[str, Any]) -> str:
    """Return how an operation ended, and what is known besides."""
    nodes = ", ".join(operation["failed_hosts"])
    phase = operation["phase"] if operation["result"] in ("running", "interrupted") else ""
    words = [f"on {nodes}" if nodes else "", f"at '{phase}'" if phase else ""]
    return " ".join(word for word in (operation["result"], *words) if word)


def exit_words(document: Mapping[str, Any]) -> str:
    """Return why status.yml ends with another status than 0, and how it would not."""
    why = "; ".join(f"{each['node']}: {each['reason']}" for each in document["reasons"])
    said = f"Cluster {document['cluster']}: {document['state']}, {document['health']}"
    return f"{said}{f'. {why}' if why else ''}. (-e status_exit=false ends with 0 in any case.)"
