# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The subnets that Docker's networks are cut from: checked, or chosen past those of others.

The text comes from ``ip -j route`` and ``docker network inspect``; nothing here runs a command.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

Network = ipaddress.IPv4Network


class PoolError(Exception):
    """The address pools cannot be as asked, and why."""


@dataclass(frozen=True)
class Pool:
    """A range that the engine cuts into networks of ``size`` bits, as daemon.json writes it."""

    base: Network
    size: int

    def to_dict(self) -> dict[str, Any]:
        """Return the pool as daemon.json writes it."""
        return {"base": str(self.base), "size": self.size}


@dataclass(frozen=True)
class Blocked:
    """A subnet that Docker must keep out of, and whose it is."""

    subnet: Network
    owner: str


@dataclass(frozen=True)
class DockerNetwork:
    """A network that the engine has already, with the names of the containers on it."""

    name: str
    driver: str
    subnets: tuple[Network, ...]
    containers: tuple[str, ...] = ()


def _pool(base: str, size: int) -> Pool:
    return Pool(Network(base), size)


#: What the engine uses by itself (moby, libnetwork/ipamutils), in its order.
DOCKERS_OWN = (
    _pool("172.17.0.0/16", 16),
    _pool("172.18.0.0/16", 16),
    _pool("172.19.0.0/16", 16),
    _pool("172.20.0.0/14", 16),
    _pool("172.24.0.0/14", 16),
    _pool("172.28.0.0/14", 16),
    _pool("192.168.0.0/16", 20),
)
#: What is tried when nothing of that is free.
_SPARE = (_pool("10.240.0.0/16", 24), _pool("100.96.0.0/16", 24), _pool("198.18.0.0/16", 24))
#: Where nobody's public address can be: RFC 1918, RFC 6598, RFC 2544.
PRIVATE = tuple(
    Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")
)
_BRIDGES = re.compile(r"(docker0|docker_gwbridge|br-[0-9a-f]{12}|veth[0-9a-f]+)$")


def parse_reserved(texts: Iterable[str]) -> list[Blocked]:
    """Return the subnets of docker_reserved_subnets; PoolError for what is none."""
    return [Blocked(_reserved(text), "docker_reserved_subnets") for text in texts]


def _reserved(text: str) -> Network:
    try:
        return Network(text)
    except ValueError as error:
        raise PoolError(
            f"docker_reserved_subnets has '{text}' ({error}), expected a subnet such as "
            "172.20.0.0/16. Nothing was changed"
        ) from error


def parse_routes(text: str, docker: Iterable[DockerNetwork] = ()) -> list[Blocked]:
    """Return the node's own routes in ``ip -j route show table all``, without Docker's bridges."""
    theirs = {subnet for network in docker for subnet in network.subnets}
    found = []
    for row in _rows(text):
        subnet = _subnet(str(row.get("dst", "")))
        device = str(row.get("dev", ""))
        if row.get("type", "unicast") != "unicast" or subnet is None:
            continue
        if not _BRIDGES.match(device) and subnet not in theirs:
            found.append(
                Blocked(subnet, f"the route to {subnet}{f' by {device}' if device else ''}")
            )
    return sorted(set(found), key=lambda blocked: (blocked.subnet, blocked.owner))


