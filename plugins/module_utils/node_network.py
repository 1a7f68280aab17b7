# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interfaces a node has, and which of their addresses is its node address.

The text comes from ``ip -j addr`` and ``ip -j route``; nothing here runs a command.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

#: States of an interface that carries nothing: switched off, or without carrier.
DOWN = frozenset({"DOWN", "LOWERLAYERDOWN"})


@dataclass(frozen=True)
class Interface:
    """A network interface with its IPv4 addresses, written as ``198.18.1.3/24``."""

    name: str
    addresses: tuple[str, ...] = ()
    state: str = "UNKNOWN"
    is_loopback: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as results and facts carry them."""
        return {
            "name": self.name,
            "addresses": list(self.addresses),
            "state": self.state,
            "is_loopback": self.is_loopback,
        }


@dataclass(frozen=True)
class NodeAddress:
    """The address that other nodes reach this node at, and the interface that holds it."""

    interface: str
    address: str


@dataclass(frozen=True)
class AddressProblem:
    """Why a node has no node address: a finding's code and what was seen and expected."""

    code: str
    message: str
    seen: str
    expected: str

    def to_dict(self) -> dict[str, str]:
        """Return plain strings, as results carry them."""
        return {
            "code": self.code,
            "message": self.message,
            "seen": self.seen,
            "expected": self.expected,
        }


Choice = Union[NodeAddress, AddressProblem]


def parse_interfaces(text: str) -> list[Interface]:
    """Return the interfaces in the output of ``ip -j addr``; [] for output that is no list."""
    return [
        Interface(
            name=str(link["ifname"]).split("@")[0],
            addresses=tuple(_ipv4_addresses(link.get("addr_info", []))),
            state=str(link.get("operstate", "UNKNOWN")),
            is_loopback="LOOPBACK" in link.get("flags", []),
        )
        for link in _rows(text)
        if link.get("ifname")
    ]


def _ipv4_addresses(infos: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Yield each IPv4 address with its prefix length, primary ones first as ``ip`` lists them."""
    for info in infos:
        if info.get("family") == "inet" and info.get("local"):
            yield f"{info['local']}/{info.get('prefixlen', 32)}"


def parse_default_interface(text: str) -> Optional[str]:
    """Return the interface of the best default route in ``ip -j route``, or None without one."""
    defaults = [row for row in _rows(text) if row.get("dst") == "default"]
    for row in sorted(defaults, key=lambda row: int(row.get("metric", 0))):
        for hop in [row, *row.get("nexthops", [])]:
            if hop.get("dev"):
                return str(hop["dev"])
    return None


def _rows(text: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON list; older ``ip`` prints empty objects among them."""
    try:
        rows = json.loads(text or "[]")
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def describe_interfaces(interfaces: Iterable[Interface]) -> str:
    """Return "eth0 198.18.1.3/24, eth1 (no IPv4 address)" for people to choose from."""
    texts = [
        f"{interface.name} {' '.join(interface.addresses) or '(no IPv4 address)'}"
        for interface in interfaces
        if not interface.is_loopback
    ]
    return ", ".join(texts) or "no interface besides the loopback"


def parse_subnet(text: str) -> Optional[ipaddress.IPv4Network]:
    """Return the IPv4 network that ``text`` writes, or None if it writes none.

    Host bits are forgiven: 198.19.1.7/24 is the network 198.19.1.0/24.
    """
    if "/" not in text:
        return None
    try:
        return ipaddress.IPv4Network(text.strip(), strict=False)
    except ValueError:
        return None


def choose_interface(
    interfaces: Sequence[Interface],
    default_interface: Optional[str],
    my_iface: str = "",
    cluster_subnet: str = "",
) -> Choice:
    """Return the node address, or the reason why there is none.

    ``my_iface`` decides when it is given; else the interface that holds an address in
    ``cluster_subnet`` when that is given; else the one with the default route.
    """
    subnet = parse_subnet(cluster_subnet)
    if my_iface:
        return _address_on(interfaces, my_iface, subnet)
    if subnet is not None:
        return _address_in(interfaces, subnet)
    if default_interface is None:
        return AddressProblem(
            code="no-default-route",
            message="The node has no default route, so its cluster network cannot be guessed.",
            seen=describe_interfaces(interfaces),
            expected="my_iface naming the interface on the cluster network",
        )
    return _address_on(interfaces, default_interface, None)


def _address_on(
    interfaces: Sequence[Interface], name: str, subnet: Optional[ipaddress.IPv4Network]
) -> Choice:
    """Return the address of the interface called ``name``, one in ``subnet`` if that is given."""
    interface = next((each for each in interfaces if each.name == name), None)
    if interface is None:
        return AddressProblem(
            code="my-iface-missing",
            message=f"The node has no interface {name}.",
            seen=describe_interfaces(interfaces),
            expected=f"an interface {name}, as my_iface says",
        )
    if not interface.addresses and interface.state in DOWN:
        return AddressProblem(
            code="interface-down",
            message=f"The interface {name} is down, and has no IPv4 address.",
            seen=f"{name}: state {interface.state}; {describe_interfaces(interfaces)}",
            expected=f"{name} up, with an IPv4 address",
        )
    if not interface.addresses:
        return AddressProblem(
            code="my-iface-without-address",
            message=f"The interface {name} has no IPv4 address.",
            seen=describe_interfaces(interfaces),
            expected=f"an IPv4 address on {name}",
        )
    inside = [text for text in interface.addresses if _is_in(text, subnet)]
    if not inside:
        return AddressProblem(
            code="address-outside-subnet",
            message=f"The interface {name} has no address in cluster_subnet.",
            seen=f"{name} {' '.join(interface.addresses)}",
            expected=f"an address in {subnet}",
        )
    return NodeAddress(interface=name, address=inside[0].split("/")[0])


def _address_in(interfaces: Sequence[Interface], subnet: ipaddress.IPv4Network) -> Choice:
    """Return the first address in ``subnet`` that an interface holds."""
    for interface in interfaces:
        for text in interface.addresses:
            if _is_in(text, subnet):
                return NodeAddress(interface=interface.name, address=text.split("/")[0])
    return AddressProblem(
        code="no-address-in-subnet",
        message="No interface of the node has an address in cluster_subnet.",
        seen=describe_interfaces(interfaces),
        expected=f"an address in {subnet}",
    )


def _is_in(text: str, subnet: Optional[ipaddress.IPv4Network]) -> bool:
    """Return whether the address ``text`` lies in ``subnet``; every address does without one."""
    return subnet is None or ipaddress.IPv4Interface(text).ip in subnet
