"""A synthetic exporter: the text of a real node exporter and eight GPUs, for any number of nodes.

It answers /node/NUMBER with values that change once per interval, so that every server that
scrapes within one interval stores the same samples. Standard library only: it runs on a lab node.
"""

from __future__ import annotations

import random
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GPUS = 8
_SAMPLE = re.compile(r"^(?P<series>(?P<name>[a-zA-Z_:][\w:]*)(?:\{.*\})?) (?P<value>\S+)$")
#: What a GPU reports: name, kind, lowest and highest value of a gauge, or growth per interval.
GPU_METRICS = (
    ("DCGM_FI_DEV_GPU_TEMP", "gauge", 38, 84),
    ("DCGM_FI_DEV_POWER_USAGE", "gauge", 70, 690),
    ("DCGM_FI_DEV_POWER_MGMT_LIMIT", "fixed", 700, 700),
    ("DCGM_FI_DEV_GPU_UTIL", "gauge", 0, 100),
    ("DCGM_FI_DEV_FB_USED", "gauge", 0, 81000),
    ("DCGM_FI_DEV_FB_FREE", "gauge", 0, 81000),
    ("DCGM_FI_DEV_SM_CLOCK", "gauge", 345, 1980),
    ("DCGM_FI_DEV_MEM_CLOCK", "fixed", 2619, 2619),
    ("DCGM_FI_DEV_XID_ERRORS", "fixed", 0, 0),
    ("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "fixed", 0, 0),
    ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "fixed", 0, 0),
    ("DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", "fixed", 3, 3),
    ("DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", "fixed", 0, 0),
    ("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "fixed", 0, 0),
    ("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "fixed", 0, 0),
    ("DCGM_FI_DEV_ROW_REMAP_FAILURE", "fixed", 0, 0),
    ("DCGM_FI_DEV_ROW_REMAP_PENDING", "fixed", 0, 0),
    ("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "fixed", 0, 0),
)


@dataclass
class Series:
    """One line of an exporter's text and how its value moves."""

    name: str
    kind: str
    value: float
    low: float
    high: float

    def move(self, chance: random.Random) -> None:
        """Go on to the next interval: counters grow, gauges wander, the rest stays."""
        if self.kind == "counter":
            self.value = round(self.value + chance.random() * self.high, 2)
        elif self.kind == "gauge":
            step = (self.high - self.low) / 20
            wished = self.value + chance.uniform(-step, step)
            self.value = float(round(min(self.high, max(self.low, wished))))


def recorded_series(text: str) -> list[Series]:
    """Return the series of an exporter's text; what is 0 there, or a state, stays as it is.

    A counter grows by up to a hundredth of what was recorded, or by 5; a gauge above 1000 (bytes,
    sockets) wanders by a tenth around its value.
    """
    kinds: dict[str, str] = {}
    found = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:4]
            kinds[name] = kind
        elif match := _SAMPLE.match(line):
            value = float(match["value"])
            kind = kinds.get(match["name"], "untyped")
            if kind == "counter" and value > 0:
                found.append(Series(match["series"], kind, value, 0, max(5, value / 100)))
            elif kind == "gauge" and value > 1000:
                found.append(Series(match["series"], kind, value, value * 0.9, value * 1.1))
            else:
                found.append(Series(match["series"], "fixed", value, value, value))
    return found


def gpu_series(node: int) -> list[Series]:
    """Return the series of eight GPUs."""
    found = []
    for gpu in range(GPUS):
        labels = (
            f'gpu="{gpu}",UUID="GPU-{node:04d}-{gpu}",pci_bus_id="00000000:{gpu + 16:02X}:00.0",'
            f'device="nvidia{gpu}",modelName="NVIDIA H100 80GB HBM3",Hostname="synthetic{node}",'
            'DCGM_FI_DRIVER_VERSION="580.95.05"'
        )
        found += [
            Series(f"{name}{{{labels}}}", kind, float(low + high) / 2, low, high)
            for name, kind, low, high in GPU_METRICS
        ]
    return found


@dataclass
class Node:
    """One synthetic node: its series and the text of the interval that it was last asked in."""

    series: list[Series]
    chance: random.Random
    interval: int = -1
    text: bytes = b""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def render(self, interval: int) -> bytes:
        """Return the text of an interval, the same to everyone who asks within it."""
        with self.lock:
            if interval > self.interval:
                for one in self.series:
                    one.move(self.chance)
                rows = (f"{one.name} {one.value!r}\n" for one in self.series)
                self.text, self.interval = "".join(rows).encode(), interval
            return self.text


def make_nodes(recorded: str, count: int) -> list[Node]:
    """Return so many nodes, each with the recorded series and its own GPUs."""
    return [
        Node([*recorded_series(recorded), *gpu_series(number)], random.Random(number))  # noqa: S311 (the same values in every run)
        for number in range(count)
    ]


def serve(recorded: str, count: int, port: int, interval: float) -> ThreadingHTTPServer:
    """Return a running server of so many nodes on loopback."""
    nodes = make_nodes(recorded, count)

    class Handler(BaseHTTPRequestHandler):
        """Answers GET /node/NUMBER."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Send the text of a node."""
            body = nodes[int(self.path.rsplit("/", 1)[1])].render(int(time.time() / interval))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
