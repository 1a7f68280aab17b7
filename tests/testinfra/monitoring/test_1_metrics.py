# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the monitoring host knows of a cluster with Ray, k3s and two GPUs that the lab simulates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import lab
from tests.lab.paths import ROOT
from tests.testinfra.monitoring.conftest import NAMES
from tests.testinfra.monitoring.support import Server
from tests.testinfra.ray_cluster import Cluster, node_address, until

HEAD, WORKER, MONITORING = NAMES
#: Each target: job and node.
TARGETS = {
    *(("node", name) for name in NAMES),
    *((job, name) for job in ("docker", "ray", "kubelet", "cadvisor") for name in (HEAD, WORKER)),
    ("ray-autoscaler", HEAD),
    ("ray-dashboard", HEAD),
    ("k3s-api", HEAD),
    ("prometheus", MONITORING),
    ("alertmanager", MONITORING),
}
QUERIES = ROOT / "tests/fixtures/monitoring/dashboard_queries.json"


@pytest.fixture(scope="module")
def gpus() -> Iterator[None]:
    """The GPUs of the worker, healthy at the end."""
    yield
    lab.gpus(WORKER, reset=True, lab="mol-monitoring")


def simulate(**settings: str) -> None:
    """Change what the worker's GPUs are like: ``gpu_1_temperature_c`` is gpu.1.temperature_c."""
    named = {key.replace("gpu_0_", "gpu.0.").replace("gpu_1_", "gpu.1."): value
             for key, value in settings.items()}  # fmt: skip
    lab.gpus(WORKER, named, lab="mol-monitoring")


def test_every_target_is_asked_and_answers(prometheus: Server) -> None:
    active = prometheus.get("/api/v1/targets", state="active")["data"]["activeTargets"]
    assert {(row["labels"]["job"], row["labels"]["node"]) for row in active} == TARGETS
    assert {row["scrapeUrl"]: row["lastError"] for row in active if row["health"] != "up"} == {}


def test_gpus_are_counted_where_they_are(prometheus: Server) -> None:
    assert prometheus.by_node("count by (node) (DCGM_FI_DEV_GPU_TEMP)") == {WORKER: 2}
    assert prometheus.by_node("gpu_cluster_gpus_expected > 0") == {WORKER: 2}
    assert prometheus.by_node("gpu_cluster_gpus_usable > 0") == {WORKER: 2}


def test_gpus_are_named_by_model_and_bus(prometheus: Server) -> None:
    rows = prometheus.query("DCGM_FI_DEV_GPU_TEMP")
    seen = {(row["gpu"], row["modelName"], row["pci_bus_id"]) for row, _value in rows}
    assert seen == {
        ("0", "NVIDIA H100 80GB HBM3", "00000000:3B:00.0"),
        ("1", "NVIDIA H100 80GB HBM3", "00000000:43:00.0"),
    }


@pytest.mark.parametrize(
    ("setting", "value", "expression"),
    [
        pytest.param("gpu_1_temperature_c", "61", "DCGM_FI_DEV_GPU_TEMP", id="temperature"),
        pytest.param("gpu_1_utilization_percent", "97", "DCGM_FI_DEV_GPU_UTIL", id="utilization"),
        pytest.param("gpu_1_power_w", "512", "DCGM_FI_DEV_POWER_USAGE", id="power"),
        pytest.param("gpu_1_memory_used_mib", "40960", "DCGM_FI_DEV_FB_USED", id="memory"),
    ],
)
@pytest.mark.usefixtures("gpus")
def test_what_a_gpu_shows_arrives(
    prometheus: Server, setting: str, value: str, expression: str
) -> None:
    simulate(**{setting: value})
    until(
        lambda: prometheus.number(f'{expression}{{gpu="1"}}') == float(value) or None,
        f"{expression} of {value}",
    )


#: MiB that the driver keeps for itself, as the simulated library says it.
RESERVED = 551


def test_memory_is_that_of_the_model(prometheus: Server) -> None:
    assert (
        prometheus.number('DCGM_FI_DEV_FB_USED{gpu="0"} + DCGM_FI_DEV_FB_FREE{gpu="0"}')
        == 81559 - RESERVED
    )


def test_ray_shows_its_nodes(prometheus: Server) -> None:
    assert set(prometheus.by_node("max by (node) (ray_node_mem_total) > 0")) == {HEAD, WORKER}


def test_k3s_shows_its_nodes(prometheus: Server) -> None:
    assert set(prometheus.by_node("kubelet_running_pods")) == {HEAD, WORKER}


def test_rays_dashboard_finds_prometheus(cluster: Cluster) -> None:
    assert cluster.get("/api/prometheus_health")["result"] is True


def dashboard_queries() -> Iterator[Any]:
    """Yield each query of the dashboards that a healthy cluster with Ray, k3s and GPUs answers."""
    rows = json.loads(QUERIES.read_text())
    for number, row in enumerate(rows):
        if row["empty_when"] is None:
            name = f"{row['dashboard']}-{row['panel']}-{number}".replace(" ", "-")
            yield pytest.param(row["query"], id=name)


@pytest.mark.parametrize("query", list(dashboard_queries()))
def test_every_query_of_the_dashboards_has_data(prometheus: Server, query: str) -> None:
    until(lambda: prometheus.query(query), f"data for {query}", 60)


@pytest.mark.parametrize("path", ["/api/v1/query?query=up", "/user/index.html", "/-/reload"])
@pytest.mark.parametrize("password", ["", "guessed"], ids=["none", "wrong"])
def test_prometheus_refuses_who_has_no_password(
    prometheus: Server, path: str, password: str
) -> None:
    assert prometheus.refusal(path, password) == 401


def test_alertmanager_refuses_who_has_no_password(alertmanager: Server) -> None:
    assert alertmanager.refusal("/api/v2/status", "") == 401
    assert alertmanager.refusal("/api/v2/status", alertmanager.password) == 200


@pytest.mark.parametrize("name", NAMES)
def test_exporters_refuse_who_has_no_password(
    by_name: dict[str, Any], secrets: Path, name: str
) -> None:
    password = (secrets / "node_metrics_password").read_text().strip()
    exporter = Server(f"http://{node_address(by_name[name])}:9100", "prometheus", password)
    assert exporter.refusal("/metrics", "") == 401
    assert exporter.refusal("/metrics", password) == 200


@pytest.mark.parametrize("name", NAMES)
def test_services_listen_on_the_node_address_only(by_name: dict[str, Any], name: str) -> None:
    host = by_name[name]
    lines = [line.split()[3] for line in host.check_output("ss -Hltn").splitlines()]
    ours = [line for line in lines if line.rpartition(":")[2] in ("9090", "9093", "9100", "9323")]
    assert ours
    assert {line.rpartition(":")[0] for line in ours} == {node_address(host)}


def test_no_password_is_in_a_file_that_everybody_can_read(
    by_name: dict[str, Any], secrets: Path
) -> None:
    for name in ("monitoring_password", "node_metrics_password"):
        word = (secrets / name).read_text().strip()
        for host in by_name.values():
            found = host.run(f"grep -rls {word} /etc /usr/local /var/lib/rackforge* /run/systemd")
            for path in found.stdout.split():
                assert host.file(path).mode & 0o007 == 0, path


def test_no_password_is_in_a_list_of_processes(by_name: dict[str, Any], secrets: Path) -> None:
    shown = "".join(host.check_output("ps -eww -o args=") for host in by_name.values())
    for name in ("monitoring_password", "node_metrics_password"):
        assert (secrets / name).read_text().strip() not in shown
