# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes a fault belongs to: pairs that fail are covered by as few blocks as tell it.

A block says "no source reaches these destinations", "this source reaches nobody" or "these sources
do not reach these destinations".
"""

from __future__ import annotations

import enum
import functools
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

Pair = tuple[str, str]
Pairs = frozenset[Pair]

#: Of a hundred nodes a few may be at fault themselves: nine of ten are "everybody".
_EVERYBODY = 0.9


class Kind(enum.Enum):
    """What a block says."""

    EVERYBODY = "no node reaches another"
    TO = "nobody reaches"
    FROM = "reaches nobody"
    SOME = "some do not reach some"
    SCATTERED = "no pattern"


@dataclass(frozen=True)
class Block:
    """Pairs that fail alike. ``mutual``: the other direction fails as well."""

    kind: Kind
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    label: str = ""
    mutual: bool = False

    @property
    def pairs(self) -> Pairs:
        """Return the pairs that the block speaks of."""
        return frozenset((a, b) for a in self.sources for b in self.destinations if a != b)


def cover(
    failing: Mapping[Pair, str],
    tested: Set[Pair],
    order: Sequence[str] = (),
    source_first: bool = False,
) -> list[Block]:
    """Return the blocks that tell which pairs of ``tested`` fail.

    Each failing pair has a label. A node that fails with everybody is one block under the label
    that comes first in ``order``; other pairs share a block only under the same label.
    """
    if not failing:
        return []
    if failing.keys() == tested and len(set(failing.values())) == 1 and _is_mesh(failing):
        return [_block(Kind.EVERYBODY, failing, order)]
    blocks: list[Block] = []
    left = dict(failing)
    for by_source in (True, False) if source_first else (False, True):
        found, left = _whole_rows(left, tested, order, by_source)
        blocks += found
    return blocks + _rest(left, order)


def _is_mesh(pairs: Iterable[Pair]) -> bool:
    """Return whether there are several sources and several destinations."""
    pairs = list(pairs)
    return len({b for _a, b in pairs}) > 1 and len({a for a, _b in pairs}) > 1


def _whole_rows(
    failing: Mapping[Pair, str], tested: Iterable[Pair], order: Sequence[str], by_source: bool
) -> tuple[list[Block], dict[Pair, str]]:
    """Return the blocks of nodes that fail with everybody, and the pairs that are left."""
    place = 0 if by_source else 1
    kind = Kind.FROM if by_source else Kind.TO
    fails, universe = _rows(failing, place), _rows(tested, place)
    blocks: list[Block] = []
    covered: set[Pair] = set()
    for name in sorted(fails):
        if len(fails[name]) > 1 and len(fails[name]) >= _EVERYBODY * len(universe[name]):
            blocks.append(_block(kind, {pair: failing[pair] for pair in fails[name]}, order))
            covered |= fails[name]
    return blocks, {pair: label for pair, label in failing.items() if pair not in covered}


def _rows(pairs: Iterable[Pair], place: int) -> dict[str, set[Pair]]:
    rows: dict[str, set[Pair]] = defaultdict(set)
    for pair in pairs:
        rows[pair[place]].add(pair)
    return rows


def _rest(failing: Mapping[Pair, str], order: Sequence[str]) -> list[Block]:
    """Return blocks of the destinations that fail with the same sources under the same label."""
    by_destination: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (source, destination), label in failing.items():
        by_destination[(destination, label)].add(source)
    alike: dict[tuple[frozenset[str], str], dict[Pair, str]] = defaultdict(dict)
    for (destination, label), sources in sorted(by_destination.items()):
        for source in sources:
            alike[(frozenset(sources), label)][(source, destination)] = label
    return [_block(Kind.SOME, pairs, order) for pairs in alike.values()]


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return each name once, node9 before node10."""
    return tuple(sorted(set(names), key=_natural))


@functools.lru_cache(maxsize=1 << 12)
def _natural(name: str) -> tuple[tuple[str, int], ...]:
    found = re.findall(r"([^0-9]*)([0-9]{0,9})", name)
    return tuple((text, int(number or 0)) for text, number in found)


def _block(kind: Kind, pairs: Mapping[Pair, str], order: Sequence[str]) -> Block:
    ranks = {label: place for place, label in enumerate(order)}
    labels = sorted(set(pairs.values()), key=lambda label: (ranks.get(label, len(ranks)), label))
    return Block(
        kind,
        in_order(a for a, _b in pairs),
        in_order(b for _a, b in pairs),
        labels[0],
    )


def fold_mutual(blocks: Sequence[Block]) -> list[tuple[Block, ...]]:
    """Return the blocks, those that are each other's way back together, the first one mutual.

    "Nobody reaches node3" and "node3 reaches nobody" is one fault.
    """
    back: dict[Hashable, int] = {}
    folded: list[tuple[Block, ...]] = []
    for block in blocks:
        place = back.pop((block.destinations, block.sources), None)
        if place is None or len(folded[place]) > 1:
            back[(block.sources, block.destinations)] = len(folded)
            folded.append((block,))
            continue
        pair = sorted((folded[place][0], block), key=_shorter)
        folded[place] = (replace(pair[0], mutual=True), pair[1])
    return folded


def _shorter(block: Block) -> tuple[int, int, tuple[str, ...]]:
    """Return the place of a block: the one whose destinations are the nodes at fault first."""
    order = [Kind.TO, Kind.FROM, Kind.SOME, Kind.EVERYBODY, Kind.SCATTERED]
    return (order.index(block.kind), len(block.destinations), block.destinations)


def reverse_of(block: Block, failing: Set[Pair], tested: Set[Pair]) -> str:
    """Return whether the way back "works", "fails", or "" when it is mixed or was not tested."""
    back = {(b, a) for a, b in block.pairs} & tested
    if not back:
        return ""
    if not back & failing:
        return "works"
    return "fails" if back <= failing else ""
