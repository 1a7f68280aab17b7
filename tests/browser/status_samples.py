# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Status documents of made-up clusters, built by the code that builds the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_document import (
    Asked,
    build_status,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    Operation,
    Process,
    Record,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_state import (
    Parts,
    judge_cluster,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_status import (
    ClusterStatus,
    NodeStatus,
    cluster_status,
    node_status,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_status import (
    K3sHost,
    K3sStatus,
    k3s_status,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.monitoring_status import (
    MonitoringStatus,
    monitoring_status,
)

AT, LATER = "2026-01-31T09:00:00Z", "2026-01-31T09:12:05Z"
PROCESS = Process("ctl", 4711, "boot", "pid:[1]", "1000")
WANTED = {"ray": "2.60.0", "k3s": "v1.34.2+k3s1"}
SILENT = {"reachable": False, "findings": [{"message": "It did not answer.", "seen": "timed out"}]}


#: What the unit of a drained node's Ray says.
DRAINED = {
    "unit_state": "drained",
    "drained": {"since": "09:00", "reason": "a fan", "by": "ops"},
}


def operation(name: str = "provision", result: str = "succeeded", **members: Any) -> Operation:
    """Return an operation on record, ended where that fits its result."""
    ended = LATER if result in ("succeeded", "failed") else None
    command = f"ansible-playbook -i inv.ini {name}.yml"
    members = {"command": command, "ended": ended, "result": result, "wanted": WANTED, **members}
    return Operation(name, "ops", PROCESS, AT, **members)


def record(*operations: Operation, initialized: str | None = AT) -> Record:
    """Return a record with these operations."""
    return Record("atlas", initialized, operations)


def probe(number: int) -> dict[str, Any]:
    """Return what a node that answers says of itself."""
    return {
        "reachable": True,
        "ansible_facts": {"gpu_cluster": {"node_address": f"198.19.0.{number}"}},
    }


def ray(count: int = 2, head: bool = True, **units: Mapping[str, Any]) -> ClusterStatus:
    """Return a Ray cluster; ``units`` has what differs from a node that works, by its name."""
    rows = [
        {"address": f"198.19.0.{number}", "state": "ALIVE", "resources": {"CPU": 64.0, "GPU": 8.0}}
        for number in range(count)
    ]
    said: dict[str, Any] = {"reachable": False, "error": "refused"}
    if head:
        said = {"reachable": True, "version": "2.60.0", "nodes": rows}
    nodes = [_ray_node(number, said, units) for number in range(count)]
    return cluster_status("atlas", "http://198.19.0.0:8265", said, nodes)


def _ray_node(number: int, head: Mapping[str, Any], units: Mapping[str, Any]) -> NodeStatus:
    name = f"n{number}"
    unit = {"unit_state": "active", "version": "2.60.0", **units.get(name, {})}
    answer = SILENT if unit["unit_state"] == "off" else probe(number)
    return node_status(name, "worker" if number else "head", answer, unit, head)


def k3s(
    count: int = 3, versions: Mapping[int, str] | None = None, **rows: Mapping[str, Any]
) -> K3sStatus:
    """Return a k3s cluster with one server; ``rows`` has what its API says else, by node."""
    seen = [
        {
            "name": f"k{number}",
            "ready": True,
            "version": (versions or {}).get(number, WANTED["k3s"]),
            "roles": [],
            **rows.get(f"k{number}", {}),
        }
        for number in range(count)
    ]
    info = {"reachable": True, "unit": "k3s", "unit_state": "active", "nodes": seen}
    hosts = [
        K3sHost(f"k{number}", "agent" if number else "server", {}, probe(number), info, {})
        for number in range(count)
    ]
    return k3s_status("atlas", hosts, 6443)


def monitoring(*problems: str) -> MonitoringStatus:
    """Return a monitoring host with these problems and an alert."""
    firing = [{"severity": "critical", "alert": "GpuFailed", "node": "n1"}]
    seen = {"targets": 14, "problems": problems, "firing": firing}
    return monitoring_status("mon", probe(9), seen, "http://198.19.0.9:9090/user/")


def document(parts: Parts, known: Record | None = None) -> dict[str, Any]:
    """Return the document of a cluster."""
    asked = Asked(LATER, "0.1.0", "atlas", WANTED, "/srv/state/atlas.json")
    noted = known if known is not None else record(operation())
    return build_status(asked, parts, noted, judge_cluster(parts, noted, WANTED))
