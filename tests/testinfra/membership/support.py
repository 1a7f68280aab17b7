# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster whose inventory the tests edit, as its owner would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import lab
from tests.lab.groups import regrouped
from tests.lab.paths import ROOT, state_of
from tests.testinfra.playbooks import ended, start
from tests.testinfra.ray_cluster import Cluster as Api

LAB = os.environ.get("MEMBERSHIP_LAB", "mol-membership")
HEAD, SECOND, THIRD, FOURTH = (f"{LAB}-n{number}" for number in (1, 2, 3, 4))
NODES = (HEAD, SECOND, THIRD, FOURTH)
_RECAP = re.compile(r"^(\S+)\s*: ok=(\d+)\s+changed=(\d+)", re.MULTILINE)
_DELEGATED = re.compile(r"^(?:ok|changed): \[\S+ -> ([^(\]\s]+)", re.MULTILINE)


@dataclass(frozen=True)
class Played:
    """How a playbook ended."""

    rc: int
    said: str
    seconds: float

    @property
    def prose(self) -> str:
        """Return the output with every run of blanks as one, so that wrapped messages compare."""
        return " ".join(self.said.split())

    @property
    def changed(self) -> dict[str, int]:
        """Return how many tasks changed something, by host of the recap."""
        return {host: int(changed) for host, _ok, changed in _RECAP.findall(self.said)}

    @property
    def tasks(self) -> dict[str, int]:
        """Return how many tasks ran on each host: its own, and those that others had run there."""
        found = {host: int(ok) for host, ok, _changed in _RECAP.findall(self.said)}
        for host in _DELEGATED.findall(self.said):
            found[host] = found.get(host, 0) + 1
        return found


class Cluster:
    """The lab's nodes, of which the inventory names some."""

    def __init__(self, name: str) -> None:
        state = state_of(name)
        self.inventory = state.directory / "members.ini"
        self.head = HEAD
        self._written = state.inventory.read_text()
        self.directory: Path = state.directory
        self.token: Path = state.directory / "secrets" / name / "ray_auth_token"

    @property
    def api(self) -> Api:
        """Return the head's API."""
        return Api(f"http://{self.address(self.head)}:8265", self.token)

    def has(self, *nodes: str, head: str = HEAD) -> None:
        """Have the inventory name these nodes and no other."""
        self.head = head
        groups: Mapping[str, Sequence[str]] = {
            node: ["ray_head" if node == head else "ray_worker"] for node in nodes
        }
        self.inventory.write_text(regrouped(self._written, groups, {}))

    def play(self, name: str, *options: str) -> Played:
        """Run a playbook to its end."""
        begun = time.monotonic()
        rc, said = ended(start(self.inventory, name, *options))
        played = Played(rc, said, time.monotonic() - begun)
        counts = json.dumps(played.tasks, sort_keys=True)
        sys.stdout.write(
            f"\n# {name} {' '.join(options)}: {played.seconds:.0f} s, tasks {counts}\n"
        )
        return played

    def run(self, node: str, script: str) -> str:
        """Return what a shell script prints as root on a node."""
        done = lab.exec(node, ["sh", "-c", script], lab=LAB)
        assert done.ok, f"{node}: {script}: exit status {done.rc}: {done.stderr}"
        return done.stdout

    def address(self, node: str) -> str:
        """Return the node's address on the cluster network."""
        return self.run(node, "ip -4 -oneline address show eth1").split()[3].partition("/")[0]

    def ray_started(self, *nodes: str) -> dict[str, str]:
        """Return when Ray was started on each node, and as which process."""
        script = "systemctl show ray.service --property=ActiveEnterTimestamp,MainPID,NRestarts"
        return {node: self.run(node, script) for node in nodes}

    def knows(self, node: str) -> set[str]:
        """Return the members that a node finds by name."""
        return set(re.findall(rf"{LAB}-n\d+", self.run(node, "cat /etc/hosts"))) & set(NODES)

    def lets_in(self, node: str, other: str) -> bool:
        """Return whether a node's closing table names the address of another one."""
        return self.address(other) in self.run(node, "nft list table inet rackforge")

    def submit(self, script: str) -> subprocess.Popen[str]:
        """Return a job that has been submitted and that is waited for."""
        argv = [sys.executable, "scripts/submit_job.py", "--address", self.api.address]
        argv += ["--token-file", str(self.token), script]
        return subprocess.Popen(
            argv, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
