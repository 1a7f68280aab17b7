# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom our rules in a node's firewall let in where, read back from nft, iptables, ufw, firewalld.

Pure. IPv4 alone, since the mesh is tried over IPv4; a rule for an interface counts as one for all.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import joined
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import common

#: In a text, the source of a rule that lets everybody in.
_ANYBODY = "any"
#: An address, a network such as 10.1.0.0/24 or a range such as 10.1.0.2-10.1.0.9 in a rule.
_SOURCE = re.compile(
    r"(?<![\w.:])\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2}|-\d{1,3}(?:\.\d{1,3}){3})?(?![\w.])"
)
_ACCEPTS = re.compile(r"^(ufw )?allow\b|\baccept\b|-j ACCEPT\b")
_PROTOCOL = re.compile(r"\b(tcp|udp)\b")
#: Behind nft's dport, iptables' --dport(s), ufw's "to any port" and firewalld's port port=; ufw
#: writes "allow 22/tcp" for everybody.
_PORTS = re.compile(r'(?:dports?|any port|port port=|allow) *"?(\{[^}]*\}|\d[\d,:-]*)')


@dataclass(frozen=True)
class Admission:
    """Ports that sources are let in to; without a source everybody is."""

    sources: tuple[str, ...]
    protocol: str
    ports: str

    def lets_in(self, address: str, protocol: str, ports: str) -> bool:
        """Return whether an address may come to any of these ports."""
        if protocol != self.protocol or not common(self.ports, ports):
            return False
        return not self.sources or is_admitted(address, self.sources)

    def __str__(self) -> str:
        """Return the form in which it travels: ``10.1.0.0/24 tcp 8076-8077``."""
        return f"{','.join(self.sources) or _ANYBODY} {self.protocol} {self.ports}"


def admission_of_rule(rule: str) -> Optional[Admission]:
    """Return what a rule of ours lets in, None for one that does something else."""
    protocol, ports = _PROTOCOL.search(rule), _PORTS.search(rule)
    sources = tuple(_SOURCE.findall(rule))
    if not _ACCEPTS.search(rule) or not protocol or not ports:
        return None
    if not sources and re.search(r"\bip6\b|ipv6|from ", rule):
        return None
    spans = ports[1].strip("{} ").replace(":", "-").replace(" ", "")
    try:
        return Admission(sources, protocol[1], joined(spans))
    except ValueError:
        return None


def admission_of_text(text: str) -> Optional[Admission]:
    """Return what was written down as text, None for another text."""
    words = text.split()
    if len(words) != 3:
        return None
    sources = () if words[0] == _ANYBODY else tuple(words[0].split(","))
    return Admission(sources, words[1], words[2])


def is_admitted(address: str, sources: Iterable[str]) -> bool:
    """Return whether an address is one of these, or in one of the networks and ranges."""
    own = ipaddress.IPv4Address(address)
    for text in sources:
        first, _dash, last = text.partition("-")
        try:
            if last and ipaddress.IPv4Address(first) <= own <= ipaddress.IPv4Address(last):
                return True
            if not last and own in ipaddress.IPv4Network(text, strict=False):
                return True
        except ValueError:
            continue
    return False
