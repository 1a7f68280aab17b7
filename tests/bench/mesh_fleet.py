"""The whole mesh of some lab nodes, by the three tasks of preflight."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import expand

ROOT = Path(__file__).resolve().parents[2]
LAB = "meshfleet"
#: Eleven ports of services and Ray's range for workers: 10,010 ports.
TCP = "8076-8086,10002-20000"
MODULE = "rackforge.gpu_cluster.port_mesh"
ADDRESS = "{{ ansible_host | regex_replace('^198.18', '198.19') }}"
#: Peak memory in KiB and open files of the agent of a node.
ASK_AGENT = (
    "p=$(pgrep -x rackforge-mesh); awk '/VmHWM/ {print $2}' /proc/$p/status; ls /proc/$p/fd | wc -l"
)


def playbook(folder: Path, rate: int) -> list[dict[str, Any]]:
    """Return the play; its last task leaves every report in the folder."""
    common = {"address": ADDRESS, "secret": secrets.token_hex(16)}
    me = {
        "host": "{{ inventory_hostname }}",
        "address": ADDRESS,
        "tcp": "{{ listening.report.tcp.ours }}",
        "tcp_served": "{{ listening.report.tcp.served }}",
    }
    others = (
        "{{ (ansible_play_hosts | difference([inventory_hostname]))"
        " | map('extract', hostvars, 'me') | list }}"
    )
    probed = {"state": "probed", "source": "{{ inventory_hostname }}", "rate": rate}
    listening = {"state": "listening", "tcp": TCP, "seconds": 300}
    told = {"report": "{{ probed.report }}", "agent": "{{ agent.stdout_lines }}"}
    tasks: list[dict[str, Any]] = [
        {"name": "connect", "ansible.builtin.ping": {}},
        {"name": "listen", MODULE: {**common, **listening}, "register": "listening"},
        {"name": "between", "ansible.builtin.set_fact": {"me": me}},
        {"name": "probe", MODULE: {**common, **probed, "targets": others}, "register": "probed"},
        {"name": "ask", "ansible.builtin.shell": ASK_AGENT, "register": "agent"},
        {"name": "stop", MODULE: {**common, "state": "absent", "tcp": TCP}},
        {
            "name": "keep",
            "ansible.builtin.copy": {
                "content": told,
                "dest": f"{folder}/{{{{ inventory_hostname }}}}.json",
            },
            "delegate_to": "localhost",
            "become": False,
            "vars": {"ansible_python_interpreter": sys.executable},
        },
    ]
    return [{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}]


def run(folder: Path, rate: int) -> dict[str, float]:
    """Run the play and return the seconds of each task."""
    path = folder / "mesh.json"
    path.write_text(json.dumps(playbook(folder, rate)), encoding="utf-8")
    command = [".venv/bin/ansible-playbook", "-i", f".lab/{LAB}/inventory.ini", str(path)]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_FORKS": "50",
        "ANSIBLE_STDOUT_CALLBACK": "default",
    }
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        lines = [(time.monotonic(), line) for line in process.stdout or ()]
    if process.returncode:
        raise SystemExit("".join(line for _when, line in lines))
    heads = [(when, line) for when, line in lines if line.startswith(("TASK [", "PLAY RECAP"))]
    return {
        line.partition("[")[2].partition("]")[0]: after - when
        for (when, line), (after, _next) in pairwise(heads)
    }


def misjudged(reports: list[dict[str, Any]]) -> int:
    """Return how many ports of the healthy mesh are anything but open."""
    wanted = len(expand(TCP))
    pairs = [pair for report in reports for pair in report["pairs"]]
    return sum(wanted - len(expand(pair["tcp"].get("open", ""))) for pair in pairs)


def show(nodes: int, folder: Path, seconds: dict[str, float]) -> None:
    """Print the figures of one run."""
    kept = [json.loads(each.read_text("utf-8")) for each in folder.glob(f"{LAB}-*.json")]
    reports = [each["report"] for each in kept]
    if len(reports) != nodes:
        raise SystemExit(f"{len(reports)} of {nodes} nodes took part")
    steps = ", ".join(f"{name} {seconds[name]:.1f} s" for name in ("listen", "probe", "stop"))
    ports = nodes * (nodes - 1) * len(expand(TCP))
    memory = max(report["cost"]["peak_memory_kib"] for report in reports) / 1024
    held = max(report["cost"]["most_held"] for report in reports)
    agents = [[int(word) for word in each["agent"]] for each in kept]
    print(
        f"{nodes} nodes, {nodes * (nodes - 1)} pairs, {ports} ports: {steps}, together"
        f" {sum(seconds[name] for name in ('listen', 'probe', 'stop')):.1f} s,"
        f" {misjudged(reports)} misjudged; 3 module calls a node; prober {memory:.0f} MiB and"
        f" {held} connections at most, agent {max(each[0] for each in agents) / 1024:.0f} MiB and"
        f" {max(each[1] for each in agents)} files",
        flush=True,
    )


def lab(*words: str) -> None:
    """Run a command of the lab."""
    subprocess.run([sys.executable, "-m", "tests.lab", *words], cwd=ROOT, check=True)


def measure_fleet(folder: Path, nodes: int, rate: int, runs: int) -> None:
    """Boot so many nodes, run the mesh on them and print what it took."""
    words = ("--nodes", str(nodes), "--os", "debian13", "--no-ray-image", "--runtime", "venv")
    try:
        lab("up", "--name", LAB, *words)
        for _run in range(runs):
            for old in folder.glob("*.json"):
                old.unlink()
            show(nodes, folder, run(folder, rate))
    finally:
        lab("down", "--name", LAB)
