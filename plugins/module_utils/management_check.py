# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster can take the management profile of the AIGr.id document.

All findings come from one pass, before the first change. Nothing here reads or writes anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    INVENTORY,
    Finding,
    Severity,
    join_names,
    plural,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_inventory import node_name
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.management_services import (
    LABELS,
    Bundle,
    Seen,
    Service,
    find_seen,
)

SOURCE = "AIGr.id, Management cluster"
#: The document's numbers: "At-least 3 worker nodes with 40GB HDD and 8GB RAM".
WORKERS = 3
DISK_MIB = 40 * 1000**3 // 1024**2
MEMORY_MIB = 8 * 1000**3 // 1024**2
#: A machine sold as 8 GB shows a little less.
_ROOM = 0.95
_QUANTITY = re.compile(r"[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?")
_VARIABLES = {"db": "management_registry_nodes", "metrics-db": "management_metrics_nodes"}


@dataclass(frozen=True)
class Worker:
    """An agent as the inventory and its facts have it; sizes in MiB, None where unknown."""

    host: str
    name: str
    memory_mib: Optional[int] = None
    disk_mib: Optional[int] = None


@dataclass(frozen=True)
class Cluster:
    """What is known before the first change.

    ``nodes`` are the rows of k3s_cluster_info; ``choice`` has the hosts that carry each label.
    """

    reachable: bool
    error: str
    nodes: Sequence[Mapping[str, Any]]
    workers: Sequence[Worker]
    bundles: Sequence[Bundle]
    choice: Mapping[str, Sequence[str]]
    services: Sequence[Service]
    seen: Sequence[Seen]
    node_ports: tuple[int, int]
    members: frozenset[str] = field(default_factory=frozenset)
    least_workers: int = WORKERS


def check_management(cluster: Cluster) -> list[Finding]:
    """Return everything that speaks against the installation."""
    return [
        *_api(cluster),
        *_workers(cluster),
        *_nodes(cluster),
        *_labels(cluster),
        *_bundles(cluster),
        *_node_ports(cluster),
    ]


def _found(
    severity: Severity,
    code: str,
    host: str,
    message: str,
    seen: str,
    expected: str,
    fix: str,
    variable: str = "",
) -> Finding:
    return Finding(severity, f"management-{code}", host, message, seen, expected, fix, variable)


def _api(cluster: Cluster) -> Iterator[Finding]:
    if not cluster.reachable:
        yield _found(
            Severity.ERROR,
            "no-cluster",
            INVENTORY,
            "kubectl gets no answer from the cluster.",
            cluster.error or "no answer",
            "a k3s cluster that runs",
            "ansible-playbook -i <inventory> provision.yml",
        )


def _workers(cluster: Cluster) -> Iterator[Finding]:
    if len(cluster.workers) < cluster.least_workers:
        yield _found(
            Severity.ERROR,
            "too-few-workers",
            INVENTORY,
            "The cluster has fewer workers than the management services ask for.",
            join_names([each.host for each in cluster.workers]) or "none",
            f"at least {cluster.least_workers} hosts in k3s_agent ({SOURCE})",
            "add hosts to the group k3s_agent, or lower management_minimum_workers knowingly",
            "management_minimum_workers",
        )
    for worker in cluster.workers:
        yield from _size(worker, "memory", worker.memory_mib, MEMORY_MIB, "8 GB of memory")
        yield from _size(worker, "disk", worker.disk_mib, DISK_MIB, "a disk of 40 GB")


def _size(
    worker: Worker, what: str, seen: Optional[int], least: int, words: str
) -> Iterator[Finding]:
    if seen is not None and seen < least * _ROOM:
        yield _found(
            Severity.WARNING,
            f"{what}-too-small",
            worker.host,
            f"The worker has less {what} than the document asks for.",
            f"{seen * 1024**2 / 1000**3:.1f} GB",
            f"at least {words} ({SOURCE})",
            f"use a machine with {words} or more",
        )


def _nodes(cluster: Cluster) -> Iterator[Finding]:
    """Judge what the cluster says of its nodes: one without a network between pods is not Ready."""
    if not cluster.reachable:
        return
    known = {str(node.get("name")) for node in cluster.nodes}
    for worker in cluster.workers:
        if worker.name not in known:
            yield _found(
                Severity.ERROR,
                "not-a-member",
                worker.host,
                "The host is in k3s_agent and the cluster does not know it.",
                f"no node {worker.name}",
                "a node of the cluster",
                # No limit: where Ray is beside k3s, its head must be within one as well.
                "ansible-playbook -i <inventory> provision.yml",
            )
    for node in cluster.nodes:
        if not node.get("ready"):
            reasons = "; ".join(str(each) for each in node.get("reasons") or [])
            yield _found(
                Severity.ERROR,
                "node-not-ready",
                str(node.get("name")),
                "The node is not Ready; without its CNI layer no pod gets an address there.",
                reasons or "not Ready",
                "Ready",
                "ansible-playbook -i <inventory> status.yml",
            )


