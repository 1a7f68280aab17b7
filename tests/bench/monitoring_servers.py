"""Measure Prometheus beside VictoriaMetrics on one lab node, on the same targets in the same run.

    python -m tests.bench.monitoring_servers --node mon-n1 --nodes 20 --interval 5 --scrapes 60

The node needs both servers' programs and the node exporter's (Debian 13's packages have them), and
nothing of them running. Three contenders run at once, so that a busy machine is busy for all:
Prometheus; VictoriaMetrics behind vmagent with vmalert; VictoriaMetrics that scrapes by itself with
vmalert. They share one Alertmanager. Prints a table; decides nothing.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import synthetic_exporter
from tests.bench.monitoring_programs import (
    ALONE,
    BEHIND,
    EXPORTER,
    NODES,
    PROMETHEUS,
    commands,
    write_files,
)

ROOT = Path(__file__).resolve().parents[2]
CARRIED = (
    "tests/__init__.py",
    "tests/bench/__init__.py",
    "tests/bench/monitoring_programs.py",
    "tests/bench/monitoring_servers.py",
    "tests/bench/synthetic_exporter.py",
)
#: What a panel asks: the utilisation of each GPU, and the busy processors of each node.
QUERIES = (
    "DCGM_FI_DEV_GPU_UTIL",
    'sum by (node) (rate(node_cpu_seconds_total{mode!="idle"}[1m]))',
)
QUERY_TURNS = 20


@dataclass
class Part:
    """One running program and what it used."""

    name: str
    process: subprocess.Popen[bytes]
    resident: list[float] = field(default_factory=list)
    seconds: float = 0.0
    peak: float = 0.0

    def read(self) -> None:
        """Take note of the memory (MiB) and processor seconds that the program uses by now."""
        folder = Path(f"/proc/{self.process.pid}")
        rows = (row.split() for row in (folder / "status").read_text().splitlines())
        status = {row[0]: row[1] for row in rows if len(row) > 1}
        self.resident.append(int(status["VmRSS:"]) / 1024)
        self.peak = int(status["VmHWM:"]) / 1024
        fields = (folder / "stat").read_text().rsplit(") ", 1)[1].split()
        self.seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contender:
    """What stores samples, with its helpers' names and how it says how much it stored."""

    name: str
    parts: Sequence[str]
    port: int
    counter: str


@dataclass(frozen=True)
class Figures:
    """What a contender needed."""

    contender: str
    resident: float
    peak: float
    seconds: float
    samples: int
    disk: int
    compacted: int
    query: Sequence[float]


CONTENDERS = (
    Contender(
        "Prometheus", ("prometheus",), PROMETHEUS, "prometheus_tsdb_head_samples_appended_total"
    ),
    Contender(
        "VictoriaMetrics, vmagent, vmalert",
        ("behind", "vmagent", "vmalert"),
        BEHIND,
        "vm_rows_added_to_storage_total",
    ),
    Contender(
        "VictoriaMetrics scraping by itself, vmalert",
        ("alone", "alone-vmalert"),
        ALONE,
        "vm_rows_added_to_storage_total",
    ),
)


def fetch(port: int, path: str, data: bytes | None = None) -> str:
    """Return what a program on loopback answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=30) as answer:
        return answer.read().decode()  # type: ignore[no-any-return]


def wait_for(port: int, path: str) -> str:
    """Return the first answer of a program that was just started."""
    for _ in range(100):
        try:
            return fetch(port, path)
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers at 127.0.0.1:{port}{path} 10 s after its start")


def total(text: str, metric: str) -> int:
    """Return the sum of a metric's samples in an exporter's text."""
    rows = (row for row in text.splitlines() if row.startswith((metric + " ", metric + "{")))
    return int(sum(float(row.rsplit(" ", 1)[1]) for row in rows))


def size_of(folder: Path) -> int:
    """Return the bytes on disk under a folder, in blocks as the file system gives them."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_blocks * 512 for path in files)


def record() -> str:
    """Return what a real node exporter says on this machine."""
    command = ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{EXPORTER}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as exporter:
        try:
            return wait_for(EXPORTER, "/metrics")
        finally:
            exporter.terminate()


def query_times(port: int, seconds: float) -> list[float]:
    """Return the median milliseconds of each panel's query over the whole run, at 5 s steps."""
    end = time.time()
    medians = []
    for text in QUERIES:
        asked = {"query": text, "start": end - seconds, "end": end, "step": 5, "nocache": 1}
        path = "/api/v1/query_range?" + urllib.parse.urlencode(asked)
        turns = []
        for _ in range(QUERY_TURNS):
            begin = time.perf_counter()
            answer = json.loads(fetch(port, path))
            turns.append((time.perf_counter() - begin) * 1000)
            if not answer["data"]["result"]:
                raise SystemExit(f"the server at port {port} has nothing for {text}")
        medians.append(statistics.median(turns))
    return medians


def compact(contender: Contender, folder: Path) -> int:
    """Have a server write all to its long-term form, and return that form's bytes on disk."""
    if contender.port == PROMETHEUS:
        answer = json.loads(fetch(PROMETHEUS, "/api/v1/admin/tsdb/snapshot", b""))
        return size_of(folder / "prometheus" / "snapshots" / answer["data"]["name"])
    fetch(contender.port, "/internal/force_flush")
    fetch(contender.port, "/internal/force_merge")
    while total(fetch(contender.port, "/metrics"), "vm_active_force_merges"):
        time.sleep(0.5)
    return size_of(folder / contender.parts[0])


