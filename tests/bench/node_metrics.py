"""What the collector of GPU metrics costs on a node, beside gpu_info's core and a scrape.

    python -m tests.bench.node_metrics --name demo --node demo-n2 --runs 10

The node is one of the lab, with the role node_metrics on it; its GPUs are simulated. Seconds of
processor are those of the programs and of what they start, without Ansible.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import statistics
import sys
import zipfile
from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.program_archive import (
    PACKAGE,
    program,
)

from tests.lab.control import find
from tests.lab.shell import check

PROGRAM = "/usr/local/lib/rackforge/node-metrics.pyz"
CONFIG = "/etc/rackforge-node-metrics/collector.json"
EXPORTER = "prometheus-node-exporter.service"
CORE = f"""
import sys
sys.path.insert(0, "/root/bench-core")
from {PACKAGE}.command import Command
from {PACKAGE}.gpu_read import read_gpu_node
from {PACKAGE}.local_host import LocalHost
read_gpu_node(Command(LocalHost()))
"""
#: Runs on the node: prints seconds of the clock and of the processor of each run.
TIMER = """
import json, os, subprocess, sys, time
def cost(argv):
    before, begin = os.times(), time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return time.monotonic() - begin, used
runs, *argv = sys.argv[1:]
print(json.dumps([cost(argv) for _run in range(int(runs))]))
"""
#: Runs on the node: seconds of the clock and of the exporter's processor for one scrape.
SCRAPE = """
import base64, json, os, ssl, subprocess, sys, time, urllib.request
runs, url = int(sys.argv[1]), sys.argv[2]
word = base64.b64encode(sys.stdin.read().strip().encode()).decode()
request = urllib.request.Request(url, headers={"Authorization": "Basic " + word})
show = ["systemctl", "show", "--value", "--property", "MainPID", "prometheus-node-exporter"]
pid = subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()
context = ssl._create_unverified_context() if url.startswith("https") else None
def used():
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
def cost():
    before, begin = used(), time.monotonic()
    urllib.request.urlopen(request, context=context).read()
    return time.monotonic() - begin, used() - before
cost()
print(json.dumps([cost() for _run in range(runs)]))
"""


def core_archive() -> bytes:
    """Return the core that gpu_info uses, and what runs programs for it, as an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part in ("gpu_read", "local_host"):
            with zipfile.ZipFile(io.BytesIO(program(part))) as made:
                for name in set(made.namelist()) - set(archive.namelist()) - {"__main__.py"}:
                    archive.writestr(name, made.read(name))
    return buffer.getvalue()


def show(what: str, rows: list[list[float]]) -> None:
    """Print the median of the clock and of the processor."""
    wall = statistics.median(row[0] for row in rows)
    used = statistics.fmean(row[1] for row in rows)
    print(f"{what}: {wall * 1000:.0f} ms (median), {used * 1000:.0f} ms of processor (mean)")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What the collector costs on a lab node")
    parser.add_argument("--name", required=True, help="the lab")
    parser.add_argument("--node", required=True)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--url", help="the exporter's metrics, to time a scrape")
    parser.add_argument("--secret", type=Path, help="file with the exporter's password")
    wish = parser.parse_args()

    container = find(wish.node, wish.name).container

    def on_node(argv: list[str], given: str = "") -> str:
        return check(["docker", "exec", "-i", container, *argv], stdin=given, timeout=600)

    core = base64.b64encode(core_archive()).decode()
    # Unpacked, so that Python keeps the compiled form, as the collector has it.
    unpack = "base64 -d > /root/bench-core.zip && python3 -m zipfile -e /root/bench-core.zip"
    on_node(["sh", "-c", f"{unpack} /root/bench-core"], core)
    on_node(["python3", "-c", CORE])
    python = ["/usr/bin/python3", "-I", "-S"]
    for what, argv in (
        ("Python that does nothing", [*python, "-c", ""]),
        ("collector", [*python, PROGRAM, CONFIG]),
        ("core of gpu_info", [*python, "-c", CORE]),
    ):
        rows = json.loads(on_node(["python3", "-c", TIMER, str(wish.runs), *argv]))
        show(what, rows)
    if wish.url and wish.secret:
        word = f"prometheus:{wish.secret.read_text(encoding='utf-8').strip()}"
        rows = json.loads(on_node(["python3", "-c", SCRAPE, str(wish.runs), wish.url], word))
        show("scrape of the node exporter", rows)
    on_node(["rm", "-rf", "/root/bench-core", "/root/bench-core.zip"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
