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


def end(job: subprocess.Popen[str], head: Any) -> list[str]:
    """Let the job slow_tasks end; return where each of its tasks ran, when none was lost."""
    assert job.poll() is None, job.communicate()[0]
    head.check_output("touch /run/slow_tasks.end")
    said = job.communicate(timeout=300)[0]
    head.check_output("rm /run/slow_tasks.end")
    assert job.returncode == 0, said
    places = [line.removeprefix("done on ") for line in said.splitlines() if "done on " in line]
    assert f"begun {len(places)}, done {len(places)}" in said
    return places


def works(node: Any, title: str) -> None:
    """Return when a process of Ray's with this title runs on the node."""
    until(lambda: node.run(f"pgrep --full '^ray::{title}'").rc == 0, f"{title} at work")
