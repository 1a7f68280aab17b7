# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a k3s cluster looks like, put together from what its nodes and its servers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_expect import SERVER_ROLE
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_inventory import (
    RESOURCES,
    node_name,
    offers_parts,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_members import NOTE_OF

_HEADING = ("NODE", "ROLE", "ADDRESS", "STATE", "K3S", "GPU", "PODS NOT READY")
#: Pods that the text names; the JSON document has all of them.
_MOST_PODS = 20


@dataclass(frozen=True)
class K3sGpus:
    """A node's GPUs: those that pods can ask for, those that the node itself shows."""

    offered: int
    found: Optional[int]
    problem: str


@dataclass(frozen=True)
class K3sNodeStatus:
    """One node. ``state`` is ready, not-ready, not-joined, stopped, not-installed or unreachable.

    ``cordoned`` says that it takes no new pods, ``uncordon`` what brings it back, ``reason`` why it
    is not ready; ``pods_not_ready`` is None where no server told. A ``stranger`` is in the cluster
    and not in the inventory.
    """

    name: str
    role: str
    state: str
    cordoned: bool
    address: Optional[str]
    version: Optional[str]
    gpus: Optional[K3sGpus]
    pods_not_ready: Optional[int]
    reason: str
    stranger: bool = False
    uncordon: str = ""


@dataclass(frozen=True)
class K3sStatus:
    """The cluster. ``asked`` is the server that answered, ``silent`` why others did not."""

    cluster: str
    state: str
    api: Optional[str]
    asked: Optional[str]
    silent: Mapping[str, str]
    server_version: Optional[str]
    nodes: tuple[K3sNodeStatus, ...]
    pods_not_ready: tuple[Mapping[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the status as plain data, the form of ``status_format=json``."""
        return {**asdict(self), "nodes": [asdict(node) for node in self.nodes]}


@dataclass(frozen=True)
class K3sHost:
    """A host of the inventory and what was registered for it."""

    name: str
    role: str
    variables: Mapping[str, Any]
    probe: Mapping[str, Any]
    info: Mapping[str, Any]
    gpus: Mapping[str, Any]

    @property
    def node_name(self) -> str:
        """The host's name in Kubernetes."""
        return node_name(self.name, self.variables)

    @property
    def address(self) -> Optional[str]:
        """The host's node address, None where it was not asked."""
        facts = self.probe.get("ansible_facts") or {}
        return (facts.get("gpu_cluster") or {}).get("node_address")


def k3s_status(cluster: str, hosts: Sequence[K3sHost], port: int) -> K3sStatus:
    """Return the cluster's status, by the word of the first server that answers.

    It is running when every server answers and every node is ready with all of its GPUs, down
    when no server answers, absent where nothing is installed, degraded otherwise.
    """
    servers = [host for host in hosts if host.role == "server"]
    asked = next((host for host in servers if host.info.get("reachable")), None)
    seen = asked.info if asked else {}
    rows = {str(row["name"]): row for row in seen.get("nodes") or ()}
    pods = tuple(seen.get("pods_not_ready") or ())
    nodes = [_node(host, rows.get(host.node_name), pods, bool(asked)) for host in hosts]
    ours = {host.node_name for host in hosts}
    nodes += [_stranger(row, pods) for name, row in rows.items() if name not in ours]
    silent = {host.name: _silence(host) for host in servers if not host.info.get("reachable")}
    address = f"https://{_bracketed(asked.address)}:{port}" if asked and asked.address else None
    return K3sStatus(
        cluster=cluster,
        state=_cluster_state(nodes[: len(hosts)], bool(asked), silent),
        api=address,
        asked=asked.name if asked else None,
        silent=silent,
        server_version=seen.get("server_version") or None,
        nodes=tuple(nodes),
        pods_not_ready=pods,
    )


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _cluster_state(nodes: Sequence[K3sNodeStatus], answers: bool, silent: Mapping[str, str]) -> str:
    if not answers:
        away = ("not-installed", "unreachable")
        return "down" if any(node.state not in away for node in nodes) else "absent"
    well = all(node.state == "ready" and not (node.gpus and node.gpus.problem) for node in nodes)
    return "running" if well and not silent else "degraded"


def _silence(host: K3sHost) -> str:
    """Return why a server did not answer."""
    if not host.probe.get("reachable", False):
        return _unreachable(host)
    unit = host.info.get("unit_state")
    if unit in (None, "unknown"):
        return str(host.info.get("msg") or host.info.get("error") or "it was not asked")
    if unit == "missing":
        return "k3s is not installed; run provision.yml"
    if unit != "active":
        return _stopped(host)
    return str(host.info.get("error") or "it did not answer")


def _unreachable(host: K3sHost) -> str:
    findings = host.probe.get("findings") or [{"message": "the node was not asked", "seen": ""}]
    words = (findings[0].get("message") or "", findings[0].get("seen") or "")
    return " ".join(word for word in words if word)


def _stopped(host: K3sHost) -> str:
    unit = host.info.get("unit") or "k3s"
    return f"{unit} is {host.info['unit_state']}; see 'journalctl --unit {unit}' there"


def _node(
    host: K3sHost, row: Optional[Mapping[str, Any]], pods: Sequence[Mapping[str, Any]], told: bool
) -> K3sNodeStatus:
    state, reason = _state(host, row, told)
    return K3sNodeStatus(
        name=host.name,
        role=host.role,
        state=state,
        cordoned=bool(row and row.get("unschedulable")),
        address=host.address or (row or {}).get("address") or None,
        version=(row or {}).get("version") or None,
        gpus=_gpus(host, row),
        pods_not_ready=sum(pod.get("node") == host.node_name for pod in pods) if told else None,
        reason=reason,
        uncordon=_uncordon(row),
    )


def _uncordon(row: Optional[Mapping[str, Any]]) -> str:
    """Return what lets pods onto a cordoned node; undrain.yml leaves another's cordon alone."""
    if not row or not row.get("unschedulable"):
        return ""
    ours = row.get("kept_by") in NOTE_OF
    return "undrain.yml" if ours else f"k3s kubectl uncordon {row['name']}"


def _stranger(row: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> K3sNodeStatus:
    """Return a node that the cluster has and the inventory has not."""
    why = "; ".join(row.get("reasons") or ()) if not row.get("ready") else ""
    offered = sum((row.get("gpus") or {}).values())
    return K3sNodeStatus(
        name=str(row["name"]),
        role="server" if SERVER_ROLE in (row.get("roles") or ()) else "agent",
        state="ready" if row.get("ready") else "not-ready",
        cordoned=bool(row.get("unschedulable")),
        address=row.get("address") or None,
        version=row.get("version") or None,
        gpus=K3sGpus(offered, None, "") if offered else None,
        pods_not_ready=sum(pod.get("node") == row["name"] for pod in pods),
        reason="; ".join(word for word in ("it is not in this inventory", why) if word),
        stranger=True,
        uncordon=_uncordon(row),
    )


def _state(host: K3sHost, row: Optional[Mapping[str, Any]], told: bool) -> tuple[str, str]:
    if not host.probe.get("reachable", False):
        more = ", but the cluster says that it is ready" if row and row.get("ready") else ""
        return "unreachable", f"{_unreachable(host)}{more}"
    unit = host.info.get("unit_state")
    if unit in (None, "unknown"):
        why = host.info.get("msg") or "the node's unit could not be read"
        return "unknown", str(why)
    if unit == "missing":
        return "not-installed", "run provision.yml"
    if unit != "active":
        return "stopped", _stopped(host)
    if not told:
        return "unknown", "no server answers that could say"
    log = f"see 'journalctl --unit {host.info.get('unit') or 'k3s'}' there"
    if row is None:
        return "not-joined", f"k3s runs, but the cluster does not have the node; {log}"
    if not row.get("ready"):
        return "not-ready", f"{'; '.join(row.get('reasons') or ()) or 'no reason given'}; {log}"
    return "ready", ""


def _gpus(host: K3sHost, row: Optional[Mapping[str, Any]]) -> Optional[K3sGpus]:
    """Return a node's GPUs, None where it neither shows nor offers one."""
    offers = (row or {}).get("gpus") or {}
    facts = (host.gpus.get("ansible_facts") or {}).get("gpu")
    if not facts:
        offered = sum(offers.values())
        return K3sGpus(offered, None, "") if offered else None
    vendor = str(host.variables.get("gpu_vendor") or facts.get("vendor") or "")
    resource = RESOURCES.get(vendor, "")
    found = sum(gpu.get("vendor") == vendor for gpu in facts.get("gpus") or ())
    if found and offers_parts(vendor, host.variables):
        family = f"{resource.partition('/')[0]}/"  # A part may be nvidia.com/mig-1g.10gb.
        parts = sum(count for name, count in offers.items() if name.startswith(family))
        return K3sGpus(parts, found, "")
    offered = int(offers.get(resource) or 0)
    return K3sGpus(offered, found, _gpu_problem(row, resource, offered, found))


def _gpu_problem(row: Optional[Mapping[str, Any]], resource: str, offered: int, found: int) -> str:
    if not found:
        return "has_gpu is true, but the PCI bus shows no GPU; run preflight.yml"
    if row is None or not row.get("ready") or offered == found:
        return ""  # A node that is not ready offers nothing; its reason stands there already.
    return f"it offers {offered} {resource}, expected {found}; run verify.yml, which says why"


def render_k3s(status: K3sStatus) -> str:
    """Return the status as text for a terminal."""
    ready = sum(node.state == "ready" for node in status.nodes)
    version = f", k3s {status.server_version}" if status.server_version else ""
    asked = f" (asked on {status.asked})" if status.asked else ""
    title = f"k3s cluster {status.cluster}: {status.state}, {ready} of {len(status.nodes)} nodes"
    lines = [f"{title} ready{version}", f"API: {status.api or '-'}{asked}"]
    if status.state != "absent":
        lines += [f"Server {name} does not answer: {why}" for name, why in status.silent.items()]
    lines += ["", *_table([_HEADING, *(_row(node) for node in status.nodes)])]
    # What is said of a silent server above need not be said again.
    told = () if status.state == "absent" else status.silent.items()
    worth = [node for node in status.nodes if node.reason and (node.name, node.reason) not in told]
    reasons = [f"  {node.name}: {node.reason}" for node in worth]
    lines += ["", "Worth knowing:", *reasons] if reasons else []
    short = [node for node in status.nodes if node.gpus and node.gpus.problem]
    shown = [f"  {node.name}: {node.gpus.problem}" for node in short if node.gpus]
    lines += ["", "GPUs that are missing, because:", *shown] if shown else []
    if status.pods_not_ready:
        lines += ["", f"Pods that are not ready: {len(status.pods_not_ready)}"]
        lines += [_pod(pod) for pod in status.pods_not_ready[:_MOST_PODS]]
    more = len(status.pods_not_ready) - _MOST_PODS
    lines += [f"  and {more} more: see status_format=json"] if more > 0 else []
    return "\n".join(lines)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(c.ljust(width) for c, width in zip(row, widths)).rstrip() for row in rows]


def _row(node: K3sNodeStatus) -> tuple[str, ...]:
    return (
        node.name,
        node.role,
        node.address or "-",
        f"{node.state} (cordoned)" if node.cordoned else node.state,
        node.version or "-",
        _gpu_cell(node.gpus),
        "-" if node.pods_not_ready is None else str(node.pods_not_ready),
    )


def _gpu_cell(gpus: Optional[K3sGpus]) -> str:
    """Return what pods can ask for and what the node shows."""
    if gpus is None:
        return "-"
    return f"{gpus.offered}/{'?' if gpus.found is None else gpus.found}"


def _pod(pod: Mapping[str, Any]) -> str:
    message = " ".join(str(pod.get("message") or "").split())[:200]
    words = [f"{pod['namespace']}/{pod['name']}", str(pod.get("phase") or "")]
    words += [f"on {pod['node']}"] if pod.get("node") else []
    why = ": ".join(word for word in (str(pod.get("reason") or ""), message) if word)
    return f"  {'  '.join(word for word in [*words, why] if word)}"
