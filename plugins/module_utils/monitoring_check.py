# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges what a server of the Prometheus family answers about targets, metrics and rules.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: What to type on a target's own host, by job.
_UNITS = {
    "node": "prometheus-node-exporter.service",
    "ray": "ray.service",
    "ray-autoscaler": "ray.service",
    "ray-dashboard": "ray.service",
    "docker": "docker.service",
    "k3s-api": "k3s.service",
    "etcd": "k3s.service",
    "prometheus": "prometheus.service",
    "alertmanager": "prometheus-alertmanager.service",
    "victoriametrics": "victoria-metrics.service",
    "vmagent": "vmagent.service",
    "vmalert": "vmalert.service",
    "grafana": "grafana-server.service",
}


#: Severities of the alert rules, the gravest first.
_GRAVITY = {"critical": 0, "warning": 1, "info": 2}
#: What is asked for the alerts that fire.
FIRING = 'ALERTS{alertstate="firing"}'


class MonitoringCheckError(Exception):
    """An answer that is none of the Prometheus API."""


@dataclass(frozen=True)
class Target:
    """Something that is to be scraped."""

    host: str
    job: str
    address: str

    def words(self) -> str:
        """Return what a message calls it."""
        return f"target {self.address} (job {self.job}, host {self.host})"

    def command(self) -> str:
        """Return the next command to type."""
        if self.job == "gpu":
            return f"on {self.host}: docker ps --all"
        if self.job in ("kubelet", "cadvisor"):
            return f"on {self.host}: systemctl status k3s.service k3s-agent.service"
        unit = _UNITS.get(self.job)
        return f"on {self.host}: systemctl status {unit}" if unit else f"look at {self.host}"


@dataclass(frozen=True)
class Sample:
    """One value of an answer, by the job and address it is about."""

    job: str
    address: str
    value: float


def expected_targets(targets: Mapping[str, Mapping[str, Any]]) -> list[Target]:
    """Return every target that is handed in."""
    return [
        Target(host, job, str(address))
        for host, jobs in sorted(targets.items())
        for job, groups in sorted(jobs.items())
        for group in groups
        for address in group.get("targets") or []
    ]


def parse_samples(text: str) -> list[Sample]:
    """Return the samples in an answer of ``/api/v1/query``."""
    rows = _data(text).get("result") or []
    return [
        Sample(
            str(row["metric"].get("job", "")),
            str(row["metric"].get("instance", "")),
            float(row["value"][1]),
        )
        for row in rows
    ]


def parse_firing(text: str) -> list[dict[str, str]]:
    """Return the alerts in an answer about ALERTS, the gravest first: alert, severity, node."""
    rows = [row["metric"] for row in _data(text).get("result") or []]
    found = {
        (str(row.get("severity", "")), str(row.get("alertname", "")), str(row.get("node", "")))
        for row in rows
    }
    ordered = sorted(found, key=lambda each: (_GRAVITY.get(each[0], len(_GRAVITY)), *each))
    return [dict(zip(("severity", "alert", "node"), each)) for each in ordered]


def parse_last_errors(text: str) -> dict[tuple[str, str], str]:
    """Return what went wrong at the last scrape, by job and address, from ``/api/v1/targets``."""
    rows = _data(text).get("activeTargets") or []
    return {
        (str(row["labels"].get("job", "")), str(row["labels"].get("instance", ""))): str(
            row.get("lastError") or ""
        )
        for row in rows
    }


def rule_problems(text: str) -> list[str]:
    """Return what is wrong with rules, from ``/api/v1/rules``."""
    return [
        f"rule {rule.get('name')} of group {group.get('name')}: saw '{rule.get('lastError')}', "
        "expected it to be judged without an error"
        for group in _data(text).get("groups") or []
        for rule in group.get("rules") or []
        if rule.get("health") not in ("ok", "unknown") or rule.get("lastError")
    ]


def rules_wait(text: str) -> bool:
    """Return whether a rule has yet to be judged for the first time."""
    groups = _data(text).get("groups") or []
    return any(
        rule.get("health") == "unknown" for group in groups for rule in group.get("rules") or []
    )


def target_problems(
    expected: Iterable[Target],
    up: Iterable[Sample],
    errors: Mapping[tuple[str, str], str],
) -> list[str]:
    """Return one sentence for each target that is not up."""
    values = {(each.job, each.address): each.value for each in up}
    found = []
    for target in expected:
        key = (target.job, target.address)
        if values.get(key) == 1.0:
            continue
        seen = errors.get(key) or ("down" if key in values else "no scrape of it")
        if key not in errors and key not in values:
            seen = "not among the server's targets"
        found.append(f"{target.words()}: saw '{seen}', expected up; {target.command()}")
    return found


def metric_problems(
    metric: str, expected: Sequence[Target], ages: Iterable[Sample], fresh_seconds: float
) -> list[str]:
    """Return one sentence for each target without a fresh sample of ``metric``."""
    known = {(each.job, each.address): each.value for each in ages}
    found = []
    for target in expected:
        age = known.get((target.job, target.address))
        if age is not None and age <= fresh_seconds:
            continue
        seen = "no sample" if age is None else f"the last sample {age:.0f} s old"
        found.append(
            f"metric {metric} of {target.words()}: saw {seen}, expected one within "
            f"{fresh_seconds:.0f} s; {target.command()}"
        )
    return found


def age_query(metric: str, job: str) -> str:
    """Return the question how old the newest sample of a metric is, in seconds, by target."""
    return f'min by (job, instance) (time() - timestamp({metric}{{job="{job}"}}))'


def _data(text: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(text)
        if answer["status"] != "success":
            raise MonitoringCheckError(f"the server answered {answer.get('error', answer)}")
        data: Mapping[str, Any] = answer["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise MonitoringCheckError(
            f"the server answered '{text[:80]}', expected JSON of the Prometheus API"
        ) from error
    return data
