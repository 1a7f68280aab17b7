# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pair of nodes could not do, by service: the raw material of the mesh's findings."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    mesh_judge_ports as port_sets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    GOOD,
    PROTOCOLS,
    Listener,
    PairResult,
    ProbeReport,
    Verdict,
)

#: What a packet filter or a broken route does, the one that names its cause best first. The kernel
#: limits the rate of ICMP errors, so that most ports behind one rule are silent.
CAUSES = (Verdict.PROHIBITED, Verdict.UNREACHABLE, Verdict.REFUSED, Verdict.FILTERED)

#: From this number of ports on the limit of the rate of ICMP errors makes itself felt.
MANY = 8

_WORKS = GOOD - {Verdict.UNTESTED}
_VERDICTS = {verdict.value: verdict for verdict in Verdict}


@dataclass(frozen=True)
class Item:
    """Ports of one service that failed: ``ports`` are all of it, ``tested`` those tried."""

    service: str
    protocol: str
    ports: str
    tested: str
    bad: str

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what makes it the same service."""
        return (self.protocol, self.ports, self.service)


@dataclass(frozen=True)
class Fault:
    """What one verdict holds for between two nodes. ``whole``: nothing at all gets through."""

    source: str
    destination: str
    verdict: Verdict
    whole: bool
    items: tuple[Item, ...]


class Plan:
    """The listeners, asked by destination and source."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._at: dict[str, list[tuple[Listener, frozenset[str]]]] = {}
        for each in listeners:
            if each.sources:
                self._at.setdefault(each.host, []).append((each, frozenset(each.sources)))

    def destinations(self) -> list[str]:
        """Return the nodes that somebody must reach."""
        return list(self._at)

    def services(self, source: str, destination: str) -> list[Listener]:
        """Return what ``source`` must reach on ``destination``."""
        return [each for each, who in self._at.get(destination, ()) if source in who]

    def clients(self, destination: str, protocol: str, service: str) -> set[str]:
        """Return who must reach a service of ``destination``."""
        return {
            name
            for each, who in self._at.get(destination, ())
            if (each.protocol, each.service) == (protocol, service)
            for name in who
        }

    def of(self, destination: str) -> list[Listener]:
        """Return everything that somebody must reach on ``destination``."""
        return [each for each, _who in self._at.get(destination, ())]


def verdicts(pair: PairResult, protocol: str) -> dict[Verdict, str]:
    """Return the ports of each verdict that holds for any."""
    return _readable(getattr(pair, protocol))


def _readable(seen: Mapping[str, str]) -> dict[Verdict, str]:
    return {
        _VERDICTS[name]: ports
        for name, ports in seen.items()
        if name in _VERDICTS and port_sets.readable(ports)
    }


def is_good(pair: PairResult) -> bool:
    """Return whether no port of the pair failed."""
    return not any(set(verdicts(pair, protocol)) - GOOD for protocol in PROTOCOLS)


def carries_something(pair: PairResult) -> bool:
    """Return whether any port of the pair works."""
    return any(_WORKS & set(verdicts(pair, protocol)) for protocol in PROTOCOLS)


def find_faults(reports: Mapping[str, ProbeReport], plan: Plan) -> list[Fault]:
    """Return every fault of every pair, in the order of the names."""
    return [
        fault
        for name in sorted(reports)
        for pair in sorted(reports[name].pairs, key=lambda pair: pair.destination)
        if not is_good(pair)
        for fault in pair_faults(name, pair, plan.services(name, pair.destination))
    ]


def pair_faults(source: str, pair: PairResult, services: Sequence[Listener]) -> list[Fault]:
    """Return the faults between two nodes, one for each verdict."""
    rows = tuple((each.service, each.protocol, each.ports, each.tested) for each in services)
    seen = tuple((name, tuple(sorted(getattr(pair, name).items()))) for name in PROTOCOLS)
    return [
        Fault(source, pair.destination, verdict, whole, items)
        for verdict, whole, items in _read(seen, rows)
    ]


