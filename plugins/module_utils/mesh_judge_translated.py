# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that others see at another address than their node address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_blocks import (
    Block,
    Kind,
    Pair,
    cover,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_faults import (
    verdicts,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    PROTOCOLS,
    PairResult,
    ProbeReport,
    Verdict,
)

#: More nodes than this that are all translated have one cause.
_NODES = 3


def is_translated(pair: PairResult, address: str) -> bool:
    """Return whether the other node sees this one at another address than ``address``.

    One that sees it at its own address has a program that takes connections and passes them on.
    """
    if pair.seen_as and pair.seen_as == pair.address:
        return False
    if pair.seen_as and address and pair.seen_as != address:
        return True
    return any(Verdict.TRANSLATED in verdicts(pair, protocol) for protocol in PROTOCOLS)


def judge_translated(reports: Mapping[str, ProbeReport], known: Set[str]) -> list[Finding]:
    """Return an error for each node whose packets arrive under another address."""
    failing: dict[Pair, str] = {}
    seen: dict[Pair, str] = {}
    tested: set[Pair] = set()
    for name, report in reports.items():
        for pair in report.pairs:
            place = (name, pair.destination)
            tested.add(place)
            if known.isdisjoint(place) and is_translated(pair, report.address):
                failing[place] = ""
                seen[place] = pair.seen_as
    blocks = cover(failing, tested, source_first=True)
    if sum(block.kind is Kind.FROM for block in blocks) > _NODES:
        pairs = list(failing)
        blocks = [
            Block(
                Kind.SCATTERED,
                tuple(sorted({a for a, _b in pairs})),
                tuple(sorted({b for _a, b in pairs})),
            )
        ]
    return [_finding(block, seen, reports) for block in _by_source(blocks)]


def _by_source(blocks: list[Block]) -> list[Block]:
    """Return the blocks, those of one source together."""
    joined: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for block in blocks:
        single = block.kind is Kind.SOME and len(block.sources) == 1
        key = (block.kind, block.sources, None if single else block.destinations)
        joined[key] |= set(block.destinations)
    told = []
    for block in blocks:
        single = block.kind is Kind.SOME and len(block.sources) == 1
        key = (block.kind, block.sources, None if single else block.destinations)
        if key in joined:
            told.append(Block(block.kind, block.sources, tuple(sorted(joined.pop(key)))))
    return told


def _finding(
    block: Block,
    seen: Mapping[Pair, str],
    reports: Mapping[str, ProbeReport],
) -> Finding:
    pairs = [pair for pair in sorted(block.pairs) if pair in seen]
    source, names = block.sources[0], join_names(block.destinations)
    addresses = sorted({seen[pair] for pair in pairs if seen[pair]})
    many = block.kind in (Kind.EVERYBODY, Kind.SCATTERED)
    who = "Nodes do" if many else f"{join_names(block.sources)} do"
    where = "each other" if many else names
    if not many and len(block.sources) == 1:
        who = f"{source} does"
    at_destination = block.kind is Kind.TO
    own = ", ".join(reports[name].address for name in block.sources[:3])
    at = block.destinations[0] if at_destination else source
    return Finding(
        severity=Severity.ERROR,
        code="address-translated",
        host=ALL_HOSTS if many else at,
        message=(
            f"{who} not arrive at {where} under the node address: something on the way translates"
            " addresses."
        ),
        seen=f"seen at {join_names(addresses) or 'another address'}",
        expected=f"seen at {own}",
        fix=f"on {at}: nft list ruleset | grep -n -e masquerade -e snat   (else on the router)",
    )
