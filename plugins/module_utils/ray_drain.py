# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drain of one node's Ray decides: who works there, what is still awaited, what to say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Optional

#: While it lies there systemd does not start Ray: the unit of a worker has it as a condition.
MARK = "/etc/ray/drained"
#: Starts Ray anew once a node whose drain was given up has ended its work.
REJOIN_UNIT = "rackforge-ray-rejoin.service"
ALIVE = "ALIVE"
#: Namespaces of drivers that belong to Ray itself.
_INTERNAL = "_ray_internal"
#: How Ray names its processes, and those among them that do no work of the owner's.
_TITLE = "ray::"
_IDLE = ("IDLE", "DashboardAgent", "RuntimeEnvAgent", "SPILL", "RESTORE")
_MOST = 10


@dataclass(frozen=True)
class Mark:
    """Why a node is drained, since when (UTC) and by whom."""

    since: str
    reason: str
    by: str

    def text(self) -> str:
        """Return the mark's file."""
        return json.dumps(asdict(self), sort_keys=True) + "\n"


def parse_mark(text: Optional[str]) -> Optional[Mark]:
    """Return the mark in a file's text; None without one. What cannot be read still counts."""
    if text is None:
        return None
    try:
        told = json.loads(text)
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    return Mark(*(str(told.get(key) or "") for key in ("since", "reason", "by")))


@dataclass(frozen=True)
class Raylet:
    """The Ray that runs on a node, by its own command line."""

    pid: int
    node_id: str
    address: str
    gcs_address: str
    python: str
    is_head: bool
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def ray(self) -> str:
        """Return the program ``ray`` beside its Python."""
        return self.python.rpartition("/")[0] + "/ray"


@dataclass(frozen=True)
class Driver:
    """A program on the node that uses Ray by itself."""

    job_id: str
    pid: int
    entrypoint: str

    def text(self) -> str:
        """Return it as an error names it."""
        return f"driver {' '.join(self.entrypoint.split())[:60] or '?'} (pid {self.pid})"


@dataclass(frozen=True)
class ClusterView:
    """What the head tells: the state of each node by its id, its address, and the drivers here."""

    states: Mapping[str, str]
    addresses: Mapping[str, str]
    drivers: tuple[Driver, ...]

    def is_alive(self, node_id: str) -> bool:
        """Return whether the head counts on this node."""
        return self.states.get(node_id) == ALIVE


def parse_view(text: str, node_id: str) -> ClusterView:
    """Return what the last line of the script's output says; ValueError where it says nothing."""
    lines = text.strip().splitlines()
    told = json.loads(lines[-1]) if lines else {}
    if not isinstance(told, dict) or "nodes" not in told:
        raise ValueError("no list of nodes")
    rows = told["nodes"]
    return ClusterView(
        states={row["node_id"]: row["state"] for row in rows},
        addresses={row["node_id"]: row["address"] for row in rows},
        drivers=tuple(
            Driver(row["job_id"], int(row["pid"]), row["entrypoint"])
            for row in told["jobs"]
            if row["node_id"] == node_id and not row["namespace"].startswith(_INTERNAL)
        ),
    )


def working(titles: Iterable[tuple[int, str]]) -> list[str]:
    """Return the tasks and actors among the processes of a node, by their pids and titles."""
    named = [(pid, title[len(_TITLE) :]) for pid, title in titles if title.startswith(_TITLE)]
    return [f"{name} (pid {pid})" for pid, name in named if not name.startswith(_IDLE)]


def explain_timeout(name: str, seconds: int, drivers: Sequence[Driver], work: list[str]) -> str:
    """Return what kept the node from being drained, and what becomes of it."""
    what = [driver.text() for driver in drivers] + work
    more = f" and {len(what) - _MOST} more" if len(what) > _MOST else ""
    left = ", ".join(what[:_MOST]) + more or "objects that jobs still hold in its object store"
    after = (
        "The node goes on as before."
        if drivers
        else "Nothing was stopped. Ray cannot take a drain back: the node takes no new work until "
        "that has ended; then its Ray starts anew by itself and takes work again."
    )
    return (
        f"{name} is not drained within {seconds} s: still there: {left}. {after} Stop it yourself, "
        "raise ray_drain_timeout_seconds, or lose it with ray_drain_force=true"
    )
