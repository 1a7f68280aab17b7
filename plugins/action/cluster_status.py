# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action cluster_status: see plugins/modules/cluster_status.py for what it promises."""

from __future__ import annotations

import json
import os
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_status import (
    ClusterStatus,
    NodeStatus,
    cluster_status,
    node_status,
    render,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_status import (
    K3sHost,
    K3sStatus,
    k3s_status,
    render_k3s,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.monitoring_status import (
    MonitoringStatus,
    monitoring_status,
    render_monitoring,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    port_named,
)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Read what was registered for every node, put it together and show it."""

    BYPASS_HOST_LOOP = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Show the status and return it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments, hostvars = self._task.args, (task_vars or {})["hostvars"]
        servers, agents = arguments.get("servers") or [], arguments.get("agents") or []
        k3s = self._k3s(hostvars, servers, agents) if servers or agents else None
        alone = k3s is None and not arguments.get("monitoring")
        if arguments["heads"] or arguments["workers"] or alone:
            ray = self._ray(hostvars)
            status, texts = ray.to_dict(), [render(ray)]
        else:
            status, texts = {"cluster": arguments["cluster"]}, []
            if k3s is not None:
                status["state"] = k3s.state
        if k3s is not None:
            status["k3s"] = k3s.to_dict()
            texts.append(render_k3s(k3s))
        if arguments.get("monitoring"):
            watching = self._monitoring(hostvars, arguments["monitoring"][0])
            status["monitoring"] = watching.to_dict()
            texts.append(render_monitoring(watching))
        document = json.dumps(status, indent=2, sort_keys=True)
        shown = document if arguments["format"] == "json" else "\n" + "\n\n".join(texts)
        Display().display(shown)
        if arguments.get("file"):
            with open(os.path.expanduser(arguments["file"]), "w", encoding="utf-8") as file:
                file.write(document + "\n")
        return {**result, "changed": False, "status": status}

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
