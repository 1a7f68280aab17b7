# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge of the mesh needs to know of a node besides what the mesh saw."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_admits import (
    Admission,
    admission_of_text,
)

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
    explains whatever the mesh sees of the node, such as interface-down. ``admits`` is whom rules
    of ours in the firewall (``provisioned``) let in where, None when that is not known;
    ``closed_by_us`` says that a table of ours closes the node (os_base_firewall=enforce).
    """

    address: str = ""
    interface: str = ""
    network: str = ""
    firewall: Optional[str] = None
    os_base_firewall: str = "auto"
    provisioned: bool = False
    known_fault: str = ""
    admits: Optional[tuple[Admission, ...]] = None
    closed_by_us: bool = False

    @property
    def provision_opens(self) -> bool:
        """Return whether provision.yml makes the way through this node's firewall."""
        return not self.provisioned and self._is_changed

    def opens_to(self, sources: Iterable[str], ports: Iterable[tuple[str, str]]) -> bool:
        """Return whether provision.yml makes the way for these addresses to these ports.

        ``ports`` are lists such as ``7000,7010-7020`` with their protocols.

        A node that was provisioned before is opened by the next run to newcomers and for new
        services. Where one of the rules that it has lets somebody in already, another is to blame.
        """
        if not self.provisioned or self.admits is None:
            return self.provision_opens
        ways = [(address, *each) for each in ports for address in sources]
        return self._is_changed and not any(
            each.lets_in(*way) for each in self.admits for way in ways
        )

    @property
    def _is_changed(self) -> bool:
        if self.os_base_firewall == "off":
            return self.firewall in STOPPED
        return self.closed_by_us or self.firewall in OPENED


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
    admits = firewall.get("admits")
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
        admits=_admissions(admits),
        closed_by_us=bool(firewall.get("closed_by_us")),
    )


def _admissions(texts: Any) -> Optional[tuple[Admission, ...]]:
    """Return whom the rules let in where."""
    if not isinstance(texts, list):
        return None
    found = (admission_of_text(str(text)) for text in texts)
    return tuple(each for each in found if each)


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
