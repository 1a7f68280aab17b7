# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of a k3s cluster's maintenance do to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.lab.paths import ROOT
from tests.testinfra.playbooks import PLAIN, ended, start

LAB = "mol-k3s-maintenance"
SERVER, SECOND, THIRD = NODES = tuple(f"{LAB}-n{number}" for number in (1, 2, 3))
OLD, NEW = "v1.33.5+k3s1", "v1.34.1+k3s1"
#: A pod that may only run on nodes with a label that the tests give, and so is where they want it.
_WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {web: "yes"}
      containers: [{name: web, image: rancher/mirrored-pause:3.6}]
"""
#: Its only pod must stay, so no eviction is allowed.
_BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: keep-web}
spec:
  minAvailable: 1
  selector: {matchLabels: {app: web}}
"""


def play(inventory: Path, name: str, *options: str, **variables: Any) -> tuple[int, str]:
    """Return exit status and output of a playbook with extra variables."""
    return ended(start(inventory, name, "-e", json.dumps(variables), *options))


def killed_at(inventory: Path, name: str, task: str) -> int:
    """Return how a playbook ended that was killed, with all it had started, at a task."""
    run = subprocess.Popen(
        [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(inventory), f"playbooks/{name}"],
        cwd=ROOT, text=True, env={**os.environ, **PLAIN}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert run.stdout is not None
    with run.stdout:
        for line in run.stdout:
            if line.startswith("TASK [") and task in line:
                os.killpg(run.pid, signal.SIGKILL)
                break
    return run.wait(timeout=60)


def unit_started(node: Any, unit: str) -> str:
    """Return when a unit began."""
    return str(node.check_output(f"systemctl show --property=ExecMainStartTimestamp {unit}"))


def shims(node: Any) -> str:
    """Return the processes of a node's pods."""
    return str(node.check_output("pgrep --full '[c]ontainerd-shim-runc-v2'"))


def prose(said: str) -> str:
    """Return what a run said without its line ends."""
    return " ".join(said.split())


class K3s:
    """The cluster as its administrator sees it on the server."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def kubectl(self, words: str) -> str:
        """Return what kubectl prints."""
        return str(self.server.check_output(f"k3s kubectl {words}"))

    def nodes(self) -> dict[str, Any]:
        """Return the nodes by name."""
        rows = json.loads(self.kubectl("get nodes -o json"))["items"]
        return {row["metadata"]["name"]: row for row in rows}

    def versions(self) -> dict[str, str]:
        """Return the version that each node runs."""
        rows = self.nodes().items()
        return {name: row["status"]["nodeInfo"]["kubeletVersion"] for name, row in rows}

    def ready(self) -> list[str]:
        """Return the names of the nodes that are Ready."""
        return sorted(
            name
            for name, row in self.nodes().items()
            for each in row["status"]["conditions"]
            if each["type"] == "Ready" and each["status"] == "True"
        )

    def closed(self) -> list[str]:
        """Return the names of the nodes that take no pods."""
        rows = self.nodes().items()
        return sorted(name for name, row in rows if row["spec"].get("unschedulable"))

    def _apply(self, verb: str, text: str) -> None:
        self.server.check_output(f"cat > /run/web.yaml <<'END'\n{text}END")
        self.kubectl(f"{verb} -f /run/web.yaml")

    def run_web(self, node: str) -> None:
        """Have the pod run on one node."""
        self.allow_web(node)
        self._apply("apply --validate=false", _WEB)
        self.wait_web()

    def allow_web(self, *nodes: str) -> None:
        """Let the pod run on these nodes and no others."""
        self.kubectl("label nodes --all web-")
        self.kubectl(f"label nodes {' '.join(nodes)} web=yes")

    def wait_web(self) -> None:
        """Return when the pod is there."""
        self.kubectl("rollout status deployment/web --timeout=120s")

    def web(self) -> dict[str, str]:
        """Return where the pod runs, by its name."""
        rows = json.loads(self.kubectl("get pods -l app=web -o json"))["items"]
        return {
            row["metadata"]["name"]: row["spec"].get("nodeName", "")
            for row in rows
            if not row["metadata"].get("deletionTimestamp")
        }

    def forbid(self) -> None:
        """Forbid that the pod is evicted."""
        self._apply("apply --validate=false", _BUDGET)

    def permit(self) -> None:
        """Take the budget away."""
        self._apply("delete --ignore-not-found", _BUDGET)

    def end_web(self) -> None:
        """Take the pod away."""
        self._apply("delete --ignore-not-found", _WEB)
        self.kubectl("label nodes --all web-")
