# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the alert rules must do: samples over time, and which alerts fire when.

``python -m tests.testinfra.alert_cases FOLDER`` writes alerts.yml, promtool_test.yml and
vmalert_test.yml there, for ``promtool test rules`` and ``vmalert-tool unittest``.

Every look asks for all alerts that fire, so a case fails as well when one cause makes two of them
speak. A fault begins at minute 10 and ends at minute 40 unless the case says otherwise; most
alerts hold for two minutes. Values are promtool's: 1x9 is 1 ten times, _x9 nothing nine times.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.filter.monitoring_alert_rules import (
    monitoring_alert_rules,
)

Labels = dict[str, str]
Firing = tuple[str, Labels]
Row = tuple[str, str]

PORTS = {
    "node": 9100,
    "gpu": 9400,
    "ray": 54311,
    "ray-autoscaler": 44217,
    "ray-dashboard": 44227,
    "docker": 9323,
    "kubelet": 10250,
    "cadvisor": 10250,
    "k3s-api": 6443,
    "etcd": 2381,
}
SEVERITY = {
    "NodeDown": "critical",
    "RayNodeLost": "critical",
    "RayMetricsMissing": "warning",
    "GpuMissing": "critical",
    "GpuFailed": "critical",
    "GpuXidError": "warning",
    "GpuEccUncorrected": "critical",
    "GpuRowRemapFailure": "critical",
    "GpuHot": "warning",
    "GpuThrottled": "warning",
    "GpuMemoryFull": "info",
    "NodeMemoryFull": "warning",
    "DiskWillFill": "warning",
    "ClockSkew": "warning",
    "DriverMismatch": "warning",
    "CertificateExpires": "warning",
    "ExporterSilent": "warning",
    "CollectorSilent": "warning",
    "RebootRequired": "info",
    "TargetDown": "warning",
    "K3sNodeNotReady": "critical",
}
SLOT = {"gpu": "0", "pci_bus_id": "00000000:1B:00.0"}
GPU = {**SLOT, "UUID": "GPU-1", "modelName": "NVIDIA H100"}
OTHER = {
    "gpu": "1",
    "pci_bus_id": "00000000:43:00.0",
    "UUID": "GPU-2",
    "modelName": "NVIDIA H100",
}
ROOT = {"device": "/dev/sda1", "fstype": "ext4", "mountpoint": "/"}

#: Values that are well, bad from minute 10 to 39, and well again.
FAULT = "0x9 1x29 0x40"
OFF = "1x9 0x29 1x40"
FINE = "1x80"


@dataclass(frozen=True)
class Case:
    """Samples, what fires at which minute, and one alert with its texts."""

    name: str
    series: tuple[Row, ...]
    looks: tuple[tuple[int, tuple[Firing, ...]], ...]
    text: tuple[str, Labels, Labels] | None = None


def on(node: str, job: str = "node") -> Labels:
    """Return the labels that a scrape gives."""
    address = f"198.18.0.{'abc'.index(node) + 1}:{PORTS[job]}"
    return {"node": node, "job": job, "instance": address}


def row(metric: str, labels: Labels, values: str) -> Row:
    """Return a series of the cluster and its values."""
    shown = ", ".join(f'{key}="{each}"' for key, each in {"cluster": "lab", **labels}.items())
    return f"{metric}{{{shown}}}", values


#: What Ray's own processes give, by the job that answers for them.
RAYS_OWN = {"ray": "ray_resources", "ray-autoscaler": "ray_gcs_actors_count"}


def up(node: str, *jobs: str, values: str = FINE) -> list[Row]:
    """Return whether the jobs of a node answer; Ray's have metrics of their own while they do."""
    own = [row(RAYS_OWN[job], on(node, "ray"), FINE) for job in jobs if job in RAYS_OWN]
    return [*answers(node, *jobs, values=values), *own]


def answers(node: str, *jobs: str, values: str = FINE) -> list[Row]:
    """Return whether the jobs of a node answer, and nothing that they say."""
    return [row("up", on(node, job), values) for job in jobs]


def usual(*firing: Firing) -> tuple[tuple[int, tuple[Firing, ...]], ...]:
    """Return the looks at an alert that holds: before, pending, firing, cleared."""
    return (9, ()), (11, ()), (13, firing), (39, firing), (42, ())


def at_once(*firing: Firing) -> tuple[tuple[int, tuple[Firing, ...]], ...]:
    """Return the looks at an alert that does not hold."""
    return (9, ()), (10, firing), (39, firing), (40, ())


def documents(cases: list[Case], kind: str) -> dict[str, Any]:
    """Return the file of tests for ``promtool`` or ``vmalert``."""
    return {
        "rule_files": ["alerts.yml"],
        "evaluation_interval": "1m",
        "tests": [_test(case, kind) for case in cases],
    }


def _test(case: Case, kind: str) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": case.name,
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series],
        ("promql_expr_test" if kind == "promtool" else "metricsql_expr_test"): [
            _look(minute, firing, kind) for minute, firing in case.looks
        ],
    }
    if case.text:
        name, labels, texts = case.text
        expected = {"cluster": "lab", "severity": SEVERITY[name], **labels, **_group(name, kind)}
        test["alert_rule_test"] = [
            {
                "eval_time": "20m",
                "alertname": name,
                "exp_alerts": [{"exp_labels": expected, "exp_annotations": texts}],
                **_group(name, kind, "groupname"),
            }
        ]
    return test


def _group(alert: str, kind: str, label: str = "alertgroup") -> Labels:
    """Return what vmalert adds to an alert: the name of its group."""
    in_gpus = alert.startswith("Gpu") or alert == "DriverMismatch"
    return {} if kind == "promtool" else {label: "gpus" if in_gpus else "nodes"}


def _look(minute: int, firing: tuple[Firing, ...], kind: str) -> dict[str, Any]:
    samples = []
    for name, labels in firing:
        about = {"alertname": name, "alertstate": "firing", "severity": SEVERITY[name], **labels}
        about.update(_group(name, kind))
        samples.append({"labels": row("ALERTS", about, "")[0], "value": 1})
    return {
        "expr": 'ALERTS{alertstate="firing"}',
        "eval_time": f"{minute}m",
        "exp_samples": samples,
    }


def write(folder: Path) -> None:
    """Write the rules with their default numbers, and the tests of both programs."""
    # Not before: the cases are made with what is above.
    from tests.testinfra.alert_cases_gpu import GPU_CASES
    from tests.testinfra.alert_cases_node import NODE_CASES

    (folder / "alerts.yml").write_text(monitoring_alert_rules({}), encoding="utf-8")
    for kind in ("promtool", "vmalert"):
        tests = documents([*NODE_CASES, *GPU_CASES], kind)
        text = yaml.safe_dump(tests, sort_keys=False)
        (folder / f"{kind}_test.yml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the three files are written")
    write(parser.parse_args().folder)
