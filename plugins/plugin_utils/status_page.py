# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of status.yml: one file for a browser or a printer, of the same make as preflight's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import Template
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_document import (
    result_words,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    span_words,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_state import (
    BROKEN,
    DEGRADED,
    HEALTHY,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import plural
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_html import (
    plain,
    table,
    text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_skeleton import (
    Heading,
    asset,
    render_skeleton,
)

_OUTCOMES = {HEALTHY: "clean", DEGRADED: "warnings", BROKEN: "errors"}
#: Colours of what a node, a part or an operation is; everything else is an error.
_WELL = frozenset({"alive", "ready", "running", "succeeded"})
_PLANNED = frozenset({"drained", "refused", "unknown"})
#: Rows of jobs and of pods that the page shows; the document has all.
_MOST_ROWS = 200


def render_status_page(document: Mapping[str, Any]) -> str:
    """Return the whole page of a status document; it refers to nothing outside itself."""
    cluster, state = plain(document["cluster"]), document["state"]
    heading = Heading(
        kind="Cluster status",
        title=f"{state}: cluster {cluster}",
        outcome=_OUTCOMES[document["health"]],
        name=cluster,
        headline=f"{state}, {document['health']}",
        sentence=_sentence(document),
        counts=_counts(document),
        counts_label="Nodes by state",
        when=_when(document),
        skip="reasons",
        skip_words="Skip to what there is to know",
    )
    main = Template(asset("status.html")).substitute(
        reasons=_reasons(document),
        nodes=_nodes(document),
        services=_services(document),
        work=_work(document),
        operations=_operations(document["operations"]),
    )
    footer = f"{document['tool']['name']} {document['tool']['version']}".strip()
    return render_skeleton(heading, main, footer)


def _sentence(document: Mapping[str, Any]) -> str:
    """Return the verdict in a sentence."""
    wrong = {each["node"] for each in document["reasons"]}
    total = len(_node_names(document))
    if not wrong:
        return f"All {plural(total, 'node')} are at work." if total > 1 else "The node is at work."
    return f"{len(wrong)} of {plural(total, 'node')} not fully at work."


def _node_names(document: Mapping[str, Any]) -> list[str]:
    """Return every node of the inventory's cluster once, in the order of the parts."""
    rows = [*_rows_of(document, "ray"), *_rows_of(document, "k3s")]
    names = [row["name"] for row in rows if not row.get("stranger")]
    names += [document["monitoring"]["host"]] if document["monitoring"] else []
    return list(dict.fromkeys(names))


def _rows_of(document: Mapping[str, Any], part: str) -> list[Mapping[str, Any]]:
    return list((document[part] or {}).get("nodes") or ())


def _counts(document: Mapping[str, Any]) -> str:
    """Return how many nodes are in which state, as signs."""
    found: dict[str, int] = {}
    for row in [*_rows_of(document, "ray"), *_rows_of(document, "k3s")]:
        found[row["state"]] = found.get(row["state"], 0) + 1
    kinds = {"ok": "note", "ignored": "note"}
    return "".join(
        f'<span class="pill {kinds.get(_kind(state), _kind(state))}">{number} {text(state)}</span>'
        for state, number in sorted(found.items())
    )


def _when(document: Mapping[str, Any]) -> str:
    at = text(document["asked_at"])
    shown = at.replace("T", " ").replace("Z", " UTC")
    stood = document["record"]["initialized"]
    since = f" · first built {text(stood[:10])}" if stood else ""
    return f'<time datetime="{at}">{shown}</time>{since}'


def _kind(state: str) -> str:
    """Return the colour of a state."""
    if state in _WELL:
        return "ok"
    return "warning" if state in _PLANNED else "error"


def _badge(state: str) -> str:
    return f'<span class="badge {_kind(state)}">{text(state)}</span>'


def _reasons(document: Mapping[str, Any]) -> str:
    """Return what is wrong and what else there is to know, as a list of cards."""
    cards = [
        _card("note" if each["planned"] else "error", each["node"], each["reason"])
        for each in document["reasons"]
    ]
    problem = document["record"]["problem"]
    notes = [*document["notes"], *([problem] if problem else [])]
    cards += [_card("note", "cluster", note) for note in notes]
    return (
        "".join(cards) or '<p class="card empty">Nothing is wrong, and nothing is to be done.</p>'
    )


def _card(kind: str, who: str, words: str) -> str:
    return (
        f'<article class="card finding {kind}"><h3>{text(who)}</h3>'
        f'<p class="message">{text(words)}</p></article>'
    )


def _nodes(document: Mapping[str, Any]) -> str:
    """Return a row for each node and engine."""
    wanted = {each["engine"]: each["wanted"] for each in document["versions"]}
    rows = [_ray_row(row, wanted.get("ray", "")) for row in _rows_of(document, "ray")]
    rows += [_k3s_row(row, wanted.get("k3s", "")) for row in _rows_of(document, "k3s")]
    if not rows:
        return '<p class="card empty">The inventory has no node of Ray or k3s.</p>'
    return table("Nodes", ("Node", "Engine", "State", "Address", "Version", "GPUs"), rows)


def _ray_row(row: Mapping[str, Any], wanted: str) -> tuple[str, ...]:
    gpus, offered = row["gpus"], row["resources"].get("GPU")
    shown = gpus["text"] if gpus else (f"{offered:g}" if offered else None)
    engine = f"Ray {row['role']}"
    return _cells(row, engine, _badge(row["state"]), _version(row["version"], wanted), shown)


def _k3s_row(row: Mapping[str, Any], wanted: str) -> tuple[str, ...]:
    gpus = row["gpus"]
    found = "?" if not gpus or gpus["found"] is None else gpus["found"]
    shown = f"{gpus['offered']} of {found} offered" if gpus else None
    cordoned = ' <span class="badge warning">cordoned</span>' if row["cordoned"] else ""
    state = f"{_badge(row['state'])}{cordoned}"
    return _cells(row, f"k3s {row['role']}", state, _version(row["version"], wanted), shown)


def _cells(
    row: Mapping[str, Any], engine: str, state: str, version: str, gpus: Any
) -> tuple[str, ...]:
    return (text(row["name"]), text(engine), state, text(row["address"]), version, text(gpus))


def _version(found: Any, wanted: str) -> str:
    """Return a version, and the wanted one where that is another."""
    other = f"<br><span class='soft'>wanted {text(wanted)}</span>" if wanted != found else ""
    return f"{text(found)}{other if found and wanted else ''}"


def _services(document: Mapping[str, Any]) -> str:
    """Return each part with its state, address and version."""
    ray, k3s, watching = (document[part] for part in ("ray", "k3s", "monitoring"))
    versions = {each["engine"]: each for each in document["versions"]}
    rows = []
    if ray:
        rows.append(_service("Ray", ray["state"], ray["dashboard"], versions.get("ray")))
    if k3s:
        rows.append(_service("k3s", k3s["state"], k3s["api"], versions.get("k3s")))
    if watching:
        rows.append(_service("Monitoring", watching["state"], watching["url"], None))
    heads = ("Service", "State", "Address", "Versions found", "Version wanted")
    return table("Services", heads, rows, wide="Address")


def _service(name: str, state: str, address: Any, versions: Any) -> tuple[str, ...]:
    found = versions["found"] if versions else {}
    shown = ", ".join(f"{each} ({plural(len(on), 'node')})" for each, on in found.items())
    wanted = versions["wanted"] if versions else None
    return (text(name), _badge(state), text(address), text(shown), text(wanted))


def _work(document: Mapping[str, Any]) -> str:
    """Return the jobs that have not ended, the pods that are not ready, the alerts that fire."""
    jobs = (document["ray"] or {}).get("jobs") or ()
    pods = (document["k3s"] or {}).get("pods_not_ready") or ()
    alerts = (document["monitoring"] or {}).get("firing") or ()
    parts = [
        _list("Jobs", ("Job", "State", "Command"), jobs, ("job_id", "status", "entrypoint")),
        _list(
            "Pods not ready",
            ("Pod", "Namespace", "Node", "Reason"),
            pods,
            ("name", "namespace", "node", "reason"),
        ),
        _list("Alerts", ("Alert", "Severity", "Node"), alerts, ("alert", "severity", "node")),
    ]
    shown = "".join(parts)
    return shown or '<p class="card empty">No job runs, no pod waits, no alert fires.</p>'


def _list(
    title: str,
    heads: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    members: Iterable[str],
) -> str:
    if not rows:
        return ""
    names = list(members)
    cells = [tuple(text(row.get(name)) for name in names) for row in rows[:_MOST_ROWS]]
    more = f"; the first {_MOST_ROWS}" if len(rows) > _MOST_ROWS else ""
    lead = f"<p class='soft lead'>{text(title)}: {len(rows):,}{more}</p>"
    return f"{lead}{table(title, heads, cells, wide='Command Reason')}"


def _operations(operations: Sequence[Mapping[str, Any]]) -> str:
    if not operations:
        return '<p class="card empty">None is on record.</p>'
    rows = [
        (
            text(each["begun"].replace("T", " ").replace("Z", " UTC")),
            text(each["operation"]),
            text(f"{each['user']}@{each['host']}"),
            text(span_words(each["seconds"])),
            f"{_badge(each['result'])} {text(result_words(each).partition(' ')[2])}".removesuffix(
                f" {text(None)}"
            ),
        )
        for each in operations
    ]
    return table("Last operations", ("Begun", "Operation", "By", "Took", "Result"), rows, "Result")
