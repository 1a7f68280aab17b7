# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the report, and what it says about itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_document import (
    count,
    count_tested,
    run_seconds,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_html import (
    CROSS,
    gib,
    table,
    text,
    two_lines,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_mesh import VERDICTS
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_topology import (
    node_states,
)

_BADGES = {
    "": ("ok", "✓ no problem"),
    "warning": ("warning", "! warning"),
    "error": ("error", f"{CROSS} error"),
    "unknown": ("ignored", "? not asked"),
}


def gpu_section(document: Mapping[str, Any]) -> str:
    """Return which nodes have how many GPUs of what kind."""
    rows = _gpu_rows(document["nodes"])
    if not rows:
        return '<p class="card empty">No GPU was found, or none was looked for (has_gpu).</p>'
    models = Counter(
        gpu["model"] or "unknown model" for node in document["nodes"] for gpu in node["gpus"]
    )
    total = ", ".join(f"{number} {CROSS} {model}" for model, number in sorted(models.items()))
    heads = ("Model", "GPUs", "Memory each", "Driver", "Nodes")
    return f"<p class='soft lead'>{text(total)}</p>{table('GPUs', heads, rows, wide='Nodes')}"


def _gpu_rows(nodes: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return a row for each kind and number of GPUs in a node, with the nodes that have them."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for node in nodes:
        kinds = Counter(
            (gpu["model"] or f"unknown model ({gpu['vendor']})", gpu["memory_mib"], gpu["driver"])
            for gpu in node["gpus"]
        )
        for (model, memory, driver), number in kinds.items():
            alike.setdefault((model, number, memory, driver), []).append(node["name"])
    return [
        (text(model), f"{number} a node", text(gib(memory)), text(driver), text(", ".join(names)))
        for (model, number, memory, driver), names in sorted(alike.items(), key=str)
    ]


def node_section(document: Mapping[str, Any]) -> str:
    """Return what each node is."""
    states = node_states(document)
    rows = [_node_row(node, states[node["name"]]) for node in document["nodes"]]
    if not rows:
        return '<p class="card empty">The inventory has no node.</p>'
    heads = (
        "Node",
        "State",
        "Groups",
        "Address",
        "System",
        "CPUs",
        "Memory",
        "Disk free",
        "Link",
    )
    return table("Nodes", heads, rows)


def _node_row(node: Mapping[str, Any], state: str) -> tuple[str, ...]:
    """Return the row of a node."""
    kind, words = _BADGES[state]
    if node["reachable"] is False:
        words = f"{CROSS} not reached"
    link = node["link"] or {}
    speed = link.get("speed_mbit")
    return (
        text(node["name"]),
        f'<span class="badge {kind}">{words}</span>',
        "<br>".join(text(group) for group in node["groups"]) or text(None),
        two_lines(node["address"], node["interface"]),
        two_lines(node["os"], node["kernel"]),
        text(node["cpu_count"]),
        text(gib(node["memory_mib"])),
        _disk(node),
        two_lines(
            f"{speed / 1000:g} Gbit/s" if isinstance(speed, (int, float)) else None,
            f"MTU {link['mtu']}" if link.get("mtu") else None,
        ),
    )


def _disk(node: Mapping[str, Any]) -> str:
    """Return the free and whole size of the root file system."""
    for disk in node["disks"]:
        if disk["mount"] == "/" and disk["size_mib"] is not None:
            return two_lines(gib(disk["free_mib"]), f"of {gib(disk['size_mib'])}")
    return text(None)


def tested_section(document: Mapping[str, Any]) -> str:
    """Return what was looked at, and what the words of the report mean."""
    tested = count_tested(document)
    seconds = run_seconds(document)
    words = {True: "yes", False: "no"}
    modes = ", ".join(
        f"{name}: {words.get(value, value)}" for name, value in document["modes"].items()
    )
    facts = [
        ("Nodes that answered", f"{tested.nodes} of {len(document['nodes'])}"),
        ("GPUs", f"{tested.gpus:,}"),
        ("Paths", count(tested.pairs, "path") + ", each one way"),
        ("Ports", f"{tested.ports:,} tried, {tested.good:,} open"),
        ("Profiles", ", ".join(document["profiles"])),
        ("Modes", modes),
        ("Ignored codes", ", ".join(document["ignored_by"]["codes"]) or "none"),
        ("Time", f"{document['started_at']}, {seconds} s" if seconds is not None else ""),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{text(value)}</dd>" for name, value in facts)
    rows = [(f"<code>{name}</code>", text(meaning)) for name, meaning in VERDICTS.items()]
    return (
        f'<div class="prose">{_PROSE}</div><dl class="facts card">{listed}</dl>'
        f"{table('Verdicts on ports', ('Verdict', 'Meaning'), rows, wide='Meaning')}"
    )


_PROSE = (
    "<p>An error makes the cluster fail, so nothing is changed while there is one. A warning "
    "leaves a cluster that works and hurts later. A note is something to know.</p>"
    "<p>A port counts as open only where the node that should have the connection says that it "
    "has it, under a secret of this run. A connection that merely came about proves nothing: a "
    "proxy, a redirect or a firewall can answer as well. Every path was tried from every node at "
    "the same time, over the interface that the cluster uses, and in both directions.</p>"
    "<p>In the heat map each row is where connections start and each column where they arrive. "
    "A bad column is a node that others cannot reach: look at its firewall. A bad row is a node "
    "that reaches nobody: look at its routes and at what it may send.</p>"
)