def figures(contender: Contender, parts: Sequence[Part], folder: Path, seconds: float) -> Figures:
    """Return what a contender needed, after it has flushed."""
    own = [part for part in parts if part.name in contender.parts]
    samples = total(fetch(contender.port, "/metrics"), contender.counter)
    moments = zip(*(part.resident for part in own), strict=True)
    together = [sum(rows) for rows in moments]
    resident = statistics.median(together[len(together) // 2 :])
    used = sum(part.seconds for part in own)
    query = query_times(contender.port, seconds)
    if contender.port != PROMETHEUS:
        fetch(contender.port, "/internal/force_flush")
    disk = sum(size_of(folder / name) for name in contender.parts if (folder / name).is_dir())
    return Figures(
        contender.name,
        resident,
        sum(part.peak for part in own),
        used,
        samples,
        disk,
        compact(contender, folder),
        query,
    )


def table(found: Iterable[Figures], seconds: float) -> str:
    """Return the table of what the contenders needed."""
    heads = [
        "contender",
        "resident MiB, median of the second half",
        "sum of peaks, MiB",
        "CPU seconds",
        "samples stored",
        "samples/s",
        "bytes/sample on disk at the end",
        "bytes/sample compacted",
        "median ms per query",
    ]
    rows = [
        [
            one.contender,
            f"{one.resident:.0f}",
            f"{one.peak:.0f}",
            f"{one.seconds:.1f}",
            str(one.samples),
            f"{one.samples / seconds:.0f}",
            f"{one.disk / one.samples:.2f}",
            f"{one.compacted / one.samples:.2f}",
            ", ".join(f"{number:.1f}" for number in one.query),
        ]
        for one in found
    ]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def part_rows(parts: Iterable[Part]) -> str:
    """Return what each program needed by itself."""
    lines = ["| program | resident MiB at the end | peak MiB | CPU seconds |", "|" + " --- |" * 4]
    lines += [
        f"| {part.name} | {part.resident[-1]:.0f} | {part.peak:.0f} | {part.seconds:.1f} |"
        for part in parts
    ]
    return "\n".join(lines)


def measure(wish: argparse.Namespace, folder: Path, parts: list[Part]) -> str:
    """Run the contenders side by side and return their figures."""
    synthetic_exporter.serve(record(), wish.nodes, NODES, wish.interval)
    each = len(fetch(NODES, "/node/0").splitlines())
    write_files(folder, wish.nodes, wish.interval)
    for name, command in commands(folder).items():
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        parts.append(Part(name, process))
    begin = time.monotonic()
    for port, path in ((PROMETHEUS, "/-/ready"), (BEHIND, "/health"), (ALONE, "/health")):
        wait_for(port, path)
    while (seconds := time.monotonic() - begin) < wish.interval * wish.scrapes:
        time.sleep(1)
        for part in parts:
            if part.process.poll() is not None:
                log_text = (folder / f"{part.name}.log").read_text()
                raise SystemExit(f"{part.name} ended early:\n{log_text[-2000:]}")
            part.read()
    found = [figures(one, parts, folder, seconds) for one in CONTENDERS]
    what = (
        f"{wish.nodes} synthetic nodes with {each} series each, scraped every {wish.interval:g} s "
        f"for {seconds:.0f} s; {os.cpu_count()} cores, load average {os.getloadavg()[1]:.1f} "
        f"over the last 5 minutes; {time.strftime('%F %T')}"
    )
    return "\n\n".join([what, table(found, seconds), part_rows(parts)])


def here(wish: argparse.Namespace) -> None:
    """Measure on this machine, and leave nothing running."""
    folder = Path(tempfile.mkdtemp(prefix="monitoring-servers-"))
    parts: list[Part] = []
    try:
        print(measure(wish, folder, parts))
    finally:
        for part in parts:
            part.process.send_signal(signal.SIGTERM)
        for part in parts:
            part.process.wait(30)
        shutil.rmtree(folder)


def there(wish: argparse.Namespace, words: Sequence[str]) -> int:
    """Send this bench to a lab node, run it there, and return its exit status."""
    box = io.BytesIO()
    with tarfile.open(fileobj=box, mode="w") as tar:
        for name in CARRIED:
            tar.add(ROOT / name, name)
    target = "/var/tmp/monitoring-servers"  # noqa: S108 (a lab node of one's own)
    enter = ["docker", "exec", "--interactive", wish.node]
    unpack = f"rm -rf {target} && mkdir {target} && tar -x -C {target}"
    subprocess.run([*enter, "sh", "-c", unpack], input=box.getvalue(), check=True)
    run = f'cd {target} && python3 -m tests.bench.monitoring_servers --here "$@"'
    done = subprocess.run([*enter, "sh", "-c", run, "bench", *words], check=False)
    subprocess.run([*enter, "rm", "-rf", target], check=True)
    return done.returncode


def main() -> int:
    """Measure on the node that the command line names."""
    parser = argparse.ArgumentParser(description="Prometheus beside VictoriaMetrics")
    parser.add_argument("--node", help="a lab node's container, such as mon-n1")
    parser.add_argument("--here", action="store_true", help="measure on this machine")
    parser.add_argument("--nodes", type=int, default=20, help="synthetic nodes")
    parser.add_argument("--interval", type=float, default=5, help="seconds between scrapes")
    parser.add_argument("--scrapes", type=int, default=60, help="scrapes of each node")
    wish = parser.parse_args()
    if wish.here == bool(wish.node):
        parser.error("say either --node NODE or --here")
    if wish.here:
        here(wish)
        return 0
    numbers = [f"--{name}={getattr(wish, name)}" for name in ("nodes", "interval", "scrapes")]
    return there(wish, numbers)


if __name__ == "__main__":
    sys.exit(main())
