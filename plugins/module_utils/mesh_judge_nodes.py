# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge of the mesh needs to know of a node besides what the mesh saw."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

#: Firewalls of a node that provision.yml opens for the members (os_base_firewall auto or enforce).
OPENED = frozenset({"firewalld", "ufw", "nftables", "iptables"})
#: Those that it stops with os_base_firewall=off.
STOPPED = frozenset({"firewalld", "ufw"})


@dataclass(frozen=True)
class NodeView:
    """A node: its address, and the packet filter that stands before it.

    ``firewall`` is the first of firewalld, ufw, nftables and iptables that closes the node to what
    no rule lets in, ``rules`` when there are only single rules that drop or reject, empty when the
    node was looked at and has neither, None when that is not known. ``network`` is the network of
    the node address, such as ``198.19.1.0/24``. ``known_fault`` is the code of a finding that
    explains whatever the mesh sees of the node, such as interface-down.
    """

    address: str = ""
    interface: str = ""
    network: str = ""
    firewall: Optional[str] = None
    os_base_firewall: str = "auto"
    provisioned: bool = False
    known_fault: str = ""

    @property
    def provision_opens(self) -> bool:
        """Return whether provision.yml makes the way through this node's firewall."""
        if self.provisioned:
            return False
        firewalls = STOPPED if self.os_base_firewall == "off" else OPENED
        return self.firewall in firewalls


NO_VIEW = NodeView()

#: What stands before a node that no firewall closes, by whether rules drop or reject anything.
_OTHERS = {"True": "rules", "False": ""}


def node_view(
    facts: Mapping[str, Any], os_base_firewall: str = "auto", known_fault: str = ""
) -> NodeView:
    """Return the view of a node from the facts that its probe brought.

    Its firewall counts as provisioned when rules of ours are in it. That no firewall closes the
    node does not mean that no rule drops anything: that takes ``filters`` to be false.
    """
    links = facts.get("links") or {}
    firewall = links.get("firewall") or {}
    active = firewall.get("active") or []
    others = _OTHERS.get(str(firewall.get("filters")))
    interface = str(facts.get("node_interface") or "")
    return NodeView(
        address=str(facts.get("node_address") or ""),
        interface=interface,
        network=_network(facts, interface),
        firewall=str(active[0]) if active else others,
        os_base_firewall=os_base_firewall or "auto",
        provisioned=bool(firewall.get("ours")),
        known_fault=known_fault,
    )


def _network(facts: Mapping[str, Any], interface: str) -> str:
    """Return the network of the node address."""
    for each in facts.get("interfaces") or []:
        for text in each.get("addresses") or [] if each.get("name") == interface else []:
            if str(text).split("/")[0] == facts.get("node_address"):
                try:
                    return str(ipaddress.IPv4Network(str(text), strict=False))
                except ValueError:
                    return ""
    return ""


def sources_as_text(
    names: Iterable[str], nodes: Mapping[str, NodeView], network: str, most: int = 4
) -> list[str]:
    """Return the addresses of the sources; their network when there are many and all lie in it."""
    addresses = [nodes.get(name, NO_VIEW).address or name for name in names]
    if len(addresses) > most and network:
        try:
            net = ipaddress.IPv4Network(network, strict=False)
            if all(ipaddress.IPv4Address(each) in net for each in addresses):
                return [str(net)]
        except ValueError:
            pass
    return addresses
