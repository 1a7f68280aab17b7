# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the cluster in the report: nodes, control node, and the paths between them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import ALL_HOSTS
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_html import (
    CROSS,
    text,
)

CONTROL = "control node"
# Up to here nodes are drawn with all paths between them; from there on as tiles.
RING = 30
# Up to here their names stand below them, from there on around the ring.
NAMED_BELOW = 12

_RANK = {"good": 0, "unknown": 1, "partly": 2, "closed": 3}
_GLYPH = {"": "✓", "warning": "!", "error": CROSS, "unknown": "?"}
_SEVERE = {"": 0, "unknown": 1, "warning": 2, "error": 3}


class Spot(NamedTuple):
    """Where a node is drawn, and the direction from the middle in degrees."""

    x: float
    y: float
    angle: float


class Path(NamedTuple):
    """Two nodes and the state of each direction."""

    left: str
    right: str
    there: str
    back: str

    @property
    def worst(self) -> str:
        """Return the worse state of the two."""
        return max((self.there, self.back), key=_RANK.__getitem__)


def node_states(document: Mapping[str, Any]) -> dict[str, str]:
    """Return for each node "", "warning", "error" or "unknown" (nobody asked it)."""
    states = {
        node["name"]: {True: "", False: "error"}.get(node["reachable"], "unknown")
        for node in document["nodes"]
    }
    for finding in document["findings"]:
        severity = finding["severity"]
        if finding["ignored"] or severity == "note":
            continue
        about = list(states) if finding["host"] == ALL_HOSTS else [finding["host"]]
        for name in states.keys() & about:
            states[name] = max(states[name], severity, key=_SEVERE.__getitem__)
    return states


def paths(document: Mapping[str, Any]) -> list[Path]:
    """Return each pair of the mesh once."""
    cells = (document["mesh"] or {}).get("cells") or []
    ways = {(cell["source"], cell["destination"]): _state(cell) for cell in cells}
    pairs = sorted({(min(pair), max(pair)) for pair in ways if pair[0] != pair[1]})
    found = []
    for left, right in pairs:
        there, back = ways.get((left, right)), ways.get((right, left))
        found.append(Path(left, right, there or back or "unknown", back or there or "unknown"))
    return found


def _state(cell: Mapping[str, Any]) -> str:
    """Return the state of a cell, ``unknown`` for one that this report does not know."""
    return str(cell["state"]) if cell["state"] in _RANK else "unknown"


def topology(document: Mapping[str, Any]) -> str:
    """Return the section: picture and legend."""
    nodes = document["nodes"]
    if not nodes:
        return '<p class="card empty">The inventory has no node.</p>'
    picture = _tiles(document) if len(nodes) > RING else _ring(document)
    return (
        f'<div class="card topology{" wide" if len(nodes) > 1 else ""}">'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Topology">{picture}</div>'
        f"{_legend(bool(document['mesh']) and len(nodes) <= RING)}</div>"
    )