def _rows(text: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(text or "[]")
    except ValueError:
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _subnet(text: str) -> Optional[Network]:
    """Return the IPv4 network that is written, None for a default route and for IPv6."""
    try:
        network = Network(text)
    except ValueError:
        return None
    return network if network.prefixlen else None


def parse_networks(text: str) -> list[DockerNetwork]:
    """Return the networks in the output of ``docker network inspect``."""
    return [
        DockerNetwork(
            name=str(row.get("Name", "")),
            driver=str(row.get("Driver", "")),
            subnets=tuple(_subnets(row)),
            containers=tuple(
                sorted(str(c.get("Name", "")) for c in (row.get("Containers") or {}).values())
            ),
        )
        for row in _rows(text)
    ]


def _subnets(row: Mapping[str, Any]) -> Iterable[Network]:
    for config in (row.get("IPAM") or {}).get("Config") or []:
        subnet = _subnet(str(config.get("Subnet", "")))
        if subnet is not None:
            yield subnet


def asked_pools(items: Sequence[Mapping[str, Any]], blocked: Sequence[Blocked]) -> list[Pool]:
    """Return the pools of docker_address_pools; PoolError, with a proposal, for a useless one."""
    pools: list[Pool] = []
    for item in items:
        pool = _asked_pool(item, blocked)
        for other in pools:
            if pool.base.overlaps(other.base):
                raise PoolError(
                    f"docker_address_pools: {pool.base} overlaps {other.base}. Nothing was "
                    "changed; make them apart"
                )
        for taken in blocked:
            if pool.base.overlaps(taken.subnet):
                raise PoolError(
                    f"docker_address_pools: {pool.base} overlaps {taken.subnet} ({taken.owner}). "
                    "Nothing was "
                    f"changed; {_proposal(pool, blocked)}"
                )
        pools.append(pool)
    return pools


def _asked_pool(item: Mapping[str, Any], blocked: Sequence[Blocked]) -> Pool:
    base, size = str(item.get("base", "")), item.get("size")
    try:
        pool = Pool(Network(base), int(str(size)))
    except ValueError as error:
        raise PoolError(
            f"docker_address_pools: saw base '{base}', size '{size}' ({error}), expected such as "
            "{base: 10.240.0.0/16, size: 24}. Nothing was changed"
        ) from error
    if not pool.base.prefixlen <= pool.size <= 29:
        raise PoolError(
            f"docker_address_pools: {pool.base} is to be cut into networks of size {pool.size}, "
            "expected "
            f"{pool.base.prefixlen} to 29. Nothing was changed"
        )
    if not any(pool.base.subnet_of(private) for private in PRIVATE):
        raise PoolError(
            f"docker_address_pools: {pool.base} is not private{_why_public(pool.base)}: machines "
            "of the internet "
            "with these addresses could not be reached. Nothing was changed; "
            f"{_proposal(pool, blocked)}"
        )
    return pool


def _why_public(base: Network) -> str:
    if str(base).startswith("172."):
        return " (172.16.0.0/12 ends at 172.31.255.255)"
    return f" (private are {', '.join(map(str, PRIVATE))})"


def _proposal(pool: Pool, blocked: Sequence[Blocked]) -> str:
    """Return the words that name a range of the same size that is free."""
    prefix = max(pool.base.prefixlen, 12)
    second = int(pool.base.network_address) >> 16 & 0xFF
    first = [Network(f"10.{second}.0.0/16")] if prefix >= 16 else []
    spread = [*first, *Network("10.0.0.0/8").subnets(new_prefix=min(prefix, 16))]
    for candidate in spread:
        if not any(candidate.overlaps(taken.subnet) for taken in blocked):
            base = next(candidate.subnets(new_prefix=max(prefix, candidate.prefixlen)))
            fix = f"set docker_address_pools to [{{base: {base}, size: {pool.size}}}]"
            return f"{base} is free on this node: {fix}"
    return "choose a private range that no route of this node covers"


def chosen_pools(
    present: Optional[Sequence[Mapping[str, Any]]], blocked: Sequence[Blocked]
) -> Optional[list[Pool]]:
    """Return pools that keep out of what is blocked, None where the present ones do already.

    ``present`` are the pools in daemon.json; without them the engine uses its own. What is left
    of these is used, so networks that are there already stay in their place.
    """
    pools = list(DOCKERS_OWN)
    if present:
        pools = [pool for pool in (_present_pool(item) for item in present) if pool is not None]
    subnets = [taken.subnet for taken in blocked]
    if not any(pool.base.overlaps(subnet) for pool in pools for subnet in subnets):
        return None
    left = [rest for pool in pools for rest in _rest(pool, subnets)]
    left = left or [rest for pool in _SPARE for rest in _rest(pool, subnets)]
    if not left:
        raise PoolError(
            "Docker's address pools: every private range is taken by docker_reserved_subnets or a "
            "route of this "
            "node. Nothing was changed; set docker_address_pools to a range that may be used"
        )
    return left


def _present_pool(item: Mapping[str, Any]) -> Optional[Pool]:
    subnet = _subnet(str(item.get("base", "")))
    return None if subnet is None else Pool(subnet, int(item.get("size", subnet.prefixlen)))


def _rest(pool: Pool, blocked: Iterable[Network]) -> list[Pool]:
    """Return what is left of a pool, in ranges that hold whole networks of its size."""
    ranges = [pool.base]
    for subnet in blocked:
        ranges = [rest for each in ranges for rest in _without(each, subnet)]
    whole = (each for each in ranges if each.prefixlen <= pool.size)
    return [Pool(each, pool.size) for each in ipaddress.collapse_addresses(whole)]


def _without(base: Network, subnet: Network) -> list[Network]:
    if not base.overlaps(subnet):
        return [base]
    if base.subnet_of(subnet):
        return []
    return list(base.address_exclude(subnet))


def overlapping(
    networks: Iterable[DockerNetwork], blocked: Sequence[Blocked]
) -> list[tuple[DockerNetwork, Network, Blocked]]:
    """Return the networks that Docker has already and that lie in a subnet of somebody else."""
    return [
        (network, subnet, taken)
        for network in networks
        if network.driver in ("bridge", "overlay")
        for subnet in network.subnets
        for taken in blocked
        if subnet.overlaps(taken.subnet)
    ]


def explain_overlap(network: DockerNetwork, subnet: Network, taken: Blocked) -> str:
    """Return what is wrong with a network of Docker's and how to be rid of it."""
    on_it = (
        f"containers on it: {', '.join(network.containers)}"
        if network.containers
        else "no containers on it"
    )
    fix = f"remove it with 'docker network rm {network.name}' (and restart what used it)"
    if network.name == "bridge":
        fix = (
            "move the default bridge with docker_daemon_options: {bip: 10.241.0.1/24}, or "
            "'systemctl stop "
            "docker.service docker.socket; ip link delete docker0' while no container runs"
        )
    return (
        f"the Docker network {network.name} has {subnet}, which overlaps {taken.subnet} "
        f"({taken.owner}); "
        f"{on_it}; {fix}"
    )
