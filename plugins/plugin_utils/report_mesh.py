# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port mesh in the report: the heat map's data, and what can be read without a script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_document import (
    count,
    count_tested,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_html import (
    CROSS,
    plain,
    table,
    text,
)

# What became of a port, in words; see mesh_model.Verdict.
VERDICTS = {
    "open": "our listener on the other node has the connection, and proved it",
    "service": "the service that runs there has the connection, as its node's kernel says",
    "unproven": "something took it, and its node could not be asked who",
    "refused": "a reset came back although something listens there, so a firewall sent it",
    "filtered": "no answer: something on the way drops it",
    "unreachable": "no route, or the host did not answer for its address",
    "prohibited": "a firewall or router answered that it forbids this",
    "wrong-answerer": "connected, but not to the node: a proxy or redirect took it",
    "translated": "arrived from another address than it was sent from (NAT)",
    "untested": "not tried, because nothing could listen there",
}

_LETTERS = {"good": "g", "partly": "p", "closed": "c"}
# Pairs that the list for readers without a script names at most.
LISTED = 200


class _Distinct:
    """Values that many cells share, each kept once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Return the place of a value, -1 for none."""
        if not value:
            return -1
        key = json.dumps(value)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


def pack_mesh(matrix: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the matrix as small as a browser can read it: rows of letters and numbers."""
    if not matrix:
        return None
    sources, destinations = list(matrix["sources"]), list(matrix["destinations"])
    cells = {(cell["source"], cell["destination"]): cell for cell in matrix["cells"]}
    kept = {name: _Distinct() for name in ("ports", "mtus", "faults")}
    packed: dict[str, Any] = {
        "sources": [plain(name) for name in sources],
        "destinations": [plain(name) for name in destinations],
        "verdicts": VERDICTS,
        "states": [],
        "rtt": [],
        **{f"{name}_of": [] for name in kept},
    }
    for source in sources:
        row = [cells.get((source, destination)) for destination in destinations]
        pairs = list(zip(row, destinations, strict=True))
        packed["states"].append("".join(_letter(cell, source == to) for cell, to in pairs))
        packed["rtt"].append([_rounded((cell or {}).get("rtt_ms")) for cell in row])
        packed["ports_of"].append([kept["ports"].place(_ports(cell)) for cell in row])
        packed["mtus_of"].append([kept["mtus"].place(_mtu(cell)) for cell in row])
        packed["faults_of"].append([kept["faults"].place(_faults(cell)) for cell in row])
    return {**packed, **{name: distinct.values for name, distinct in kept.items()}}


def _letter(cell: Mapping[str, Any] | None, is_self: bool) -> str:
    """Return the letter of a cell's state."""
    if is_self:
        return "s"
    return _LETTERS.get(str(cell["state"]), "u") if cell else "u"


def _rounded(value: Any) -> float | None:
    """Return milliseconds with two digits, None when they are not known."""
    return round(float(value), 2) if isinstance(value, (int, float)) else None


def _ports(cell: Mapping[str, Any] | None) -> list[int]:
    """Return how many ports were tried and how many of them are open, nothing when none was."""
    if not cell or not cell.get("tested"):
        return []
    return [cell["tested"], cell.get("good") or 0]


def _mtu(cell: Mapping[str, Any] | None) -> list[Any]:
    """Return the sizes of the largest packets, nothing when none is known."""
    mtu = (cell or {}).get("mtu") or {}
    sizes = [mtu.get(name) for name in ("expected", "sent", "received")]
    return sizes if any(size is not None for size in sizes) else []


def _faults(cell: Mapping[str, Any] | None) -> list[list[str]]:
    """Return the faults of a cell as rows of texts."""
    names = ("service", "protocol", "verdict", "ports")
    faults = (cell or {}).get("faults") or []
    return [[plain(each.get(name) or "") for name in names] for each in faults]


def mesh_section(document: Mapping[str, Any]) -> str:
    """Return the section: the heat map's place, and a list of bad pairs until it is drawn."""
    matrix = document["mesh"]
    if not matrix or not matrix["cells"]:
        return '<p class="card empty">No port was tried between nodes in this run.</p>'
    swatches = (
        ("good", "·", "every port open"),
        ("partly", "!", "some closed"),
        ("closed", CROSS, "nothing gets through"),
        ("unknown", "?", "not known"),
    )
    legend = "".join(
        f'<span><span class="swatch {kind}" aria-hidden="true">{glyph}</span>{words}</span>'
        for kind, glyph, words in swatches
    )
    return (
        f"{_figures(document)}{_listed(matrix['cells'])}"
        '<div id="mesh-live" hidden><div class="card">'
        '<div class="scroll" id="heat"></div>'
        f'<div class="legend">{legend}</div></div>'
        '<div class="card drill" id="drill" role="region" aria-live="polite" aria-label="One pair">'
        "</div></div>"
    )


def _figures(document: Mapping[str, Any]) -> str:
    """Return the mesh in figures."""
    tested = count_tested(document)
    closed = tested.ports - tested.good
    figures = [
        (f"{tested.pairs:,}", "paths, each one way"),
        (f"{tested.ports:,}", "ports tried in all"),
        (f"{closed:,}", "of them closed"),
    ]
    if tested.rtts:
        middle = tested.rtts[len(tested.rtts) // 2]
        figures.append((f"{middle:.2f} ms", f"median round trip, up to {tested.rtts[-1]:.2f}"))
    parts = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for value, name in figures
    )
    return f'<dl class="figures card">{parts}</dl>'


def _listed(cells: Sequence[Mapping[str, Any]]) -> str:
    """Return the pairs with closed ports as a table, or the line that there are none."""
    bad = [cell for cell in cells if cell["state"] in ("partly", "closed")]
    if not bad:
        return '<p class="card empty" id="mesh-plain">Every path that was tried is open.</p>'
    rows = [
        (
            f"{text(cell['source'])} → {text(cell['destination'])}",
            text("; ".join(_fault_words(each) for each in cell.get("faults") or ())),
        )
        for cell in bad[:LISTED]
    ]
    more = f"<p>and {count(len(bad) - LISTED, 'pair')} more</p>" if len(bad) > LISTED else ""
    shown = table("Pairs with closed ports", ("From and to", "Faults"), rows, wide="Faults")
    return f'<div id="mesh-plain">{shown}{more}</div>'


def _fault_words(fault: Mapping[str, Any]) -> str:
    """Return one fault as a phrase."""
    return (
        f"{fault['ports']} {fault['protocol']} ({fault.get('service') or '-'}): {fault['verdict']}"
    )
