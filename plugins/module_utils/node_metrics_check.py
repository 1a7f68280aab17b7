# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node's exporter answers as it should, and who holds its port if not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links_sockets import ANY
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import holds

UNIT = "prometheus-node-exporter.service"
COLLECTOR = "rackforge-node-metrics"
_OK, _UNAUTHORIZED = 200, 401
_LAST_RUN = "gpu_cluster_collector_last_run_timestamp_seconds"
_ERROR = "gpu_cluster_collector_error"
_TEXTFILE_ERROR = "node_textfile_scrape_error"
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([-+]?[0-9NI]\S*)(?: \d+)?")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Answer:
    """What a request got: a status, or why there was none."""

    status: Optional[int] = None
    text: str = ""
    error: str = ""

    @property
    def words(self) -> str:
        """Return what was seen."""
        return f"status {self.status}" if self.status is not None else self.error


@dataclass(frozen=True)
class Found:
    """The values of an exporter that count here, and how many there are in all."""

    samples: int = 0
    last_run: Optional[float] = None
    textfile_error: bool = False
    failed_parts: tuple[str, ...] = ()
    gpus: Mapping[str, int] = field(default_factory=dict)


def parse_metrics(text: str) -> Found:
    """Return what the text of an exporter says; lines that are no samples are skipped."""
    values: dict[str, float] = {}
    failed, count = [], 0
    for line in text.splitlines():
        found = _SAMPLE.fullmatch(line)
        if found is None:
            continue
        count += 1
        name, labels, number = found.groups()
        if name in (_LAST_RUN, _TEXTFILE_ERROR) or name.startswith("gpu_cluster_gpus_"):
            values[name] = float(number)
        elif name == _ERROR and float(number):
            failed.append(dict(_LABEL.findall(labels or "")).get("part", ""))
    prefix = "gpu_cluster_gpus_"
    return Found(
        samples=count,
        last_run=values.get(_LAST_RUN),
        textfile_error=bool(values.get(_TEXTFILE_ERROR)),
        failed_parts=tuple(failed),
        gpus={k[len(prefix) :]: int(v) for k, v in values.items() if k.startswith(prefix)},
    )


def judge_exporter(url: str, closed: Optional[Answer], answer: Answer) -> list[str]:
    """Return what is wrong with how the exporter answers; ``closed`` is without a password."""
    problems = []
    if answer.status != _OK:
        problems.append(
            f"{url}: saw {answer.words}, expected status {_OK}; try "
            f"'systemctl status {UNIT}' and 'journalctl --unit {UNIT}' on this node"
        )
    if closed is not None and closed.status != _UNAUTHORIZED:
        problems.append(
            f"{url} without a password: saw {closed.words}, expected status {_UNAUTHORIZED}; look "
            "at /etc/rackforge-node-metrics/web.yml on this node"
        )
    return problems


def judge_collector(found: Found, now: float, most_age: float, directory: str) -> list[str]:
    """Return what is wrong with the values of our own collector."""
    look = f"'journalctl --unit {COLLECTOR}.service' on this node tells why"
    if found.textfile_error:
        return [
            f"the node exporter cannot read a file in {directory} (node_textfile_scrape_error is "
            f"1), expected that it can; 'journalctl --unit {UNIT}' on this node names the file"
        ]
    if found.last_run is None:
        return [
            f"the exporter shows no {_LAST_RUN}, expected the collector's values; is "
            f"--collector.textfile.directory={directory} among its flags, and does "
            f"{COLLECTOR}.timer run?"
        ]
    problems = []
    age = now - found.last_run
    if age > most_age:
        problems.append(
            f"the collector's values are {age:.0f} s old, expected {most_age:g} s at most; {look}"
        )
    if found.failed_parts:
        parts = ", ".join(found.failed_parts)
        problems.append(f"the collector could not read: {parts}; {look}")
    return problems


def judge_port(
    listeners: Iterable[Mapping[str, Any]], address: str, port: int, ours: Sequence[str]
) -> str:
    """Return who else holds the port, "" when nobody does.

    ``listeners`` are those of the node's links, ``ours`` the units that may hold it.
    """
    for row in listeners:
        if row["protocol"] != "tcp" or row["address"] not in (ANY, address):
            continue
        if holds(row["ports"], port) and row["unit"] not in ours:
            return (
                f"tcp port {port} of {address} is held by {_holder(row)}, expected it free for the "
                "node exporter. If that is an exporter of yours that is to stay, set "
                "node_metrics_source=existing; else stop it, or set node_metrics_port to a free "
                "port"
            )
    return ""


def _holder(row: Mapping[str, Any]) -> str:
    """Return who it is, in as many words as are known."""
    words = [
        f"container {row['container_name'] or row['container']}" if row["container"] else "",
        f"unit {row['unit']}" if row["unit"] else "",
        f"process {row['pid']} ({row['command'] or row['process']})" if row["pid"] else "",
    ]
    return ", ".join(word for word in words if word) or f"a process of user {row['uid']}"
