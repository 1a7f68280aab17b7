# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the kernel sends what is for the other nodes out of the interface of the node address."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_facts import (
    NodeLinks,
    command_on,
)

#: Kinds whose addresses are no place on a network of machines.
_INNER_KINDS = frozenset({"loopback", "dummy", "tunnel", "vrf"})
_CONTAINERS = ("docker", "br-", "cni", "podman", "veth", "virbr", "lxc", "cali", "cilium", "kube-")


def check_routes(nodes: Sequence[NodeLinks]) -> list[Finding]:
    """Return an error for each node that reaches the others by another interface than it says."""
    findings = []
    for node in nodes:
        if node.interface is None or node.is_down:
            continue
        doubled = _doubled(node)
        found = _subnet_doubled(node, doubled) if doubled else _elsewhere(node, nodes)
        findings += [found] if found else []
    return findings


def _doubled(node: NodeLinks) -> list[Mapping[str, Any]]:
    """Return the other interfaces with an address in the subnet of the node address."""
    own = _network_of(node)
    if own is None or node.interface is None:
        return []
    return [
        each
        for each in node.interfaces
        if each["name"] != node.interface["name"]
        and each["up"]
        and not each["master"]
        and each["kind"] not in _INNER_KINDS
        and not each["name"].startswith(_CONTAINERS)
        and any(_network(text) == own for text in each["addresses"])
    ]


def _network_of(node: NodeLinks) -> Optional[ipaddress.IPv4Network]:
    """Return the subnet of the node address; None for an address that stands alone."""
    for text in (node.interface or {}).get("addresses") or ():
        network = _network(text)
        if text.split("/")[0] == node.address and network and network.prefixlen < 32:
            return network
    return None


def _network(text: str) -> Optional[ipaddress.IPv4Network]:
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None


def _subnet_doubled(node: NodeLinks, others: Sequence[Mapping[str, Any]]) -> Finding:
    interface = node.interface or {}
    network = _network_of(node)
    texts = [f"{each['name']} {' '.join(each['addresses'])}" for each in (interface, *others)]
    other = others[0]
    address = next(text for text in other["addresses"] if _network(text) == network)
    return Finding(
        severity=Severity.ERROR,
        code="subnet-doubled",
        host=node.name,
        message=f"Besides {interface['name']}, {join_names([each['name'] for each in others])} has"
        " an address in the subnet of the cluster network, so packets take either, and answers"
        " come from the wrong one.",
        seen=", ".join(texts),
        expected=f"addresses of {network} on {interface['name']} only, or both links in a bond",
        fix=command_on(node.name, f"ip address delete {address} dev {other['name']}")
        + "   (and in its network configuration)",
    )


def _elsewhere(node: NodeLinks, nodes: Sequence[NodeLinks]) -> Optional[Finding]:
    """Return the error about the first way to another node that leaves by another interface."""
    name = str((node.interface or {})["name"])
    neighbour = node.facts.get("neighbour") or {}
    if neighbour.get("interface") and neighbour["interface"] != name:
        return _finding(node, str(neighbour["address"]), str(neighbour["interface"]), None)
    if node.facts.get("rules") != [] or any(each["table"] != "main" for each in node.routes):
        return None  # Which table counts depends on more than the destination.
    for other in nodes:
        route = best_route(node.routes, other.address) if other.name != node.name else None
        if route and route["dev"] and route["dev"] != name and route["dst"] != "default":
            return _finding(node, f"{other.name} ({other.address})", str(route["dev"]), route)
    return None


def _finding(
    node: NodeLinks, target: str, device: str, route: Optional[Mapping[str, Any]]
) -> Finding:
    name = str((node.interface or {})["name"])
    by = f" by the route {route['dst']}" if route else ""
    change = f"delete {route['dst']}" if route else "show"
    remedy = f"ip -4 route {change} dev {device}"
    return Finding(
        severity=Severity.ERROR,
        code="route-elsewhere",
        host=node.name,
        message=f"The node address is on {name}, but what is for the cluster network leaves by"
        f" {device}.",
        seen=f"to {target} by {device}{by}",
        expected=f"a way by {name}",
        fix=command_on(node.name, remedy) + f"   (or take: {node.name} my_iface={device})",
        variable="my_iface" if "my_iface" in node.values else "",
    )


def best_route(routes: Sequence[Mapping[str, Any]], address: str) -> Optional[Mapping[str, Any]]:
    """Return the route of the main table that the kernel takes to ``address``, None for none."""
    try:
        target = ipaddress.IPv4Address(address)
    except ValueError:
        return None
    candidates: list[tuple[int, int, int, Mapping[str, Any]]] = []
    for route in routes:
        network = _network("0.0.0.0/0" if route["dst"] == "default" else str(route["dst"]))
        if network is not None and target in network:
            candidates.append((-network.prefixlen, int(route["metric"]), len(candidates), route))
    return min(candidates, key=lambda each: each[:3])[3] if candidates else None
