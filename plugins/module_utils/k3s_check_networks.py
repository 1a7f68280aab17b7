# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the networks that k3s gives to pods and services serve the cluster and each other.

Whether they lie on a node's routes is for link_check_networks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    INVENTORY,
    Finding,
    Severity,
    plural,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import Host
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check_networks import (
    free_network,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_network import (
    parse_subnet,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import (
    K3S_NETWORKS,
)

PODS, SERVICES = K3S_NETWORKS
#: Each node gets a network of this prefix for its pods (kube-controller-manager,
#: --node-cidr-mask-size).
NODE_PREFIX = 24
#: The longest prefix in which the tenth address exists, which k3s gives to DNS (k3s server --help,
#: --cluster-dns).
LONGEST_SERVICES = 28


def check_k3s_cidrs(hosts: Sequence[Host]) -> list[Finding]:
    """Return findings about both networks; what is no network at all is told elsewhere."""
    if not hosts:
        return []
    findings = [finding for name in K3S_NETWORKS for finding in _differing(name, hosts)]
    if findings:
        return findings
    pods, services = (_network(name, hosts[0]) for name in (PODS, SERVICES))
    return [
        *(_too_small(pods, services, len(hosts)) if pods else ()),
        *(_services_too_small(services) if services else ()),
        *(_doubled(pods, services, hosts[0]) if pods and services else ()),
    ]


def _text(name: str, host: Host) -> str:
    return str(host.values.get(name) or K3S_NETWORKS[name])


def _network(name: str, host: Host) -> Optional[ipaddress.IPv4Network]:
    return parse_subnet(_text(name, host))


def _differing(name: str, hosts: Sequence[Host]) -> Iterator[Finding]:
    """Yield that hosts of one cluster name different networks."""
    owners: dict[str, str] = {}
    for host in hosts:
        owners.setdefault(_text(name, host), host.name)
    if len(owners) > 1:
        yield Finding(
            Severity.ERROR,
            "k3s-network-differs",
            INVENTORY,
            f"The hosts have different values of {name}, which is one for the whole cluster.",
            seen=", ".join(f"{text} on {owner}" for text, owner in owners.items()),
            expected="one value for all k3s hosts",
            fix=f"{name}={next(iter(owners))}   (once, below [all:vars])",
            variable=name,
        )


def _too_small(
    pods: ipaddress.IPv4Network, services: Optional[ipaddress.IPv4Network], count: int
) -> Iterator[Finding]:
    room = 2 ** (NODE_PREFIX - pods.prefixlen) if pods.prefixlen <= NODE_PREFIX else 0
    if room >= count:
        return
    needed = NODE_PREFIX - (count - 1).bit_length()
    yield Finding(
        Severity.ERROR,
        "k3s-network-small",
        INVENTORY,
        f"The network of the pods has no room for {plural(count, 'node')}: each gets a"
        f" /{NODE_PREFIX} of it. It cannot be changed once k3s has started.",
        seen=f"{PODS}={pods}, room for {plural(room, 'node')}",
        expected=f"a prefix of {needed} or shorter",
        fix=f"{PODS}={_larger(pods, services, needed) or 'NETWORK'}",
        variable=PODS,
    )


def _larger(
    pods: ipaddress.IPv4Network, services: Optional[ipaddress.IPv4Network], prefix: int
) -> Optional[ipaddress.IPv4Network]:
    """Return a network of that size around ``pods``, else a private one apart from services."""
    around = [pods.supernet(new_prefix=prefix)]
    others = [
        ipaddress.IPv4Network(f"10.{second}.0.0/{prefix}", strict=False)
        for second in range(44, 240)
    ]
    fits = (each for each in around + others if not services or not each.overlaps(services))
    return next(fits, None)


def _services_too_small(services: ipaddress.IPv4Network) -> Iterator[Finding]:
    if services.prefixlen > LONGEST_SERVICES:
        yield Finding(
            Severity.ERROR,
            "k3s-network-small",
            INVENTORY,
            "The network of the services has no tenth address, which k3s gives to DNS.",
            seen=f"{SERVICES}={services}",
            expected=f"a prefix of {LONGEST_SERVICES} or shorter; 16 is k3s's own",
            fix=f"{SERVICES}={K3S_NETWORKS[SERVICES]}",
            variable=SERVICES,
        )


def _doubled(
    pods: ipaddress.IPv4Network, services: ipaddress.IPv4Network, host: Host
) -> Iterator[Finding]:
    if not pods.overlaps(services):
        return
    name = SERVICES if host.values.get(SERVICES) else PODS
    other = pods if name == SERVICES else services
    # Its own default is the best advice, where the other one is not the reason against it.
    default = ipaddress.IPv4Network(K3S_NETWORKS[name])
    good = default if not default.overlaps(other) else free_network(default.prefixlen, [other])
    yield Finding(
        Severity.ERROR,
        "k3s-network-doubled",
        INVENTORY,
        "Pods and services would have the same addresses. They cannot be changed once k3s has"
        " started.",
        seen=f"{PODS}={pods}, {SERVICES}={services}",
        expected="two networks apart from each other",
        fix=f"{name}={good or 'NETWORK'}",
        variable=name,
    )
