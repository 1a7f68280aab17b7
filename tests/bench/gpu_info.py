"""Time gpu_info beside an empty module in one run, and the parsers alone.

    python -m tests.bench.gpu_info --runs 10                                          this machine
    python -m tests.bench.gpu_info --inventory .lab/demo/inventory.ini --host demo-n2   a node

Both modules run in one playbook, by turns: what Ansible and SSH cost is in both. A GPU need not be
there; with one, the figures say so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_log import gpu_lines
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_packages import (
    parse_listing,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import read_bus
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_smi import (
    parse_smi_xml,
)

from tests.unit.plugins.gpu_trees import FIXTURES, read_fixture

HERE = "localhost"
ROOT = Path(__file__).resolve().parents[2]
EMPTY = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
AnsibleModule(argument_spec={}, supports_check_mode=True).exit_json(changed=False)
"""


def playbook(runs: int, host: str) -> str:
    """Return a playbook that runs both modules by turns, once more than counted to warm up."""
    turns: list[dict[str, Any]] = [
        {"name": f"{kind} {number}", name: {}}
        for number in range(runs + 1)
        for kind, name in (("empty", "empty"), ("gpu_info", "rackforge.gpu_cluster.gpu_info"))
    ]
    count = {"msg": "count={{ ansible_facts['gpu']['count'] }}"}
    turns.append({"name": "end", "ansible.builtin.debug": count})
    play = {"hosts": host, "gather_facts": False, "become": host != HERE, "tasks": turns}
    return json.dumps([play])


def run_playbook(runs: int, inventory: str, host: str) -> list[tuple[float, str]]:
    """Return the lines that the playbook prints with the seconds at which they came."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "library").mkdir()
        (Path(folder) / "library" / "empty.py").write_text(EMPTY, encoding="utf-8")
        path = Path(folder) / "bench.json"
        path.write_text(playbook(runs, host), encoding="utf-8")
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "default",
            "ANSIBLE_LIBRARY": f"{folder}/library",
        }
        here = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
        command = [".venv/bin/ansible-playbook", "-i", inventory, str(path)]
        command += ["-e", here] if host == HERE else []
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        ) as run:
            lines = [(time.monotonic(), line) for line in run.stdout or ()]
    if run.returncode:
        raise SystemExit("".join(line for _when, line in lines))
    return lines


def durations(lines: Iterable[tuple[float, str]], kind: str) -> list[float]:
    """Return the seconds from the headings of one kind to the next heading, without the first."""
    headings = [(when, line) for when, line in lines if line.startswith("TASK [")]
    return [
        after - when
        for (when, line), (after, _next) in pairwise(headings)
        if line.startswith(f"TASK [{kind} ")
    ][1:]


def throughput(function: Callable[[], object], least: float = 0.5) -> float:
    """Return how often a function ran in a second."""
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < least:
        function()
        count += 1
    return count / (time.perf_counter() - begin)


def show_parsers() -> None:
    """Print how fast each parser is on the largest text that it has a fixture of."""
    report = (FIXTURES / "nvidia" / "h100-x8" / "nvidia-smi.txt").read_text(encoding="utf-8")
    listing = (FIXTURES / "system" / "debian13-cuda-repository" / "dpkg.txt").read_text("utf-8")
    noise = "".join(f"[{n:>10}.0] usb 1-1: new device number {n}\n" for n in range(10_000))
    devices = read_fixture("hgx-h100-8")
    addresses = [each.address for each in devices]
    for what, size, function in (
        ("PCI bus of 8 GPUs and 4 NVSwitches", 0, lambda: read_bus(devices)),
        ("nvidia-smi -q -x of 8 GPUs", len(report), lambda: parse_smi_xml(report)),
        ("package listing", len(listing), lambda: parse_listing(listing)),
        ("kernel log of 10,000 lines", len(noise), lambda: gpu_lines([noise], addresses)),
    ):
        rate = throughput(function)
        volume = f", {rate * size / 1e6:.1f} MB/s" if size else ""
        print(f"{what}: {rate:.0f} a second{volume}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Time gpu_info beside an empty module")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--inventory", default=f"{HERE},")
    parser.add_argument("--host", default=HERE)
    wish = parser.parse_args()
    lines = run_playbook(wish.runs, wish.inventory, wish.host)
    gpus = next(line.partition("count=")[2].strip(' \n"') for _, line in lines if "count=" in line)
    empty, ours = durations(lines, "empty"), durations(lines, "gpu_info")
    first, second = statistics.median(empty), statistics.median(ours)
    print(f"GPUs of {wish.host}: {gpus}; {len(ours)} runs of each, medians")
    print(f"empty module: {first * 1000:.0f} ms")
    print(f"gpu_info: {second * 1000:.0f} ms, {second / first:.2f} times the empty module")
    show_parsers()
    return 0


if __name__ == "__main__":
    sys.exit(main())
