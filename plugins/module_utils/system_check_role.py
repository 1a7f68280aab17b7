# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether nodes fit their roles: GPUs on the head, GPUs that nobody uses, too few workers."""

from __future__ import annotations

from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    INVENTORY,
    Finding,
    Severity,
    join_names,
    plural,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    HEAD,
    K3S_AGENT,
    WORKER,
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_requirements import (
    MANAGEMENT_WORKERS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import MANAGEMENT
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_common import (
    probed,
    system_of,
)


def check_roles(inventory: Inventory) -> list[Finding]:
    """Return findings about nodes that are not what their place in the inventory is for."""
    gpus = (_unused_gpus(host) for host in probed(inventory))
    return [
        *_heads_with_gpus(inventory),
        *(finding for finding in gpus if finding),
        *_few_workers(inventory),
    ]


def _has_gpu(host: Host) -> bool:
    """Return whether the inventory says that a host has GPUs; INI files give the text true."""
    return str(host.values.get("has_gpu", "")).lower() == "true"


def _heads_with_gpus(inventory: Inventory) -> list[Finding]:
    workers = [host for host in inventory.nodes if WORKER in host.groups]
    return [
        Finding(
            severity=Severity.NOTE,
            code="head-with-gpu",
            host=head.name,
            message="The head has GPUs, so jobs and the cluster's management share one machine.",
            seen=f"has_gpu=true beside {plural(len(workers), 'worker')}",
            expected="a head without accelerators (Neutree, recommended with several nodes)",
            fix=f"move {head.name} to [{WORKER}], and a machine without GPUs to [{HEAD}]",
        )
        for head in inventory.heads
        if _has_gpu(head) and any(worker.name != head.name for worker in workers)
    ]


def _unused_gpus(host: Host) -> Optional[Finding]:
    """Tell of GPUs on the bus where the inventory says that there are none."""
    gpus = [str(gpu) for gpu in system_of(host).get("pci_gpus") or ()]
    if not gpus or _has_gpu(host):
        return None
    return Finding(
        severity=Severity.NOTE,
        code="gpu-unused",
        host=host.name,
        message="The node has GPUs that the cluster will not use.",
        seen=join_names(gpus, 3),
        expected="has_gpu=true, if the cluster is to have them",
        fix=f"{host.name} has_gpu=true",
    )


def _few_workers(inventory: Inventory) -> list[Finding]:
    """Judge the number of workers of a management cluster."""
    workers = [host.name for host in inventory.hosts if K3S_AGENT in host.groups]
    if MANAGEMENT not in inventory.profiles or len(workers) >= MANAGEMENT_WORKERS:
        return []
    return [
        Finding(
            severity=Severity.WARNING,
            code="workers-too-few",
            host=INVENTORY,
            message="The management cluster has too few workers for its databases' replicas.",
            seen=f"{K3S_AGENT}: {join_names(workers) or 'no host'}",
            expected=f"at least {MANAGEMENT_WORKERS} workers (AIGr.id, Cluster requirements)",
            fix=f"[{K3S_AGENT}] with {MANAGEMENT_WORKERS} hosts or more",
        )
    ]
