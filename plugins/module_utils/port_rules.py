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
    ITSELF,
    K3S_NODES,
    RAY_NODES,
    USERS,
    Port,
    groups_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import (
    LAST_PORT,
    joined,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_profiles import (
    profiles_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_shared import (
    with_worker_ports,
)

#: Names of rules where they are not the client's: nodes of a Ray cluster have had theirs for long.
_RULE_NAMES = {RAY_NODES: "every node", EVERY_NODE: "cluster network"}

#: What k3s takes for pods and services when it is not told otherwise (k3s server --help).
K3S_NETWORKS = {"k3s_cluster_cidr": "10.42.0.0/16", "k3s_service_cidr": "10.43.0.0/16"}
#: flannel's bridge, at which the packets of a node's own pods come in.
POD_BRIDGE = "cni0"


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
    # Profiles beside those that the groups make (see port_profiles).
    profiles: tuple[str, ...] = ()


def listening(port: Port, variables: Mapping[str, Any]) -> str:
    """Return the ports of a row as ``tcp/8076``, moved as the host's variables say."""
    first, last = span_of(port, variables)
    return f"{port.protocol}/{first}" if first == last else f"{port.protocol}/{first}-{last}"


def span_of(port: Port, variables: Mapping[str, Any]) -> tuple[int, int]:
    """Return the first and the last port of a row, moved as the host's variables say."""
    first = _moved(port.variable, port.alias, port.number, variables)
    last = _moved(port.last_variable, "", port.last, variables) if port.last else first
    if first > last:
        raise PortRuleError(
            f"{port.variable}={first} is above {port.last_variable}={last}, expected the lower end"
            " of the range first"
        )
    return first, last


def _moved(variable: str, alias: str, number: int, variables: Mapping[str, Any]) -> int:
    """Return the port that a host's variable gives, its alias when that is what is set."""
    for name in (variable, alias):
        if name and variables.get(name) is not None:
            return _number(name, variables[name])
    return number


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


def members_of(name: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the hosts of a group, or of the groups that a name of the catalogue stands for."""
    found = [host for group in groups_of(name) for host in groups.get(group, ())]
    return list(dict.fromkeys(found))


def rules_for(
    host: str,
    topology: Topology,
    variables: Mapping[str, Any],
    catalogue: Sequence[Port] = CATALOGUE,
) -> list[dict[str, Any]]:
    """Return what ``host`` must let in: one group of sources and ports for each kind of client."""
    variables = with_worker_ports(variables, host, topology.groups)
    profiles = profiles_of(topology.groups, topology.profiles)
    ports: dict[str, list[str]] = {}
    for port in catalogue:
        here = port.profile in profiles and host in members_of(port.role, topology.groups)
        if here and port.counts(variables):
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
                    "name": _RULE_NAMES.get(client, client),
                    "interface": interface if inside else "",
                    "sources": sources,
                    "ports": merged(listeners),
                }
            )
    if host in members_of(K3S_NODES, topology.groups):
        rules += _pods(variables)
    return rules


def _pods(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return that a node lets in its own pods, which ask it for the API, names and metrics.

    Pods of other nodes come with the address of their node. The bridge keeps out strangers who
    claim a pod's address; what another network than flannel's has in its place is not known here.
    """
    if variables.get("k3s_flannel_backend") == "none":
        return []
    networks = str(variables.get("k3s_cluster_cidr") or K3S_NETWORKS["k3s_cluster_cidr"])
    return [
        {
            "name": "pods",
            "interface": POD_BRIDGE,
            "sources": [each.strip() for each in networks.split(",")],
            "ports": [f"tcp/1-{LAST_PORT}", f"udp/1-{LAST_PORT}"],
        }
    ]


def _sources(client: str, host: str, topology: Topology) -> list[str]:
    """Return a client's addresses: members as ``name=address``, the name alone if that is all."""
    if client == CONTROL_NODE:
        return list(topology.control)
    if client == DEVELOPERS:
        return list(topology.developers)
    if client in (USERS, ITSELF):
        # A service for everybody is opened by its role or by os_base_firewall_owner_ports.
        return []
    names = set(members_of(client, topology.groups))
    return [
        f"{each.name}={each.address}" if each.address else each.name
        for each in topology.members
        if each.name != host and each.name in names
    ]
