# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics in Prometheus' text format: one registry for everything in the process, as in k3s.

Source: docs.k3s.io, Metrics (every endpoint shows the metrics of all components of the process);
Kubernetes' metrics reference; etcd's and cAdvisor's lists of metrics. Names and labels are
theirs; a handful of each is here.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONTENT = "text/plain; version=0.0.4; charset=utf-8"
_STARTED = time.time()
#: Upper bounds in seconds, some of those of the real API server.
_BOUNDS = (0.005, 0.05, 0.2, 1.0, 5.0, 60.0)


@dataclass(frozen=True)
class Row:
    """One sample."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: str = "gauge"


Source = Callable[[], Iterable[Row]]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def rendered(rows: Iterable[Row]) -> str:
    """Return the rows as text, those of one name together under their type."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row)
    lines = []
    for name, same in sorted(found.items()):
        lines.append(f"# TYPE {name} {same[0].kind}")
        for row in same:
            labels = ",".join(f'{key}="{_escaped(text)}"' for key, text in row.labels.items())
            shown = f"{{{labels}}}" if labels else ""
            lines.append(f"{name}{shown} {_number(row.value)}")
    return "\n".join(lines) + "\n"


def process_rows() -> list[Row]:
    """Return what every process shows of itself."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return [
        Row("process_start_time_seconds", _STARTED),
        Row("process_cpu_seconds_total", sum(os.times()[:2]), kind="counter"),
        Row("process_resident_memory_bytes", pages * os.sysconf("SC_PAGE_SIZE")),
        Row("process_open_fds", len(os.listdir("/proc/self/fd"))),
        Row("process_max_fds", os.sysconf("SC_OPEN_MAX")),
    ]


class Metrics:
    """What the process shows at every address at which it shows metrics."""

    def __init__(self, version: str = "") -> None:
        self.version = version
        self._sources: list[Source] = [process_rows]
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._seconds: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def add(self, source: Source) -> None:
        """Show this too."""
        self._sources.append(source)

    def note(self, verb: str, resource: str, code: int, seconds: float = 0.0) -> None:
        """Count a request to the API, which took so long."""
        with self._lock:
            self._requests[verb, resource, str(code)] += 1
            self._seconds.setdefault(verb, []).append(seconds)

    def _latencies(self) -> list[Row]:
        name = "apiserver_request_duration_seconds_bucket"
        with self._lock:
            taken = {verb: list(seconds) for verb, seconds in self._seconds.items()}
        return [
            Row(
                name, sum(each <= bound for each in seconds), {"verb": verb, "le": shown}, "counter"
            )
            for verb, seconds in sorted(taken.items())
            for bound, shown in [*((each, str(each)) for each in _BOUNDS), (math.inf, "+Inf")]
        ]

    def _api(self) -> list[Row]:
        with self._lock:
            counted = sorted(self._requests.items())
        return [
            Row(
                "apiserver_request_total",
                count,
                {"verb": verb, "resource": resource, "code": code},
                "counter",
            )
            for (verb, resource, code), count in counted
        ]

    def text(self) -> str:
        """Return everything."""
        rows = [row for source in self._sources for row in source()]
        about = Row("kubernetes_build_info", 1, {"git_version": self.version})
        return rendered([*rows, *self._api(), *self._latencies(), about])


class MetricsPort(ThreadingHTTPServer):
    """A plain HTTP socket that shows /metrics and /health to everybody, as etcd's does."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], text: Callable[[], str]) -> None:
        super().__init__(address, _Handler)
        self.text = text

    def start(self) -> None:
        """Answer from now on, in threads."""
        threading.Thread(target=self.serve_forever, args=(0.2,), daemon=True).start()

    def end(self) -> None:
        """Answer nobody any more."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: MetricsPort

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (base class)
        """Say nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        text = self.server.text() if path == "/metrics" else '{"health":"true"}'
        is_known = path in ("/metrics", "/health")
        data = text.encode() if is_known else b"404 page not found\n"
        self.send_response(200 if is_known else 404)
        self.send_header("Content-Type", CONTENT)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
