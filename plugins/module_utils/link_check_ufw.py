# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule of ufw's owner does with a packet, from what ``ufw show added`` prints.

The first rule that matches decides, and ours come after the owner's: what these deny stays denied.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import (
    LAST_PORT,
    joined,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import (
    parsed,
)

_VERBS = ("allow", "deny", "reject", "limit")


@dataclass(frozen=True)
class UfwRule:
    """A rule for what comes in. ``protocol`` '' is any; ``spans`` are the ports it is about."""

    text: str
    verb: str
    protocol: str = ""
    spans: tuple[tuple[int, int], ...] = ((0, LAST_PORT),)
    source: Optional[ipaddress.IPv4Network] = None
    destination: Optional[ipaddress.IPv4Network] = None
    interface: str = ""

    @property
    def denies(self) -> bool:
        """Whether the rule turns down what it matches."""
        return self.verb in ("deny", "reject")

    def ports_of(self, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return those of ``spans`` that the rule is about."""
        both = [(max(a, first), min(b, last)) for a, b in spans for first, last in self.spans]
        return [(first, last) for first, last in both if first <= last]

    def is_about(self, protocol: str, source: str, destination: str, interface: str) -> bool:
        """Return whether a packet of that kind can match."""
        return (
            self.protocol in ("", protocol)
            and self.interface in ("", interface)
            and _holds(self.source, source)
            and _holds(self.destination, destination)
        )


def _holds(network: Optional[ipaddress.IPv4Network], address: str) -> bool:
    return network is None or ipaddress.IPv4Address(address) in network


def parse_rule(text: str) -> Optional[UfwRule]:
    """Return the rule, None for one that is not about IPv4 input or that is not understood."""
    words = text.split()
    if words[:1] == ["route"] or not words or words[0] not in _VERBS or "out" in words[1:2]:
        return None
    verb, rest = words[0], [word for word in words[1:] if word not in ("log", "log-all")]
    if rest[:1] == ["in"]:
        rest = rest[1:]
    interface = ""
    if rest[:1] == ["on"]:
        interface, rest = "".join(rest[1:2]), rest[2:]
    if not rest and not interface:
        return None
    try:
        if len(rest) == 1:
            spans, protocol = _ports(rest[0])
            return UfwRule(text, verb, protocol, spans, interface=interface)
        return _long(text, verb, interface, rest)
    except ValueError:
        return None


def _ports(text: str) -> tuple[tuple[tuple[int, int], ...], str]:
    """Return spans and protocol of ``8000:8010,9000/tcp``; ValueError for the name of a service."""
    ports, _slash, protocol = text.partition("/")
    return parsed(ports.replace(":", "-")), protocol


def _long(text: str, verb: str, interface: str, words: list[str]) -> Optional[UfwRule]:
    """Return a rule of the form ``from A to B port P proto T``."""
    values: dict[str, str] = {}
    side = ""
    while len(words) > 1:
        name, value, words = words[0], words[1], words[2:]
        if name in ("from", "to"):
            side = name
            values[name] = value
        elif name in ("port", "app"):
            values[f"{side} {name}"] = value
        elif name == "proto":
            values[name] = value
        else:
            return None
    if words or any(name in values for name in ("from app", "to app", "from port")):
        return None
    spans = parsed(values.get("to port", f"0-{LAST_PORT}").replace(":", "-"))
    return UfwRule(
        text,
        verb,
        values.get("proto", ""),
        spans,
        _network(values.get("from", "any")),
        _network(values.get("to", "any")),
        interface,
    )


def _network(text: str) -> Optional[ipaddress.IPv4Network]:
    """Return the network; ValueError for one of IPv6, which our traffic never has."""
    return None if text == "any" else ipaddress.IPv4Network(text, strict=False)


def denied_ports(
    rules: Iterable[UfwRule], packet: tuple[str, str, str, str], ports: str
) -> dict[str, str]:
    """Return the ports that are denied to ``packet``, by the text of the rule that does it.

    ``packet`` is protocol, source, destination and interface. An earlier rule that allows wins.
    """
    left: list[tuple[int, int]] = list(parsed(ports))
    found: dict[str, str] = {}
    for rule in rules:
        if not left or not rule.is_about(*packet):
            continue
        hit = rule.ports_of(left)
        if hit and rule.denies:
            found[rule.text] = joined(*(f"{first}-{last}" for first, last in hit))
        left = _without(left, rule.spans)
    return found


def _without(
    spans: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return what of ``spans`` is in none of ``others``."""
    left = list(spans)
    for first, last in others:
        pieces = [
            piece for a, b in left for piece in ((a, min(b, first - 1)), (max(a, last + 1), b))
        ]
        left = [(a, b) for a, b in pieces if a <= b]
    return left


def delete_words(rule: str) -> str:
    """Return what to type so that ufw forgets a rule."""
    return f"ufw delete {re.sub(r'[^A-Za-z0-9 ./:,_-]', '', rule)}"
