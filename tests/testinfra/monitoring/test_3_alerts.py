# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that are planted, the alerts that they fire, and that these clear once the fault is gone.

The faults are planted together, since each of them takes its time to be told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import lab
from tests.testinfra.monitoring.conftest import NAMES
from tests.testinfra.monitoring.support import Server
from tests.testinfra.ray_cluster import until

HEAD, WORKER, MONITORING = NAMES
LAB = "mol-monitoring"
XID = "NVRM: Xid (PCI:0000:43:00): 48, pid=1234, Double Bit ECC Error"
#: What each fault fires: alert and node.
PLANTED = [
    ("GpuMissing", WORKER),
    ("GpuHot", WORKER),
    ("GpuThrottled", WORKER),
    ("GpuMemoryFull", WORKER),
    ("GpuEccUncorrected", WORKER),
    ("GpuXidError", WORKER),
    ("RayNodeLost", WORKER),
    ("ExporterSilent", HEAD),
    ("CollectorSilent", MONITORING),
    ("RebootRequired", MONITORING),
]
#: Seconds for scrape, evaluation, hold and notification together.
PATIENCE = 150


def on(node: str, *command: str) -> None:
    """Run a command on a node, past SSH and Ansible."""
    done = lab.exec(node, list(command), lab=LAB)
    assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def faults() -> Iterator[None]:
    """The faults, planted."""
    lab.gpus(
        WORKER,
        {
            "gpu.0.temperature_c": "93",
            "gpu.0.throttle_reasons": "0x40",
            "gpu.0.memory_used_mib": "81000",
            "gpu.0.ecc_volatile_uncorrected": "2",
            "gpu.1.fault": "lost",
            "kernel_log.1": XID,
        },
        lab=LAB,
    )
    on(WORKER, "systemctl", "stop", "ray.service")
    on(HEAD, "systemctl", "stop", "prometheus-node-exporter.service")
    on(MONITORING, "systemctl", "stop", "rackforge-node-metrics.timer")
    on(MONITORING, "touch", "/run/reboot-required")
    yield
    lab.gpus(WORKER, reset=True, lab=LAB)


@pytest.fixture(scope="module")
def mended(request: pytest.FixtureRequest) -> None:
    """The faults, mended."""
    request.getfixturevalue("faults")
    lab.gpus(WORKER, reset=True, lab=LAB)
    on(WORKER, "systemctl", "start", "ray.service")
    on(HEAD, "systemctl", "start", "prometheus-node-exporter.service")
    on(MONITORING, "systemctl", "start", "rackforge-node-metrics.timer")
    on(MONITORING, "rm", "/run/reboot-required")


def told(by_name: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return what the receiver of alerts has got: alert, node, and firing or resolved."""
    lines = by_name[MONITORING].check_output("cat /srv/alerts.jsonl").splitlines()
    rows = [row for line in lines for row in json.loads(line)["alerts"]]
    return {
        (row["labels"]["alertname"], row["labels"].get("node", ""), row["status"]) for row in rows
    }


# The receiver of samples is away from here on, for test_4, and nobody is told of that here.
@pytest.mark.usefixtures("absence")
def test_a_healthy_cluster_fires_nothing(prometheus: Server) -> None:
    until(lambda: prometheus.firing() == set(), f"silence instead of {prometheus.firing()}")


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize(("alert", "node"), PLANTED)
def test_a_fault_fires_its_alert(prometheus: Server, alert: str, node: str) -> None:
    until(lambda: (alert, node) in prometheus.firing(), f"{alert} of {node}", PATIENCE)


@pytest.mark.usefixtures("faults")
def test_no_other_alert_fires(prometheus: Server) -> None:
    assert prometheus.firing() == set(PLANTED)


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize(("alert", "node"), PLANTED)
def test_the_receiver_is_told(by_name: dict[str, Any], alert: str, node: str) -> None:
    until(lambda: (alert, node, "firing") in told(by_name), f"{alert} of {node}", PATIENCE)


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize(("alert", "node"), PLANTED)
def test_the_alert_clears(prometheus: Server, alert: str, node: str) -> None:
    until(lambda: (alert, node) not in prometheus.firing(), f"the end of {alert}", PATIENCE)


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize(("alert", "node"), PLANTED)
def test_the_receiver_is_told_of_the_end(by_name: dict[str, Any], alert: str, node: str) -> None:
    until(lambda: (alert, node, "resolved") in told(by_name), f"the end of {alert}", PATIENCE)


def test_a_node_that_is_off_fires_one_alert(prometheus: Server) -> None:
    lab.power_off(WORKER, lab=LAB)
    try:
        until(lambda: ("NodeDown", WORKER) in prometheus.firing(), "NodeDown", PATIENCE)
        assert prometheus.firing() == {("NodeDown", WORKER)}
    finally:
        lab.power_on(WORKER, lab=LAB)
    until(lambda: prometheus.firing() == set(), "silence after the boot", 240)
