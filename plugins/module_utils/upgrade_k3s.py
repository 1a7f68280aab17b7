# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade does to k3s: one server after the other, then the agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import ClusterNode
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_expect import SERVER_ROLE
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_inventory import node_name
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_version import (
    UpgradeError,
    needs_upgrade,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_plan import (
    K3S,
    Plan,
    Refusal,
    Row,
    named,
)

COMPONENT = "k3s"
_CUT_OFF = "an earlier run was cut off and keeps pods away"


@dataclass(frozen=True)
class K3sSeen:
    """The cluster's nodes as k3s_cluster_info tells them, or why nothing is known of them."""

    nodes: Sequence[Mapping[str, Any]] = ()
    why: str = ""

    @classmethod
    def of(cls, answers: Mapping[str, Any]) -> K3sSeen:
        """Return what the first server says that knows; ``answers`` are by server."""
        told = {name: each for name, each in answers.items() if "reachable" in each}
        for answer in told.values():
            if answer["reachable"]:
                return cls(answer["nodes"])
        if not told:
            return cls(why="no server is in this run, or has answered; run with one in the limit")
        said = "; ".join(f"{name}: {each.get('error')}" for name, each in told.items())
        absent = all(each.get("unit_state") == "missing" for each in told.values())
        first = "provision.yml installs k3s" if absent else "start k3s there first"
        return cls(why=f"no server tells of its nodes ({said}); {first}")


@dataclass(frozen=True)
class K3sHost:
    """A host of k3s's groups, its name in Kubernetes and the version that it is to have."""

    name: str
    node: str
    wanted: str

    @classmethod
    def of(cls, name: str, variables: Mapping[str, Any], version: str) -> K3sHost:
        """Return the host with these variables; ``version`` is for one that has none of its own."""
        return cls(name, node_name(name, variables), str(variables.get("k3s_version") or version))


def cluster_node(row: Mapping[str, Any]) -> ClusterNode:
    """Return a node as the module k3s_cluster_info tells it."""
    return ClusterNode(
        name=str(row["name"]),
        ready=bool(row.get("ready")),
        reasons=(),
        roles=tuple(row.get("roles") or ()),
        version=str(row.get("version") or ""),
        address=str(row.get("address") or ""),
        labels={},
        taints=(),
        unschedulable=bool(row.get("unschedulable")),
        gpus={},
        capacity_gpus={},
        annotations={},
    )


def plan_k3s(hosts: Sequence[K3sHost], seen: K3sSeen, back: bool = False) -> Plan:
    """Return what is done to k3s; ``hosts`` are in the order in which it is done.

    Each step is judged with those before it done, as the steps themselves will be. A node that has
    its version and that a run left closed to pods is let back in.
    """
    if not hosts or not all(host.wanted for host in hosts):
        return Plan()
    if not seen.nodes:
        return Plan(notes=(f"k3s is left alone: {seen.why}",))
    nodes = {str(row["name"]): cluster_node(row) for row in seen.nodes}
    closed = {str(row["name"]) for row in seen.nodes if row.get("kept_by") == "run"}
    rows: list[Row] = []
    refusals: list[Refusal] = []
    absent = [host.name for host in hosts if host.node not in nodes]
    for host in hosts:
        node = nodes.get(host.node)
        if node is None:
            continue
        try:
            differs = needs_upgrade(node, host.wanted, nodes.values(), back)
        except UpgradeError as error:
            refusals.append(Refusal(host.name, COMPONENT, node.version, host.wanted, str(error)))
            continue
        if differs:
            rows.append(_row(host, node, K3S + len(rows)))
            nodes[host.node] = replace(node, version=host.wanted)
        elif host.node in closed:
            rows.append(_back_in(host, K3S + len(rows)))
    note = f"no k3s is installed on {named(absent)}; provision.yml does that"
    return Plan(tuple(rows), tuple(refusals), (note,) if absent else ())


def _row(host: K3sHost, node: ClusterNode, order: int) -> Row:
    is_server = SERVER_ROLE in node.roles
    note = "server: drained, one at a time" if is_server else "agent: drained"
    return Row(host.name, COMPONENT, node.version, host.wanted, order=order, note=note)


def _back_in(host: K3sHost, order: int) -> Row:
    return Row(host.name, COMPONENT, "half-way", "back in the cluster", order=order, note=_CUT_OFF)
