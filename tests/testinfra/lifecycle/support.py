# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of a cluster's whole life share: runs of playbooks, nodes, and evidence to await.

Ansible is called as a user calls it, through ansible-playbook with an inventory; nodes are looked
at past Ansible and SSH, through the lab.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import IO, TypeVar

from tests import lab
from tests.lab.control import find
from tests.lab.nodes import Found, find_nodes
from tests.lab.paths import ROOT, state_of
from tests.lab.topology import cluster_subnet
from tests.testinfra.lab_nodes import LABS_OWN
from tests.testinfra.node_snapshot import EXCEPTIONS, Known, Snapshot, compare, snapshot

T = TypeVar("T")

# Any use of Ansible makes these, before this collection does anything and also where it never does.
ANSIBLES_OWN = (
    Known("files", "/root/.ansible", "Ansible's own work directory"),
    Known("files", "/root/.ansible/tmp*", "Ansible's own; a killed run leaves files"),
    Known("files", "/home/*/.ansible", "Ansible's own work directory"),
    Known("files", "/home/*/.ansible/tmp*", "Ansible's own; a killed run leaves files"),
)

RECAP = re.compile(r"^(\S+)\s+: (ok=\d+ .*)$", re.MULTILINE)
TASK = re.compile(r"^TASK \[(.*)\] \*+$")
RAY_VENV = "/opt/ray/2.60.0"
PLAY_SECONDS = 900


