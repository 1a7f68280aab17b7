# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster looks like, put together from what its nodes and its head say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_gpu import (
    count_devices,
    count_models,
    is_usable,
    short_models,
)

GIB = 1024**3
_HEADING = ("NODE", "ROLE", "ADDRESS", "STATE", "RAY", "CPU", "GPU", "MEMORY", "RESTARTS")


@dataclass(frozen=True)
class GpuStatus:
    """A node's GPUs: on the PCI bus, answering their driver, offered by Ray, and by model.

    ``text`` has those that answer by short model names, ``problem`` why the numbers differ.
    """

    count: int
    usable: int
    offered: Optional[int]
    models: Mapping[str, int]
    text: str
    problem: str


@dataclass(frozen=True)
class NodeStatus:
    """One node. ``state``: alive, drained, not-joined, stopped, unreachable or not-installed.

    ``gpus`` is None where the node was not asked for them.
    """

    name: str
    role: str
    state: str
    address: Optional[str]
    version: Optional[str]
    restarts: int
    resources: Mapping[str, float]
    reason: str
    gpus: Optional[GpuStatus] = None


@dataclass(frozen=True)
class ClusterStatus:
    """The cluster."""

    cluster: str
    state: str
    dashboard: Optional[str]
    ray_version: Optional[str]
    nodes: tuple[NodeStatus, ...]
    jobs: tuple[Mapping[str, Any], ...]
    error: str

    def to_dict(self) -> dict[str, Any]:
        """Return the status as plain data, the form of ``status_format=json``."""
        return {**asdict(self), "nodes": [asdict(node) for node in self.nodes]}


def node_status(
    name: str,
    role: str,
    probe: Mapping[str, Any],
    unit: Mapping[str, Any],
    head: Mapping[str, Any],
    gpus: Optional[Mapping[str, Any]] = None,
    wanted_gpus: Any = None,
    gpu_vendor: Optional[str] = None,
) -> NodeStatus:
    """Return one node's status from its probe, its unit, what the head says, and its GPUs.

    ``wanted_gpus`` is the owner's ray_num_gpus, None where every GPU is offered; ``gpu_vendor``
    says whose count on a node that has both.
    """
    address = (probe.get("ansible_facts") or {}).get("gpu_cluster", {}).get("node_address")
    rows = [row for row in head.get("nodes", []) if address and row["address"] == address]
    alive = [row for row in rows if row["state"] == "ALIVE"]
    state, reason = _state(probe, unit, head, bool(alive))
    resources = dict(alive[0]["resources"]) if alive else {}
    facts = ((gpus or {}).get("ansible_facts") or {}).get("gpu")
    offered = int(resources.get("GPU") or 0) if alive else None
    return NodeStatus(
        name=name,
        role=role,
        state=state,
        address=address,
        version=unit.get("version"),
        restarts=int(unit.get("restarts") or 0),
        resources=resources,
        reason=reason,
        gpus=_gpu_status(facts, gpu_vendor, offered, wanted_gpus) if facts else None,
    )


def _gpu_status(
    facts: Mapping[str, Any], vendor: Optional[str], offered: Optional[int], wanted: Any
) -> GpuStatus:
    """Return a node's GPUs by its facts."""
    maker = vendor or facts.get("vendor")
    gpus = [gpu for gpu in facts.get("gpus") or () if gpu.get("vendor") == maker]
    usable = [gpu for gpu in gpus if is_usable(gpu)]
    return GpuStatus(
        count=len(gpus),
        usable=len(usable),
        offered=offered,
        models=count_models(usable),
        text=short_models(usable) or "0",
        problem=_gpu_problem(facts, gpus, usable, offered, wanted),
    )


def _gpu_problem(
    facts: Mapping[str, Any],
    gpus: Sequence[Mapping[str, Any]],
    usable: Sequence[Mapping[str, Any]],
    offered: Optional[int],
    wanted: Any,
) -> str:
    """Return why the numbers of GPUs differ, nothing where they do not."""
    if not gpus:
        return "has_gpu is true, but the PCI bus shows no GPU; run preflight.yml"
    if len(usable) != len(gpus):
        said = [each.get("error") for each in (*gpus, *(facts.get("stacks") or ()))]
        errors = [error for error in said if error]
        why = f" ({errors[0]})" if errors else ""
        seen = f"{len(usable)} of {len(gpus)} GPUs on the PCI bus"
        return f"{seen} answer their driver{why}; run verify.yml"
    expected = int(str(wanted)) if str(wanted).isdigit() else count_devices(usable)
    if offered is not None and offered != expected:
        return f"Ray offers {offered} GPUs, expected {expected}; run verify.yml, which says why"
    return ""


