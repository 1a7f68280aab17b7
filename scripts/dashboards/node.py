"""Nodes: processor, memory, disks, network, clock, and what waits for an administrator."""

from __future__ import annotations

from scripts.dashboards.build import Column, Dashboard, Panel, Query, Row
from scripts.dashboards.common import (
    CPU_PERCENT,
    DISK_PERCENT,
    MEMORY_PERCENT,
    NODE,
    OF_NODE,
    WINDOW,
)
from scripts.dashboards.panels import graph, stat, table
from scripts.dashboards.thresholds import (
    BUSY,
    CERTIFICATE,
    CLOCK,
    COLLECTOR_AGE,
    DISK,
    NODE_MEMORY,
    NONE_BETTER,
    NONE_WANTED,
    ONE_WANTED,
)

# The interface whose address the exporter is reached at: that of the cluster network.
_CLUSTER_INTERFACE = (
    f" and on (node, device) (node_network_address_info{{{OF_NODE}}} and on (node, address) "
    f'label_replace(up{{job="node",{OF_NODE}}}, "address", "$1", "instance", "(.*):[0-9]+"))'
)

_CERTIFICATES = f"gpu_cluster_certificate_not_after_seconds{{{OF_NODE}}} - time()"
_OFFSET = f"abs(node_timex_offset_seconds{{{OF_NODE}}})"
_AGE = f"time() - gpu_cluster_collector_last_run_timestamp_seconds{{{OF_NODE}}}"


def _on_cluster_network(metric: str, factor: str = "") -> str:
    """Return the rate of ``metric`` on the interface of the cluster network."""
    rate = f"rate({metric}{{{OF_NODE}}}{WINDOW})"
    return f"max by (node, device) ({rate}{_CLUSTER_INTERFACE}){factor}"


def _now() -> list[Panel]:
    return [
        stat(
            "Nodes up",
            Query(f'sum(up{{job="node",{OF_NODE}}})'),
            "Nodes whose node exporter answers.",
            steps=ONE_WANTED,
        ),
        stat(
            "Highest CPU use",
            Query(f"max({CPU_PERCENT})"),
            "Of the busiest node.",
            unit="percent",
            steps=BUSY,
            decimals=0,
        ),
        stat(
            "Highest memory use",
            Query(f"max({MEMORY_PERCENT})"),
            "Of the fullest node.",
            unit="percent",
            steps=NODE_MEMORY,
            decimals=0,
        ),
        stat(
            "Fullest disk",
            Query(f"max({DISK_PERCENT})"),
            "Of all file systems of all nodes.",
            unit="percent",
            steps=DISK,
            decimals=0,
        ),
        stat(
            "Clock offset",
            Query(f"max({_OFFSET})"),
            "The largest, against the node's own time source.",
            unit="s",
            steps=CLOCK,
        ),
        stat(
            "Reboot required",
            Query(f"sum(gpu_cluster_reboot_required{{{OF_NODE}}})"),
            "Nodes with updated packages that only a reboot brings into use.",
            steps=NONE_BETTER,
        ),
        stat(
            "Certificate ends in",
            Query(f"min({_CERTIFICATES})", empty_when="no part of the cluster uses a certificate"),
            "The next of all certificates that the collector watches.",
            unit="s",
            steps=CERTIFICATE,
        ),
        stat(
            "Oldest collector run",
            Query(f"max({_AGE})"),
            "Seconds since the slowest collector last wrote.",
            unit="s",
            steps=COLLECTOR_AGE,
            decimals=0,
        ),
    ]


def _processor_and_memory() -> list[Panel]:
    cores = f'count by (node) (node_cpu_seconds_total{{mode="idle",{OF_NODE}}})'
    return [
        graph(
            "CPU",
            [Query(CPU_PERCENT, "{{node}}")],
            "Percent of all cores.",
            unit="percent",
            top=100,
        ),
        graph(
            "Load for each core",
            [Query(f"max by (node) (node_load1{{{OF_NODE}}}) / {cores}", "{{node}}")],
            "Above 1, work waits.",
        ),
        graph(
            "Memory",
            [Query(MEMORY_PERCENT, "{{node}}")],
            "Percent of memory that no program could get.",
            unit="percent",
            top=100,
            steps=NODE_MEMORY,
        ),
    ]