def _labels(cluster: Cluster) -> Iterator[Finding]:
    for bundle in cluster.bundles:
        label = LABELS.get(bundle.name)
        if label is None:
            continue
        hosts, variable = cluster.choice.get(label, ()), _VARIABLES[bundle.name]
        strange = [host for host in hosts if host not in cluster.members]
        if strange:
            yield _found(
                Severity.ERROR,
                "unknown-node",
                INVENTORY,
                f"A node that is to carry {label}=yes is no node of the cluster.",
                join_names(strange),
                "hosts of k3s_server or k3s_agent",
                f"correct {variable}",
                variable,
            )
        if len(hosts) < bundle.replicas:
            yield _found(
                Severity.WARNING,
                "replicas-share-a-node",
                INVENTORY,
                f"Bundle {bundle.name} has more replicas than nodes with {label}=yes, so that a "
                "node that fails takes several with it.",
                f"{plural(len(hosts), 'node')} for {bundle.replicas} replicas",
                plural(bundle.replicas, "node"),
                f"name more nodes in {variable}, or set fewer replicas",
                variable,
            )


def _bundles(cluster: Cluster) -> Iterator[Finding]:
    for bundle in cluster.bundles:
        if not _QUANTITY.fullmatch(bundle.size):
            yield _found(
                Severity.ERROR,
                "size-unknown",
                INVENTORY,
                f"The size of bundle {bundle.name} is no quantity of Kubernetes.",
                repr(bundle.size),
                "a number with a unit, such as 10Gi",
                "correct size in management_bundles",
                "management_bundles",
            )


def _node_ports(cluster: Cluster) -> Iterator[Finding]:
    """Judge the NodePorts: of the range, of one service only, and free in the cluster."""
    first, last = cluster.node_ports
    # Without bundles nothing of the document comes, so none of its ports can clash.
    services = [each for each in cluster.services if each.node_port] if cluster.bundles else []
    owner: dict[int, Service] = {}
    for service in services:
        port = service.node_port or 0
        other = owner.setdefault(port, service)
        where = f"{service.namespace}/{service.name}"
        if other is not service:
            yield _port(where, port, f"{other.namespace}/{other.name} has it too", "one service")
        elif not first <= port <= last:
            yield _port(where, port, f"{port}", f"{first}-{last}, the cluster's range")
        yield from _taken(service, where, cluster)


def _taken(service: Service, where: str, cluster: Cluster) -> Iterator[Finding]:
    """Judge who has the port now; what lies in a bundle's namespace is the bundle's own."""
    own = find_seen(service, cluster.seen)
    ours = {bundle.namespace for bundle in cluster.bundles}
    for each in cluster.seen:
        strange = each is not own and each.namespace not in ours
        if strange and service.node_port in each.node_ports:
            there = f"{each.namespace}/{each.name} has it"
            yield _port(where, service.node_port or 0, there, "a free port")


def _port(where: str, port: int, seen: str, expected: str) -> Finding:
    return _found(
        Severity.ERROR,
        "node-port-taken",
        INVENTORY,
        f"{where} cannot have NodePort {port}.",
        seen,
        expected,
        "move the other service, or change node_port in management_services and in the bundle",
        "management_services",
    )


def member_rows(
    hostvars: Mapping[str, Any], servers: Sequence[str], agents: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the cluster's members by the inventory, with their sizes by their facts."""
    return [
        _member(host, hostvars[host], host in agents) for host in dict.fromkeys([*servers, *agents])
    ]


def _member(host: str, variables: Mapping[str, Any], is_agent: bool) -> dict[str, Any]:
    facts = (variables.get("ansible_facts") or {}).get("gpu_cluster") or {}
    system = facts.get("system") or {}
    roots = [disk for disk in system.get("disks") or () if disk.get("mount") == "/"]
    sizes = [system.get("system_disk_mib"), roots[0].get("size_mib") if roots else None]
    return {
        "host": host,
        "name": node_name(host, variables),
        "is_agent": is_agent,
        "memory_mib": facts.get("memory_mib"),
        "disk_mib": max((size for size in sizes if size), default=None),
    }
