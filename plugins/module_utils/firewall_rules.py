# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node lets in: sources and ports as values, checked and merged.

Pure. Groups come from the filter ``cluster_firewall`` or are written by hand; what is wrong with
one is said in the words of the input.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import (
    LAST_PORT,
    joined,
)

#: A source that stands for the address from which the node is being configured.
CONNECTION = "connection"

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


class FirewallError(ValueError):
    """An input from which no rule can be made."""


@dataclass(frozen=True)
class Opening:
    """Ports that are open, to whom (nobody listed: to everybody), on which interface.

    ``ports`` are pairs of a protocol and its spans, such as ``("tcp", ("22", "8000-8010"))``.
    """

    ports: tuple[tuple[str, tuple[str, ...]], ...]
    sources: tuple[Network, ...] = ()
    interface: str = ""

    def of_family(self, version: int) -> tuple[Network, ...]:
        """Return the sources of one family of addresses."""
        return tuple(each for each in self.sources if each.version == version)


def parse_ports(ports: Iterable[str], variable: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return ports written as ``tcp/8000-8010``, by protocol; FirewallError names ``variable``."""
    found: dict[str, list[str]] = {}
    for port in ports:
        match = re.fullmatch(r"(tcp|udp)/(\d+)(?:-(\d+))?", str(port).strip())
        first, last = (int(match[2]), int(match[3] or match[2])) if match else (0, 0)
        if match is None or not 0 < first <= last <= LAST_PORT:
            raise FirewallError(
                f"{variable}: saw {port!r}, expected tcp/443, udp/500 or a range such as"
                " tcp/9000-9010; correct it and run again"
            )
        found.setdefault(match[1], []).append(f"{first}-{last}")
    return tuple((name, tuple(joined(*found[name]).split(","))) for name in sorted(found))


@dataclass(frozen=True)
class Opened:
    """What groups of clients come to: openings, and what is known of the members by name."""

    openings: tuple[Opening, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def opened(
    groups: Iterable[Mapping[str, Any]], address_of: Callable[[str], Optional[str]]
) -> Opened:
    """Return what the groups come to.

    A source is an address, a network, a member as ``name=address``, or a name alone. ``address_of``
    knows the addresses behind names.
    """
    openings, known, unknown = [], dict[str, str](), []
    for group in groups:
        networks = []
        for source in group["sources"]:
            name, _equals, address = source.rpartition("=")
            found = address if _network(address) else address_of(address)
            network = _network(found or "")
            if found is None or network is None:
                unknown.append(address)
                continue
            networks.append(network)
            member = name or ("" if _network(address) else address)
            if member and member != CONNECTION:
                known[member] = found
        ports = parse_ports(group["ports"], "os_base_firewall_members")
        if networks and ports:
            openings.append(Opening(ports, _collapsed(networks), group.get("interface") or ""))
    return Opened(tuple(openings), known, tuple(sorted(set(unknown))))


def to_everybody(ports: Iterable[str], variable: str) -> list[Opening]:
    """Return the opening of these ports to everybody; [] without ports."""
    parsed = parse_ports(ports, variable)
    return [Opening(parsed)] if parsed else []


def _network(text: str) -> Optional[Network]:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _collapsed(networks: Sequence[Network]) -> tuple[Network, ...]:
    """Return the same addresses in as few networks as can be, IPv4 first."""
    old = [each for each in networks if isinstance(each, ipaddress.IPv4Network)]
    new = [each for each in networks if isinstance(each, ipaddress.IPv6Network)]
    return (*ipaddress.collapse_addresses(old), *ipaddress.collapse_addresses(new))


def address_in_hosts(text: str, name: str) -> Optional[str]:
    """Return the address that the text of /etc/hosts has for ``name``, not that of the loopback."""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if name in words[1:] and _network(words[0]) and not words[0].startswith(("127.", "::1")):
            return words[0]
    return None
