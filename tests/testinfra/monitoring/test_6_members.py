# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that comes and goes changes what is asked, and nothing is restarted for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.paths import ROOT
from tests.testinfra.monitoring.conftest import NAMES
from tests.testinfra.monitoring.support import Server
from tests.testinfra.playbooks import changes, ended, start
from tests.testinfra.ray_cluster import until

MONITORING = NAMES[2]
NEW = "new-node"


def pid(host: Any) -> str:
    """Return the process of Prometheus."""
    return str(host.check_output("systemctl show --property MainPID prometheus.service"))


def have_targets(inventory: Path, targets: dict[str, Any]) -> None:
    """Have the targets of some hosts beside those that are there."""
    arguments = {"directory": "/etc/rackforge-monitoring/targets", "targets": targets}
    arguments |= {"keep": list(NAMES)}
    argv = [str(Path(sys.executable).parent / "ansible"), f"--inventory={inventory}", MONITORING]
    argv += ["--become", "--module-name=rackforge.gpu_cluster.scrape_targets"]
    argv += [f"--args={json.dumps(arguments)}"]
    done = subprocess.run(argv, cwd=ROOT, text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def nodes_asked(prometheus: Server) -> set[str]:
    """Return the nodes that Prometheus asks."""
    active = prometheus.get("/api/v1/targets", state="active")["data"]["activeTargets"]
    return {row["labels"]["node"] for row in active}


def test_a_node_comes_and_goes_without_a_restart(
    prometheus: Server, by_name: dict[str, Any], inventory: Path
) -> None:
    before = pid(by_name[MONITORING])
    labels = {"node": NEW, "cluster": "mol-monitoring"}
    target = {"targets": ["198.19.255.254:9100"], "labels": labels}
    have_targets(inventory, {NEW: {"node": [target]}})
    until(lambda: NEW in nodes_asked(prometheus), "the new node's target")
    have_targets(inventory, {})
    until(lambda: nodes_asked(prometheus) == set(NAMES), "the end of the new node's target")
    assert pid(by_name[MONITORING]) == before


def test_another_threshold_is_taken_over_without_a_restart(
    prometheus: Server, by_name: dict[str, Any], inventory: Path
) -> None:
    before = pid(by_name[MONITORING])
    change = json.dumps({"monitoring_alert_gpu_temperature_celsius": 79})
    status, said = ended(start(inventory, "provision.yml", "-e", change))
    assert status == 0, said[-2000:]
    assert changes(said) == {MONITORING: 2}
    rules = prometheus.get("/api/v1/rules")["data"]["groups"]
    hot = next(rule for group in rules for rule in group["rules"] if rule["name"] == "GpuHot")
    assert hot["query"].endswith(">= 79")
    assert pid(by_name[MONITORING]) == before
