# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of k3s outlives its units, told from what belongs to others on the same node.

Pure. The service ends by itself only (KillMode=process): pods go on running, with their mounts,
network namespaces and interfaces. The lists of interfaces and mount points are those of
k3s-killall.sh in k3s-io/k3s install.sh; how a process is recognised is narrower, so that nothing of
Docker's goes.
"""

from __future__ import annotations

import ipaddress
import json
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    DATA_DIR,
    UNITS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import RoleRecord

BRIDGE = "cni0"
INTERFACES = (*(BRIDGE, "flannel.1", "flannel-v6.1", "kube-ipvs0", "flannel-wg", "flannel-wg-v6"),)
#: Below these everything that is mounted came with pods.
MOUNTED_BELOW = ("/run/k3s", DATA_DIR, "/var/lib/kubelet")
NETNS_DIR = "/run/netns"
#: Where every containerd's shims listen, k3s's among them (pkg/shim in containerd/containerd).
SHIM_SOCKETS = "/run/containerd/s"
#: While it is there, systemd does not start a server again that has ended. A boot takes it away.
LEAVING = f"/run/systemd/system/{UNITS['server']}.d/rackforge-leaving.conf"
LEAVING_TEXT = "# Managed by rackforge.gpu_cluster\n[Service]\nRestart=no\n"
_NETNS = "cni-"
#: The unit's cgroup and kubelet's; containers of other engines are elsewhere.
_POD_GROUP = re.compile(r"/kubepods(\.slice)?(/|$)")
_SHIM = "containerd-shim"
_SETS = re.compile(r"(inet6:)?KUBE-")


@dataclass(frozen=True)
class Process:
    """A process: its number, its parent's, its control groups, its program and first words.

    ``here`` tells that it sees the node's own files; a path of one in a container means little.
    """

    pid: int
    parent: int
    groups: tuple[str, ...] = ()
    program: str = ""
    words: tuple[str, ...] = ()
    here: bool = True

    @property
    def name(self) -> str:
        """Return the program's name with its number, as a user knows it."""
        return f"{posixpath.basename(self.words[0] if self.words else self.program)} ({self.pid})"


@dataclass(frozen=True)
class Link:
    """A network interface: the bridge that it is a port of, and whether it is hardware."""

    name: str
    master: str = ""
    hardware: bool = False


