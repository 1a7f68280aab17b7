# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one list of ports: which service listens where, and who must reach it.

Firewall rules, reserved local ports, the flags of ``ray start`` and docs/ports.md derive from
this list. Role defaults repeat the numbers because people read them; a contract test holds both
equal. The numbers are those of the Neutree static node cluster document unless a row says
otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Clients that are not groups of the inventory.
CONTROL_NODE = "control node"
EVERY_NODE = "every node"
DEVELOPERS = "developers"


@dataclass(frozen=True)
class Port:
    """A listener (one port or an inclusive range) and who must reach it.

    ``role`` is the group that listens, or ``EVERY_NODE``. ``variable`` (and ``last_variable`` for
    the end of a range) names the role default that moves it.
    """

    name: str
    role: str
    number: int
    variable: str
    clients: tuple[str, ...]
    purpose: str
    protocol: str = "tcp"
    last: int = 0
    last_variable: str = ""

    @property
    def end(self) -> int:
        """The last port of the range; the port itself when it is not a range."""
        return self.last or self.number


CATALOGUE: tuple[Port, ...] = (
    Port(
        "ray-metrics",
        EVERY_NODE,
        54311,
        "ray_metrics_export_port",
        (CONTROL_NODE,),
        "Ray node metrics (Prometheus)",
    ),
    Port(
        "ray-autoscaler-metrics",
        EVERY_NODE,
        44217,
        "ray_autoscaler_metrics_port",
        (CONTROL_NODE,),
        "Ray autoscaler metrics (Prometheus); Ray listens on the head only",
    ),
    Port(
        "ray-dashboard-metrics",
        EVERY_NODE,
        44227,
        "ray_dashboard_metrics_port",
        (CONTROL_NODE,),
        "Ray dashboard metrics (Prometheus); Ray listens on the head only",
    ),
    Port(
        "ray-workers",
        EVERY_NODE,
        10002,
        "ray_min_worker_port",
        (EVERY_NODE,),
        "Ray worker processes: data exchange between tasks and actors",
        last=20000,
        last_variable="ray_max_worker_port",
    ),
    Port(
        "ray-node-manager",
        EVERY_NODE,
        8077,
        "ray_node_manager_port",
        (EVERY_NODE,),
        "Ray node manager (raylet)",
    ),
    Port(
        "ray-object-manager",
        EVERY_NODE,
        8076,
        "ray_object_manager_port",
        (EVERY_NODE,),
        "Ray object manager: objects moving between nodes",
    ),
    Port(
        "ray-runtime-env-agent",
        EVERY_NODE,
        56999,
        "ray_runtime_env_agent_port",
        (EVERY_NODE,),
        "Ray runtime environment agent",
    ),
    Port(
        "ray-dashboard-agent",
        EVERY_NODE,
        52365,
        "ray_dashboard_agent_port",
        ("ray_head",),
        "Ray dashboard agent, HTTP",
    ),
    Port(
        "ray-dashboard-agent-grpc",
        EVERY_NODE,
        8078,
        "ray_dashboard_agent_grpc_port",
        ("ray_head",),
        "Ray dashboard agent, gRPC",
    ),
    Port(
        "ray-dashboard",
        "ray_head",
        8265,
        "ray_dashboard_port",
        (CONTROL_NODE,),
        "Ray dashboard and jobs API",
    ),
    Port(
        "ray-dashboard-grpc",
        "ray_head",
        8079,
        "ray_dashboard_grpc_port",
        (CONTROL_NODE,),
        "Ray dashboard, gRPC; newer Ray (seen absent from 2.49.2) no longer has it",
    ),
    Port(
        "ray-serve",
        "ray_head",
        8000,
        "ray_serve_port",
        (CONTROL_NODE,),
        "Ray Serve HTTP: the inference service",
    ),
    Port(
        "ray-gcs",
        "ray_head",
        6379,
        "ray_gcs_port",
        ("ray_worker",),
        "Ray global control store",
    ),
    Port(
        "ray-client",
        "ray_head",
        10001,
        "ray_client_port",
        (DEVELOPERS,),
        "Ray client (ray://)",
    ),
)


def port_named(name: str) -> Port:
    """Return the row called ``name``; KeyError when there is none."""
    for port in CATALOGUE:
        if port.name == name:
            return port
    raise KeyError(name)