def _disks() -> list[Panel]:
    disk = f'{{device!~"(loop|ram|zram|sr).*",{OF_NODE}}}'
    return [
        graph(
            "Disks",
            [Query(DISK_PERCENT, "{{node}} {{mountpoint}}")],
            "Percent of each file system in use.",
            unit="percent",
            top=100,
            steps=DISK,
        ),
        graph(
            "Disk reads",
            [Query(f"sum by (node) (rate(node_disk_read_bytes_total{disk}{WINDOW}))", "{{node}}")],
            "All disks of a node.",
            unit="Bps",
        ),
        graph(
            "Disk writes",
            [
                Query(
                    f"sum by (node) (rate(node_disk_written_bytes_total{disk}{WINDOW}))",
                    "{{node}}",
                )
            ],
            "All disks of a node.",
            unit="Bps",
        ),
    ]


def _network() -> list[Panel]:
    received = "node_network_receive_bytes_total"
    sent = "node_network_transmit_bytes_total"
    return [
        graph(
            "Received on the cluster network",
            [Query(_on_cluster_network(received, " * 8"), "{{node}} {{device}}")],
            "The interface that has the node address.",
            unit="bps",
        ),
        graph(
            "Sent on the cluster network",
            [Query(_on_cluster_network(sent, " * 8"), "{{node}} {{device}}")],
            "The interface that has the node address.",
            unit="bps",
        ),
        graph(
            "Errors and drops on the cluster network",
            [
                Query(_on_cluster_network("node_network_receive_errs_total"), "{{node}} errors in"),
                Query(
                    _on_cluster_network("node_network_transmit_errs_total"), "{{node}} errors out"
                ),
                Query(_on_cluster_network("node_network_receive_drop_total"), "{{node}} drops in"),
                Query(
                    _on_cluster_network("node_network_transmit_drop_total"), "{{node}} drops out"
                ),
            ],
            "Packets a second.",
            unit="pps",
        ),
    ]


def _care() -> list[Panel]:
    return [
        graph(
            "Clock offset",
            [Query(f"max by (node) ({_OFFSET})", "{{node}}")],
            "Against the node's own time source.",
            unit="s",
            steps=CLOCK,
        ),
        table(
            "Certificates",
            [
                Column(
                    "Ends in",
                    Query(
                        f"min by (node, path) ({_CERTIFICATES})",
                        empty_when="no part of the cluster uses a certificate",
                    ),
                    "s",
                    CERTIFICATE,
                )
            ],
            "Certificates that the collector watches.",
            names={"node": "Node", "path": "Certificate"},
            width=8,
        ),
        table(
            "Collector",
            [
                Column("Age", Query(f"max by (node) ({_AGE})"), "s", COLLECTOR_AGE),
                Column(
                    "Took",
                    Query(f"max by (node) (gpu_cluster_collector_duration_seconds{{{OF_NODE}}})"),
                    "s",
                ),
                Column(
                    "Parts failed",
                    Query(f"sum by (node) (gpu_cluster_collector_error{{{OF_NODE}}})"),
                    steps=NONE_WANTED,
                ),
            ],
            "The last run of the collector of each node.",
            names={"node": "Node"},
            width=8,
        ),
    ]


NODES = Dashboard(
    name="node",
    title="Nodes",
    description="Processor, memory, disks, network and clock of the nodes.",
    needs="node",
    variables=[NODE],
    panels=[
        *_now(),
        Row("Processor and memory"),
        *_processor_and_memory(),
        Row("Disks"),
        *_disks(),
        Row("Network"),
        *_network(),
        Row("Clock, certificates and collector"),
        *_care(),
    ],
)
