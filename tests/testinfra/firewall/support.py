# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the firewalls share: who reaches what, and runs of the role."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests import lab
from tests.lab.paths import ROOT, state_of

LAB = "mol-firewall"
HEAD, UFW, BY_HAND, STRANGER = (f"{LAB}-n{number}" for number in (1, 2, 3, 4))

#: Molecule asks for colours, in which no recap can be read.
PLAIN = {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}

#: The catalogue's ports, those that the owner has open, and some that nobody opened.
SWEPT = (
    "22,443,3306,5000,6379,8000,8076-8079,8100,8265,8443-8444,10001-20000,30080"
    ",44217,44227,52365,54311,56999"
)


def management(node: str) -> str:
    """Return a node's address on the management network, where SSH comes from."""
    found = re.search(rf"^{node} ansible_host=(\S+)", state_of(LAB).inventory.read_text(), re.M)
    assert found, f"{node} is not in the inventory"
    return found[1]


def address(node: str) -> str:
    """Return a node's address on the cluster network."""
    return management(node).replace("198.18.", "198.19.")


def reached(source: str, target: str, ports: str = SWEPT) -> str:
    """Return which of the ports ``source`` reaches at ``target``."""
    words = ["python3", "/srv/doors.py", "knock", address(target), ports]
    done = lab.exec(source, words)
    assert done.ok, done.stderr
    return done.stdout.strip()


def play(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook on the scenario's nodes."""
    running = started(*arguments)
    out, _none = running.communicate(timeout=300)
    return subprocess.CompletedProcess(running.args, running.returncode, out, "")


def started(*arguments: str) -> subprocess.Popen[str]:
    """Start ansible-playbook on the scenario's nodes, in a process group of its own."""
    program = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.Popen(
        [str(program), "-i", str(state_of(LAB).inventory), *arguments],
        cwd=ROOT,
        env={**os.environ, **PLAIN, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def converge(mode: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the role with ``os_base_firewall`` set to ``mode``."""
    book = ROOT / "molecule" / "firewall" / "converge.yml"
    return play(str(book), "--extra-vars", f"os_base_firewall={mode}", *options)


def changes(output: str) -> dict[str, int]:
    """Return from the recap how much changed on each host."""
    found = re.findall(r"^(\S+) +: .*changed=(\d+) .*failed=0", output, re.MULTILINE)
    return {host: int(count) for host, count in found}


def ours(node: str) -> int:
    """Return how many lines of the node's nftables speak of us."""
    said = lab.exec(node, ["sh", "-c", "nft list ruleset | grep -c rackforge || true"])
    return int(said.stdout)
