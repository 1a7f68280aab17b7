# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the alerts about nodes and services. Where none is told, b has the fault."""

from __future__ import annotations

from tests.testinfra.alert_cases import (
    FAULT,
    FINE,
    OFF,
    ROOT,
    Case,
    Labels,
    Row,
    answers,
    at_once,
    on,
    row,
    up,
    usual,
)

EVERY_JOB = ("node", "ray", "docker", "kubelet", "cadvisor")
ON_B: Labels = on("b")
COLLECTOR = (
    'ansible -i inv.ini -b -m ansible.builtin.command -a "journalctl -u rackforge-node-metrics'
    ' -n 30 --no-pager" b'
)


def of(metric: str, node: str, values: str, **labels: str) -> Row:
    """Return a value that a node's exporter gives."""
    return row(metric, {**on(node), **labels}, values)


def unready(node: str, values: str) -> Row:
    """Return how many nodes a server of k3s counts as not ready."""
    about = {**on(node, "k3s-api"), "zone": ""}
    return row("node_collector_unhealthy_nodes_in_zone", about, values)


def disk(node: str, free: str, size: str, about: Labels = ROOT) -> list[Row]:
    """Return a file system's free bytes and its size."""
    return [
        of("node_filesystem_avail_bytes", node, free, **about),
        of("node_filesystem_size_bytes", node, size, **about),
    ]


def memory(node: str, free: str) -> list[Row]:
    """Return a node's memory, of 100 bytes."""
    return [
        of("node_memory_MemAvailable_bytes", node, free),
        of("node_memory_MemTotal_bytes", node, "100x80"),
    ]


def collector(node: str, clock: str, last: str) -> list[Row]:
    """Return a node's clock and when its collector ran."""
    return [
        of("node_time_seconds", node, clock),
        of("gpu_cluster_collector_last_run_timestamp_seconds", node, last),
    ]


_OUTAGES = [
    Case(
        "a node that is off is one alert",
        (*up("a", *EVERY_JOB), *up("b", *EVERY_JOB, values=OFF)),
        usual(("NodeDown", {"node": "b"})),
        (
            "NodeDown",
            {"node": "b"},
            {
                "summary": "b is down",
                "description": "None of the services of b that are asked for metrics answers."
                " Expected: at least one. It is off, or its network or firewall is in the way.",
                "command": "ansible -i inv.ini -m ansible.builtin.ping b",
            },
        ),
    ),
    Case(
        "a short outage alarms nobody",
        (*up("a", "node"), *up("b", "node", values="1x9 0x1 1x40")),
        ((10, ()), (11, ()), (12, ()), (13, ())),
    ),
    Case(
        "a lost Ray is one alert, its other endpoints included",
        (
            *up("a", "node", "ray"),
            *up("b", "node"),
            *up("b", "ray", "ray-autoscaler", "ray-dashboard", values=OFF),
        ),
        usual(("RayNodeLost", on("b", "ray"))),
    ),
    Case(
        "a Ray that answers and gives no metrics of its own",
        (
            *up("a", "node", "ray"),
            *up("b", "node"),
            *answers("b", "ray"),
            of("ray_resources", "b", "1x9 stale _x29 1x40"),
        ),
        usual(("RayMetricsMissing", on("b", "ray"))),
    ),
    Case(
        "a head of Ray whose control store alone gives none",
        (
            *up("b", "node", "ray"),
            *answers("b", "ray-autoscaler"),
            of("ray_gcs_actors_count", "b", "0x9 stale _x29 0x40"),
        ),
        usual(("RayMetricsMissing", on("b", "ray-autoscaler"))),
    ),
    Case(
        "a head of Ray without any is one alert",
        (*up("b", "node"), *answers("b", "ray", "ray-autoscaler")),
        ((5, (("RayMetricsMissing", on("b", "ray")),)),),
    ),
    Case(
        "Ray's dashboard alone is a target",
        (*up("b", "node", "ray"), *up("b", "ray-dashboard", values=OFF)),
        usual(("TargetDown", on("b", "ray-dashboard"))),
    ),
    Case(
        "a silent exporter is told from a node that is off",
        (*up("a", "node", "ray"), *up("b", "ray"), *up("b", "node", values=OFF)),
        usual(("ExporterSilent", ON_B)),
    ),
    Case(
        "a silent GPU exporter",
        (*up("a", "node", "gpu"), *up("b", "node"), *up("b", "gpu", values=OFF)),
        usual(("ExporterSilent", on("b", "gpu"))),
    ),
    Case(
        "another service of a node",
        (*up("a", "node", "docker"), *up("b", "node"), *up("b", "docker", values=OFF)),
        usual(("TargetDown", on("b", "docker"))),
    ),
]

_K3S = [
    Case(
        "a stopped k3s is one alert",
        (
            *up("a", "node", "kubelet", "cadvisor"),
            *up("b", "node"),
            *up("b", "kubelet", "cadvisor", "k3s-api", "etcd", values=OFF),
        ),
        usual(("K3sNodeNotReady", on("b", "kubelet"))),
    ),
    Case(
        "a node that is not ready although its kubelet answers is told by the count of k3s",
        (
            *up("a", "node", "kubelet", "k3s-api"),
            *up("b", "node", "kubelet"),
            unready("a", FAULT),
            # A server that does not lead counts nothing.
            unready("c", "0x80"),
        ),
        usual(("K3sNodeNotReady", {})),
        (
            "K3sNodeNotReady",
            {},
            {
                "summary": "1 node(s) of k3s are not ready",
                "description": "k3s counts 1 node(s) that are not ready, more than kubelets are"
                " silent. Expected: every node ready.",
                "command": "ansible-playbook -i inv.ini playbooks/status.yml",
            },
        ),
    ),
    Case(
        "a node of k3s that is off is NodeDown alone",
        (
            *up("a", "node", "kubelet", "k3s-api"),
            *up("b", "node", "kubelet", values=OFF),
            unready("a", FAULT),
        ),
        usual(("NodeDown", {"node": "b"})),
    ),
]

