# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory as the checks see it: values only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import Input
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CLUSTER_GROUPS,
)

HEAD = "ray_head"
WORKER = "ray_worker"
K3S_SERVER = "k3s_server"
K3S_AGENT = "k3s_agent"
MONITORING = "monitoring"


#: Groups whose hosts the other nodes join.
LEADS = (HEAD, K3S_SERVER)


def leads(groups: Mapping[str, Collection[str]]) -> list[str]:
    """Return the groups that every run of provision.yml needs, of those that have a host."""
    return [name for name in LEADS if groups.get(name)]


@dataclass(frozen=True)
class Probe:
    """What node_probe learnt about a node."""

    reachable: bool = False
    sudo: bool = False
    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Host:
    """A host of the inventory: its groups, variables and probe."""

    name: str
    groups: frozenset[str] = frozenset()
    variable_names: frozenset[str] = frozenset()
    # Values of the known inputs that are set for the host.
    values: Mapping[str, Any] = field(default_factory=dict)
    # Known inputs whose value could not be templated, with the reason.
    unresolved: Mapping[str, str] = field(default_factory=dict)
    in_play: bool = True
    probe: Optional[Probe] = None
    # What it answered where --limit leaves it out and it was asked all the same.
    outside: Optional[Probe] = None

    def is_in(self, groups: Iterable[str]) -> bool:
        """Return whether the host is in one of ``groups``."""
        return not self.groups.isdisjoint(groups)


@dataclass(frozen=True)
class Inventory:
    """All that a report judges."""

    hosts: tuple[Host, ...]
    inputs: Mapping[str, Input]
    group_names: frozenset[str] = frozenset()
    cluster_groups: tuple[str, ...] = CLUSTER_GROUPS
    # Names that belong to the owner of the inventory, however much they look like ours.
    own_names: frozenset[str] = frozenset()
    limit: str = ""
    # What the nodes are for: ray, k3s, k3s-ha, management, monitoring, lan (see port_catalogue).
    profiles: frozenset[str] = frozenset({"ray"})
    # Groups keep an order of their own, and the first k3s server founds the cluster.
    first_k3s_server: str = ""
    # Hosts outside the limit that answer, but whose Ray or k3s does not, with the reason.
    silent: Mapping[str, str] = field(default_factory=dict)

    def with_outside(self) -> Inventory:
        """Return the inventory with what hosts outside the limit answered as their probes."""
        hosts = (replace(host, probe=host.probe or host.outside) for host in self.hosts)
        return replace(self, hosts=tuple(hosts))

    @property
    def nodes(self) -> tuple[Host, ...]:
        """Return the hosts in a group of ours."""
        return tuple(host for host in self.hosts if host.is_in(self.cluster_groups))

    @property
    def heads(self) -> tuple[Host, ...]:
        """Return the hosts of the head's group."""
        return tuple(host for host in self.hosts if HEAD in host.groups)

    @property
    def k3s_servers(self) -> tuple[Host, ...]:
        """Return the hosts of the group of k3s servers."""
        return tuple(host for host in self.hosts if K3S_SERVER in host.groups)

    @property
    def monitoring_hosts(self) -> tuple[Host, ...]:
        """Return the hosts of the group of the monitoring host."""
        return tuple(host for host in self.hosts if MONITORING in host.groups)

    @property
    def needed_names(self) -> frozenset[str]:
        """Return the hosts without which no run goes on: others need their addresses."""
        needed = (*self.heads, *self.k3s_servers, *self.monitoring_hosts)
        return frozenset(host.name for host in needed)
