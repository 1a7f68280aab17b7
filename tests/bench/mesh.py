"""Time the port mesh beside nmap and a plain epoll loop, and the whole mesh on lab nodes.

    python -m tests.bench.mesh pair --rounds 7                one pair, all ports open
    python -m tests.bench.mesh pair --rounds 1 --dropped      all dropped; nmap takes minutes
    python -m tests.bench.mesh pair --rounds 1 --udp          100 UDP ports; nmap takes minutes
    python -m tests.bench.mesh fleet --nodes 3,8 --rate 3000  the three tasks on lab nodes

A pair is two network namespaces with a cable between them (root). The peers take turns in the same
run; what each takes is its whole process, from start to end. Nodes of a fleet share this machine's
kernel and its connection tracking, so that they are given a lower rate than real ones.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import Wish
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Target
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import expand
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_probe import Order, probe
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_start import start_agent
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import key_of

from tests.bench.mesh_fleet import measure_fleet

ROOT = Path(__file__).resolve().parents[2]
HERE, THERE = "198.18.99.1", "198.18.99.2"
SPACES = ("meshbench-a", "meshbench-b")
TCP, UDP = "10002-20000", "31000-31099"
KEY = key_of("bench")
RATE = 200_000
DROP = f"""
table inet b {{
  chain i {{
    type filter hook input priority 0
    tcp dport {TCP} drop
  }}
}}
"""


def do(*words: str, space: str = "", text: str = "") -> str:
    """Return what a program prints; in a network namespace when one is named."""
    prefix = ["ip", "netns", "exec", space] if space else []
    done = subprocess.run(
        [*prefix, *words], cwd=ROOT, input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} exited {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def two_spaces() -> Iterator[None]:
    """Have two network namespaces with a cable between them for the block."""
    try:
        for space in SPACES:
            do("ip", "netns", "add", space)
        do("ip", "link", "add", "mba", "netns", SPACES[0], "type", "veth", "peer", "mbb")
        do("ip", "link", "set", "mbb", "netns", SPACES[1])
        for space, link, address in zip(SPACES, ("mba", "mbb"), (HERE, THERE), strict=True):
            do("ip", "address", "add", f"{address}/24", "dev", link, space=space)
            for each in (link, "lo"):
                do("ip", "link", "set", each, "up", space=space)
        yield
    finally:
        for space in SPACES:
            subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)


def listen() -> None:
    """Start the agent, with limits that are high enough."""
    report = start_agent(KEY, Wish(THERE, TCP, UDP, 3600))
    print(json.dumps(report.to_plain()))


def ours(udp: bool) -> None:
    """Probe as the module does, and print how many ports got which verdict."""
    target = Target("b", THERE, udp=UDP) if udp else Target("b", THERE, tcp=TCP)
    pair = probe(KEY, "a", Order(HERE, (target,), RATE, mtu=False)).pairs[0]
    print(counts(pair.udp if udp else pair.tcp))


def counts(verdicts: dict[str, str] | Any) -> str:
    """Return "9999 open"."""
    return ", ".join(f"{len(expand(ports))} {verdict}" for verdict, ports in verdicts.items())


ROLES: dict[str, Callable[[], None]] = {
    "listen": listen,
    "ours": lambda: ours(udp=False),
    "ours-udp": lambda: ours(udp=True),
}


def role(name: str) -> list[str]:
    """Return the command of one of our own parts."""
    return [sys.executable, "-m", "tests.bench.mesh", "role", name]


def wait_until_idle(space: str) -> None:
    """Return when the agent there has dealt with what the last peer left it."""
    process = do("ip", "netns", "pids", space).split()[0]
    before, now = "", "?"
    while before != now:
        before = now
        time.sleep(0.2)
        now = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[11]


def peers(udp: bool) -> dict[str, list[str]]:
    """Return the commands that take turns."""
    nmap = ["nmap", "-n", "-Pn", "-T4"]
    if udp:
        return {"ours": role("ours-udp"), "nmap": [*nmap, "-sU", "-p", UDP, THERE]}
    return {
        "ours": role("ours"),
        "nmap": [*nmap, "-sT", "-p", TCP, THERE],
        "epoll": [sys.executable, "-m", "tests.bench.plain_epoll", THERE, *TCP.split("-")],
    }


def summary_of_nmap(text: str) -> str:
    """Return what nmap found, in one line."""
    lines = [line for line in text.splitlines() if "/tcp" in line or "/udp" in line]
    found = [line.split()[1] for line in lines if len(line.split()) > 1]
    listed = [f"{found.count(state)} {state}" for state in sorted(set(found))]
    shown = [line for line in text.splitlines() if "Not shown" in line or "are in ignored" in line]
    return ", ".join([*listed, *shown])


def measure_pair(rounds: int, dropped: bool, udp: bool) -> None:
    """Print the medians of all peers and the ratios to ours."""
    commands = peers(udp)
    if not shutil.which("nmap"):
        print("nmap: not installed")
        del commands["nmap"]
    took: dict[str, list[float]] = {name: [] for name in commands}
    said: dict[str, str] = {}
    with two_spaces():
        if dropped:
            do("nft", "-f", "-", space=SPACES[1], text=DROP)
        do(*role("listen"), space=SPACES[1])
        for number in range(rounds + (rounds > 1)):
            for name, command in commands.items():
                wait_until_idle(SPACES[1])
                begun = time.monotonic()
                text = do(*command, space=SPACES[0])
                if number or rounds == 1:
                    took[name].append(time.monotonic() - begun)
                said[name] = summary_of_nmap(text) if name == "nmap" else text.strip()
        for line in do("ip", "netns", "pids", SPACES[1]).split():
            do("kill", line)
    ours_median = statistics.median(took["ours"])
    for name, figures in took.items():
        median = statistics.median(figures)
        print(
            f"{name}: median {median:.2f} s of {len(figures)} ({min(figures):.2f} to"
            f" {max(figures):.2f}), ours takes {ours_median / median:.2f} of it; {said[name]}"
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    commands = parser.add_subparsers(dest="what", required=True)
    pair = commands.add_parser("pair")
    pair.add_argument("--rounds", type=int, default=5)
    pair.add_argument("--dropped", action="store_true")
    pair.add_argument("--udp", action="store_true")
    fleet = commands.add_parser("fleet")
    fleet.add_argument("--nodes", default="3,8")
    fleet.add_argument("--rate", type=int, default=3000)
    fleet.add_argument("--runs", type=int, default=1)
    commands.add_parser("role").add_argument("name", choices=sorted(ROLES))
    wish = parser.parse_args()
    if wish.what == "role":
        ROLES[wish.name]()
    elif wish.what == "pair":
        measure_pair(wish.rounds, wish.dropped, wish.udp)
    else:
        with tempfile.TemporaryDirectory() as folder:
            for nodes in (int(word) for word in wish.nodes.split(",")):
                measure_fleet(Path(folder), nodes, wish.rate, wish.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