@dataclass(frozen=True)
class Standing:
    """How a node stands. ``slices`` is the control group in which the node's slices lie.

    ``fstab`` are the mount points that the owner's file systems are mounted at on each boot.
    ``routes`` are the IPv4 routes as ``ip -j route`` prints them, ``pod_network`` is flannel's.
    """

    units: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    slices: str = ""
    mounts: tuple[str, ...] = ()
    fstab: frozenset[str] = frozenset()
    namespaces: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    sets: tuple[str, ...] = ()
    routes: str = ""
    pod_network: str = ""
    drop_ins: tuple[str, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Leftovers:
    """What of k3s is there and has to go, in the order in which it goes."""

    units: tuple[str, ...] = ()
    drop_ins: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    mounts: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """Return what is done, one sentence each."""
        words = (
            ("stop and disable unit", self.units),
            ("delete", self.drop_ins),
            ("end process", tuple(process.name for process in self.processes)),
            ("unmount", self.mounts),
            ("delete network namespace", self.namespaces),
            ("delete interface", self.interfaces),
            ("delete route to", self.routes),
            ("take the rules of k3s out of", self.rules),
            ("delete IP set", self.sets),
        )
        return tuple(f"{verb} {thing}" for verb, things in words for thing in things)

    def empty(self) -> bool:
        """Return whether nothing of k3s is left."""
        return not self.sentences()


def is_ours(record: Optional[RoleRecord]) -> bool:
    """Return whether k3s came with us: there is a record, and it knows no older k3s."""
    if record is None:
        return False
    units = (record.before.units.get(name) for name in UNITS.values())
    return not any(unit is not None and unit.load == "loaded" for unit in units)


def find_leftovers(
    seen: Standing, known_interfaces: Collection[str], spared: Collection[int] = ()
) -> Leftovers:
    """Return what of k3s is there; ``spared`` are this program and the ones that it runs for.

    ``known_interfaces`` were there before k3s came. Processes are told only once the units stand
    still: k3s' own would be among them.
    """
    return Leftovers(
        units=seen.units,
        drop_ins=seen.drop_ins,
        processes=tuple(p for p in _doomed(seen) if p.pid not in spared),
        mounts=_mounts(seen),
        namespaces=tuple(name for name in seen.namespaces if name.startswith(_NETNS)),
        interfaces=_interfaces(seen.links, known_interfaces),
        routes=pod_routes(seen.routes, seen.pod_network),
        rules=tuple(seen.rules),
        sets=tuple(name for name in seen.sets if _SETS.match(name)),
    )


def _doomed(seen: Standing) -> list[Process]:
    """Return the processes of pods and of k3s itself, with all that they started."""
    found = {process.pid for process in seen.processes if _is_root(process, seen.slices)}
    while True:
        more = {p.pid for p in seen.processes if p.parent in found} - found
        if not more:
            return [process for process in seen.processes if process.pid in found]
        found |= more


def _is_root(process: Process, slices: str) -> bool:
    # A program of an interpreter's is known by its second word.
    shims = (w for w in process.words[:2] if posixpath.basename(w).startswith(_SHIM))
    if process.here and any(_is_below(path, DATA_DIR) for path in (process.program, *shims)):
        return True
    return any(_is_pod_group(group, slices) for group in process.groups)


def _is_pod_group(group: str, slices: str) -> bool:
    """Return whether a control group is kubelet's or the unit's: on top, not in a container."""
    services = tuple(f"/system.slice/{unit}" for unit in UNITS.values())
    for top in {"", slices.rstrip("/")}:
        rest = group[len(top) :] if group.startswith(top) else ""
        if _POD_GROUP.match(rest) or any(_is_within(rest, service) for service in services):
            return True
    return False


def _mounts(seen: Standing) -> tuple[str, ...]:
    """Return the mount points of pods, the last mounted first; those of the owner's stay."""
    found = [
        point
        for point in seen.mounts
        if point not in seen.fstab
        and (
            any(_is_below(point, top) for top in MOUNTED_BELOW)
            or point.startswith(f"{NETNS_DIR}/{_NETNS}")
        )
    ]
    return tuple(reversed(found))


def _interfaces(links: Sequence[Link], known: Collection[str]) -> tuple[str, ...]:
    """Return the interfaces that k3s made; ports of its bridge first."""
    mine = [link.name for link in links if link.name in INTERFACES and link.name not in known]
    ports = [
        link.name
        for link in links
        if link.master == BRIDGE
        and BRIDGE in mine
        and not link.hardware
        and link.name not in (*known, *mine)
    ]
    return (*ports, *mine)


def pod_routes(routes: str, network: str) -> tuple[str, ...]:
    """Return the networks of pods that host-gw routes lead to; VXLAN's go with its interface."""
    try:
        pods = ipaddress.ip_network(network)
        rows = json.loads(routes)
    except ValueError:
        return ()
    found = []
    for row in rows if isinstance(rows, list) else []:
        target = str(row.get("dst", "")) if isinstance(row, dict) else ""
        if target and "gateway" in row and row.get("dev") not in (*INTERFACES, None):
            found += [target] if _inside(target, pods) else []
    return tuple(found)


def _inside(target: str, pods: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        network = ipaddress.ip_network(target)
    except ValueError:
        return False  # the default route, or a special one
    if isinstance(network, ipaddress.IPv4Network) and isinstance(pods, ipaddress.IPv4Network):
        return network.subnet_of(pods)
    return False


def flannel_network(text: str) -> str:
    """Return the pods' network from flannel's subnet.env, empty where it does not say."""
    found = re.search(r"^FLANNEL_NETWORK=(\S+)$", text, re.MULTILINE)
    return found.group(1) if found else ""


def fstab_points(text: str) -> frozenset[str]:
    """Return the mount points in the text of fstab."""
    rows = [line.split() for line in text.splitlines() if not line.lstrip().startswith("#")]
    return frozenset(row[1] for row in rows if len(row) > 1)


def _is_below(path: str, top: str) -> bool:
    return path.startswith(top + "/")


def _is_within(path: str, top: str) -> bool:
    return path == top or _is_below(path, top)


def ancestors(processes: Iterable[Process], pid: int) -> frozenset[int]:
    """Return ``pid`` and the processes that started it, up to the first."""
    parents = {process.pid: process.parent for process in processes}
    found: set[int] = set()
    while pid and pid not in found:
        found.add(pid)
        pid = parents.get(pid, 0)
    return frozenset(found)
