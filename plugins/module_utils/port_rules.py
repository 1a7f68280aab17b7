# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the port catalogue to what one node must let in from whom.

Pure. The catalogue says which group listens where and who must reach it; this turns the groups
into addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CATALOGUE,
    CONTROL_NODE,
    DEVELOPERS,
    EVERY_NODE,
    Port,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import (
    LAST_PORT,
    joined,
)


class PortRuleError(ValueError):
    """A variable of a host that is no port."""


@dataclass(frozen=True)
class Member:
    """A member of the cluster: its node address, empty when it could not be asked."""

    name: str
    address: str = ""
    interface: str = ""


@dataclass(frozen=True)
class Topology:
    """Who is in the cluster, and the addresses of those who are not but come all the same."""

    members: tuple[Member, ...]
    groups: Mapping[str, Sequence[str]]
    control: tuple[str, ...] = ()
    developers: tuple[str, ...] = ()


def listening(port: Port, variables: Mapping[str, Any]) -> str:
    """Return the ports of a row as ``tcp/8076``, moved as the host's variables say."""
    first = _number(port.variable, variables.get(port.variable, port.number))
    last = first
    if port.last:
        last = _number(port.last_variable, variables.get(port.last_variable, port.last))
    if first > last:
        raise PortRuleError(
            f"{port.variable}={first} is above {port.last_variable}={last}, expected the lower end"
            " of the range first"
        )
    return f"{port.protocol}/{first}" if first == last else f"{port.protocol}/{first}-{last}"


def _number(variable: str, value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\s*[0-9]{1,5}\s*", str(value)):
        raise PortRuleError(f"{variable}: saw {value!r}, expected a port from 1 to {LAST_PORT}")
    if not 0 < int(value) <= LAST_PORT:
        raise PortRuleError(f"{variable}: saw {value!r}, expected a port from 1 to {LAST_PORT}")
    return int(value)


def merged(ports: Iterable[str]) -> list[str]:
    """Return ports such as ``tcp/8076-8077`` with neighbours merged, sorted."""
    by_protocol: dict[str, list[str]] = {}
    for port in ports:
        protocol, _slash, span = port.partition("/")
        by_protocol.setdefault(protocol, []).append(span)
    return [
        f"{protocol}/{span}"
        for protocol in sorted(by_protocol)
        for span in joined(*by_protocol[protocol]).split(",")
    ]


def rules_for(
    host: str,
    topology: Topology,
    variables: Mapping[str, Any],
    catalogue: Sequence[Port] = CATALOGUE,
) -> list[dict[str, Any]]:
    """Return what ``host`` must let in: one group of sources and ports for each kind of client."""
    ports: dict[str, list[str]] = {}
    for port in catalogue:
        if port.role == EVERY_NODE or host in topology.groups.get(port.role, ()):
            for client in port.clients:
                ports.setdefault(client, []).append(listening(port, variables))
    interface = next((each.interface for each in topology.members if each.name == host), "")
    rules = []
    for client, listeners in ports.items():
        sources = _sources(client, host, topology)
        if sources:
            inside = client not in (CONTROL_NODE, DEVELOPERS)
            rules.append(
                {
                    "name": client,
                    "interface": interface if inside else "",
                    "sources": sources,
                    "ports": merged(listeners),
                }
            )
    return rules


def _sources(client: str, host: str, topology: Topology) -> list[str]:
    """Return a client's addresses: members as ``name=address``, the name alone if that is all."""
    if client == CONTROL_NODE:
        return list(topology.control)
    if client == DEVELOPERS:
        return list(topology.developers)
    names = topology.groups.get(client, ())
    return [
        f"{each.name}={each.address}" if each.address else each.name
        for each in topology.members
        if each.name != host and (client == EVERY_NODE or each.name in names)
    ]
