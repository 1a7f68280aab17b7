# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a cluster in one word, its health in another, and why.

The nodes are the truth. The record adds what they cannot show: what is being done right now, and
whether the cluster ever stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    PROVISION,
    RESET,
    Record,
    fate,
    running,
    unfinished,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_status import (
    ClusterStatus,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_status import (
    K3sNodeStatus,
    K3sStatus,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.monitoring_status import (
    MonitoringStatus,
)

STATES = ("Initializing", "Running", "Updating", "Upgrading", "Failed", "Deleting")
HEALTHY, DEGRADED, BROKEN = "healthy", "degraded", "failed"
HEALTHS = (HEALTHY, DEGRADED, BROKEN)

_UPGRADES = ("upgrade", "k3s_upgrade")
#: Whatever else runs for an engine, without these it does nothing for its users.
_AWAY = ("down", "absent")


@dataclass(frozen=True)
class Parts:
    """What was seen of a cluster: each part that its inventory has nodes for."""

    ray: Optional[ClusterStatus] = None
    k3s: Optional[K3sStatus] = None
    monitoring: Optional[MonitoringStatus] = None

    @property
    def states(self) -> tuple[str, ...]:
        """The states of the engines; that of the monitoring host where there is no engine."""
        engines = tuple(each.state for each in (self.ray, self.k3s) if each is not None)
        watching = self.monitoring
        if engines or watching is None:
            return engines
        return ("absent" if watching.state == "not-installed" else watching.state,)


@dataclass(frozen=True)
class Reason:
    """Why a cluster is not healthy: a node, and what is wrong with it.

    ``planned`` says that somebody wanted it so: a node that was drained.
    """

    node: str
    text: str
    planned: bool = False


@dataclass(frozen=True)
class EngineVersions:
    """The version of an engine that the inventory wants, and its nodes by the one they run."""

    engine: str
    wanted: str
    found: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Verdict:
    """State and health, why, and what else is worth knowing."""

    state: str
    health: str
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]


def judge_cluster(parts: Parts, record: Record, wanted: Mapping[str, str]) -> Verdict:
    """Return the verdict on a cluster by what was seen of it and by a settled record."""
    versions = engine_versions(parts, wanted)
    reasons = (*_ray_reasons(parts.ray), *_k3s_reasons(parts.k3s))
    reasons += (*_monitoring_reasons(parts.monitoring), *_mixed_reasons(versions))
    built = any(state != "absent" for state in parts.states)
    return Verdict(
        state=_state(record, built, [each for each in reasons if not each.planned]),
        health=_health(parts, reasons),
        reasons=reasons,
        notes=(*_record_notes(record, built), *_version_notes(versions)),
    )


def _health(parts: Parts, reasons: Iterable[Reason]) -> str:
    states = parts.states
    if "down" in states or "unreachable" in states or all(state in _AWAY for state in states):
        return BROKEN
    return DEGRADED if any(reasons) else HEALTHY


def _state(record: Record, built: bool, wrong: Iterable[Reason]) -> str:
    """Return the state: what is being done counts more than what is seen meanwhile."""
    now = running(record)
    if now is not None:
        if now.name == RESET:
            return "Deleting"
        if now.name in _UPGRADES:
            return "Upgrading"
        first = now.name == PROVISION and record.initialized is None
        return "Initializing" if first else "Updating"
    if not built:
        return "Initializing"
    if not any(wrong):
        return "Running"
    # A cluster whose first provision did not come to its end has never stood.
    return "Initializing" if record.operations and not record.initialized else "Failed"


def _record_notes(record: Record, built: bool) -> list[str]:
    """Return what the record tells besides: what runs, and what has to be finished."""
    now, left = running(record), unfinished(record)
    if now is not None:
        phase = f", now at '{now.phase}'" if now.phase else ""
        return [f"{now.name} runs, begun by {now.who}, process {now.process.pid}{phase}"]
    if left is not None:
        what = f"{left.name} of {left.begun} by {left.who} {fate(left)}"
        return [f"{what}; to finish it, run {left.command}"]
    return [] if built else ["it is not built yet; run provision.yml"]


def _ray_reasons(ray: Optional[ClusterStatus]) -> list[Reason]:
    if ray is None:
        return []
    found = [
        Reason(node.name, node.reason or node.state, planned=node.state == "drained")
        for node in ray.nodes
        # Of a head that is silent no node can be seen; that is said once.
        if node.state != "alive" and not (ray.state == "down" and node.reason == ray.error)
    ]
    heads = [node.name for node in ray.nodes if node.role == "head"]
    if ray.state == "down" and heads and heads[0] not in {each.node for each in found}:
        found.insert(0, Reason(heads[0], f"the Ray head does not answer: {ray.error}"))
    short = ((node.name, node.gpus) for node in ray.nodes)
    return [*found, *(Reason(name, gpus.problem) for name, gpus in short if gpus and gpus.problem)]


def _k3s_reasons(k3s: Optional[K3sStatus]) -> list[Reason]:
    if k3s is None:
        return []
    ours = [node for node in k3s.nodes if not node.stranger]
    found = [Reason(node.name, node.reason or node.state) for node in ours if node.state != "ready"]
    told = {each.node for each in found}
    found += [Reason(name, why) for name, why in k3s.silent.items() if name not in told]
    found += [
        Reason(each.name, each.gpus.problem) for each in ours if each.gpus and each.gpus.problem
    ]
    found += [Reason(each.name, _cordoned(each), planned=True) for each in ours if each.cordoned]
    return found


def _cordoned(node: K3sNodeStatus) -> str:
    """Return that a node takes no new pods, and what brings it back."""
    ours = node.uncordon == "undrain.yml"
    way = node.uncordon if ours else f"'{node.uncordon}' on a server"
    by = "" if ours else ", not by drain.yml,"
    return f"it is cordoned{by} and takes no new pods; {way} brings it back"


def _monitoring_reasons(watching: Optional[MonitoringStatus]) -> list[Reason]:
    if watching is None or watching.state == "running":
        return []
    why = "; ".join(watching.problems) or watching.state
    return [Reason(watching.host, f"monitoring is {watching.state}: {why}")]


def engine_versions(parts: Parts, wanted: Mapping[str, str]) -> tuple[EngineVersions, ...]:
    """Return the wanted and the found versions of each engine."""
    seen = {
        "ray": [(each.name, each.version) for each in parts.ray.nodes] if parts.ray else [],
        "k3s": [(each.name, each.version) for each in parts.k3s.nodes] if parts.k3s else [],
    }
    result = []
    for engine, nodes in seen.items():
        if nodes:
            found = {
                version: tuple(name for name, each in nodes if each == version)
                for version in sorted({each for _name, each in nodes if each})
            }
            result.append(EngineVersions(engine, wanted.get(engine, ""), found))
    return tuple(result)


def _mixed_reasons(versions: Iterable[EngineVersions]) -> list[Reason]:
    """Return the nodes that have another version than the wanted one, where others have that."""
    return [
        Reason(name, f"{each.engine} {version} runs, wanted {each.wanted}; run upgrade.yml")
        for each in versions
        if len(each.found) > 1
        for version, names in each.found.items()
        if version != each.wanted
        for name in names
    ]


def _version_notes(versions: Iterable[EngineVersions]) -> list[str]:
    """Return the engines that run as one in another version than the inventory wants."""
    return [
        f"{each.engine} {version} runs, the inventory wants {each.wanted}; run upgrade.yml"
        for each in versions
        if len(each.found) == 1
        for version in each.found
        if each.wanted and version != each.wanted
    ]
