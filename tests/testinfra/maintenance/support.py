# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of maintenance do to a cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.paths import ROOT
from tests.testinfra.playbooks import ended, start
from tests.testinfra.ray_cluster import Cluster, until


def play(inventory: Path, name: str, **variables: Any) -> tuple[int, str]:
    """Return exit status and output of a playbook with extra variables."""
    return ended(start(inventory, name, "-e", json.dumps(variables)))


def begin(cluster: Cluster, job: str) -> subprocess.Popen[str]:
    """Return a job that was submitted."""
    return subprocess.Popen(
        [sys.executable, "scripts/submit_job.py", "--address", cluster.address,
         "--token-file", str(cluster.token_file), f"tests/jobs/{job}.py"],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def works(node: Any, title: str) -> None:
    """Return when a process of Ray's with this title runs on the node."""
    until(lambda: node.run(f"pgrep --full '^ray::{title}'").rc == 0, f"{title} at work")
