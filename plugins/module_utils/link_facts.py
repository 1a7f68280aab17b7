# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network facts of the nodes as the checks see them: values only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Inventory,
)

Values = Mapping[str, Any]


@dataclass(frozen=True)
class NodeLinks:
    """What node_links read on one node, with its node address and the inputs of its host."""

    name: str
    facts: Values
    address: str = ""
    interface: Optional[Values] = None
    interfaces: tuple[Values, ...] = ()
    values: Values = field(default_factory=dict)
    groups: frozenset[str] = frozenset()

    @property
    def is_down(self) -> bool:
        """Whether the interface of the cluster network carries nothing."""
        return self.interface is not None and not (
            self.interface["up"] and self.interface["carrier"]
        )

    @property
    def routes(self) -> Sequence[Values]:
        """The IPv4 routes; none where they could not be read."""
        return self.facts.get("routes") or ()

    @property
    def rdma(self) -> Sequence[Values]:
        """The RDMA devices."""
        return self.facts.get("rdma") or ()

    def bonds_below(self) -> Iterator[Values]:
        """Yield the bonds that carry the node address: its interface or one below it."""
        waiting = [self.interface] if self.interface else []
        seen: set[str] = set()
        while waiting:
            interface = waiting.pop()
            name = str(interface["name"])
            if name in seen:
                continue
            seen.add(name)
            if interface.get("bond"):
                yield interface
            waiting += [
                each
                for each in self.interfaces
                if each["name"] == interface["parent"] or each["master"] == name
            ]


def node_links(inventory: Inventory) -> list[NodeLinks]:
    """Return the network facts of each node that told them."""
    found = []
    for host in inventory.nodes:
        facts = host.probe.facts if host.probe else {}
        links = facts.get("links")
        if not isinstance(links, Mapping):
            continue
        interfaces = tuple(links.get("interfaces") or ())
        found.append(
            NodeLinks(
                name=host.name,
                facts=links,
                address=str(facts.get("node_address") or ""),
                interface=interface_named(interfaces, str(facts.get("node_interface") or "")),
                interfaces=interfaces,
                values=host.values,
                groups=host.groups,
            )
        )
    return found


def interface_named(interfaces: Iterable[Values], name: str) -> Optional[Values]:
    """Return the interface of that name, None when there is none."""
    return next((each for each in interfaces if each["name"] == name), None)


def command_on(hosts: str, command: str) -> str:
    """Return what to type so that ``command`` runs as root on ``hosts``."""
    return f'ansible -i inv.ini -b -m ansible.builtin.command -a "{command}" {hosts}'
