# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab looks like: names, addresses and ports of its nodes (pure)."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tests.lab.paths import DEFAULT_NAME

FIRST_PORT = 2201
FIRST_HOST = 11
MAX_NODES = 200
SUBNETS = 254
DEFAULT_OS = "debian13"


@dataclass(frozen=True)
class Node:
    """One node of a lab, as planned."""

    lab: str
    number: int
    subnet: int
    platform: str = DEFAULT_OS

    @property
    def container(self) -> str:
        """The name of the node's container, unique on the machine."""
        return f"{self.lab}-n{self.number}"

    @property
    def name(self) -> str:
        """The node's name in the inventory."""
        return self.hostname if self.lab == DEFAULT_NAME else self.container

    @property
    def hostname(self) -> str:
        """The name that the node calls itself."""
        return f"node{self.number}"

    @property
    def management_address(self) -> str:
        """The address that Ansible connects to (eth0)."""
        return f"198.18.{self.subnet}.{FIRST_HOST + self.number - 1}"

    @property
    def cluster_address(self) -> str:
        """The node address: the one on the cluster network (eth1)."""
        return f"198.19.{self.subnet}.{FIRST_HOST + self.number - 1}"


def platform_of(number: int, platforms: Sequence[str]) -> str:
    """Return the platform of a lab's node: nodes take them in turn."""
    return platforms[(number - 1) % len(platforms)]


def plan_nodes(
    lab: str, count: int, subnet: int, platforms: Sequence[str] = (DEFAULT_OS,)
) -> list[Node]:
    """Return the nodes of a lab."""
    return [
        Node(lab, number, subnet, platform_of(number, platforms)) for number in range(1, count + 1)
    ]


def management_network(lab: str) -> str:
    """Return the name of the lab's management network (eth0, with the default route)."""
    return f"{lab}-management"


def cluster_network(lab: str) -> str:
    """Return the name of the lab's cluster network (eth1, private)."""
    return f"{lab}-cluster"


def management_subnet(subnet: int) -> str:
    """Return the lab's management network in CIDR form."""
    return f"198.18.{subnet}.0/24"


def cluster_subnet(subnet: int) -> str:
    """Return the lab's cluster network in CIDR form."""
    return f"198.19.{subnet}.0/24"


def subnet_candidates(lab: str, taken: Collection[int]) -> Iterator[int]:
    """Yield third octets for a lab, its favourite first, without those in use."""
    favourite = 1 if lab == DEFAULT_NAME else 2 + zlib.crc32(lab.encode()) % (SUBNETS - 1)
    for step in range(SUBNETS):
        candidate = (favourite - 1 + step) % SUBNETS + 1
        if candidate not in taken and (candidate != 1 or lab == DEFAULT_NAME):
            yield candidate


def first_port(lab: str, subnet: int) -> int:
    """Return the first loopback port to try: 2201 for `lab`, other stretches for other labs."""
    return FIRST_PORT if lab == DEFAULT_NAME else FIRST_PORT + 1000 + subnet * 50
