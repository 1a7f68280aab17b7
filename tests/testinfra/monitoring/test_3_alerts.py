# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that are planted, the alerts that they fire, and that these clear once the fault is gone.

The faults are planted together, since each of them takes its time to be told.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests import lab
from tests.testinfra.monitoring.conftest import NAMES
from tests.testinfra.monitoring.support import Server
from tests.testinfra.ray_cluster import until

HEAD, WORKER, MONITORING = NAMES
LAB = "mol-monitoring"
XID = "NVRM: Xid (PCI:0000:43:00): 79, pid=1234, GPU has fallen off the bus."
#: A file system in memory, which is as full as its size lets it be. The next boot brings it anew.
DISK = "/tmp"
CERTIFICATE = "/etc/docker/certs.d/registry.example/ca.crt"
#: What each fault fires: alert and node.
PLANTED = [
    ("GpuFailed", WORKER),
    ("GpuXidError", WORKER),
    ("GpuThrottled", WORKER),
    ("GpuHot", WORKER),
    ("GpuMemoryFull", WORKER),
    ("GpuEccUncorrected", WORKER),
    ("RayNodeLost", WORKER),
    ("K3sNodeNotReady", WORKER),
    ("ExporterSilent", HEAD),
    ("CollectorSilent", MONITORING),
    ("RebootRequired", WORKER),
    ("DiskWillFill", WORKER),
    ("CertificateExpires", WORKER),
]
#: It follows from GpuThrottled of the same GPU, so nobody is told.
KEPT_BACK = ("GpuHot", WORKER)
#: GpuXidError is kept back too while GpuFailed fires, and outlives it.
TOLD = [each for each in PLANTED if each not in (KEPT_BACK, ("GpuXidError", WORKER))]
#: Seconds for scrape, evaluation, hold and notification together.
PATIENCE = 240


def on(node: str, *command: str) -> None:
    """Run a command on a node, past SSH and Ansible."""
    done = lab.exec(node, list(command), lab=LAB)
    assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"


def certificate(days: int) -> str:
    """Return a certificate that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=days))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
def faults() -> Iterator[None]:
    """The faults, planted."""
    lab.gpus(
        WORKER,
        {
            "gpu.0.temperature_c": "93",
            "gpu.0.throttle_reasons": "0x40",
            "gpu.0.memory_used_mib": "80900",
            "gpu.0.ecc_volatile_uncorrected": "2",
            "gpu.1.fault": "lost",
            "kernel_log.1": XID,
        },
        lab=LAB,
    )
    on(WORKER, "systemctl", "stop", "ray.service", "k3s-agent.service")
    on(HEAD, "systemctl", "stop", "prometheus-node-exporter.service")
    on(MONITORING, "systemctl", "stop", "rackforge-node-metrics.timer")
    on(WORKER, "mount", "-o", "remount,size=256m", DISK)
    on(WORKER, "fallocate", "-l", "240M", f"{DISK}/file")
    on(WORKER, "touch", "/run/reboot-required")
    on(WORKER, "mkdir", "-p", str(Path(CERTIFICATE).parent))
    on(WORKER, "sh", "-c", f"printf %s {shlex.quote(certificate(5))} > {CERTIFICATE}")
    yield
    lab.gpus(WORKER, reset=True, lab=LAB)


@pytest.fixture(scope="module")
def mended(request: pytest.FixtureRequest) -> None:
    """The faults, mended."""
    request.getfixturevalue("faults")
    lab.gpus(WORKER, reset=True, lab=LAB)
    on(WORKER, "systemctl", "start", "k3s-agent.service", "ray.service")
    on(HEAD, "systemctl", "start", "prometheus-node-exporter.service")
    on(MONITORING, "systemctl", "start", "rackforge-node-metrics.timer")
    on(WORKER, "rm", f"{DISK}/file")
    on(WORKER, "rm", "-r", "/run/reboot-required", str(Path(CERTIFICATE).parents[1]))


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
@pytest.mark.parametrize(("alert", "node"), TOLD)
def test_the_receiver_is_told(by_name: dict[str, Any], alert: str, node: str) -> None:
    until(lambda: (alert, node, "firing") in told(by_name), f"{alert} of {node}", PATIENCE)


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize(("alert", "node"), PLANTED)
def test_the_alert_clears(prometheus: Server, alert: str, node: str) -> None:
    until(lambda: (alert, node) not in prometheus.firing(), f"the end of {alert}", PATIENCE)


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize(("alert", "node"), TOLD)
def test_the_receiver_is_told_of_the_end(by_name: dict[str, Any], alert: str, node: str) -> None:
    until(lambda: (alert, node, "resolved") in told(by_name), f"the end of {alert}", PATIENCE)


def test_what_follows_from_another_fault_is_kept_back(by_name: dict[str, Any]) -> None:
    assert KEPT_BACK not in {(alert, node) for alert, node, _status in told(by_name)}


def test_a_node_that_is_off_fires_one_alert(prometheus: Server) -> None:
    lab.gpus(WORKER, {"gpu.1.fault": "absent"}, lab=LAB)
    lab.power_off(WORKER, lab=LAB)
    until(lambda: ("NodeDown", WORKER) in prometheus.firing(), "NodeDown", PATIENCE)
    assert prometheus.firing() == {("NodeDown", WORKER)}


def test_a_gpu_that_a_boot_does_not_bring_back_is_missing(prometheus: Server) -> None:
    lab.power_on(WORKER, lab=LAB)
    missing = {("GpuMissing", WORKER)}
    until(lambda: prometheus.firing() == missing, "GpuMissing alone", PATIENCE)
    # The card is back at the next boot.
    lab.gpus(WORKER, reset=True, lab=LAB)
    lab.power_off(WORKER, lab=LAB)
    lab.power_on(WORKER, lab=LAB)
    until(lambda: prometheus.firing() == set(), "silence after the boot", PATIENCE)
