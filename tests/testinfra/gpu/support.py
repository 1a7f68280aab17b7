# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of simulated GPUs type, as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.paths import ROOT
from tests.testinfra.playbooks import PLAIN
from tests.testinfra.ray_cluster import Cluster

PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


@dataclass(frozen=True)
class Desk:
    """The control node: runs playbooks on the scenario's inventory."""

    inventory: Path

    def play(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Return how a playbook of the collection ended."""
        argv = [str(PLAYBOOK), f"--inventory={self.inventory}", *options, f"playbooks/{name}.yml"]
        environment = {**os.environ, **PLAIN, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        return subprocess.run(
            argv,
            cwd=ROOT,
            env=environment,
            text=True,
            capture_output=True,
            timeout=1200,
            check=False,
        )

    def status(self, folder: Path) -> dict[str, Any]:
        """Return the document of status.yml."""
        file = folder / "status.json"
        done = self.play("status", "--extra-vars", f"status_file={file}")
        assert done.returncode == 0, done.stdout + done.stderr
        document: dict[str, Any] = json.loads(file.read_text())
        return document


def run_job(cluster: Cluster, script: str) -> subprocess.CompletedProcess[str]:
    """Return how a job of tests/jobs ended."""
    argv = [sys.executable, "scripts/submit_job.py", "--address", cluster.address]
    argv += ["--token-file", str(cluster.token_file), f"tests/jobs/{script}"]
    return subprocess.run(argv, cwd=ROOT, text=True, capture_output=True, timeout=300, check=False)
