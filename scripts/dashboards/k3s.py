"""k3s: nodes, API server, etcd, and what containers use."""

from __future__ import annotations

from scripts.dashboards.build import Column, Dashboard, Panel, Query, Row
from scripts.dashboards.common import NODE, OF_NODE, WINDOW
from scripts.dashboards.panels import graph, stat, table
from scripts.dashboards.thresholds import NONE_WANTED, ONE_WANTED

# All parts of k3s are one process and answer with the metrics of all parts, so each query says
# which job it means.
API = 'job="k3s-api"'
KUBELET = f'job="kubelet",{OF_NODE}'
CONTAINERS = f'job="cadvisor",container!="",{OF_NODE}'
ETCD = f'job="etcd",{OF_NODE}'
NO_ETCD = "a single server keeps its data in SQLite and has no etcd"


def _now() -> list[Panel]:
    return [
        stat(
            "Kubelets up",
            Query(f"sum(up{{{KUBELET}}})"),
            "Nodes whose kubelet answers.",
            steps=ONE_WANTED,
        ),
        stat(
            "Nodes not ready",
            Query(f"max(node_collector_unhealthy_nodes_in_zone{{{API}}})"),
            "As the node controller of the leading server counts them.",
            steps=NONE_WANTED,
        ),
        stat(
            "API servers up",
            Query(f"sum(up{{{API}}})"),
            "Servers whose API answers.",
            steps=ONE_WANTED,
        ),
        stat("Pods", Query(f"sum(kubelet_running_pods{{{KUBELET}}})"), "Running now."),
        stat(
            "Containers",
            Query(f'sum(kubelet_running_containers{{container_state="running",{KUBELET}}})'),
            "Running now.",
        ),
        stat(
            "API errors",
            Query(f'sum(rate(apiserver_request_total{{code=~"5..",{API}}}{WINDOW})) or vector(0)'),
            "Answers with a code of 500 and above, each second.",
            unit="reqps",
            steps=((None, "green"), (0.1, "orange"), (1, "red")),
        ),
        stat(
            "etcd with a leader",
            Query(f"sum(etcd_server_has_leader{{{ETCD}}})", empty_when=NO_ETCD),
            "Members; one without a leader answers no write.",
            steps=ONE_WANTED,
        ),
        stat(
            "etcd leaders",
            Query(f"sum(etcd_server_is_leader{{{ETCD}}})", empty_when=NO_ETCD),
            "One, or an election is under way.",
            steps=((None, "red"), (1, "green"), (2, "red")),
        ),
    ]


def _nodes() -> list[Panel]:
    return [
        table(
            "Nodes",
            [
                Column(
                    "Kubelet",
                    Query(f"max by (node) (up{{{KUBELET}}})"),
                    words={1: ("up", "green"), 0: ("down", "red")},
                ),
                Column("Pods", Query(f"max by (node) (kubelet_running_pods{{{KUBELET}}})")),
                Column(
                    "Containers",
                    Query(
                        "max by (node)"
                        f' (kubelet_running_containers{{container_state="running",{KUBELET}}})'
                    ),
                ),
            ],
            "One row for each node.",
            names={"node": "Node"},
            width=8,
        ),
        graph(
            "Pods",
            [Query(f"max by (node) (kubelet_running_pods{{{KUBELET}}})", "{{node}}")],
            "Running, for each node.",
        ),
        graph(
            "Errors of the container runtime",
            [
                Query(
                    "sum by (node)"
                    f" (rate(kubelet_runtime_operations_errors_total{{{KUBELET}}}{WINDOW}))",
                    "{{node}}",
                    empty_when="the container runtime made no error since the kubelet started",
                )
            ],
            "Each second, for each node.",
            unit="ops",
        ),
    ]


def _api() -> list[Panel]:
    slow = (
        "histogram_quantile(0.99, sum by (le, verb) (rate(apiserver_request_duration_seconds_bucket"
        f'{{verb!~"WATCH|CONNECT",{API}}}{WINDOW})))'
    )
    return [
        graph(
            "API requests",
            [Query(f"sum by (code) (rate(apiserver_request_total{{{API}}}{WINDOW}))", "{{code}}")],
            "Each second, by the code of the answer.",
            unit="reqps",
            width=12,
        ),
        graph(
            "API latency",
            [Query(slow, "{{verb}}")],
            "Time in which 99 of 100 requests are answered.",
            unit="s",
            width=12,
        ),
    ]


def _etcd() -> list[Panel]:
    sync = (
        "histogram_quantile(0.99, sum by (le, node)"
        f" (rate(etcd_disk_wal_fsync_duration_seconds_bucket{{{ETCD}}}{WINDOW})))"
    )
    return [
        graph(
            "etcd size",
            [
                Query(
                    f"max by (node) (etcd_mvcc_db_total_size_in_bytes{{{ETCD}}})",
                    "{{node}}",
                    empty_when=NO_ETCD,
                )
            ],
            "Of the database file.",
            unit="bytes",
        ),
        graph(
            "etcd disk latency",
            [Query(sync, "{{node}}", empty_when=NO_ETCD)],
            "Time in which 99 of 100 writes are on disk; above 10 ms etcd suffers.",
            unit="s",
            steps=((None, "green"), (0.01, "orange")),
        ),
        graph(
            "etcd changes of leader",
            [
                Query(
                    f"max by (node) (etcd_server_leader_changes_seen_total{{{ETCD}}})",
                    "{{node}}",
                    empty_when=NO_ETCD,
                )
            ],
            "Since the server started.",
        ),
    ]


def _containers() -> list[Panel]:
    cpu = f"rate(container_cpu_usage_seconds_total{{{CONTAINERS}}}{WINDOW})"
    memory = f"container_memory_working_set_bytes{{{CONTAINERS}}}"
    return [
        graph(
            "CPU of containers",
            [Query(f"sum by (namespace) ({cpu})", "{{namespace}}")],
            "Cores, for each namespace.",
            stacked=True,
        ),
        graph(
            "Memory of containers",
            [Query(f"sum by (namespace) ({memory})", "{{namespace}}")],
            "For each namespace.",
            unit="bytes",
            stacked=True,
        ),
        table(
            "Largest pods",
            [Column("Memory", Query(f"topk(20, sum by (namespace, pod) ({memory}))"), "bytes")],
            "The twenty that hold most memory.",
            names={"namespace": "Namespace", "pod": "Pod"},
            width=8,
        ),
    ]


K3S = Dashboard(
    name="k3s",
    title="k3s",
    description="Nodes, API server, etcd and containers of k3s.",
    needs="k3s",
    variables=[NODE],
    panels=[
        *_now(),
        Row("Nodes"),
        *_nodes(),
        Row("API server"),
        *_api(),
        Row("etcd"),
        *_etcd(),
        Row("Containers"),
        *_containers(),
    ],
)
