# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges whether the nodes of a k3s cluster are as the inventory says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import (
    ClusterNode,
    WaitingPod,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    CONTAINERD_CONFIG,
    UNITS,
)

#: What k3s labels its servers with, in every version that is supported.
SERVER_ROLE = "control-plane"


@dataclass(frozen=True)
class ExpectedNode:
    """A node as it should be; what is None or empty is not judged."""

    name: str
    host: str
    address: str = ""
    kind: str = ""
    version: str = ""
    gpus: Optional[int] = None
    gpu_resource: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> ExpectedNode:
        """Return the node that a module's argument describes."""
        return cls(
            name=params["name"],
            host=params.get("host") or params["name"],
            address=params.get("address") or "",
            kind=params.get("kind") or "",
            version=params.get("version") or "",
            gpus=params.get("gpus"),
            gpu_resource=params.get("gpu_resource") or "",
        )

    @property
    def log(self) -> str:
        """The command that shows what k3s says on this node."""
        units = [UNITS[self.kind]] if self.kind in UNITS else list(UNITS.values())
        words = " ".join(f"--unit {unit}" for unit in units)
        return f"'journalctl {words} --lines 50' on {self.host}"


@dataclass(frozen=True)
class Problem:
    """A node that is not as it should be: a whole sentence, and what kind of trouble it is."""

    name: str
    what: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return the problem as plain data."""
        return {"name": self.name, "what": self.what, "text": self.text}


def judge_nodes(nodes: Iterable[ClusterNode], wanted: Iterable[ExpectedNode]) -> list[Problem]:
    """Return what is wrong with the wanted nodes, in their order; nothing when all is well."""
    by_name = {node.name: node for node in nodes}
    return [problem for each in wanted for problem in _judge(by_name.get(each.name), each)]


def _judge(node: Optional[ClusterNode], wanted: ExpectedNode) -> list[Problem]:
    if node is None:
        return [
            Problem(
                wanted.name,
                "missing",
                f"{wanted.name}: the cluster has no node of this name, expected it Ready; "
                f"see {wanted.log}",
            )
        ]
    if not node.ready:
        seen = "; ".join(node.reasons)
        text = f"{wanted.name}: not Ready ({seen}), expected Ready; see {wanted.log}"
        return [Problem(wanted.name, "not-ready", text)]
    found = (_version(node, wanted), _role(node, wanted), _address(node, wanted))
    return [problem for problem in (*found, _gpus(node, wanted)) if problem]


def _version(node: ClusterNode, wanted: ExpectedNode) -> Optional[Problem]:
    if not wanted.version or node.version == wanted.version:
        return None
    text = (
        f"{wanted.name}: runs k3s {node.version or 'of an unknown version'}, expected "
        f"{wanted.version}; run upgrade.yml, then see {wanted.log}"
    )
    return Problem(wanted.name, "version", text)


def _role(node: ClusterNode, wanted: ExpectedNode) -> Optional[Problem]:
    is_server = SERVER_ROLE in node.roles
    if not wanted.kind or is_server == (wanted.kind == "server"):
        return None
    seen = f"a server (its roles are {', '.join(node.roles)})" if is_server else "an agent"
    text = (
        f"{wanted.name}: is {seen} in the cluster, expected {wanted.kind} by its group; "
        "a node changes its kind by reset.yml with --limit, then provision.yml"
    )
    return Problem(wanted.name, "role", text)


def _address(node: ClusterNode, wanted: ExpectedNode) -> Optional[Problem]:
    if not wanted.address or node.address == wanted.address:
        return None
    text = (
        f"{wanted.name}: is {node.address or 'nothing'} in the cluster, expected its node address "
        f"{wanted.address}; check my_iface of {wanted.host}, then run provision.yml again"
    )
    return Problem(wanted.name, "address", text)


def _gpus(node: ClusterNode, wanted: ExpectedNode) -> Optional[Problem]:
    if wanted.gpus is None or not wanted.gpu_resource:
        return None
    resource, offered = wanted.gpu_resource, node.gpus.get(wanted.gpu_resource, 0)
    if offered == wanted.gpus:
        return None
    known = node.capacity_gpus.get(resource, 0)
    if known > offered:
        why = f"its device plugin knows {known}, but calls {known - offered} of them unhealthy"
        look = f"'k3s kubectl describe node {node.name}' on a server"
    else:
        why = f"its device plugin knows {known}"
        pods = f"get pods --output wide --field-selector spec.nodeName={node.name}"
        look = (
            f"'k3s kubectl --namespace kube-system {pods}' on a server, and "
            f"'grep {resource.split('.')[0]} {CONTAINERD_CONFIG}' on {wanted.host}"
        )
    seen = f"offers {offered} {resource}, expected {wanted.gpus} as the node itself shows"
    text = f"{wanted.name}: {seen}; {why}; see {look}"
    return Problem(wanted.name, "gpus", text)


def as_expected(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[ExpectedNode]:
    """Return the nodes of ``expected``, then those of ``wait_for`` that it does not name."""
    told = [ExpectedNode.from_params(row) for row in rows]
    known = {each.name for each in told}
    return told + [ExpectedNode(name, name) for name in names if name not in known]


#: Lines that a report has about pods; more of them tell nothing new.
_MOST_PODS = 10


def report(error: str, problems: Sequence[Mapping[str, str]], pods: Iterable[WaitingPod]) -> str:
    """Return what is wrong as text for a person; the pods that wait often say why."""
    if error:
        return (
            f"The Kubernetes API does not answer on this server: {error}; see "
            f"'journalctl --unit {UNITS['server']} --lines 50' there"
        )
    lines = [problem["text"] for problem in problems]
    waiting = [pod_line(pod) for pod in pods] if lines else []
    if waiting:
        lines += ["Pods that are not ready:", *waiting[:_MOST_PODS]]
    if len(waiting) > _MOST_PODS:
        lines.append(f"  and {len(waiting) - _MOST_PODS} more")
    return "\n".join(lines)


def pod_line(pod: WaitingPod) -> str:
    """Return a pod that is not ready in one line, its message cut where it is long."""
    why = ": ".join(word for word in (pod.reason, " ".join(pod.message.split())[:200]) if word)
    place = f" on {pod.node}" if pod.node else ""
    restarts = f", {pod.restarts} restarts" if pod.restarts else ""
    return f"  {pod.namespace}/{pod.name}{place}: {pod.phase}{restarts}{f', {why}' if why else ''}"
