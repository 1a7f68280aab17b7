# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one list of ports: which service listens where, and who must reach it.

Firewall rules, the port mesh of preflight, reserved local ports, the flags of ``ray start`` and
docs/ports.md derive from this list. Role defaults repeat the numbers because people read them; a
contract test holds both equal. Every row names the document that its numbers are from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Optional

#: The groups of an inventory whose hosts are nodes.
CLUSTER_GROUPS = (
    "ray_head",
    "ray_worker",
    "k3s_server",
    "k3s_agent",
    "monitoring",
    "registry",
)
#: Those whose hosts the playbooks build; a registry is looked at only.
MEMBERS = tuple(group for group in CLUSTER_GROUPS if group != "registry")

#: Names that stand for the hosts of several groups.
EVERY_NODE = "every node"
RAY_NODES = "ray nodes"
K3S_NODES = "k3s nodes"
EXPANSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        EVERY_NODE: CLUSTER_GROUPS,
        RAY_NODES: ("ray_head", "ray_worker"),
        K3S_NODES: ("k3s_server", "k3s_agent"),
    }
)

#: Clients that are not groups of the inventory.
CONTROL_NODE = "control node"
DEVELOPERS = "developers"
USERS = "users"
ITSELF = "itself"

#: What nodes are for. ``ANY`` marks a row that holds whatever they are for.
ANY = "any"
RAY = "ray"
K3S = "k3s"
K3S_HA = "k3s-ha"
MANAGEMENT = "management"
MONITORING = "monitoring"
LAN = "lan"
PROFILES = (RAY, K3S, K3S_HA, MANAGEMENT, MONITORING, LAN)

#: The documents.
NEUTREE = "Neutree static node clusters"
CONVECTHUB = "ConvectHub on-prem"
AIGRID = "AIGr.id management cluster"
VAST = "Vast LAN clusters"
#: Programs whose own default no document of ours moves.
EXPORTERS = "the program's own default"
VICTORIA = "VictoriaMetrics documentation"
ETCD = "k3s server --help, --etcd-expose-metrics"


@dataclass(frozen=True)
class Choice:
    """The input of a host that decides whether a row counts there, and with which values.

    ``default`` is what the input is when it is not set.
    """

    variable: str
    values: tuple[str, ...]
    default: str = ""

    def is_made(self, variables: Mapping[str, Any]) -> bool:
        """Return whether a host with these variables has what the row is about."""
        value = variables.get(self.variable)
        return str(self.default if value is None else value) in self.values


