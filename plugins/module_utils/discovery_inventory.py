# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory that discover.yml writes: what was found, and what somebody has to look at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bootstrap_plan import (
    is_new_enough,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.discovery import (
    Cluster,
    Link,
    Machine,
    choose_network,
    judge_gpus,
    plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    HEAD,
    WORKER,
)

#: Names that mean something else in an inventory, or are everybody's.
NO_NAMES = frozenset({"all", "ungrouped", "localhost", "localhost.localdomain", HEAD, WORKER})
#: The families that the collection has platform data for.
FAMILIES = ("Debian", "RedHat")


@dataclass(frozen=True)
class Discovered:
    """All that a scan brought."""

    targets: tuple[str, ...]
    machines: tuple[Machine, ...]
    #: Address and reason of machines whose SSH server answered, and that did not let us in.
    refused: Mapping[str, str]
    #: Addresses that were named one by one and did not answer.
    silent: tuple[str, ...] = ()
    #: Variables for [all:vars] that say how to log in.
    login: Mapping[str, str] = field(default_factory=dict)
    count: int = 0


@dataclass(frozen=True)
class Entry:
    """A machine's line in the inventory, and the remarks above it."""

    name: str
    machine: Machine
    link: Optional[Link]
    has_gpu: bool
    notes: tuple[str, ...]
    checks: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the remarks and the line."""
        words = [self.name, f"ansible_host={self.machine.address}"]
        words += [f"my_iface={self.link.name}"] if self.link else []
        words.append(f"has_gpu={'true' if self.has_gpu else 'false'}")
        return [
            *(f"# {note}" for note in self.notes),
            *(f"# CHECK: {check}" for check in self.checks),
            " ".join(words),
        ]


def render_inventory(found: Discovered) -> str:
    """Return the inventory as text."""
    cluster = choose_network(found.machines)
    names = name_machines(found.machines)
    twins = _twins(found.machines)
    entries = [
        make_entry(machine, names[machine.address], cluster, twins, found.machines)
        for machine in found.machines
    ]
    head, checks = choose_head(entries)
    lines = [*_preamble(found, cluster), "", f"[{HEAD}]"]
    lines += [f"# CHECK: {check}" for check in checks]
    lines += head.lines() if head else ["# CHECK: no machine let us in"]
    lines += ["", f"[{WORKER}]"]
    for entry in entries:
        if entry is not head:
            lines += [*entry.lines(), ""]
    if lines[-1]:
        lines.append("")
    lines += ["[all:vars]", *_variables(found, cluster)]
    return "\n".join([*lines, *_left_out(found)]) + "\n"


def name_machines(machines: Iterable[Machine]) -> dict[str, str]:
    """Return the name of each machine by its address; one that is not its own is made of it."""
    short = {}
    for machine in machines:
        name = machine.hostname.split(".")[0].lower()
        is_name = re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) and not name.isdigit()
        short[machine.address] = name if is_name and name not in NO_NAMES else ""
    every = list(short.values())
    return {
        address: name if name and every.count(name) == 1 else "node-" + address.replace(".", "-")
        for address, name in short.items()
    }


def _twins(machines: Sequence[Machine]) -> frozenset[str]:
    """Return the machine-ids that several different machines have."""
    ids = [machine.machine_id for machine in machines if machine.machine_id]
    return frozenset(each for each in ids if ids.count(each) > 1)


def make_entry(
    machine: Machine,
    name: str,
    cluster: Cluster,
    twins: frozenset[str],
    machines: Sequence[Machine],
) -> Entry:
    """Return the entry of one machine with everything that is doubtful about it."""
    gpus = judge_gpus(machine.devices)
    link = next((each for each in machine.links if each.network == cluster.network), None)
    size = f"{machine.cpus} CPUs, {machine.memory_mib // 1024} GiB memory"
    notes = [
        f"{plain(machine.hostname) or '(no name)'}: {plain(machine.os.name) or 'unknown system'},"
        f" {machine.architecture}, {size}, {machine.disk_gib} GiB disk on /; {gpus.text}",
        "; ".join(each.describe() for each in machine.links) or "no interface with an IPv4 address",
    ]
    notes += [f"also at {', '.join(machine.also)}"] if machine.also else []
    if machine.host_key:
        notes.append(f"host key {machine.host_key}")
    checks = [gpus.doubt] if gpus.doubt else []
    checks += _network_doubts(machine, link, cluster)
    checks += _system_doubts(machine, name, twins, machines)
    return Entry(name, machine, link, gpus.has_gpu, tuple(notes), tuple(checks))


def _network_doubts(machine: Machine, link: Optional[Link], cluster: Cluster) -> list[str]:
    """Return what is doubtful about the machine's interface."""
    if cluster.network and link is None:
        return [f"has no address in {cluster.network}: set my_iface, or take the machine out"]
    if not cluster.network and machine.links:
        return ["my_iface is open: no network was found that the machines share"]
    same = [each.name for each in machine.links if link and each.network == link.network]
    if len(same) > 1:
        return [f"{' and '.join(same)} are in the same network: which one is my_iface?"]
    return []


