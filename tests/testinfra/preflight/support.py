# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of preflight share: runs as a user types them, and what each of them found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import control
from tests.lab.faults import in_network, on_node
from tests.lab.paths import ROOT
from tests.testinfra.lifecycle.support import clean_environment, tail

PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
BOOK = ROOT / "playbooks" / "preflight.yml"
RUN_SECONDS = 240
#: Hosts of a finding that speaks of all nodes at once.
EVERYBODY = "all hosts"

#: A finding, as far as tests compare it: its severity, its code and the number of its node (0: the
#: inventory or the control node).
Said = tuple[str, str, int]


@dataclass(frozen=True)
class Report:
    """One run of preflight: its exit status, what it printed and what it wrote down."""

    rc: int
    output: str
    document: Mapping[str, Any]

    @property
    def said(self) -> Counter[Said]:
        """Return the findings; one about all nodes counts for each of them."""
        names = [node["name"] for node in self.document["nodes"]]
        return Counter(
            (each["severity"], each["code"], number_of(host))
            for each in self.document["findings"]
            for host in (names if each["host"] == EVERYBODY else [each["host"]])
        )

    def beyond(self, healthy: Report) -> list[Said]:
        """Return what is said that is not said of healthy nodes."""
        return sorted((self.said - healthy.said).elements())

    def texts(self, code: str) -> dict[str, str]:
        """Return all that the findings with a code say, by host."""
        return {
            each["host"]: " ".join(each[name] for name in ("message", "seen", "expected", "fix"))
            for each in self.document["findings"]
            if each["code"] == code
        }


@dataclass(frozen=True)
class Desk:
    """The control node: runs preflight on the lab's nodes."""

    inventory: Path

    @property
    def lab(self) -> str:
        """Return the name of the lab."""
        return self.inventory.parent.name

    @property
    def report(self) -> Path:
        """Return where preflight writes its report."""
        return self.inventory.parent / "report"

    def start(self, *words: str, inventory: Path | None = None) -> subprocess.Popen[str]:
        """Start preflight in a process group of its own; ``words`` are ``variable=value``."""
        (self.report / "preflight.json").unlink(missing_ok=True)
        argv = [str(PLAYBOOK), "-i", str(inventory or self.inventory), str(BOOK)]
        for word in (f"preflight_report_dir={self.report}", *words):
            argv += ["--extra-vars", word]
        return subprocess.Popen(
            argv,
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def preflight(self, *words: str, inventory: Path | None = None, quiet: bool = False) -> Report:
        """Return how preflight ended, and show what it said when the test fails."""
        running = self.start(*words, inventory=inventory)
        return self.finish(running, quiet)

    def finish(self, running: subprocess.Popen[str], quiet: bool = False) -> Report:
        """Return how a run that was started ended, and show what it said when the test fails."""
        output, _none = running.communicate(timeout=RUN_SECONDS)
        if not quiet:
            sys.stdout.write(f"# exit status {running.returncode}\n{tail(output, 80)}\n")
        document = json.loads((self.report / "preflight.json").read_text())
        return Report(running.returncode, output, document)

    def address(self, node: int) -> str:
        """Return a node's address on the cluster network."""
        return dict(control.find(f"node{node}", self.lab).addresses)[f"{self.lab}-cluster"]

    def other_inventory(self, name: str, text: str) -> Path:
        """Return an inventory beside the lab's own: ``text``, then its variables for all hosts."""
        shared = self.inventory.read_text().partition("[all:vars]\n")[2]
        file = self.inventory.with_name(name)
        file.write_text(f"{text}\n\n[all:vars]\n{shared}")
        return file

    def host_line(self, node: int) -> str:
        """Return a node's line of the lab's inventory."""
        found = re.search(rf"^{self.lab}-n{node} .*$", self.inventory.read_text(), re.MULTILINE)
        assert found, f"{self.inventory}: no line of node {node}"
        return found[0]

    def listening(self, node: int) -> str:
        """Return the TCP and UDP sockets that listen in a node's network, but for SSH and names."""
        shown = in_network(self.lab, node, "ss -Hltun")
        lines = [line.split()[4] for line in shown.splitlines()]
        return " ".join(
            sorted(each for each in lines if not re.search(r"^127\.|:(22|2222)$", each))
        )

    def processes(self, node: int) -> str:
        """Return the names and command lines of a node's Python processes."""
        return on_node(self.lab, node, "pgrep -a 'python|rackforge' || true").strip()

    def ours(self, node: int) -> str:
        """Return what a run has on a node: listeners and processes."""
        return " ".join([self.listening(node), self.processes(node)]).strip()


def number_of(host: str) -> int:
    """Return the number of a node by its name, 0 for what is no node."""
    found = re.search(r"-n(\d+)$", host)
    return int(found[1]) if found else 0
