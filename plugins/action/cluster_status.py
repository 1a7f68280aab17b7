# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action cluster_status: see plugins/modules/cluster_status.py for what it promises."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_document import (
    Asked,
    build_status,
    exit_words,
    render_status,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    settle,
    stamp,
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
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    port_named,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_variables import (
    collection_version,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.record_file import (
    look_at,
    read_record,
    record_path,
    state_directory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.status_page import (
    render_status_page,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.wanted_versions import (
    wanted_versions,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.whole_file import replace_file

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Read what was registered for every node, put it together and show it."""

    BYPASS_HOST_LOOP = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Show the status and return it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments, variables = self._task.args, task_vars or {}
        parts = self._parts(variables["hostvars"])
        wanted = wanted_versions(variables["hostvars"], variables["groups"])
        path = record_path(
            state_directory(variables, arguments.get("state_directory")), arguments["cluster"]
        )
        found = read_record(path, arguments["cluster"])
        record = settle(found.record, look_at)
        asked = Asked(
            at=stamp(datetime.now(timezone.utc)),
            version=collection_version(),
            cluster=arguments["cluster"],
            wanted=wanted,
            record_file=str(path),
            record_problem=found.problem,
        )
        document = build_status(asked, parts, record, judge_cluster(parts, record, wanted))
        self._show(document, parts)
        unwell = unwell_nodes(document, [str(name) for name in variables["ansible_play_hosts"]])
        words = exit_words(document)
        told = {"status": document, "message": words, "unwell": unwell}
        return {**result, "changed": False, **told}

    def _show(self, document: Mapping[str, Any], parts: Parts) -> None:
        """Print the status, and write it where that is wanted."""
        arguments = self._task.args
        text = json.dumps(document, indent=2, sort_keys=True)
        shown = text if arguments["format"] == "json" else f"\n{render_status(document, parts)}"
        display.display(shown)
        for name, content in (("file", f"{text}\n"), ("report", None)):
            if arguments.get(name):
                path = Path(arguments[name]).expanduser()
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, render_status_page(document) if content is None else content)

    def _parts(self, hostvars: Any) -> Parts:
        """Return what was seen of each part that the inventory has nodes for."""
        arguments = self._task.args
        servers, agents = arguments.get("servers") or [], arguments.get("agents") or []
        monitoring = arguments.get("monitoring") or []
        return Parts(
            ray=self._ray(hostvars) if arguments["heads"] or arguments["workers"] else None,
            k3s=self._k3s(hostvars, servers, agents) if servers or agents else None,
            monitoring=self._monitoring(hostvars, monitoring[0]) if monitoring else None,
        )

    def _ray(self, hostvars: Any) -> ClusterStatus:
        arguments = self._task.args
        heads, workers = arguments["heads"], arguments["workers"]
        head = dict(hostvars[heads[0]].get(arguments["head_register"]) or {}) if heads else {}
        members = [(name, "head") for name in heads]
        members += [(name, "worker") for name in workers if name not in heads]
        nodes = [self._node(hostvars[name], name, role, head) for name, role in members]
        port = arguments.get("dashboard_port") or port_named("ray-dashboard").number
        address = nodes[0].address if nodes else None
        dashboard = f"http://{address}:{port}" if address else None
        return cluster_status(arguments["cluster"], dashboard, head, nodes)

    def _k3s(self, hostvars: Any, servers: list[str], agents: list[str]) -> K3sStatus:
        arguments = self._task.args
        members = [(name, "server") for name in servers]
        members += [(name, "agent") for name in agents if name not in servers]
        hosts = [
            K3sHost(
                name=name,
                role=role,
                variables=hostvars[name],
                probe=hostvars[name].get(arguments["probe_register"]) or {},
                info=hostvars[name].get(arguments.get("k3s_register") or "") or {},
                gpus=hostvars[name].get(arguments.get("gpu_register") or "") or {},
            )
            for name, role in members
        ]
        port = arguments.get("k3s_api_port") or port_named("k3s-api").number
        return k3s_status(arguments["cluster"], hosts, int(port))

    def _monitoring(self, hostvars: Any, host: str) -> MonitoringStatus:
        arguments, variables = self._task.args, hostvars[host]
        probe = variables.get(arguments["probe_register"]) or {}
        seen = variables.get(arguments.get("monitoring_register") or "") or {}
        return monitoring_status(host, probe, seen, arguments.get("monitoring_url"))

    def _node(
        self, variables: dict[str, Any], name: str, role: str, head: dict[str, Any]
    ) -> NodeStatus:
        probe = variables.get(self._task.args["probe_register"]) or {}
        unit = variables.get(self._task.args["unit_register"]) or {}
        gpus = variables.get(self._task.args.get("gpu_register") or "") or {}
        return node_status(
            name,
            role,
            probe,
            unit,
            head,
            gpus,
            wanted_gpus=variables.get("ray_num_gpus"),
            gpu_vendor=variables.get("gpu_vendor"),
        )


def unwell_nodes(document: Mapping[str, Any], asked: Sequence[str]) -> dict[str, str]:
    """Return why each node of the run is not at work, by its name, with the words to end with.

    What is wrong with others falls to the first node of the run, since somebody must say it.
    """
    rows = [(each["node"], each["reason"]) for each in document["reasons"]]
    named = {name: "; ".join(why for node, why in rows if node == name) for name, _why in rows}
    here = {name: why for name, why in named.items() if name in asked}
    if rows and not here:
        return {asked[0]: exit_words(document)}
    return here
