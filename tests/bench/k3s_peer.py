"""Time our provision.yml beside k3s-io/k3s-ansible's site.yml, first and second run.

    python -m tests.bench.k3s_peer --peer CHECKOUT --install-script install.sh \
        --ansible-playbook VENV/bin/ansible-playbook

One ansible-playbook runs both, so its installation needs the collections that the peer asks for
(PyPI's package `ansible` has them). Nodes are created anew for each contender, under the same
addresses; binary and images are the same files. What is printed is what ran: nothing is decided.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.timeline import Timeline, read_timeline
from tests.lab.k3s import release
from tests.lab.k3s.releases import DEFAULT_VERSION
from tests.lab.paths import state_of
from tests.lab.shell import check

ROOT = Path(__file__).resolve().parents[2]
LAB = "bnch"
NODES = 3
FORKS = "25"
#: How long nodes may take to be Ready once the playbook has ended.
READY_SECONDS = 120
CONTENDERS = ("ours", "peer", "ours-ports-off")
_TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.+?)\] \*")
_CHANGED = re.compile(r"^changed: \[([^\] ]+)")
_HOST = re.compile(r"^(\S+) ansible_host=(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Nodes:
    """What the API says about nodes: how many are Ready, and since when the last of them is."""

    ready: int
    since: float


@dataclass(frozen=True)
class Run:
    """One run of one contender's playbook."""

    who: str
    turn: str
    timeline: Timeline
    #: Seconds from the start until the playbook had ended and every node was Ready.
    seconds: float
    #: Seconds from the start until the last node turned Ready; None: all stayed so.
    ready: float | None
    #: Processor seconds that ansible-playbook and its children used on the control node.
    processor: float
    calls: Mapping[str, int]
    changed: Sequence[tuple[str, str]]
    restarted: Sequence[str]
    load: float


