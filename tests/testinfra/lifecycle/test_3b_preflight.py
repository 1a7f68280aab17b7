# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight of the cluster while it works: no false alarm, and nobody notices."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.paths import ROOT
from tests.testinfra.lifecycle.support import Cluster, wait_for
from tests.testinfra.lifecycle.test_3_use import alive, api

PROGRAM = (ROOT / "tests" / "jobs" / "busy.py").read_text()
#: Waves of tasks that must come and go before, and after, every port was tried.
WAVES = 3


class BusyJob:
    """A job that has every node start workers and move objects until it is stopped."""

    def __init__(self, cluster: Cluster) -> None:
        self.head = api(cluster)
        self.name = self.head.submit(self._command("run"))

    def waves(self) -> int:
        """Return how many waves of tasks have ended."""
        return self.head.log(self.name).count("\nwave ")

    def wait_for_waves(self, count: int) -> None:
        """Return when so many more waves have ended."""
        goal = self.waves() + count
        wait_for(f"{goal} waves of tasks", 300, lambda: self.waves() >= goal or None)

    def stop(self) -> dict[str, Any]:
        """Return the record of the job, which ended by itself when told to."""
        stopper = self.head.submit(self._command("stop"))
        assert self.head.wait(stopper, 120)["status"] == "SUCCEEDED"
        return self.head.wait(self.name, 180)

    def _command(self, word: str) -> str:
        return f"python -c {shlex.quote(PROGRAM)} {word}"


@contextmanager
def busy(cluster: Cluster) -> Iterator[BusyJob]:
    """Have the job run for the block, and none of it afterwards."""
    job = BusyJob(cluster)
    try:
        yield job
    finally:
        if job.head.call(f"/api/jobs/{job.name}")["status"] in ("PENDING", "RUNNING"):
            job.head.call(f"/api/jobs/{job.name}/stop", {})


def preflight(cluster: Cluster, folder: Path) -> dict[str, Any]:
    """Return what preflight wrote down; it found no error."""
    played = cluster.play(
        "preflight.yml", "-e", f"preflight_report_dir={folder}", "-e", "preflight_ports=required"
    )
    assert played.rc == 0
    document: dict[str, Any] = json.loads((folder / "preflight.json").read_text())
    return document


def said(document: dict[str, Any]) -> Counter[tuple[str, str, str]]:
    """Return severity, code and host of every finding."""
    found = document["findings"]
    return Counter((each["severity"], each["code"], each["host"]) for each in found)


def dead_workers(cluster: Cluster) -> set[str]:
    """Return the workers that Ray says did not end as they should."""
    answer = api(cluster).call("/api/v0/workers?detail=true&limit=10000")
    rows: list[dict[str, Any]] = answer["data"]["result"]["result"]
    return {row["worker_id"] for row in rows if row.get("exit_type") == "SYSTEM_ERROR"}


def units(cluster: Cluster) -> list[str]:
    """Return what tells one start of each node's Ray from another."""
    return [cluster.run(name, "systemctl show -p InvocationID ray") for name in cluster.names]


@pytest.fixture(scope="module")
def idle(cluster: Cluster) -> dict[str, Any]:
    """What preflight says of the cluster while it has nothing to do."""
    return preflight(cluster, cluster.directory / "scratch" / "idle")


def test_preflight_of_a_provisioned_cluster_has_no_false_alarm(idle: dict[str, Any]) -> None:
    assert idle["counts"]["error"] == 0
    names = {node["name"] for node in idle["nodes"]}
    between = [cell for cell in idle["mesh"]["cells"] if cell["source"] in names]
    assert len(between) == len(names) * (len(names) - 1)
    assert {cell["state"] for cell in between} == {"good"}


def test_a_working_cluster_does_not_notice(
    cluster: Cluster, idle: dict[str, Any], scratch: Path
) -> None:
    running, nodes, dead = units(cluster), alive(cluster), dead_workers(cluster)
    with busy(cluster) as job:
        job.wait_for_waves(WAVES)
        document = preflight(cluster, scratch)
        job.wait_for_waves(WAVES)
        record, log = job.stop(), job.head.log(job.name)
    assert record["status"] == "SUCCEEDED", log[-2000:]
    everybody = ",".join(sorted(cluster.address(name) for name in cluster.names))
    assert f"enough=True wrong=0 nodes={everybody}" in log
    assert sorted((said(document) - said(idle)).elements()) == []
    assert units(cluster) == running
    assert alive(cluster) == nodes
    assert dead_workers(cluster) == dead