_NETWORK_DISK = {"device": "nas:/data", "fstype": "nfs4", "mountpoint": "/data"}
_READ_ONLY = {"device": "/dev/sr0", "fstype": "ext4", "mountpoint": "/media"}
_RESOURCES = [
    Case(
        "the memory of a node",
        (*memory("a", "11x80"), *memory("b", "11x9 9x29 11x40")),
        usual(("NodeMemoryFull", ON_B)),
    ),
    Case(
        "a full disk",
        (*disk("a", "11x80", "100x80"), *disk("b", "11x9 9x29 11x40", "100x80")),
        usual(("DiskWillFill", {**ROOT, **ON_B})),
    ),
    Case(
        # b loses 30 of 100000 in a minute, and is known for an hour at minute 60; a has plenty
        # left, c grows too slowly.
        "a disk that fills is told before it is full, but not after a few minutes",
        (
            *disk("a", "60000-30x150", "100000x150"),
            *disk("b", "36000-30x79 33600x900", "100000x900"),
            *disk("c", "36000-1x150", "100000x150"),
        ),
        ((50, ()), (65, (("DiskWillFill", {**ROOT, **ON_B}),)), (540, ())),
    ),
    Case(
        "a network file system and a read-only one alarm nobody",
        (
            *disk("b", "1x80", "100x80", _NETWORK_DISK),
            *disk("b", "0x80", "100x80", _READ_ONLY),
            of("node_filesystem_readonly", "b", FINE, **_READ_ONLY),
        ),
        ((20, ()),),
    ),
    Case(
        "a reboot that packages wait for",
        (
            of("gpu_cluster_reboot_required", "a", "0x80"),
            of("gpu_cluster_reboot_required", "b", FAULT),
        ),
        usual(("RebootRequired", ON_B)),
    ),
]

_FILE = {"path": "/etc/tls/a.crt"}
_SILENT = ("CollectorSilent", {"node": "b"})
_TIMES = [
    Case(
        "a clock that differs from the monitoring host's",
        (
            of("node_time_seconds", "a", "1+60x80"),
            of("node_time_seconds", "b", "0+60x9 603+60x29 2400+60x40"),
        ),
        usual(("ClockSkew", ON_B)),
    ),
    Case(
        "a clock that differs from its time source",
        (
            of("node_timex_offset_seconds", "a", "0.01x80"),
            of("node_timex_offset_seconds", "b", "0x9 -3x29 0x40"),
        ),
        usual(("ClockSkew", ON_B)),
    ),
    Case(
        # 21 days are 1814400 seconds, the clock stands at 600 at minute 10.
        "a certificate speaks three weeks before its end, until it is renewed",
        (
            of("gpu_cluster_certificate_not_after_seconds", "b", "1814999x39 31000000x40", **_FILE),
            of(
                "gpu_cluster_certificate_not_after_seconds",
                "b",
                "1900000x80",
                path="/etc/tls/b.crt",
            ),
        ),
        at_once(("CertificateExpires", {**ON_B, **_FILE})),
    ),
    Case(
        "a collector that stopped",
        (
            *collector("a", "0+60x80", "0+60x80"),
            *collector("b", "0+60x80", "0+60x9 540x29 2400+60x40"),
        ),
        ((14, ()), (15, ()), (17, (_SILENT,)), (39, (_SILENT,)), (42, ())),
        (
            "CollectorSilent",
            {"node": "b"},
            {
                "summary": "The GPU collector of b is silent",
                "description": "The collector on b ran 660 seconds ago, expected less than 300."
                " What is shown of its GPUs is old.",
                "command": COLLECTOR,
            },
        ),
    ),
    Case(
        "a collector whose samples vanished",
        tuple(collector("b", "0+60x80", "0+60x9 _x30 2400+60x40")),
        ((9, ()), (17, (_SILENT,)), (42, ())),
    ),
    Case(
        "a collector on a node whose clock is wrong is not silent",
        tuple(collector("b", "-7200+60x80", "-7200+60x80")),
        ((20, (("ClockSkew", ON_B),)),),
    ),
    Case(
        "a part of the collector that fails",
        (
            of("gpu_cluster_collector_error", "b", FAULT, part="nvml"),
            of("gpu_cluster_collector_error", "b", "0x80", part="log"),
        ),
        usual(("CollectorSilent", {**ON_B, "part": "nvml"})),
        (
            "CollectorSilent",
            {**ON_B, "part": "nvml"},
            {
                "summary": "The GPU collector of b is silent",
                "description": "Part nvml of the collector on b fails. What is shown of its GPUs"
                " is old.",
                "command": COLLECTOR,
            },
        ),
    ),
]

NODE_CASES = [*_OUTAGES, *_K3S, *_RESOURCES, *_TIMES]
