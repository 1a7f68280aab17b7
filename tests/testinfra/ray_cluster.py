# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of Ray clusters ask of nodes and of the head's API."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.lab.paths import ROOT

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Cluster:
    """A cluster as its users reach it: the head's API, and the token."""

    address: str
    token_file: Path

    def get(self, path: str, token: str | None = None) -> Any:
        """Return the answer of the head's API, asked with the cluster's token or another one."""
        known = self.token_file.read_text().strip() if token is None else token
        request = urllib.request.Request(f"{self.address}{path}")
        if known:
            request.add_header("Authorization", f"Bearer {known}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def refusal(self, path: str, token: str) -> int:
        """Return the status with which the head refuses a request, 200 when it does not."""
        try:
            self.get(path, token)
        except urllib.error.HTTPError as error:
            return error.code
        return 200

    def nodes(self) -> dict[str, Any]:
        """Return the nodes that are ALIVE, by node address."""
        rows = self.get("/api/v0/nodes?detail=true")["data"]["result"]["result"]
        return {row["node_ip"]: row for row in rows if row["state"] == "ALIVE"}

    def submit(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Return how scripts/submit_job.py ended with a job that asks every node where it is."""
        argv = [sys.executable, "scripts/submit_job.py", "--address", self.address, *options]
        argv += ["tests/jobs/where.py"]
        return subprocess.run(
            argv, cwd=ROOT, text=True, capture_output=True, timeout=300, check=False
        )


def listeners(host: Any) -> dict[int, set[str]]:
    """Return the addresses on which a node listens, by TCP port."""
    found: dict[int, set[str]] = {}
    for line in host.check_output("ss -Hltn").splitlines():
        address, _colon, port = line.split()[3].rpartition(":")
        found.setdefault(int(port), set()).add(address)
    return found


def node_address(host: Any) -> str:
    """Return the node's address on the cluster network."""
    words = host.check_output("ip -4 -oneline address show eth1").split()
    return str(words[3]).partition("/")[0]


def until(ask: Callable[[], Answer | None], what: str, seconds: float = 90) -> Answer:
    """Return the first answer that holds something; AssertionError says what did not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.5)  # between two looks at the evidence
    raise AssertionError(f"{what}: not within {seconds:.0f} s")
