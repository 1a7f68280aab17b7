# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the subnets of Docker's and k3s's networks are somebody else's already.

What the role docker refuses or warns of when it runs is said here before anything is changed, by
the same functions (see docker_pools).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_pools import (
    Blocked,
    DockerNetwork,
    Network,
    PoolError,
    asked_pools,
    chosen_pools,
    explain_overlap,
    overlapping,
    parse_reserved,
    parse_routes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    merge_common,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_facts import (
    NodeLinks,
    command_on,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_network import (
    parse_subnet,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import (
    K3S_NETWORKS,
)

K3S_GROUPS = ("k3s_server", "k3s_agent")
#: Interfaces that k3s and its network plugins make; routes by them are k3s's own.
_OF_K3S = re.compile(r"(cni|flannel|cali|cilium|lxc|kube-|tunl|veth|vxlan\.calico|wg-?calico)")
_BRIDGE = re.compile(r"(docker0|br-([0-9a-f]{12}))$")
_NOTHING_CHANGED = re.compile(r"\s*Nothing was changed[;.]?\s*")


def check_docker_networks(nodes: Sequence[NodeLinks]) -> list[Finding]:
    """Return what is wrong with the subnets that Docker has, or is to have."""
    members = [node.address for node in nodes if node.address]
    findings: list[Finding] = []
    for node in nodes:
        try:
            reserved = parse_reserved(_texts(node.values.get("docker_reserved_subnets")))
        except PoolError as error:
            findings.append(_refused(node, str(error), "docker_reserved_subnets"))
            continue
        blocked = [*reserved, *preflight_reserved(node.values)]
        networks = docker_networks(node)
        routes = parse_routes(json.dumps(list(node.routes)), networks)
        findings += _overlaps(node, networks, (blocked, routes), members)
        findings += _pools(node, [*blocked, *routes])
    return merge_common(findings, [node.name for node in nodes])


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(each) for each in value] if isinstance(value, (list, tuple)) else []


def preflight_reserved(values: Mapping[str, Any]) -> list[Blocked]:
    """Return the subnets of preflight_reserved_subnets; what is none is its own check's matter."""
    subnets = [parse_subnet(text) for text in _texts(values.get("preflight_reserved_subnets"))]
    return [Blocked(each, "preflight_reserved_subnets") for each in subnets if each is not None]


def docker_networks(node: NodeLinks) -> list[DockerNetwork]:
    """Return the networks as the engine tells them, else what the bridges and daemon.json show."""
    docker = node.facts.get("docker") or {}
    told = docker.get("networks")
    if told is not None:
        return [
            DockerNetwork(
                name=str(row["name"]),
                driver=str(row["driver"]),
                subnets=tuple(Network(text) for text in row["subnets"]),
                containers=tuple(row["containers"]),
            )
            for row in told
        ]
    found = {}
    bip = parse_subnet(str(docker.get("bip") or ""))
    if bip is not None:
        found["bridge"] = DockerNetwork("bridge", "bridge", (bip,))
    for each in node.interfaces:
        bridge = _BRIDGE.match(str(each["name"]))
        subnets = [parse_subnet(text) for text in each["addresses"]] if bridge else []
        if bridge and each["kind"] == "bridge" and subnets:
            name = bridge[2] or "bridge"
            theirs = tuple(subnet for subnet in subnets if subnet is not None)
            found.setdefault(name, DockerNetwork(name, "bridge", theirs))
    return list(found.values())


def _overlaps(
    node: NodeLinks,
    networks: Sequence[DockerNetwork],
    taken: tuple[Sequence[Blocked], Sequence[Blocked]],
    members: Sequence[str],
) -> list[Finding]:
    """Return one finding for each network that lies in a reserved subnet or on a route.

    The role refuses the former. The latter stops the cluster only where it hides another node.
    """
    blocked, routes = taken
    if "bip" in _options(node):  # The default bridge is going to move.
        networks = [network for network in networks if network.name != "bridge"]
    found: dict[str, Finding] = {}
    for network, subnet, other in overlapping(networks, [*blocked, *routes]):
        hides = any(ipaddress.ip_address(text) in subnet for text in members)
        is_error = other in blocked or hides
        found.setdefault(
            network.name,
            Finding(
                severity=Severity.ERROR if is_error else Severity.WARNING,
                code="docker-network-overlap",
                host=node.name,
                message=f"{explain_overlap(network, subnet, other)}.",
                seen=f"{network.name} {subnet}",
                expected=f"a subnet apart from {other.subnet} ({other.owner})",
                fix='docker_daemon_options={"bip": "10.241.0.1/24"}'
                if network.name == "bridge"
                else command_on(node.name, f"docker network rm {network.name}"),
            ),
        )
    return list(found.values())


def _options(node: NodeLinks) -> Mapping[str, Any]:
    options = node.values.get("docker_daemon_options")
    return options if isinstance(options, Mapping) else {}


def _pools(node: NodeLinks, blocked: Sequence[Blocked]) -> list[Finding]:
    """Return the error about address pools that the role docker would refuse."""
    if str(node.values.get("install_docker", True)).lower() in ("false", "no", "0", "off"):
        return []
    docker = node.facts.get("docker") or {}
    asked = node.values.get("docker_address_pools")
    asked = _options(node).get("default-address-pools") if asked is None else asked
    try:
        if asked is not None:
            asked_pools([each for each in asked if isinstance(each, Mapping)], blocked)
        else:
            chosen_pools(docker.get("pools"), blocked)
    except PoolError as error:
        return [_refused(node, str(error), "docker_address_pools")]
    return []


def _refused(node: NodeLinks, text: str, variable: str) -> Finding:
    """Return the finding for what docker_pools refuses, in its words."""
    words = _NOTHING_CHANGED.split(text, maxsplit=1)
    free = re.search(r"set docker_address_pools to (\[.*\])", text)
    seen = words[0].strip().rstrip(".")
    return Finding(
        severity=Severity.ERROR,
        code="docker-network-overlap" if "overlaps" in text else "docker-pools-refused",
        host=node.name,
        message="Docker's address pools cannot be as asked.",
        seen=seen,
        expected="private subnets, apart from each other, the node's routes and what is reserved",
        fix=f"docker_address_pools: {free[1]}" if free else f"correct {variable}",
        variable=variable,
    )


def check_k3s_networks(nodes: Sequence[NodeLinks], inventory: Inventory) -> list[Finding]:
    """Return an error for each network of k3s that lies where something else is."""
    if inventory.profiles.isdisjoint({"k3s", "k3s-ha"}):
        return []
    members = frozenset(node.address for node in nodes)
    findings = []
    for node in nodes:
        if node.groups.isdisjoint(K3S_GROUPS):
            continue
        blocked = _blocked_for_k3s(node, members)
        for variable in K3S_NETWORKS:
            findings += _k3s_overlaps(node, variable, blocked)
    return merge_common(findings, [node.name for node in nodes])


def _blocked_for_k3s(node: NodeLinks, members: frozenset[str]) -> list[Blocked]:
    """Return what k3s must keep out of; its own routes are not meant."""
    routes = [
        route
        for route in node.routes
        if not _OF_K3S.match(str(route["dev"])) and route["gateway"] not in members
    ]
    subnet = parse_subnet(str(node.values.get("cluster_subnet") or ""))
    own = [Blocked(subnet, "cluster_subnet")] if subnet is not None else []
    return [*own, *preflight_reserved(node.values), *parse_routes(json.dumps(routes))]


def _k3s_overlaps(node: NodeLinks, variable: str, blocked: Sequence[Blocked]) -> list[Finding]:
    value = str(node.values.get(variable) or K3S_NETWORKS[variable])
    networks = [parse_subnet(text) for text in value.split(",")]
    found = []
    for network in networks:
        taken = next((each for each in blocked if network and each.subnet.overlaps(network)), None)
        if network is None or taken is None:
            continue
        free = free_network(network.prefixlen, [each.subnet for each in blocked])
        found.append(
            Finding(
                severity=Severity.ERROR,
                code="k3s-network-overlap",
                host=node.name,
                message=f"k3s would give {network} to its"
                f" {'pods' if 'cluster' in variable else 'services'}, and what is there now could"
                " not be reached any more. It cannot be changed once k3s has started.",
                seen=f"{taken.subnet} ({taken.owner})",
                expected=f"a network apart from it, such as {free or 'a private one that is free'}",
                fix=f"{variable}={free or 'NETWORK'}",
                variable=variable,
            )
        )
    return found


def free_network(prefix: int, taken: Iterable[Network]) -> Optional[Network]:
    """Return a private network of that size that overlaps neither ``taken`` nor k3s's defaults."""
    subnets = [*taken, *(Network(text) for text in K3S_NETWORKS.values())]
    starts = [f"10.{second}" for second in range(44, 240)]
    starts += [f"172.{second}" for second in range(31, 23, -1)]
    for start in starts:
        candidate = Network(f"{start}.0.0/{max(prefix, 16)}")
        if not any(candidate.overlaps(subnet) for subnet in subnets):
            return candidate
    return None
