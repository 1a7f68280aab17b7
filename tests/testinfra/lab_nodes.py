# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a lab's nodes stood before a scenario, and what differs now.

``python -m tests.testinfra.lab_nodes mol-docker`` writes down how they stand, beside the lab's
inventory; with ``--node`` it compares one of them, and tests ask for the ``differences``. Both go
past SSH and Ansible.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

from tests import lab
from tests.lab.control import find
from tests.lab.paths import State, state_of
from tests.lab.shell import check
from tests.testinfra.node_snapshot import EXCEPTIONS, Known, Run, Snapshot, compare, snapshot

FILE = "before.json"

# What every run of Ansible or every use of iptables leaves, whatever a role does.
LEFT_BY_TOOLS = (
    Known("files", "/root/.ansible", "Ansible's own work directory"),
    Known("files", "/root/.ansible/tmp", "Ansible's own work directory"),
    Known("files", "/home/*/.ansible", "Ansible's own work directory"),
    Known("files", "/home/*/.ansible/tmp", "Ansible's own work directory"),
    # Rules are items of their own, so none hides behind these two.
    Known("firewall", "nft *{", "a table or chain without rules; without nft it cannot be removed"),
    Known("firewall", "nft *policy accept;", "an open chain that may be without rules"),
)

# A lab node is a container: its engine's name server gets new ports whenever it is switched on.
LABS_OWN = (
    Known("firewall", "*DOCKER_OUTPUT* 127.0.0.11*", "the name server of the lab's engine"),
    Known("firewall", "*DOCKER_POSTROUTING* 127.0.0.11*", "the name server of the lab's engine"),
    Known("sockets", "* 127.0.0.11:*", "the name server of the lab's engine"),
)

# What a node's second boot changes, whatever was done to it.
LEFT_BY_A_BOOT = (
    *LABS_OWN,
    Known("mounts", "/sys/fs/cgroup*", "the lab's engine mounts them anew"),
    Known("units", "graphical.target", "the default target that came back holds at the next boot"),
    Known("units", "lab-ssh-keys.service", "makes the node's keys at its first boot only"),
    Known("units", "ldconfig.service", "runs at the first boot, and after upgrades"),
    Known("units", "systemd-*-update.service", "runs at the first boot, and after upgrades"),
    Known("units", "systemd-update-done.service", "runs at the first boot, and after upgrades"),
    Known("units", "systemd-machine-id-commit.service", "runs at the first boot only"),
    Known("units", "systemd-firstboot.service", "runs at the first boot only"),
    Known("units", "systemd-sysusers.service", "runs at the first boot, and after upgrades"),
)


def node_now(node: str) -> Snapshot:
    """Return how a node stands."""
    return snapshot(_shell(node), _network_shell(node))


def record(name: str) -> State:
    """Write down how all nodes of a lab stand, and return the lab's files."""
    state = state_of(name)
    nodes = lab.names(name)
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(nodes, pool.map(node_now, nodes), strict=True))
    (state.directory / FILE).write_text(json.dumps(found))
    return state


def differences(name: str, node: str, booted: bool = False) -> list[str]:
    """Return what differs on a node from when it was recorded, without the known exceptions.

    ``booted`` says that the node was booted meanwhile.
    """
    before = json.loads((state_of(name).directory / FILE).read_text())[node]
    known = (*EXCEPTIONS, *LEFT_BY_TOOLS, *(LEFT_BY_A_BOOT if booted else ()))
    return compare(before, node_now(node), known)


def _shell(node: str) -> Run:
    def run(script: str) -> str:
        done = lab.exec(node, ["sh", "-c", script])
        if not done.ok:
            raise RuntimeError(f"{node}: a command ended with {done.rc}: {done.stderr.strip()}")
        return done.stdout

    return run


def _network_shell(node: str) -> Run | None:
    """Return a shell of this machine in the node's network: the node may have no nft of its own."""
    if os.geteuid() != 0:
        return None
    space = f"--net=/proc/{find(node).pid}/ns/net"
    return lambda script: check(["nsenter", space, "sh", "-c", script])


def main() -> int:
    """Record a lab, or compare one node of it and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("--node", help="compare this node instead")
    parser.add_argument("--but", default="$^", help="differences that do not count (expression)")
    wish = parser.parse_args()
    if not wish.node:
        record(wish.lab)
        return 0
    found = [line for line in differences(wish.lab, wish.node) if not re.match(wish.but, line)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
