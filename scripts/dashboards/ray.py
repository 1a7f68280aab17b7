"""Ray: nodes, logical resources, object store, tasks, actors and jobs. Names of Ray 2.60."""

from __future__ import annotations

from scripts.dashboards.build import Dashboard, Panel, Query, Row
from scripts.dashboards.common import NODE, OF_NODE
from scripts.dashboards.panels import graph, stat
from scripts.dashboards.thresholds import NONE_WANTED, ONE_WANTED

NO_GPUS = "no Ray node has a GPU"
NO_TASK = "no task has run since the head started"
NO_SPILL = "no object was ever spilled to disk"


def _resource(name: str, state: str = "") -> str:
    chosen = f',State="{state}"' if state else ""
    return f'ray_resources{{Name="{name}"{chosen},{OF_NODE}}}'


def _now() -> list[Panel]:
    return [
        stat(
            "Ray nodes up",
            Query(f'sum(up{{job="ray",{OF_NODE}}})'),
            "Nodes whose Ray gives metrics.",
            steps=ONE_WANTED,
        ),
        stat(
            "Ray nodes lost",
            Query(f'count(up{{job="ray",{OF_NODE}}} == 0) or vector(0)'),
            "Nodes that should run Ray and do not answer.",
            steps=NONE_WANTED,
        ),
        stat("Running jobs", Query("sum(ray_running_jobs)"), "As the head counts them."),
        stat(
            "Finished jobs",
            Query("sum(ray_finished_jobs_total)"),
            "Since the head started.",
        ),
        stat("CPUs", Query(f"sum({_resource('CPU')})"), "That Ray may hand out."),
        stat("CPUs in use", Query(f"sum({_resource('CPU', 'USED')})"), "Handed out now."),
        stat(
            "GPUs",
            Query(f"sum({_resource('GPU')})", empty_when=NO_GPUS),
            "That Ray may hand out.",
        ),
        stat(
            "GPUs in use",
            Query(f"sum({_resource('GPU', 'USED')})", empty_when=NO_GPUS),
            "Handed out now.",
        ),
    ]


def _resources() -> list[Panel]:
    return [
        graph(
            "CPUs in use",
            [
                Query(f"sum by (node) ({_resource('CPU', 'USED')})", "{{node}}"),
            ],
            "Handed out by Ray, for each node.",
            stacked=True,
        ),
        graph(
            "GPUs in use",
            [
                Query(
                    f"sum by (node) ({_resource('GPU', 'USED')})", "{{node}}", empty_when=NO_GPUS
                ),
            ],
            "Handed out by Ray, for each node.",
            stacked=True,
        ),
        graph(
            "Memory",
            [Query(f"max by (node) (ray_node_mem_used{{{OF_NODE}}})", "{{node}}")],
            "In use on the node, or in Ray's container.",
            unit="bytes",
        ),
        graph(
            "CPU of the nodes",
            [Query(f"max by (node) (ray_node_cpu_utilization{{{OF_NODE}}})", "{{node}}")],
            "Measured, not handed out.",
            unit="percent",
            top=100,
        ),
        graph(
            "Memory of Ray's processes",
            [
                Query(
                    f"topk(10, sum by (Component) (ray_component_rss_bytes{{{OF_NODE}}}))",
                    "{{Component}}",
                )
            ],
            "The ten largest.",
            unit="bytes",
        ),
        graph(
            "Nodes by what the autoscaler says",
            [
                Query("sum(autoscaler_active_nodes)", "active"),
                Query("sum(autoscaler_pending_nodes)", "pending"),
            ],
            "A cluster that is not scaled keeps its number.",
        ),
    ]


def _objects() -> list[Panel]:
    used = f"sum by (node) (ray_object_store_used_memory{{{OF_NODE}}})"
    free = f"sum by (node) (ray_object_store_available_memory{{{OF_NODE}}})"
    return [
        graph(
            "Object store",
            [Query(f"100 * {used} / ({used} + {free})", "{{node}}")],
            "Percent in use, for each node.",
            unit="percent",
            top=100,
        ),
        graph(
            "Objects by place",
            [Query(f"sum by (Location) (ray_object_store_memory{{{OF_NODE}}})", "{{Location}}")],
            "Memory that objects hold.",
            unit="bytes",
            stacked=True,
        ),
        graph(
            "Spilled objects",
            [
                Query(
                    f'sum by (node) (ray_object_store_memory{{Location="SPILLED",{OF_NODE}}})',
                    "{{node}}",
                    empty_when=NO_SPILL,
                )
            ],
            "Bytes of objects that no longer fit and were written to disk.",
            unit="bytes",
        ),
    ]


def _work() -> list[Panel]:
    return [
        graph(
            "Tasks by state",
            [
                Query(
                    f"clamp_min(sum by (State) (ray_tasks{{{OF_NODE}}}), 0)",
                    "{{State}}",
                    empty_when=NO_TASK,
                )
            ],
            "Tasks and calls of actors.",
        ),
        graph(
            "Actors by state",
            [Query("sum by (State) (ray_gcs_actors_count)", "{{State}}")],
            "As the head counts them.",
        ),
        graph(
            "Placement groups by state",
            [Query("sum by (State) (ray_gcs_placement_group_count)", "{{State}}")],
            "As the head counts them.",
        ),
        graph(
            "Jobs",
            [Query("sum(ray_running_jobs)", "running")],
            "At a time.",
            width=12,
        ),
        graph(
            "Delay of the dashboard",
            [Query("max(ray_dashboard_event_loop_lag_seconds)", "event loop")],
            "A dashboard that is slow to answer has too much to do.",
            unit="s",
            width=12,
        ),
    ]


RAY = Dashboard(
    name="ray",
    title="Ray",
    description="Nodes, resources, object store, tasks, actors and jobs of Ray.",
    needs="ray",
    variables=[NODE],
    panels=[
        *_now(),
        Row("Resources"),
        *_resources(),
        Row("Object store"),
        *_objects(),
        Row("Work"),
        *_work(),
    ],
)