def _state(
    probe: Mapping[str, Any], unit: Mapping[str, Any], head: Mapping[str, Any], alive: bool
) -> tuple[str, str]:
    if not probe.get("reachable", False):
        findings = probe.get("findings") or [{"message": "the node was not asked", "seen": ""}]
        words = (findings[0].get("message") or "", findings[0].get("seen") or "")
        return "unreachable", " ".join(word for word in words if word)
    unit_state = unit.get("unit_state")
    if unit_state is None:
        return "unknown", str(unit.get("msg") or "the node's unit could not be read")
    if unit_state == "missing":
        return "not-installed", "run provision.yml"
    if unit_state == "drained":
        return "drained", _drained(unit.get("drained") or {})
    if unit_state != "active":
        return "stopped", f"ray.service is {unit_state}; see 'journalctl --unit ray.service' there"
    if not alive:
        unseen = "ray.service runs, but the head does not see the node"
        return "not-joined", str(head.get("error") or unseen)
    return "alive", ""


def _drained(mark: Mapping[str, Any]) -> str:
    """Return since when a node is drained, why, and how it comes back."""
    words = [f"since {mark['since']}" if mark.get("since") else "", str(mark.get("reason") or "")]
    return f"drained {': '.join(word for word in words if word)}; undrain.yml brings it back"


def cluster_status(
    cluster: str,
    dashboard: Optional[str],
    head: Mapping[str, Any],
    nodes: Sequence[NodeStatus],
) -> ClusterStatus:
    """Return the cluster's status: running when every node is alive with all of its GPUs.

    It is down without a head, absent where nothing is installed, degraded otherwise.
    """
    if not head.get("reachable"):
        installed = any(node.state not in ("not-installed", "unreachable") for node in nodes)
        state = "down" if installed else "absent"
    else:
        state = "running" if all(map(_is_well, nodes)) else "degraded"
    return ClusterStatus(
        cluster=cluster,
        state=state,
        dashboard=dashboard if head.get("reachable") else None,
        ray_version=head.get("version") or None,
        nodes=tuple(nodes),
        jobs=tuple(head.get("unfinished_jobs", [])),
        error="" if head.get("reachable") else str(head.get("error") or "the head did not answer"),
    )


def _is_well(node: NodeStatus) -> bool:
    return node.state == "alive" and not (node.gpus and node.gpus.problem)


def render(status: ClusterStatus) -> str:
    """Return the status as text for a terminal."""
    alive = sum(node.state == "alive" for node in status.nodes)
    lines = [
        f"Ray cluster {status.cluster}: {status.state}, {alive} of {len(status.nodes)} nodes alive"
        + (f", Ray {status.ray_version}" if status.ray_version else ""),
        f"Dashboard: {status.dashboard or '-'}",
        "",
    ]
    if status.error and status.state == "down":
        lines[1:1] = [f"The head does not answer: {status.error}"]
    rows = [_HEADING, *(_row(node) for node in status.nodes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths))
        lines.append("  ".join(cells).rstrip())
    reasons = [f"  {node.name}: {node.reason}" for node in status.nodes if node.reason]
    lines += ["", "Not alive, because:", *reasons] if reasons else []
    short = [node for node in status.nodes if node.gpus and node.gpus.problem]
    shown = [f"  {node.name}: {node.gpus.problem}" for node in short if node.gpus]
    lines += ["", "GPUs that are missing, because:", *shown] if shown else []
    if status.jobs:
        lines += ["", f"Jobs that have not ended: {len(status.jobs)}"]
        lines += [f"  {job['job_id']}  {job['status']}  {job['entrypoint']}" for job in status.jobs]
    return "\n".join(lines)


def _row(node: NodeStatus) -> tuple[str, ...]:
    memory = node.resources.get("memory")
    return (
        node.name,
        node.role,
        node.address or "-",
        node.state,
        node.version or "-",
        _number(node.resources.get("CPU")),
        node.gpus.text if node.gpus else _number(node.resources.get("GPU")),
        f"{memory / GIB:.1f} GiB" if memory else "-",
        str(node.restarts),
    )


def _number(value: Optional[float]) -> str:
    return "-" if value is None else f"{value:g}"