def changed_tasks(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Return host and name of each task that reported a change, once however many items it had."""
    found: list[tuple[str, str]] = []
    name = ""
    for line in lines:
        if task := _TASK.match(line):
            name = task[1]
        elif (done := _CHANGED.match(line)) and (done[1], name) not in found[-NODES:]:
            found.append((done[1], name))
    return found


def read_nodes(text: str) -> Nodes:
    """Return what `kubectl get nodes -o json` says; text that is no JSON means no node is Ready."""
    try:
        items = json.loads(text)["items"]
    except (ValueError, KeyError):
        return Nodes(0, 0.0)
    moments = [
        datetime.fromisoformat(row["lastTransitionTime"]).timestamp()
        for item in items
        for row in item.get("status", {}).get("conditions", [])
        if row["type"] == "Ready" and row["status"] == "True"
    ]
    return Nodes(len(moments), max(moments, default=0.0))


def main_pid(text: str) -> str:
    """Return the process that `systemctl show --property=MainPID --value` names; "" if none."""
    return " ".join(word for word in text.split() if word != "0")


def restarted(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the hosts whose k3s had a main process before and has another one now."""
    return [host for host, pid in before.items() if pid and after.get(host) != pid]


def peer_inventory(ours: str, artifacts: Path, version: str, token: str) -> dict[str, Any]:
    """Return the inventory in the form of the peer's sample for the nodes of our lab's inventory.

    The first node is the server. Addresses are those that SSH uses, as in the sample.
    """
    hosts = dict(_HOST.findall(ours))
    server, *agents = hosts
    given = dict(line.split("=", 1) for line in ours.splitlines() if line.startswith("ansible_"))
    settings = {
        **given,
        "k3s_version": version,
        "token": token,
        "api_endpoint": hosts[server],
        "airgap_dir": str(artifacts),
    }
    groups = {
        name: {"hosts": {host: {"ansible_host": hosts[host]} for host in members}}
        for name, members in (("server", [server]), ("agent", agents))
    }
    return {"k3s_cluster": {"children": groups, "vars": settings}}


def row(run: Run) -> str:
    """Return a run's row of the table."""
    hosts = run.timeline.hosts
    ready = "stayed so" if run.ready is None else f"{run.ready:.0f} s"
    cells = [
        run.who,
        run.turn,
        f"{run.seconds:.0f} s",
        f"{run.timeline.seconds:.0f} s",
        ready,
        f"{run.processor:.0f} s",
        " ".join(str(host.tasks) for host in hosts if host.name != "localhost"),
        " ".join(str(run.calls.get(host.name, 0)) for host in hosts if host.name != "localhost"),
        str(sum(host.changed for host in hosts)),
        str(len(run.restarted)),
        f"{run.load:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def table(runs: Iterable[Run]) -> str:
    """Return the table of all runs."""
    heads = [
        "who",
        "run",
        "ended and 3 Ready",
        "playbook",
        "last Ready",
        "control CPU",
        "host-tasks per node",
        "SSH calls per node",
        "changed",
        "k3s restarted",
        "load",
    ]
    return "\n".join(
        [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads), *(row(run) for run in runs)]
    )


def again(runs: Iterable[Run]) -> str:
    """Return what the second runs changed, by task."""
    rows = []
    for run in runs:
        if run.turn == "second":
            names = Counter(name for _, name in run.changed)
            rows.append(f"{run.who}, second run: {len(run.changed)} changed, restarted: ")
            rows[-1] += ", ".join(run.restarted) or "none"
            rows += [f"  {name} ({count} nodes)" for name, count in names.items()]
    return "\n".join(rows)


class Bench:
    """Runs the contenders on the lab's nodes."""

    def __init__(self, wish: argparse.Namespace, folder: Path) -> None:
        self.wish = wish
        self.folder = folder
        self.inventory = state_of(LAB).inventory

    def artifacts(self) -> Path:
        """Return a folder with the release's files and the install script, for the peer."""
        target = self.folder / "artifacts"
        if not target.exists():
            shutil.copytree(release(self.wish.version), target)
            shutil.copy(self.wish.install_script, target / "k3s-install.sh")
        return target

    def fresh(self) -> None:
        """Have new nodes and an inventory of a k3s cluster."""
        lab = [sys.executable, "-m", "tests.lab"]
        check([*lab, "down", "--name", LAB])
        size = ["--nodes", str(NODES), "--os", "debian13", "--no-ray-image", "--runtime", "venv"]
        check([*lab, "up", "--name", LAB, *size], timeout=600)
        words = ["--name", LAB, "--servers", "1", "--version", self.wish.version]
        check([sys.executable, "-m", "tests.lab.k3s.inventory", *words], timeout=600)

    def hosts(self) -> dict[str, str]:
        """Return address by name of each node."""
        return dict(_HOST.findall(self.inventory.read_text(encoding="utf-8")))

    def inside(self, host: str, *words: str) -> str:
        """Return what a command printed on a node, whatever its exit status."""
        command = [sys.executable, "-m", "tests.lab", "exec", "--name", LAB, host, "--", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout

    def main_pids(self) -> dict[str, str]:
        """Return the main process of k3s of each node; empty where none runs."""
        show = ("systemctl", "show", "--property=MainPID", "--value", "k3s", "k3s-agent")
        return {host: main_pid(self.inside(host, *show)) for host in self.hosts()}

    def command(self, who: str) -> tuple[list[str], Path]:
        """Return a contender's command and the folder that it runs in."""
        if who == "peer":
            text = self.inventory.read_text(encoding="utf-8")
            made = peer_inventory(text, self.artifacts(), self.wish.version, os.urandom(16).hex())
            path = self.folder / "peer.json"
            path.write_text(json.dumps(made), encoding="utf-8")
            return ["-i", str(path), "playbooks/site.yml"], self.wish.peer
        more = ["-e", "preflight_ports=off"] if who == "ours-ports-off" else []
        return ["-i", str(self.inventory), "playbooks/provision.yml", *more], ROOT

    def environment(self, home: Path, turn: Path) -> dict[str, str]:
        """Return the environment of a run: its own SSH connections, and no one's ~/.kube."""
        return {
            **{name: text for name, text in os.environ.items() if not name.startswith("ANSIBLE_")},
            "HOME": str(home),
            "ANSIBLE_FORKS": FORKS,
            "ANSIBLE_STDOUT_CALLBACK": "default",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(turn),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "bench" / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "ssh_calls",
            "SSH_CALLS_FILE": str(turn / "calls"),
        }

    def play(self, who: str, turn: str, words: Sequence[str], where: Path) -> Run:
        """Run a contender's playbook, wait until the nodes are Ready, and return what it took."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "calls").touch()
        environment = self.environment(self.folder, folder)
        environment["ANSIBLE_CONFIG"] = str(where / "ansible.cfg")
        before, load = self.main_pids(), os.getloadavg()[0]
        begin, moment, used = time.monotonic(), time.time(), os.times()
        lines: list[tuple[float, str]] = []
        log = self.wish.logs / f"{who}-{turn}.log"
        with (
            log.open("w", encoding="utf-8", buffering=1) as copy,
            subprocess.Popen(
                [str(self.wish.ansible_playbook), *words],
                cwd=where,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as run,
        ):
            for line in run.stdout or ():
                lines.append((time.monotonic() - begin, line))
                copy.write(f"{lines[-1][0]:7.1f} {line}")
        ended, now = time.monotonic() - begin, os.times()
        if run.returncode:
            raise SystemExit(f"{who}, {turn} run: exit status {run.returncode}; see {log}")
        settled, ready = self.wait_ready(ended, moment)
        after = self.main_pids()
        names = {address: host for host, address in self.hosts().items()}
        return Run(
            who=who,
            turn=turn,
            timeline=read_timeline(lines, ended),
            seconds=settled,
            ready=ready,
            processor=sum(now[2:4]) - sum(used[2:4]),
            calls=Counter(
                names.get(address, address)
                for address in (folder / "calls").read_text(encoding="utf-8").split()
            ),
            changed=changed_tasks(line for _, line in lines),
            restarted=restarted(before, after),
            load=load,
        )

    def wait_ready(self, ended: float, moment: float) -> tuple[float, float | None]:
        """Return the seconds to the end and all Ready, and those to the last node's turn."""
        server = next(iter(self.hosts()))
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            seen = read_nodes(self.inside(server, "k3s", "kubectl", "get", "nodes", "-o", "json"))
            if seen.ready == NODES:
                turned = seen.since - moment
                return max(ended, turned), turned if turned > 0 else None
            time.sleep(1)
        raise SystemExit(f"{seen.ready} of {NODES} nodes were Ready {READY_SECONDS} s after it")

    def contend(self, who: str) -> list[Run]:
        """Return the first and the second run of a contender on fresh nodes."""
        self.fresh()
        words, where = self.command(who)
        runs = []
        for turn in ("first", "second"):
            runs.append(self.play(who, turn, words, where))
            print(row(runs[-1]), flush=True)
        return runs


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description="Time provisioning k3s beside k3s-ansible")
    parser.add_argument("--peer", type=Path, required=True, help="checkout of k3s-ansible")
    parser.add_argument("--install-script", type=Path, required=True, help="k3s' install.sh")
    default = ROOT / ".venv" / "bin" / "ansible-playbook"
    parser.add_argument("--ansible-playbook", type=Path, default=default)
    parser.add_argument("--version", default=DEFAULT_VERSION)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--logs", type=Path, default=ROOT / ".cache" / "logs" / "k3s_peer")
    wish = parser.parse_args()
    wish.peer, wish.logs = wish.peer.resolve(), wish.logs.resolve()
    wish.ansible_playbook = wish.ansible_playbook.absolute()
    wish.logs.mkdir(parents=True, exist_ok=True)
    if unknown := set(wish.contenders.split(",")) - set(CONTENDERS):
        parser.error(f"--contenders: {', '.join(unknown)}: expected of {', '.join(CONTENDERS)}")
    return wish


def main() -> int:
    """Measure by turns and print."""
    wish = arguments()
    version = check([str(wish.ansible_playbook), "--version"]).splitlines()[0]
    print(f"{time.strftime('%F %T')}: {version}, forks {FORKS}, {os.cpu_count()} cores", flush=True)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="k3sb") as folder:
        bench = Bench(wish, Path(folder))
        try:
            for _ in range(wish.rounds):
                for who in wish.contenders.split(","):
                    runs += bench.contend(who)
        finally:
            check([sys.executable, "-m", "tests.lab", "down", "--name", LAB])
    print(table(runs))
    print(again(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
