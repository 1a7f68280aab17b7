# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of pairs, gathered into what is one fault: the same services, verdict and nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_blocks import (
    Block,
    Kind,
    Pair,
    cover,
    fold_mutual,
    in_order,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_faults import (
    CAUSES,
    Fault,
    Item,
    Plan,
    merge_items,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_nodes import (
    NO_VIEW,
    NodeView,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Verdict

#: More nodes with the same fault than this are told in one finding.
_NODES = 3
#: More blocks of one verdict than this have no pattern that a person would see.
_BLOCKS = 12
#: More different sets of ports of one service than this are told as one set.
_SETS = 3


@dataclass(frozen=True)
class Group:
    """One fault: where, which verdict, which services. ``whole``: nothing at all gets through."""

    block: Block
    verdict: Verdict
    items: tuple[Item, ...]
    whole: bool
    pairs: frozenset[Pair]


def group_faults(
    faults: Sequence[Fault],
    tested: Set[Pair],
    plan: Plan,
    nodes: Mapping[str, NodeView],
) -> list[Group]:
    """Return the faults as few groups."""
    whole = [fault for fault in faults if fault.whole]
    rest = [fault for fault in faults if not fault.whole]
    groups = [*_whole_groups(whole, tested), *_service_groups(rest, tested, plan)]
    groups = _absorbed(_joined(groups, _same_nodes))
    return _scattered(_together(groups, nodes))


def _whole_groups(faults: Sequence[Fault], tested: Set[Pair]) -> list[Group]:
    """Return the groups of pairs between which nothing works."""
    filters = [fault for fault in faults if fault.verdict in CAUSES]
    others = [fault for fault in faults if fault.verdict not in CAUSES]
    order = [verdict.value for verdict in CAUSES]
    groups = []
    for some in (filters, others):
        by_pair = {(fault.source, fault.destination): fault for fault in some}
        labels = {pair: fault.verdict.value for pair, fault in by_pair.items()}
        for blocks in fold_mutual(cover(labels, tested, order)):
            pairs = [pair for block in blocks for pair in block.pairs if pair in by_pair]
            label = min((each.label for each in blocks), key=_rank)
            items = merge_items(item for pair in sorted(pairs) for item in by_pair[pair].items)
            groups.append(Group(blocks[0], Verdict(label), items, True, frozenset(pairs)))
    return groups


def _rank(label: str) -> int:
    order = [verdict.value for verdict in CAUSES]
    return order.index(label) if label in order else len(order)


def _service_groups(faults: Sequence[Fault], tested: Set[Pair], plan: Plan) -> list[Group]:
    """Return the groups of services that fail between nodes which reach each other otherwise."""
    groups = []
    for (verdict, protocol, service, _bad), rows in _by_service(faults).items():
        universe = {
            (source, name)
            for name in plan.destinations()
            for source in plan.clients(name, protocol, service)
            if (source, name) in tested
        } | set(rows)
        for block in cover(dict.fromkeys(rows, verdict.value), universe):
            pairs = frozenset(pair for pair in block.pairs if pair in rows)
            items = merge_items(rows[pair] for pair in sorted(pairs))
            groups.append(Group(block, verdict, items, False, pairs))
    return groups


_Signature = tuple[Verdict, str, str, str]


def _by_service(faults: Iterable[Fault]) -> dict[_Signature, dict[Pair, Item]]:
    """Return by verdict, service and ports the pairs that have them."""
    found: dict[_Signature, dict[Pair, Item]] = defaultdict(dict)
    sets: dict[tuple[Verdict, str, str], set[str]] = defaultdict(set)
    for fault in faults:
        for item in fault.items:
            key = (fault.verdict, item.protocol, item.service)
            sets[key].add(item.bad)
            found[(*key, item.bad)][(fault.source, fault.destination)] = item
    joined: dict[_Signature, dict[Pair, Item]] = defaultdict(dict)
    for (verdict, protocol, service, bad), rows in found.items():
        many = len(sets[(verdict, protocol, service)]) > _SETS
        joined[(verdict, protocol, service, "" if many else bad)].update(rows)
    return joined


def _same_nodes(group: Group) -> Hashable:
    """Return what groups share that tell different services of one fault."""
    block = group.block
    if block.kind is Kind.TO:
        return (block.kind, group.verdict, block.destinations)
    if block.kind is Kind.FROM:
        return (block.kind, group.verdict, block.sources)
    if block.kind is Kind.EVERYBODY:
        return (block.kind, group.verdict)
    return (block.kind, group.verdict, block.sources, block.destinations)


def _joined(groups: Iterable[Group], key: Callable[[Group], Hashable]) -> list[Group]:
    by_key: dict[Hashable, list[Group]] = {}
    for group in groups:
        by_key.setdefault(key(group), []).append(group)
    return [_one(some) for some in by_key.values()]


def _one(groups: Sequence[Group]) -> Group:
    """Return one group for several; the first one's kind stands."""
    if len(groups) == 1:
        return groups[0]
    return replace(
        groups[0],
        block=replace(
            groups[0].block,
            sources=in_order(name for each in groups for name in each.block.sources),
            destinations=in_order(name for each in groups for name in each.block.destinations),
        ),
        items=merge_items(item for each in groups for item in each.items),
        whole=any(each.whole for each in groups),
        pairs=frozenset(pair for each in groups for pair in each.pairs),
    )


def _absorbed(groups: Sequence[Group]) -> list[Group]:
    """Return the groups without those that a wider one of the same verdict explains.

    A service with a single client can have no "nobody reaches", though its fault is the same.
    """
    wide = [each for each in groups if each.block.kind is not Kind.SOME]
    wide.sort(key=lambda each: each.block.kind is not Kind.EVERYBODY)
    kept: list[Group] = []
    for group in [*wide, *(each for each in groups if each.block.kind is Kind.SOME)]:
        place = next((n for n, each in enumerate(kept) if _explains(each, group)), None)
        if place is None:
            kept.append(group)
        else:
            block = kept[place].block
            kept[place] = replace(_one([kept[place], group]), block=block)
    return kept


def _explains(wide: Group, group: Group) -> bool:
    if wide.verdict is not group.verdict or wide.whole < group.whole:
        return False
    if wide.block.kind is Kind.EVERYBODY:
        return True
    if group.block.kind is not Kind.SOME:
        return False
    return (wide.block.kind is Kind.TO and group.block.destinations == wide.block.destinations) or (
        wide.block.kind is Kind.FROM and group.block.sources == wide.block.sources
    )


def _together(groups: Sequence[Group], nodes: Mapping[str, NodeView]) -> list[Group]:
    """Return the groups, one for many nodes with the same fault."""
    alike: dict[Hashable, list[Group]] = {}
    for place, group in enumerate(groups):
        key = _alike(group, nodes)
        alike.setdefault(place if key is None else key, []).append(group)
    told: list[Group] = []
    for some in alike.values():
        told += [_one(some)] if len(some) > _NODES else some
    return told


def _alike(group: Group, nodes: Mapping[str, NodeView]) -> Hashable:
    """Return what groups of different nodes share when they have the same fault, None if nothing.

    Who cannot reach the ports follows from where they are, so it does not count.
    """
    block = group.block
    if block.kind not in (Kind.TO, Kind.FROM) or block.mutual:
        return None
    end = block.destinations[0] if block.kind is Kind.TO else block.sources[0]
    view = nodes.get(end, NO_VIEW)
    what = () if group.whole else tuple((item.key, item.bad) for item in group.items)
    firewall = (view.firewall, view.os_base_firewall, view.provision_opens)
    return (block.kind, group.verdict, group.whole, what, firewall)


def _scattered(groups: Sequence[Group]) -> list[Group]:
    """Return the groups, one for the many of a verdict that have no pattern."""
    by_verdict: dict[Verdict, list[Group]] = defaultdict(list)
    for group in groups:
        if group.block.kind is Kind.SOME:
            by_verdict[group.verdict].append(group)
    told = [each for each in groups if each.block.kind is not Kind.SOME]
    for some in by_verdict.values():
        if len(some) <= _BLOCKS:
            told += some
        else:
            one = _one(some)
            told.append(replace(one, block=replace(one.block, kind=Kind.SCATTERED, mutual=False)))
    return told