_Rows = tuple[tuple[str, str, str, str], ...]
_Seen = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@functools.lru_cache(maxsize=4096)
def _read(seen: _Seen, services: _Rows) -> tuple[tuple[Verdict, bool, tuple[Item, ...]], ...]:
    """Return by verdict what failed; many pairs of a mesh look alike."""
    found: dict[Verdict, list[Item]] = {}
    works = False
    for protocol, ports in seen:
        known = _readable(dict(ports))
        works = works or bool(_WORKS & set(known))
        bad = {verdict: text for verdict, text in known.items() if verdict not in GOOD}
        for verdict, item in _items(bad, protocol, services) if bad else ():
            found.setdefault(verdict, []).append(item)
    if not works and found and set(found) <= set(CAUSES):
        cause = next(verdict for verdict in CAUSES if verdict in found)
        found = {cause: [item for items in found.values() for item in items]}
    whole = not works and len(found) == 1
    return tuple((verdict, whole, merge_items(items)) for verdict, items in found.items())


def _items(
    bad: Mapping[Verdict, str], protocol: str, services: _Rows
) -> list[tuple[Verdict, Item]]:
    """Return what failed of each service; the named cause takes its silent ports as well."""
    found = []
    left = dict(bad)
    for service, used, all_ports, tested in services:
        if used != protocol:
            continue
        hit = {verdict: port_sets.common(tested, ports) for verdict, ports in bad.items()}
        left = {verdict: port_sets.without(ports, tested) for verdict, ports in left.items()}
        for verdict, ports in _by_cause({key: text for key, text in hit.items() if text}).items():
            found.append((verdict, Item(service, protocol, all_ports, tested, ports)))
    for verdict, ports in left.items():
        if ports:
            found.append((verdict, Item("", protocol, ports, ports, ports)))
    return found


def _by_cause(hit: Mapping[Verdict, str]) -> dict[Verdict, str]:
    """Return the ports by verdict, with silent ones under the named cause of the others."""
    named = [verdict for verdict in CAUSES if verdict in hit]
    if len(named) < 2 or Verdict.FILTERED not in hit:
        return dict(hit)
    cause = named[0]
    joined: dict[Verdict, str] = {
        key: text for key, text in hit.items() if key is not Verdict.FILTERED
    }
    joined[cause] = port_sets.union([hit[cause], hit[Verdict.FILTERED]])
    return joined


def merge_items(items: Iterable[Item]) -> tuple[Item, ...]:
    """Return one item for each service, sorted by protocol and port."""
    by_service: dict[tuple[str, str, str], Item] = {}
    for item in items:
        known = by_service.get(item.key)
        if known is None:
            by_service[item.key] = item
        elif known.bad != item.bad or known.tested != item.tested:
            by_service[item.key] = replace(
                known,
                bad=port_sets.union([known.bad, item.bad]),
                tested=port_sets.union([known.tested, item.tested]),
            )
    return tuple(
        sorted(by_service.values(), key=lambda item: (item.protocol, port_sets.first(item.bad)))
    )


def share_causes(faults: Sequence[Fault]) -> list[Fault]:
    """Return the faults with one cause for those that one rule of a destination must have made.

    One source got an ICMP error in time, another one found silence: what the first one heard holds
    for both, where nothing gets through or many ports are concerned.
    """
    best: dict[str, Verdict] = {}
    for fault in faults:
        if _is_broad(fault):
            known = best.get(fault.destination, Verdict.FILTERED)
            best[fault.destination] = min(known, fault.verdict, key=CAUSES.index)
    return [
        replace(fault, verdict=best[fault.destination])
        if _is_broad(fault) and fault.verdict is Verdict.FILTERED
        else fault
        for fault in faults
    ]


def _is_broad(fault: Fault) -> bool:
    if fault.verdict not in CAUSES:
        return False
    return fault.whole or any(port_sets.count(item.bad) >= MANY for item in fault.items)
