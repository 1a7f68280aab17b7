# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What large packets say about the paths between nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
    Severity,
    join_names,
    plural,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_blocks import (
    Block,
    Kind,
    Pair,
    cover,
    fold_mutual,
    reverse_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_faults import (
    carries_something,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_nodes import (
    NO_VIEW,
    NodeView,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import ProbeReport

#: More blocks than this have no pattern that a person would see.
_BLOCKS = 12


@dataclass(frozen=True)
class Way:
    """One direction between two nodes: the size that both interfaces take, and what arrived."""

    expected: int
    largest: Optional[int]
    stalled: bool


def find_ways(reports: Mapping[str, ProbeReport]) -> dict[Pair, Way]:
    """Return every direction that large packets were tried in.

    Both ends measure a direction; the better figure counts, since a packet that arrived proves the
    way. Where the interfaces differ, the smaller one is all that the way must carry.
    """
    interface = _interfaces(reports)
    seen: dict[Pair, list[tuple[Optional[int], bool]]] = defaultdict(list)
    for name, report in reports.items():
        for pair in report.pairs:
            if pair.mtu.expected is not None and carries_something(pair):
                stalled = pair.mtu.stalled or None in (pair.mtu.sent, pair.mtu.received)
                seen[(name, pair.destination)].append((pair.mtu.sent, stalled))
                seen[(pair.destination, name)].append((pair.mtu.received, stalled))
    ways = {}
    for (source, destination), figures in seen.items():
        sizes = [interface[name] for name in (source, destination) if name in interface]
        known = [size for size, _stalled in figures if size is not None]
        ways[(source, destination)] = Way(
            expected=min(sizes),
            largest=max(known) if known else None,
            stalled=any(stalled for _size, stalled in figures),
        )
    return ways


def _interfaces(reports: Mapping[str, ProbeReport]) -> dict[str, int]:
    """Return the MTU of each node's interface, as its own report says."""
    return {
        name: pair.mtu.expected
        for name, report in reports.items()
        for pair in report.pairs
        if pair.mtu.expected is not None
    }


def judge_mtu(reports: Mapping[str, ProbeReport], nodes: Mapping[str, NodeView]) -> list[Finding]:
    """Return the findings about large packets that vanish, or that the path cannot carry."""
    ways = find_ways(reports)
    bad = {
        pair: way for pair, way in ways.items() if way.largest is None or way.largest < way.expected
    }
    holes = {pair: "" for pair, way in bad.items() if way.stalled}
    smaller = {pair: "" for pair, way in bad.items() if not way.stalled}
    return [
        *_findings(holes, ways, nodes, black_hole=True),
        *_findings(smaller, ways, nodes, black_hole=False),
    ]


def _findings(
    failing: Mapping[Pair, str],
    ways: Mapping[Pair, Way],
    nodes: Mapping[str, NodeView],
    black_hole: bool,
) -> list[Finding]:
    blocks = fold_mutual(cover(failing, ways.keys()))
    if len(blocks) > _BLOCKS:
        sources = tuple(sorted({a for a, _b in failing}))
        destinations = tuple(sorted({b for _a, b in failing}))
        blocks = [(Block(Kind.SCATTERED, sources, destinations),)]
    return [_finding(some, failing, ways, nodes, black_hole) for some in blocks]


def _finding(
    blocks: Sequence[Block],
    failing: Mapping[Pair, str],
    ways: Mapping[Pair, Way],
    nodes: Mapping[str, NodeView],
    black_hole: bool,
) -> Finding:
    block = blocks[0]
    pairs = [pair for each in blocks for pair in sorted(each.pairs) if pair in failing]
    sizes = [size for size in (ways[pair].largest for pair in pairs) if size is not None]
    expected = max(ways[pair].expected for pair in pairs)
    largest = min(sizes) if sizes else None
    what = "Large packets" if largest is None else f"Packets above {largest} bytes"
    does = "vanish" if black_hole else "do not fit"
    back = "" if block.mutual else _back(block, failing.keys(), ways.keys())
    return Finding(
        severity=Severity.ERROR if black_hole else Severity.WARNING,
        code="mtu-black-hole" if black_hole else "mtu-path-smaller",
        host=_host(block),
        message=f"{what} {does} {_where(block)}.",
        seen=f"largest that passed: {largest or 'not found'}{back}",
        expected=f"packets of {expected} bytes, as the interfaces at both ends take",
        fix=_fix(block, nodes, expected, largest, black_hole),
    )


def _host(block: Block) -> str:
    if block.kind in (Kind.EVERYBODY, Kind.SCATTERED):
        return ALL_HOSTS
    return block.sources[0] if block.kind is Kind.FROM else block.destinations[0]


def _where(block: Block) -> str:
    names, to = join_names(block.sources), join_names(block.destinations)
    everybody = sorted({*block.sources, *block.destinations})
    if block.kind is Kind.SCATTERED:
        return f"between {plural(len(everybody), 'node')} in places"
    if block.kind is Kind.EVERYBODY:
        return f"between {join_names(everybody) if len(everybody) == 2 else 'all nodes'}"
    if block.kind is Kind.TO:
        return f"between {to} and the other nodes" if block.mutual else f"on the way to {to}"
    if block.kind is Kind.FROM:
        return f"on the way from {names} to the other nodes"
    return f"between {names} and {to}" if block.mutual else f"from {names} to {to}"


def _back(block: Block, failing: Set[Pair], tested: Set[Pair]) -> str:
    """Return that the other way works, where it does."""
    works = reverse_of(block, failing, tested) == "works"
    return "; the other direction works" if works else ""


def _fix(
    block: Block,
    nodes: Mapping[str, NodeView],
    expected: int,
    largest: Optional[int],
    black_hole: bool,
) -> str:
    """Return how to see it, and the size that works meanwhile."""
    source, destination = block.sources[0], block.destinations[0]
    if source == destination:
        destination = block.destinations[-1]
    address = nodes.get(destination, NO_VIEW).address or destination
    if black_hole:
        # 28 bytes of headers belong to the packet beside the data of a ping.
        look = f"on {source}: ping -M do -s {expected - 28} -c 3 {address}"
        return f"{look}   (then raise the MTU of the switch or tunnel between them)"
    interface = nodes.get(source, NO_VIEW).interface or "INTERFACE"
    return f"on {source}: ip link set {interface} mtu {largest}   (or raise it on the way)"