@dataclass(frozen=True)
class Port:
    """A listener (one port or an inclusive range) and who must reach it.

    ``role`` is the group that listens, or a name of ``EXPANSIONS``. ``variable`` (and
    ``last_variable`` for the end of a range) names the role default that moves it; a row without
    one cannot be moved. ``alias`` is another document's name of the variable. ``is_login`` marks
    the port by which Ansible comes: the login proves it and no firewall of ours closes it. A row
    with a ``choice`` counts on hosts that made it, one without on all.
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
    profile: str = RAY
    source: str = ""
    alias: str = ""
    is_login: bool = False
    choice: Optional[Choice] = None

    def counts(self, variables: Mapping[str, Any]) -> bool:
        """Return whether a host with these variables has the listener."""
        return self.choice is None or self.choice.is_made(variables)

    @property
    def end(self) -> int:
        """The last port of the range; the port itself when it is not a range."""
        return self.last or self.number

    @property
    def variables(self) -> tuple[str, ...]:
        """The inputs that move it."""
        return tuple(name for name in (self.variable, self.last_variable, self.alias) if name)


CATALOGUE: tuple[Port, ...] = (
    Port(
        "ssh",
        EVERY_NODE,
        22,
        "ansible_port",
        (CONTROL_NODE,),
        "Login (os_base_ssh_port moves it); the login itself proves it, so the mesh leaves it out",
        profile=ANY,
        source=f"{NEUTREE}, {CONVECTHUB}",
        is_login=True,
    ),
    Port(
        "ray-metrics",
        RAY_NODES,
        54311,
        "ray_metrics_export_port",
        (CONTROL_NODE, MONITORING),
        "Ray node metrics (Prometheus)",
        source=NEUTREE,
    ),
    Port(
        "ray-autoscaler-metrics",
        RAY_NODES,
        44217,
        "ray_autoscaler_metrics_port",
        (CONTROL_NODE, MONITORING),
        "Ray autoscaler metrics (Prometheus); Ray listens on the head only",
        source=NEUTREE,
    ),
    Port(
        "ray-dashboard-metrics",
        RAY_NODES,
        44227,
        "ray_dashboard_metrics_port",
        (CONTROL_NODE, MONITORING),
        "Ray dashboard metrics (Prometheus); Ray listens on the head only",
        source=NEUTREE,
    ),
    Port(
        "ray-workers",
        RAY_NODES,
        10002,
        "ray_min_worker_port",
        (RAY_NODES,),
        "Ray worker processes: data exchange between tasks and actors",
        last=20000,
        last_variable="ray_max_worker_port",
        source=NEUTREE,
    ),
    Port(
        "ray-node-manager",
        RAY_NODES,
        8077,
        "ray_node_manager_port",
        (RAY_NODES,),
        "Ray node manager (raylet)",
        source=NEUTREE,
    ),
    Port(
        "ray-object-manager",
        RAY_NODES,
        8076,
        "ray_object_manager_port",
        (RAY_NODES,),
        "Ray object manager: objects moving between nodes",
        source=NEUTREE,
    ),
    Port(
        "ray-runtime-env-agent",
        RAY_NODES,
        56999,
        "ray_runtime_env_agent_port",
        (RAY_NODES,),
        "Ray runtime environment agent",
        source=NEUTREE,
    ),
    Port(
        "ray-dashboard-agent",
        RAY_NODES,
        52365,
        "ray_dashboard_agent_port",
        ("ray_head",),
        "Ray dashboard agent, HTTP",
        source=NEUTREE,
    ),
    Port(
        "ray-dashboard-agent-grpc",
        RAY_NODES,
        8078,
        "ray_dashboard_agent_grpc_port",
        ("ray_head",),
        "Ray dashboard agent, gRPC",
        source=NEUTREE,
    ),
    Port(
        "ray-dashboard",
        "ray_head",
        8265,
        "ray_dashboard_port",
        (CONTROL_NODE,),
        "Ray dashboard and jobs API",
        source=NEUTREE,
    ),
    Port(
        "ray-dashboard-grpc",
        "ray_head",
        8079,
        "ray_dashboard_grpc_port",
        (CONTROL_NODE,),
        "Ray dashboard, gRPC; newer Ray (seen absent from 2.49.2) no longer has it",
        source=NEUTREE,
    ),
    Port(
        "ray-serve",
        "ray_head",
        8000,
        "ray_serve_port",
        (CONTROL_NODE,),
        "Ray Serve HTTP: the inference service",
        source=NEUTREE,
    ),
    Port(
        "ray-gcs",
        "ray_head",
        6379,
        "ray_gcs_port",
        ("ray_worker",),
        "Ray global control store",
        source=NEUTREE,
    ),
    Port(
        "ray-client",
        "ray_head",
        10001,
        "ray_client_port",
        (DEVELOPERS,),
        "Ray client (ray://)",
        source=NEUTREE,
    ),
    Port(
        "k3s-api",
        "k3s_server",
        6443,
        "k3s_api_port",
        (K3S_NODES, CONTROL_NODE, MONITORING),
        "Kubernetes API",
        profile=K3S,
        source=f"{CONVECTHUB}, {AIGRID}",
    ),
    Port(
        "k3s-vxlan",
        K3S_NODES,
        8472,
        "",
        (K3S_NODES,),
        "flannel: traffic between pods of different nodes (VXLAN)",
        protocol="udp",
        profile=K3S,
        source=CONVECTHUB,
    ),
    Port(
        "k3s-kubelet",
        K3S_NODES,
        10250,
        "",
        (K3S_NODES, MONITORING),
        "kubelet: metrics, logs and exec; Ray's workers begin above it on a shared node",
        profile=K3S,
        source=f"{CONVECTHUB}, {AIGRID}",
    ),
    Port(
        "k3s-http",
        K3S_NODES,
        80,
        "k3s_http_port",
        (USERS,),
        "Ingress, HTTP",
        profile=K3S,
        source=CONVECTHUB,
        alias="http_port",
    ),
    Port(
        "k3s-https",
        K3S_NODES,
        443,
        "k3s_https_port",
        (USERS,),
        "Ingress, HTTPS",
        profile=K3S,
        source=CONVECTHUB,
        alias="https_port",
    ),
    Port(
        "k3s-etcd",
        "k3s_server",
        2379,
        "",
        ("k3s_server",),
        "Embedded etcd: clients and peers, with more than one server",
        last=2380,
        profile=K3S_HA,
        source=f"{CONVECTHUB}, {AIGRID}",
    ),
    Port(
        "k3s-etcd-metrics",
        "k3s_server",
        2381,
        "",
        (MONITORING,),
        "Embedded etcd: metrics, where several servers have a monitoring host to show them to",
        profile=K3S_HA,
        source=ETCD,
    ),
    Port(
        "kube-controller-manager",
        "k3s_server",
        10257,
        "",
        (ITSELF,),
        "Controller manager: metrics; inside the default range of Ray's workers",
        profile=MANAGEMENT,
        source=AIGRID,
    ),
    Port(
        "kube-scheduler",
        "k3s_server",
        10259,
        "",
        (ITSELF,),
        "Scheduler: metrics; inside the default range of Ray's workers",
        profile=MANAGEMENT,
        source=AIGRID,
    ),
    Port(
        "node-ports-tcp",
        K3S_NODES,
        30000,
        "k3s_node_port_first",
        (USERS, K3S_NODES),
        "Services of type NodePort; kube-proxy opens them on each node",
        last=32767,
        last_variable="k3s_node_port_last",
        profile=MANAGEMENT,
        source=AIGRID,
    ),
    Port(
        "node-ports-udp",
        K3S_NODES,
        30000,
        "k3s_node_port_first",
        (USERS, K3S_NODES),
        "Services of type NodePort; kube-proxy opens them on each node",
        protocol="udp",
        last=32767,
        last_variable="k3s_node_port_last",
        profile=MANAGEMENT,
        source=AIGRID,
    ),
    Port(
        "node-exporter",
        EVERY_NODE,
        9100,
        "node_metrics_port",
        (MONITORING,),
        "Metrics of the node and its GPUs (node exporter)",
        profile=MONITORING,
        source=EXPORTERS,
    ),
    Port(
        "gpu-exporter",
        EVERY_NODE,
        9400,
        "node_metrics_gpu_port",
        (MONITORING,),
        "Metrics of the GPUs where the vendor's own exporter is chosen",
        profile=MONITORING,
        source=EXPORTERS,
        choice=Choice("node_metrics_gpu_exporter", ("container",)),
    ),
    Port(
        "docker-metrics",
        RAY_NODES,
        9323,
        "docker_metrics_port",
        (MONITORING,),
        "Metrics of Docker Engine",
        profile=MONITORING,
        source=EXPORTERS,
        choice=Choice("ray_runtime", ("container",), "container"),
    ),
    Port(
        "monitoring-server",
        MONITORING,
        9090,
        "monitoring_server_port",
        (CONTROL_NODE, "ray_head"),
        "Metrics database: queries, panels, alerts; Ray's dashboard asks it too",
        profile=MONITORING,
        source=EXPORTERS,
    ),
    Port(
        "alertmanager",
        MONITORING,
        9093,
        "monitoring_alertmanager_port",
        (CONTROL_NODE,),
        "Alertmanager: silences and what is firing",
        profile=MONITORING,
        source=EXPORTERS,
    ),
    Port(
        "grafana",
        MONITORING,
        3000,
        "monitoring_grafana_port",
        (CONTROL_NODE, "ray_head"),
        "Grafana, where it is chosen",
        profile=MONITORING,
        source=EXPORTERS,
        choice=Choice("monitoring_grafana", ("repository", "archive", "existing")),
    ),
    Port(
        "vmagent",
        MONITORING,
        8429,
        "monitoring_vmagent_port",
        (ITSELF,),
        "VictoriaMetrics' agent, on the loopback, where VictoriaMetrics is chosen",
        profile=MONITORING,
        source=VICTORIA,
        choice=Choice("monitoring_server", ("victoriametrics",)),
    ),
    Port(
        "vmalert",
        MONITORING,
        8880,
        "monitoring_vmalert_port",
        (ITSELF,),
        "VictoriaMetrics' alert rules, on the loopback, where VictoriaMetrics is chosen",
        profile=MONITORING,
        source=VICTORIA,
        choice=Choice("monitoring_server", ("victoriametrics",)),
    ),
    Port(
        "metrics-upload",
        "monitoring",
        8480,
        "monitoring_vminsert_port",
        (EVERY_NODE,),
        "Upload of metrics (VictoriaMetrics vminsert)",
        profile=MONITORING,
        source=NEUTREE,
    ),
    Port(
        "lan-tcp",
        EVERY_NODE,
        1,
        "",
        (EVERY_NODE,),
        "All ports between the members of a LAN cluster: rented machines choose them",
        last=65535,
        profile=LAN,
        source=VAST,
    ),
    Port(
        "lan-udp",
        EVERY_NODE,
        1,
        "",
        (EVERY_NODE,),
        "The same for UDP, since the document names no protocol: rented machines choose them",
        protocol="udp",
        last=65535,
        profile=LAN,
        source=VAST,
    ),
)

#: What k3s takes on the loopback besides (k3s documentation, Requirements): the agent's way to
#: the API, containerd's streams, health of the components.
K3S_OWN_PORTS = ((6444, 6444), (10010, 10010), (10248, 10249), (10256, 10259))
#: Where Ray's workers begin on a node that k3s shares: above all of k3s's fixed ports.
RAY_WORKERS_BESIDE_K3S = 10300


def port_named(name: str) -> Port:
    """Return the row called ``name``; KeyError when there is none."""
    for port in CATALOGUE:
        if port.name == name:
            return port
    raise KeyError(name)


def groups_of(name: str) -> tuple[str, ...]:
    """Return the groups that ``name`` stands for: its own, or those of ``EXPANSIONS``."""
    return EXPANSIONS.get(name, (name,))
