# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the monitoring host asks each node for, by the port catalogue and the inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    Choice,
    port_named,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import (
    members_of,
    span_of,
)

_DATABASE = "monitoring_server"
_VICTORIA = Choice(_DATABASE, ("victoriametrics",))
_PROMETHEUS = Choice(_DATABASE, ("prometheus",), "prometheus")


# The owner's own Grafana is no business of this server's.
_GRAFANA = Choice("monitoring_grafana", ("repository", "archive"))


@dataclass(frozen=True)
class ScrapeJob:
    """A kind of target: its name in the configuration and the row of the port catalogue it is at.

    ``role`` narrows the row's hosts to a group, ``choice`` to those that made it. A job with
    ``members`` counts where the group has at least so many hosts. ``is_local`` marks what listens
    on the loopback only.
    """

    name: str
    service: str
    role: str = ""
    choice: Optional[Choice] = None
    members: int = 1
    is_local: bool = False


#: Ray's Serve has no port of its own for metrics: they come with those of its nodes.
JOBS: tuple[ScrapeJob, ...] = (
    ScrapeJob("node", "node-exporter"),
    ScrapeJob("gpu", "gpu-exporter"),
    ScrapeJob("docker", "docker-metrics"),
    ScrapeJob("ray", "ray-metrics"),
    # Ray serves these on the head only.
    ScrapeJob("ray-autoscaler", "ray-autoscaler-metrics", role="ray_head"),
    ScrapeJob("ray-dashboard", "ray-dashboard-metrics", role="ray_head"),
    ScrapeJob("k3s-api", "k3s-api"),
    ScrapeJob("kubelet", "k3s-kubelet"),
    ScrapeJob("cadvisor", "k3s-kubelet"),
    ScrapeJob("etcd", "k3s-etcd-metrics", members=2),
    ScrapeJob("prometheus", "monitoring-server", choice=_PROMETHEUS),
    ScrapeJob("victoriametrics", "monitoring-server", choice=_VICTORIA),
    ScrapeJob("vmagent", "vmagent", is_local=True),
    ScrapeJob("vmalert", "vmalert", is_local=True),
    ScrapeJob("alertmanager", "alertmanager"),
    ScrapeJob("grafana", "grafana", choice=_GRAFANA),
)

_LOOPBACK = "127.0.0.1"
_ROWS = tuple(port_named(job.service) for job in JOBS)
#: The variables of a host that decide about its targets.
INPUTS = tuple(
    sorted(
        {"has_gpu", "install_docker", "docker_source", _DATABASE}
        | {name for row in _ROWS for name in row.variables}
        | {row.choice.variable for row in _ROWS if row.choice}
    )
)


def scrape_plan(
    addresses: Mapping[str, str],
    groups: Mapping[str, Sequence[str]],
    variables: Mapping[str, Mapping[str, Any]],
    cluster: str,
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return for each host of ``addresses`` (name and node address) its targets, job by job.

    The targets are in the form of Prometheus' file_sd_configs, with the labels node and cluster.
    A host without an address has none. ValueError (PortRuleError) names an input that is no port.
    """
    return {
        host: _targets_of(host, address, groups, variables.get(host, {}), cluster)
        for host, address in addresses.items()
        if address
    }


def _targets_of(
    host: str,
    address: str,
    groups: Mapping[str, Sequence[str]],
    own: Mapping[str, Any],
    cluster: str,
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for job in JOBS:
        if _counts(job, host, groups, own):
            port = span_of(port_named(job.service), own)[0]
            place = f"{_LOOPBACK if job.is_local else address}:{port}"
            labels = {"node": host, "cluster": cluster}
            found[job.name] = [{"targets": [place], "labels": labels}]
    return found


def _counts(
    job: ScrapeJob, host: str, groups: Mapping[str, Sequence[str]], own: Mapping[str, Any]
) -> bool:
    """Return whether a host has the target of a job."""
    row = port_named(job.service)
    hosts = members_of(job.role or row.role, groups)
    if host not in hosts or len(hosts) < job.members or not row.counts(own):
        return False
    if job.name == "docker" and _engine_is_the_owners(own):
        return False
    if job.name == "gpu" and not _truth(own.get("has_gpu")):
        return False
    return job.choice is None or job.choice.is_made(own)


def _engine_is_the_owners(own: Mapping[str, Any]) -> bool:
    """Return whether the node's Docker Engine is left alone, and so shows no metrics for us."""
    said = own.get("install_docker")
    return own.get("docker_source") == "existing" or (said is not None and not _truth(said))


def _truth(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "yes", "on", "1", "y", "t")
