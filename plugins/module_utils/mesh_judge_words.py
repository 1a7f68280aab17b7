# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How ports, pairs and verdicts are written in findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    mesh_judge_ports as port_sets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    join_names,
    plural,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_blocks import (
    Block,
    Kind,
    Pair,
    reverse_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_faults import Item
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Verdict

#: Services and ranges that a finding names before it counts the others.
_SERVICES = 6
_RANGES = 6
_FEW = 2

MEANINGS = {
    Verdict.REFUSED: "refused: a reset or ICMP port unreachable came back",
    Verdict.FILTERED: "filtered: nothing came back",
    Verdict.UNREACHABLE: "unreachable: ICMP net or host unreachable, or the source has no route",
    Verdict.PROHIBITED: "prohibited: an administrator's rule answered with ICMP",
    Verdict.WRONG_ANSWERER: (
        "wrong answerer: connections were made that the destination does not have"
    ),
}


def services_text(items: Sequence[Item]) -> str:
    """Return ports with their services: ``8076 tcp (ray-object-manager)``."""
    by_ports: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        by_ports.setdefault((item.protocol, item.bad), []).append(item)
    texts = [_ports_text(some) for some in by_ports.values()]
    return join_names(texts, _SERVICES)


def _ports_text(items: Sequence[Item]) -> str:
    """Return one set of ports with the services that use it."""
    item = min(items, key=lambda each: port_sets.count(each.ports))
    names = ", ".join(sorted({each.service for each in items if each.service}))
    behind = f" ({names})" if names else ""
    bad, tested = port_sets.count(item.bad), port_sets.count(item.tested)
    if bad == tested:
        return f"{item.ports} {item.protocol}{behind}"
    of = f"{bad:,} of {tested:,} ports" + ("" if item.tested == item.ports else " tested")
    return f"{item.ports} {item.protocol}, {of}: {ranges_text(item.bad)}{behind}"


def ranges_text(ports: str) -> str:
    """Return a list of ports, the number of what is beyond the first ranges."""
    ranges = ports.split(",")
    more = f" and {len(ranges) - _RANGES} more" if len(ranges) > _RANGES else ""
    return ", ".join(ranges[:_RANGES]) + more


def whole_text(items: Sequence[Item]) -> str:
    """Return how many ports were tried where none works; by name when there are few services."""
    if len(items) <= _FEW:
        return f"at {services_text(items)}"
    counts = [
        f"{port_sets.count(ports):,} {protocol}"
        for protocol in ("tcp", "udp")
        for ports in [port_sets.union(item.bad for item in items if item.protocol == protocol)]
        if ports
    ]
    return f"at any port ({' and '.join(counts)} tested)"


def who_text(block: Block, sources: int = 0) -> str:
    """Return who does not reach whom; ``sources`` is how many tried a block's one destination."""
    to, names = block.destinations, block.sources
    if block.kind is Kind.EVERYBODY or (block.mutual and block.kind is Kind.SOME):
        return _each_other(block)
    if block.kind is Kind.SCATTERED:
        return f"{plural(len(names), 'node')} do not reach {plural(len(to), 'node')} in places"
    if block.kind is Kind.TO:
        if block.mutual:
            return f"{join_names(to)} and the other nodes do not reach each other"
        some = f"{len(names)} of {sources} nodes do not reach"
        return f"{some if sources > len(names) else 'No other node reaches'} {join_names(to)}"
    if block.kind is Kind.FROM:
        return f"{join_names(names)} {_verb(names, 'reach', 'reaches')} no other node"
    return f"{join_names(names)} {_verb(names, 'do', 'does')} not reach {join_names(to)}"


def _each_other(block: Block) -> str:
    everybody = sorted({*block.sources, *block.destinations})
    if block.kind is Kind.SOME and len(everybody) > 2:
        one, other = sorted((block.sources, block.destinations))
        verb = _verb(one, "do", "does")
        return f"{join_names(one)} {verb} not reach {join_names(other)}, nor the other way round,"
    if len(everybody) == 2:
        return f"{join_names(everybody)} do not reach each other"
    return "No node reaches another one"


def _verb(names: Sequence[str], many: str, one: str) -> str:
    return many if len(names) > 1 else one


def direction_text(block: Block, failing: Set[Pair], tested: Set[Pair]) -> str:
    """Return "node1 -> node2 fails, node2 -> node1 works" where that is so, else nothing."""
    if block.mutual or block.kind in (Kind.EVERYBODY, Kind.SCATTERED):
        return ""
    back = reverse_of(block, failing, tested)
    if back != "works":
        return ""
    here = "other nodes" if block.kind is Kind.TO else join_names(block.sources)
    there = "other nodes" if block.kind is Kind.FROM else join_names(block.destinations)
    return f"{here} -> {there} fails, {there} -> {here} works"


def grep_words(items: Iterable[Item]) -> str:
    """Return the first ports as words for ``grep``."""
    firsts = [str(port_sets.first(item.bad)) for item in items if item.bad]
    return " ".join(f"-e {first}" for first in list(dict.fromkeys(firsts))[:3])