@dataclass(frozen=True)
class Played:
    """One run of a playbook, as its user saw it."""

    rc: int
    output: str
    seconds: float

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Return the counts of the recap by host."""
        pairs = (
            (host, (word.split("=") for word in text.split()))
            for host, text in RECAP.findall(self.output)
        )
        return {host: {name: int(count) for name, count in counts} for host, counts in pairs}

    @property
    def changed(self) -> dict[str, int]:
        """Return how much changed on each host of the recap."""
        return {host: counts["changed"] for host, counts in self.recap.items()}

    @property
    def lost(self) -> set[str]:
        """Return the hosts that were unreachable; that a task failed on one is not expected."""
        assert not [host for host, counts in self.recap.items() if counts["failed"]], self.recap
        return {host for host, counts in self.recap.items() if counts["unreachable"]}

    @property
    def changes(self) -> set[tuple[str, str]]:
        """Return (host, task) for everything that changed, or would in check mode."""
        found, task = set(), ""
        for line in self.output.splitlines():
            if begun := TASK.match(line):
                task = begun.group(1)
            elif done := re.match(r"changed: \[(\S+)\]", line):
                found.add((done.group(1), task))
        return found

    @property
    def prose(self) -> str:
        """Return the output with every run of blanks as one, so that wrapped messages compare."""
        return " ".join(self.output.split())


@dataclass
class Running:
    """A run of a playbook that goes on while the test does something to it."""

    process: subprocess.Popen[str]
    started: float
    lines: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    reader: Thread | None = None

    def follow(
        self,
        on_task: Callable[[str, Running], None] | None = None,
        on_line: Callable[[str, Running], None] | None = None,
    ) -> None:
        """Read the output in the background.

        ``on_task`` hears of each task as it begins, ``on_line`` of each line.
        """

        def read(stream: IO[str]) -> None:
            with stream:
                for line in stream:
                    self.lines.append(line)
                    if on_line:
                        on_line(line.rstrip(), self)
                    found = TASK.match(line.rstrip())
                    if found:
                        self.tasks.append(found.group(1))
                        if on_task:
                            on_task(found.group(1), self)

        assert self.process.stdout is not None
        self.reader = Thread(target=read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def kill(self) -> None:
        """End ansible-playbook and everything that it started, as SIGKILL does."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def finish(self, seconds: float = PLAY_SECONDS) -> Played:
        """Return the finished run; one that takes longer than ``seconds`` is killed and fails."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait(timeout=30)
            raise AssertionError(
                f"ansible-playbook did not end within {seconds:.0f} s; its last lines:\n"
                + "".join(self.lines[-40:])
            ) from None
        if self.reader:
            # A connection that outlives the run (ControlPersist) may hold the pipe open.
            self.reader.join(timeout=5)
        return Played(self.process.returncode, "".join(self.lines), time.monotonic() - self.started)


@dataclass(frozen=True)
class Cluster:
    """A lab with an inventory, seen from the control node."""

    lab: str
    inventory: Path
    token: Path

    @property
    def directory(self) -> Path:
        """Where the inventory and what belongs to it lie."""
        return self.inventory.parent

    @property
    def nodes(self) -> list[Found]:
        """Return the lab's containers by number."""
        return find_nodes(self.lab)

    @property
    def names(self) -> list[str]:
        """Return the names that the nodes have in the inventory and call themselves."""
        return [f"node{found.number}" for found in self.nodes]

    def container(self, node: str) -> str:
        """Return the container of a node."""
        return find(node, self.lab).container

    def address(self, node: str) -> str:
        """Return the node address: the one on the cluster network."""
        return dict(find(node, self.lab).addresses)[f"{self.lab}-cluster"]

    def management_address(self, node: str) -> str:
        """Return the address that SSH connects to."""
        return dict(find(node, self.lab).addresses)[f"{self.lab}-management"]

    @property
    def head(self) -> str:
        """Return the head's node address."""
        return self.address("node1")

    def start(
        self,
        playbook: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        on_task: Callable[[str, Running], None] | None = None,
        on_line: Callable[[str, Running], None] | None = None,
    ) -> Running:
        """Start ansible-playbook in a process group of its own."""
        argv = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", str(self.inventory)]
        argv += [str(ROOT / "playbooks" / playbook), *arguments]
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**clean_environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        running = Running(process, time.monotonic())
        running.follow(on_task, on_line)
        return running

    def play(self, playbook: str, *arguments: str, env: Mapping[str, str] | None = None) -> Played:
        """Run a playbook to its end, and show its output when the test fails."""
        played = self.start(playbook, *arguments, env=env).finish()
        told = f"{playbook} {' '.join(arguments)}  # rc {played.rc}, {played.seconds:.0f} s"
        sys.stdout.write(f"$ ansible-playbook {told}\n{tail(played.output)}\n")
        return played

    def run(self, node: str, script: str, *, stdin: str | None = None, timeout: float = 120) -> str:
        """Return what a shell script prints as root on a node; a failure fails the test."""
        done = self.attempt(node, script, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, (
            f"{node}: {script[:200]}: exit status {done.returncode}: {done.stderr[-2000:]}"
        )
        return done.stdout

    def attempt(
        self, node: str, script: str, *, stdin: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Return the result of a shell script as root on a node, whatever it is."""
        return subprocess.run(
            ["docker", "exec", "-i", self.container(node), "sh", "-c", script],
            input=stdin or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )

    def in_network(self, node: str, script: str) -> str:
        """Return what a shell script prints in the node's network with the control node's tools."""
        argv = ["nsenter", "--net", "--target", str(find(node, self.lab).pid), "sh", "-c", script]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout

    def snapshots(self) -> dict[str, Snapshot]:
        """Return how every node stands."""

        def of(node: str) -> Snapshot:
            return snapshot(
                lambda script: self.attempt(node, script).stdout,
                lambda script: self.in_network(node, script),
            )

        names = self.names
        with ThreadPoolExecutor(len(names)) as pool:
            return dict(zip(names, pool.map(of, names), strict=True))

    def differences(self, before: Mapping[str, Snapshot]) -> list[str]:
        """Return what differs on any node from how it stood, but for the named exceptions."""
        after = self.snapshots()
        return [
            f"{node}: {line}"
            for node, old in before.items()
            for line in compare(old, after[node], (*EXCEPTIONS, *ANSIBLES_OWN, *LABS_OWN))
        ]

    @contextmanager
    def powered_off(self, node: str) -> Iterator[None]:
        """Cut a node's power for the block."""
        lab.power_off(node, lab=self.lab)
        try:
            yield
        finally:
            lab.power_on(node, lab=self.lab)


def cluster_of(name: str) -> Cluster:
    """Return the lab's cluster; each node is reached in a way of its own."""
    state = state_of(name)
    inventory = state.directory / "ways.ini"
    inventory.write_text(render_inventory(name))
    return Cluster(name, inventory, state.directory / "secrets" / name / "ray_auth_token")


def render_inventory(name: str) -> str:
    """Return the inventory: root directly, sudo on another port, sudo with a password through NAT.

    What holds for all nodes is taken from the inventory that the lab wrote.
    """
    written = state_of(name).inventory.read_text()
    shared = written.partition("[all:vars]\n")[2]
    ways = {
        1: "ansible_host={address}",
        2: "ansible_host={address} ansible_user=ops ansible_port=2222",
        3: "ansible_host=127.0.0.1 ansible_port={port} ansible_user=alice"
        ' ansible_become_password="{{{{'
        " lookup('ansible.builtin.file', inventory_dir ~ '/sudo_password')"
        ' }}}}"',
    }
    lines = []
    for found in find_nodes(name):
        management = dict(found.addresses)[f"{name}-management"]
        way = ways[found.number].format(address=management, port=found.port)
        group = {1: ["[ray_head]"], 2: ["", "[ray_worker]"]}.get(found.number, [])
        lines += [*group, f"node{found.number} {way} my_iface=eth1 has_gpu=false"]
    return "\n".join(lines) + f"\n\n[all:vars]\n{shared}"


def subnet_of(cluster: Cluster) -> str:
    """Return the cluster network in CIDR form."""
    return cluster_subnet(int(cluster.head.split(".")[2]))


def clean_environment() -> dict[str, str]:
    """Return this process's environment with only the checkout's own settings for Ansible."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "MOLECULE_"))
    }
    return {
        **kept,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        # Tests follow a run by its tasks.
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "PYTHONUNBUFFERED": "1",
    }


def tail(output: str, lines: int = 60) -> str:
    """Return the end of an output."""
    return "\n".join(output.splitlines()[-lines:])


def wait_for(what: str, seconds: float, look: Callable[[], T | None]) -> T:
    """Return the first answer of ``look`` that is not None; AssertionError says what never came."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen is not None:
            return seen
        assert time.monotonic() < end, f"{what}: not seen within {seconds:.0f} s"
        time.sleep(0.5)


def quiet(played: Played, hosts: Sequence[str]) -> bool:
    """Return whether the run succeeded on every host and changed nothing."""
    counts = played.recap
    return played.rc == 0 and all(
        counts.get(host, {}).get("changed") == 0
        and counts[host]["failed"] == 0
        and counts[host]["unreachable"] == 0
        for host in hosts
    )