def _system_doubts(
    machine: Machine, name: str, twins: frozenset[str], machines: Sequence[Machine]
) -> list[str]:
    """Return what is doubtful about the machine itself."""
    checks = []
    if machine.hostname.split(".")[0].lower() != name:
        checks.append("the name is made of the address: the machine's own is missing, odd or taken")
    if machine.machine_id in twins:
        checks.append(
            "another machine has the same /etc/machine-id: a clone; give it its own"
            " (rm /etc/machine-id && systemd-machine-id-setup)"
        )
    if machine.os.family not in FAMILIES:
        checks.append("this system is none that the collection has been written for")
    if not is_new_enough(machine.python):
        checks.append(
            f"Python {machine.python or 'is missing'}: bootstrap.yml installs a newer one"
        )
    if machine.sudo not in ("root", "free"):
        checks.append("sudo asks for a password or is missing: bootstrap.yml, or -K with every run")
    kinds = [each.architecture for each in machines]
    usual = max(set(kinds), key=lambda kind: (kinds.count(kind), kind))
    if machine.architecture != usual:
        checks.append(f"{machine.architecture}, while most machines are {usual}")
    return checks


def choose_head(entries: Sequence[Entry]) -> tuple[Optional[Entry], list[str]]:
    """Return the machine to be the head, and what is doubtful about that.

    One without a GPU is preferred: the head runs the cluster's own services. Among equals the one
    with the most memory, then the first.
    """
    if not entries:
        return None, []

    def rank(entry: Entry) -> tuple[bool, bool, int]:
        return (not entry.has_gpu, not entry.checks, entry.machine.memory_mib)

    head = max(entries, key=rank)
    if head.has_gpu and len(entries) > 1:
        return head, ["every machine has a GPU; which one is to be the head is your choice"]
    others = [e for e in entries if e is not head and not e.has_gpu]
    if others and len(entries) > 1:
        return head, [f"{len(others) + 1} machines have no GPU; any of them can be the head"]
    return head, []


def _preamble(found: Discovered, cluster: Cluster) -> list[str]:
    """Return the lines at the top."""
    let_in = len(found.machines)
    lines = [
        f"# Found by discover.yml in {', '.join(plain(each, 60) for each in found.targets)}:",
        f"# {found.count} addresses asked, {let_in + sum(len(m.also) for m in found.machines)}"
        f" let us in, {len(found.refused)} refused; {let_in} different machines.",
        "# Look at every CHECK, then: ansible-playbook -i THIS_FILE playbooks/preflight.yml",
        "#",
    ]
    if cluster.network:
        lines.append(f"# my_iface is the interface in {cluster.network}: {cluster.reason}.")
    elif found.machines:
        lines.append(f"# CHECK: my_iface is open: {cluster.reason}.")
    if cluster.others:
        lines.append(f"# CHECK: the machines share {' and '.join(cluster.others)} as well.")
    return [*lines, *(f"# CHECK: {each}." for each in cluster.partial)]


def _variables(found: Discovered, cluster: Cluster) -> list[str]:
    """Return the lines below [all:vars]."""
    lines = ["# CHECK: a name of your own; it names the folder of the cluster's secrets."]
    lines.append("cluster_name=gpu-cluster")
    lines += [f"cluster_subnet={cluster.network}"] if cluster.network else []
    return [*lines, *(f"{name}={value}" for name, value in found.login.items())]


def _left_out(found: Discovered) -> list[str]:
    """Return the machines that are not in the inventory, as comments."""
    lines = []
    if found.refused:
        lines += ["", "# CHECK: these answered on the SSH port and did not let us in:"]
        lines += [f"# {address}: {plain(why, 160)}" for address, why in found.refused.items()]
    if found.silent:
        lines += ["", "# CHECK: nothing answered on the SSH port of these:"]
        lines += [f"# {address}" for address in found.silent]
    return lines