def _legend(has_paths: bool) -> str:
    """Return what the marks and lines mean."""
    marks = [("", "no problem"), ("warning", "warning"), ("error", "error")]
    parts = [
        f'<span><svg width="20" height="20" aria-hidden="true"><circle class="dot {kind}" cx="10"'
        f' cy="10" r="8"/></svg>{_GLYPH[kind]} {words}</span>'
        for kind, words in marks
    ]
    lines = [("good", "all ports open"), ("partly", "some closed"), ("closed", "all closed")]
    parts += [
        f'<span><svg width="34" height="10" aria-hidden="true"><path class="edge {kind}"'
        f' d="M1 5H33"/></svg>{words}</span>'
        for kind, words in lines
        if has_paths
    ]
    return f'<div class="legend">{"".join(parts)}</div>'


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    """Return a picture."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{text(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _label(document: Mapping[str, Any]) -> str:
    """Return the picture in words."""
    states = list(node_states(document).values())
    bad = [path for path in paths(document) if path.worst in ("partly", "closed")]
    return (
        f"{len(states)} nodes, {states.count('error')} with errors, {states.count('warning')} with "
        f"warnings; {len(bad)} pairs of nodes with closed ports"
    )


def _ring(document: Mapping[str, Any]) -> str:
    """Return the nodes on a ring, the head on top, with a line for each pair."""
    names = [node["name"] for node in sorted(document["nodes"], key=_head_first)]
    height = _height(len(names))
    spots = _spots(names, height)
    states = node_states(document)
    mesh = paths(document)
    parts = [f'<rect class="net" x="190" y="14" width="716" height="{height - 28}" rx="18"/>']
    parts += [
        '<text class="sub" x="208" y="38">cluster network</text>',
        *_control(mesh, height, any(node["reachable"] for node in document["nodes"])),
    ]
    drawn = sorted(mesh, key=lambda path: _RANK[path.worst])
    parts += [_edge(path, spots) for path in drawn if path.left in spots and path.right in spots]
    for node in document["nodes"]:
        state = states[node["name"]]
        parts += _node(node, spots[node["name"]], state, len(names) > NAMED_BELOW)
    return _svg(920, height, _label(document), parts)


def _height(count: int) -> int:
    """Return how high the picture of a ring is."""
    if count <= 2:
        return 250
    if count <= 6:
        return 400
    return 520 if count <= NAMED_BELOW else 620


def _head_first(node: Mapping[str, Any]) -> tuple[int, str]:
    """Return the place of a node on the ring: those that others depend on come first."""
    leads = {"ray_head", "k3s_server"} & set(node["groups"])
    return (0 if leads else 1, node["name"])


def _spots(names: Sequence[str], height: int) -> dict[str, Spot]:
    """Return where each node is drawn."""
    x, y = 548.0, height / 2
    if len(names) == 1:
        return {names[0]: Spot(x, y - 12, 0)}
    if len(names) == 2:
        return {names[0]: Spot(x - 190, y - 12, 180), names[1]: Spot(x + 190, y - 12, 0)}
    is_round = len(names) > NAMED_BELOW
    wide, high = (195.0, 195.0) if is_round else (250.0, height / 2 - 90)
    spots = {}
    for index, name in enumerate(names):
        angle = 360 * index / len(names) - 90
        turn = math.radians(angle)
        spots[name] = Spot(x + wide * math.cos(turn), y + high * math.sin(turn), angle)
    return spots


def _control(mesh: Sequence[Path], height: int, answered: bool) -> Iterator[str]:
    """Yield the control node and its line to the cluster network."""
    y = height / 2
    own = [path for path in mesh if CONTROL in (path.left, path.right)]
    default = "good" if answered else "unknown"
    worst = max((path.worst for path in own), key=_RANK.__getitem__, default=default)
    yield f'<path class="edge {worst}" d="M112 {y}H190"/>'
    yield f'<rect class="dot" x="48" y="{y - 20}" width="64" height="40" rx="8"/>'
    yield f'<text class="glyph" x="80" y="{y + 5}">&gt;_</text>'
    yield f'<text text-anchor="middle" x="80" y="{y + 42}">control node</text>'


def _edge(path: Path, spots: Mapping[str, Spot]) -> str:
    """Return the line between two nodes, with an arrow where ports are closed."""
    left, right = spots[path.left], spots[path.right]
    length = math.hypot(right.x - left.x, right.y - left.y) or 1.0
    dx, dy = (right.x - left.x) / length, (right.y - left.y) / length
    gap = 25.0 if len(spots) <= NAMED_BELOW else 16.0
    size = 11.0 if len(spots) <= NAMED_BELOW else 7.0
    x1, y1 = left.x + dx * gap, left.y + dy * gap
    x2, y2 = right.x - dx * gap, right.y - dy * gap
    arrows = ""
    if path.there in ("partly", "closed"):
        arrows += _arrow(x2, y2, dx * size, dy * size, path.there)
    if path.back in ("partly", "closed"):
        arrows += _arrow(x1, y1, -dx * size, -dy * size, path.back)
    return f'<path class="edge {path.worst}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>{arrows}'


def _arrow(x: float, y: float, dx: float, dy: float, state: str) -> str:
    """Return the head of an arrow from (x - dx, y - dy) to (x, y)."""
    across_x, across_y = -dy * 0.45, dx * 0.45
    back_x, back_y = x - dx, y - dy
    points = (
        (x, y),
        (back_x + across_x, back_y + across_y),
        (back_x - across_x, back_y - across_y),
    )
    shape = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    return f'<polygon class="arrow {state}" points="{shape}"/>'


def short(name: str, most: int) -> str:
    """Return a name, cut in the middle when it is longer than ``most``."""
    if len(name) <= most:
        return name
    return f"{name[: (most - 1) // 2]}…{name[-(most - 1 - (most - 1) // 2) :]}"


def role(node: Mapping[str, Any]) -> str:
    """Return what a node is for, and its GPUs, in a few words."""
    known = {
        "ray_head": "head",
        "ray_worker": "worker",
        "k3s_server": "k3s server",
        "k3s_agent": "k3s agent",
        "monitoring": "monitoring",
        "registry": "registry",
    }
    words = [word for group, word in known.items() if group in node["groups"]][:2]
    count = len(node["gpus"])
    words += [f"{count} GPU{'s' if count != 1 else ''}"] if count else []
    return " · ".join(words)


def _node(node: Mapping[str, Any], spot: Spot, state: str, around: bool) -> Iterator[str]:
    """Yield a node with its mark and name."""
    radius = 13 if around else 21
    title = f"{node['name']}: {node['address'] or 'no address'}, {role(node)}"
    yield f"<g><title>{text(title)}</title>"
    yield f'<circle class="dot {state}" cx="{spot.x:.1f}" cy="{spot.y:.1f}" r="{radius}"/>'
    glyph = _GLYPH[state]
    yield f'<text class="glyph {state}" x="{spot.x:.1f}" y="{spot.y + 5:.1f}">{glyph}</text>'
    name = text(short(node["name"], 18))
    if around:
        flipped = math.cos(math.radians(spot.angle)) < -0.01
        turn, anchor = (spot.angle + 180, "end") if flipped else (spot.angle, "start")
        shift = -20 if flipped else 20
        yield (
            f'<text class="small" text-anchor="{anchor}" transform="translate({spot.x:.1f}'
            f' {spot.y:.1f}) rotate({turn:.1f})" x="{shift}" y="4">{name}</text>'
        )
    else:
        # Above the upper nodes and below the others, so that few paths cross the names.
        y = spot.y - 46 if math.sin(math.radians(spot.angle)) < -0.3 else spot.y + 40
        place = f'text-anchor="middle" x="{spot.x:.1f}"'
        yield f'<text {place} y="{y:.1f}">{name}</text>'
        yield f'<text class="sub" {place} y="{y + 16:.1f}">{text(role(node) or " ")}</text>'
    yield "</g>"


def _cut_off(mesh: Sequence[Path]) -> set[str]:
    """Return the nodes that more than half of the others do not reach as they should."""
    closed = Counter(
        name
        for path in mesh
        for name, state in ((path.right, path.there), (path.left, path.back))
        if state in ("partly", "closed")
    )
    whole = Counter(name for path in mesh for name in (path.left, path.right))
    return {name for name, number in closed.items() if number * 2 > whole[name]}


def _tiles(document: Mapping[str, Any]) -> str:
    """Return many nodes as tiles in rows, the heads first."""
    states = node_states(document)
    bad = _cut_off(paths(document))
    nodes = sorted(document["nodes"], key=_head_first)
    columns, width, height = 10, 90, 40
    parts = []
    for index, node in enumerate(nodes):
        x, y = 10 + index % columns * width, 10 + index // columns * height
        state = states[node["name"]] or ("error" if node["name"] in bad else "")
        name, glyph = text(short(node["name"], 11)), _GLYPH[state]
        parts.append(
            f"<g><title>{text(node['name'])}: {text(role(node))}</title>"
            f'<rect class="dot {state}" x="{x}" y="{y}" width="{width - 8}" height="{height - 8}"'
            f' rx="6"/><text class="small tile" text-anchor="middle" x="{x + 41}" y="{y + 20}">'
            f"{glyph} {name}</text></g>"
        )
    rows = -(-len(nodes) // columns)
    return _svg(912, rows * height + 12, _label(document), parts)
