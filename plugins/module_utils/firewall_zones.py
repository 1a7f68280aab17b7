# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""firewalld: from what ``firewall-cmd --list-all-zones`` prints to the rules to add and remove.

Pure. Our rules are rich rules with a priority of our own: it marks them, and puts them behind
the owner's, so what the owner denies stays denied. firewalld knows ipsets only after a reload,
which would lose the owner's runtime rules, so each network is a rule.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import (
    Network,
    Opening,
)

PRIORITY = "30303"

#: Ours: our priority, at most a source, one port, accept.
_OURS = re.compile(
    rf'rule priority="{PRIORITY}"( family="ipv[46]" source address="[^"]+")?'
    r' port port="[0-9-]+" protocol="(tcp|udp)" accept'
)

Rules = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Zone:
    """A zone of firewalld."""

    name: str
    is_default: bool = False
    interfaces: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def ours(self) -> frozenset[str]:
        """Our rules in it."""
        return frozenset(rule for rule in self.rules if _OURS.fullmatch(rule))


def parse_zones(text: str, default: str = "") -> tuple[Zone, ...]:
    """Return the zones; ``default`` names the default one for a firewalld that does not mark it."""
    zones = []
    for block in re.split(r"\n(?=\S)", "\n" + text):
        lines = block.strip("\n").splitlines()
        if not lines or not lines[0].strip():
            continue
        name, _space, marks = lines[0].partition(" ")
        fields = dict(line.strip().partition(": ")[::2] for line in lines[1:] if ": " in line)
        rules = [line.strip() for line in lines[1:] if line.strip().startswith("rule ")]
        zones.append(
            Zone(
                name.strip(),
                name == default or "default" in marks,
                tuple(fields.get("interfaces", "").split()),
                tuple(fields.get("sources", "").split()),
                tuple(rules),
            )
        )
    return tuple(zones)


def wanted_rules(openings: Iterable[Opening], zones: Sequence[Zone]) -> dict[str, frozenset[str]]:
    """Return the rules that each zone must have."""
    wanted: dict[str, set[str]] = {}
    for opening in openings:
        for source in opening.sources or (None,):
            for zone in _zones_of(source, opening.interface, zones):
                wanted.setdefault(zone, set()).update(_rules(source, opening))
    return {zone: frozenset(rules) for zone, rules in wanted.items()}


def _rules(source: Optional[Network], opening: Opening) -> list[str]:
    who = f' family="ipv{source.version}" source address="{_written(source)}"' if source else ""
    return [
        f'rule priority="{PRIORITY}"{who} port port="{span}" protocol="{protocol}" accept'
        for protocol, spans in opening.ports
        for span in spans
    ]


def _written(source: Network) -> str:
    """Return a network the way that firewalld keeps it: one address without a length."""
    return str(source.network_address) if source.num_addresses == 1 else str(source)


def _zones_of(source: Optional[Network], interface: str, zones: Sequence[Zone]) -> list[str]:
    """Return the zones that packets of ``source`` pass: those bound to it win over interfaces'."""
    bound = [zone.name for zone in zones if source and any(_holds(s, source) for s in zone.sources)]
    if bound:
        return bound
    default = [zone.name for zone in zones if zone.is_default]
    if interface:
        named = [zone.name for zone in zones if interface in zone.interfaces]
        return named or default
    # Docker's own zone is for its bridges.
    active = [zone.name for zone in zones if zone.interfaces and zone.name != "docker"]
    return sorted({*active, *default})


def _holds(text: str, source: Network) -> bool:
    """Return whether a zone's source, which may be a MAC address or a set, holds ``source``."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    if isinstance(network, ipaddress.IPv4Network) and isinstance(source, ipaddress.IPv4Network):
        return source.subnet_of(network)
    if isinstance(network, ipaddress.IPv6Network) and isinstance(source, ipaddress.IPv6Network):
        return source.subnet_of(network)
    return False


def changes(zones: Iterable[Zone], wanted: Rules) -> list[tuple[str, list[str]]]:
    """Return for each zone that differs the options of ``firewall-cmd`` that make it right.

    One call adds or removes. Adding comes first, so that nothing is closed in between.
    """
    added, removed = [], []
    for zone in zones:
        missing = sorted(wanted.get(zone.name, frozenset()) - zone.ours)
        surplus = sorted(zone.ours - wanted.get(zone.name, frozenset()))
        if missing:
            added.append((zone.name, [f"--add-rich-rule={rule}" for rule in missing]))
        if surplus:
            removed.append((zone.name, [f"--remove-rich-rule={rule}" for rule in surplus]))
    return added + removed
