"""The overview: what is there, what is busy, what is broken."""

from __future__ import annotations

from scripts.dashboards.build import Column, Dashboard, Panel, Query, Row
from scripts.dashboards.common import (
    CPU_PERCENT,
    DISK_PERCENT,
    MEMORY_PERCENT,
    NODE,
    OF_NODE,
    UP_OR_DOWN,
    YES_OR_NO,
    gpu_memory_percent,
    memory_bytes,
    per_gpu,
)
from scripts.dashboards.panels import bars, graph, matrix, stat, table
from scripts.dashboards.thresholds import (
    BUSY,
    DISK,
    GPU_MEMORY,
    GPU_TEMPERATURE,
    NODE_MEMORY,
    NONE_WANTED,
    ONE_WANTED,
    STATE_COLORS,
)

FIRING = 'ALERTS{alertstate="firing"}'
# How long each alert is true; it fires once that is longer than the rule asks.
FIRING_FOR = (
    "time() - max by (alertname, severity, node)"
    f" (ALERTS_FOR_STATE and ignoring (alertstate) {FIRING})"
)


def _counts() -> list[Panel]:
    return [
        stat(
            "Nodes up",
            Query(f'sum(up{{job="node",{OF_NODE}}})'),
            "Nodes whose node exporter answers.",
            steps=ONE_WANTED,
        ),
        stat(
            "Nodes down",
            Query(f'count(up{{job="node",{OF_NODE}}} == 0) or vector(0)'),
            "Nodes whose node exporter does not answer.",
            steps=NONE_WANTED,
        ),
        stat(
            "Ray nodes",
            Query(f'sum(up{{job="ray",{OF_NODE}}})'),
            "Nodes on which Ray answers.",
            steps=ONE_WANTED,
            needs="ray",
        ),
        stat(
            "k3s nodes",
            Query(f'sum(up{{job="kubelet",{OF_NODE}}})'),
            "Nodes whose kubelet answers.",
            steps=ONE_WANTED,
            needs="k3s",
        ),
        stat(
            "GPUs by state",
            Query(
                f"sum by (state) (gpu_cluster_gpu_state{{{OF_NODE}}} == 1)",
                "{{state}}",
            ),
            "What the health check of the collector says of each GPU.",
            needs="gpu",
            colors=STATE_COLORS,
        ),
        stat(
            "GPUs missing",
            Query(
                f"sum(clamp_min(gpu_cluster_gpus_expected{{{OF_NODE}}}"
                f" - gpu_cluster_gpus_usable{{{OF_NODE}}}, 0))"
            ),
            "GPUs that provision recorded and that the driver does not list.",
            steps=NONE_WANTED,
            needs="gpu",
        ),
        stat(
            "Alerts firing",
            Query(f"count({FIRING}) or vector(0)"),
            "Alerts that fire now.",
            steps=NONE_WANTED,
        ),
        stat(
            "Running jobs",
            Query("sum(ray_running_jobs)"),
            "Ray jobs that run now.",
            needs="ray",
        ),
    ]


def _maps() -> list[Panel]:
    return [
        matrix(
            "GPU utilisation, every GPU",
            Query(per_gpu("DCGM_FI_DEV_GPU_UTIL")),
            "Percent of time in which the GPU was busy; a row for each node.",
            unit="percent",
            steps=(
                (None, "#dfe7ef"),
                (1, "#b7d0ea"),
                (25, "#7fb0df"),
                (50, "#3f84c6"),
                (80, "#1a5a9c"),
            ),
        ),
        matrix(
            "GPU memory, every GPU",
            Query(gpu_memory_percent()),
            "Percent of the GPU's memory in use; a row for each node.",
            unit="percent",
            steps=GPU_MEMORY,
        ),
        matrix(
            "GPU temperature, every GPU",
            Query(per_gpu("DCGM_FI_DEV_GPU_TEMP")),
            "Degrees Celsius; a row for each node.",
            unit="celsius",
            steps=GPU_TEMPERATURE,
        ),
    ]


def _over_time() -> list[Panel]:
    utilisation = f"DCGM_FI_DEV_GPU_UTIL{{{OF_NODE}}}"
    used, free = memory_bytes("DCGM_FI_DEV_FB_USED"), memory_bytes("DCGM_FI_DEV_FB_FREE")
    return [
        graph(
            "GPU utilisation",
            [
                Query(f"avg({utilisation})", "mean"),
                Query(f"max({utilisation})", "busiest"),
                Query(f"min({utilisation})", "idlest"),
            ],
            "Over all GPUs.",
            unit="percent",
            top=100,
            needs="gpu",
        ),
        graph(
            "GPU memory",
            [Query(f"sum({used})", "in use"), Query(f"sum({used}) + sum({free})", "all")],
            "Over all GPUs.",
            unit="bytes",
            needs="gpu",
        ),
        bars(
            "Hottest GPUs",
            Query(f"topk(10, {per_gpu('DCGM_FI_DEV_GPU_TEMP')})", "{{node}} GPU {{gpu}}"),
            "The ten hottest now.",
            unit="celsius",
            steps=GPU_TEMPERATURE,
            top=100,
            needs="gpu",
        ),
    ]


def _alerts_and_jobs() -> list[Panel]:
    return [
        table(
            "Firing alerts",
            [Column("For", Query(FIRING_FOR, empty_when="no alert fires"), "s")],
            "What fires now, and for how long its cause is there.",
            names={"alertname": "Alert", "severity": "Severity", "node": "Node"},
            width=12,
        ),
        graph(
            "Ray jobs",
            [Query("sum(ray_running_jobs)", "running")],
            "Jobs at a time.",
            width=12,
            needs="ray",
        ),
    ]


def _nodes() -> Panel:
    return table(
        "Nodes",
        [
            Column(
                "Exporter", Query(f'max by (node) (up{{job="node",{OF_NODE}}})'), words=UP_OR_DOWN
            ),
            Column("CPU", Query(CPU_PERCENT), "percent", BUSY),
            Column("Memory", Query(MEMORY_PERCENT), "percent", NODE_MEMORY),
            Column("Fullest disk", Query(f"max by (node) ({DISK_PERCENT})"), "percent", DISK),
            Column("GPUs usable", Query(f"max by (node) (gpu_cluster_gpus_usable{{{OF_NODE}}})")),
            Column(
                "Reboot required",
                Query(f"max by (node) (gpu_cluster_reboot_required{{{OF_NODE}}})"),
                words=YES_OR_NO,
            ),
        ],
        "One row for each node.",
        names={"node": "Node"},
        height=10,
    )


CLUSTER = Dashboard(
    name="cluster",
    title="Cluster",
    description="Nodes, GPUs, alerts and jobs of the whole cluster.",
    needs="node",
    variables=[NODE],
    panels=[
        *_counts(),
        Row("GPUs"),
        *_maps(),
        *_over_time(),
        Row("Alerts, jobs and nodes"),
        *_alerts_and_jobs(),
        _nodes(),
    ],
)
