# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What discover.yml asks a machine, and what it makes of the answer: text in, values out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_facts import (
    OperatingSystem,
    parse_memory_mib,
    parse_os_release,
)

MARK = "@rackforge "
#: More addresses than this are a slip of the keyboard more often than a wish.
MOST_ADDRESSES = 4096

#: For any POSIX shell; reads and changes nothing. Each section begins with a marked line.
PROBE = r"""
say() { printf '\n@rackforge %s\n' "$1"; }
LC_ALL=C; export LC_ALL
say python
version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }
for each in $candidates; do
  found=$(command -v "$each" 2>/dev/null) || continue
  printf '%s %s\n' "$found" "$(version_of "$found")"
  break
done
PATH=$PATH:/usr/sbin:/sbin; export PATH
say os-release; cat /etc/os-release 2>/dev/null
say hostname; cat /proc/sys/kernel/hostname 2>/dev/null || hostname
say machine-id; cat /etc/machine-id 2>/dev/null
say architecture; uname -m
say memory; grep MemTotal /proc/meminfo
say cpus; getconf _NPROCESSORS_ONLN
say disk; df -Pk / | tail -n 1
say sudo
if [ "$(id -u)" = 0 ]; then echo root
elif sudo -k -n sh -c 'id -u' </dev/null 2>/dev/null | grep -qx 0; then echo free
else echo asks; fi
say addresses; ip -o -4 addr show 2>/dev/null
say routes; ip -4 route show default 2>/dev/null
say links
for each in /sys/class/net/*; do
  [ -e "$each" ] || continue
  speed=$(cat "$each/speed" 2>/dev/null || echo -1)
  printf '%s %s %s\n' "${each##*/}" "$speed" "$(cat "$each/address" 2>/dev/null)"
done
say devices
for each in /sys/bus/pci/devices/*; do
  [ -e "$each/class" ] || continue
  printf '%s %s ' "${each##*/}" "$(cat "$each/class")"
  printf '%s %s\n' "$(cat "$each/vendor")" "$(cat "$each/device")"
done
say end
"""

NVIDIA = "0x10de"
AMD = "0x1002"
#: PCI classes: VGA controller, 3D controller, other display controller, processing accelerator.
VGA, THREE_D, OTHER_DISPLAY, ACCELERATOR = "0300", "0302", "0380", "1200"
#: Interfaces that are no way to other machines: made by container engines, hypervisors and VPNs.
VIRTUAL = re.compile(
    r"^(lo|docker|br-|veth|cni|flannel|cali|cilium|virbr|vnet|tun|tap|wg|kube|tailscale|lxc|podman)"
)


class TargetError(ValueError):
    """Addresses that cannot be scanned."""


class ProbeError(ValueError):
    """A machine whose shell did not run the probe to its end."""


@dataclass(frozen=True)
class Link:
    """An interface of a machine with an IPv4 address."""

    name: str
    address: str
    is_default: bool = False
    #: Mbit/s, 0 when the interface does not say.
    speed: int = 0

    @property
    def network(self) -> ipaddress.IPv4Network:
        """Return the network that the address lies in."""
        return ipaddress.IPv4Interface(self.address).network

    def describe(self) -> str:
        """Return the interface for people."""
        notes = ["default route"] if self.is_default else []
        notes += [f"{self.speed} Mbit/s"] if self.speed else []
        return f"{self.name} {self.address}" + (f" ({', '.join(notes)})" if notes else "")


@dataclass(frozen=True)
class Device:
    """A PCI device."""

    kind: str
    vendor: str
    device: str


@dataclass(frozen=True)
class Gpus:
    """What the PCI devices say about GPUs: whether there is one, how sure that is, and why."""

    has_gpu: bool
    text: str
    doubt: str = ""


@dataclass(frozen=True)
class Machine:
    """One machine that let us in."""

    address: str
    hostname: str = ""
    machine_id: str = ""
    os: OperatingSystem = field(default_factory=OperatingSystem)
    architecture: str = ""
    cpus: int = 0
    memory_mib: int = 0
    #: Size of the file system of /, which does not change from one look to the next.
    disk_gib: int = 0
    sudo: str = ""
    python: str = ""
    links: tuple[Link, ...] = ()
    mac_addresses: frozenset[str] = frozenset()
    devices: tuple[Device, ...] = ()
    #: Other addresses at which the same machine answered.
    also: tuple[str, ...] = ()
    #: The fingerprint of the host key that is on record here.
    host_key: str = ""


def expand_targets(targets: Iterable[str]) -> list[str]:
    """Return every address once, in the order given; a network without its first and last one."""
    found: dict[str, None] = {}
    for text in (word for target in targets for word in re.split(r"[,\s]+", target) if word):
        try:
            network = ipaddress.IPv4Network(text, strict=False)
        except ValueError:
            raise TargetError(
                f"'{text}' is neither an IPv4 address nor a network such as 198.18.1.0/24"
            ) from None
        if network.num_addresses + len(found) > MOST_ADDRESSES + 2:
            raise TargetError(
                f"'{text}' makes more than {MOST_ADDRESSES} addresses: name smaller networks"
            )
        hosts = network.hosts() if network.prefixlen < 31 else iter(network)
        found.update({str(address): None for address in hosts})
    if not found:
        raise TargetError("no address to look at: discover_targets=198.18.1.0/24,198.18.2.7")
    if len(found) > MOST_ADDRESSES:
        raise TargetError(f"{len(found)} addresses are more than {MOST_ADDRESSES}")
    return list(found)


def plain(text: str, most: int = 80) -> str:
    """Return what a machine says as one line that cannot mean anything else in an inventory."""
    return " ".join(re.sub(r"[^\x20-\x7e]", " ", text).split())[:most]


def parse_probe(text: str, address: str) -> Machine:
    """Return the machine that answered the probe with ``text``."""
    sections = _sections(text)
    if "end" not in sections:
        raise ProbeError(
            "the login works, but its shell did not run the probe to the end: "
            + (plain(text[-200:], 200) or "it said nothing")
        )
    words = sections.get("disk", "").split()
    python = sections.get("python", "").split()
    return Machine(
        address=address,
        hostname=plain(sections.get("hostname", "")),
        machine_id=plain(sections.get("machine-id", "")),
        os=parse_os_release(sections.get("os-release", "")),
        architecture=plain(sections.get("architecture", "")),
        cpus=_number(sections.get("cpus", "")),
        memory_mib=parse_memory_mib(sections.get("memory", "")) or 0,
        disk_gib=_number(words[1]) // 1024**2 if len(words) > 3 else 0,
        sudo=plain(sections.get("sudo", "")),
        python=plain(python[1]) if len(python) > 1 else "",
        links=_links(sections),
        mac_addresses=_mac_addresses(sections.get("links", "")),
        devices=_devices(sections.get("devices", "")),
    )


def _sections(text: str) -> dict[str, str]:
    """Return the text below each marked line; a shell's greeting is none of it."""
    sections: dict[str, str] = {}
    name = ""
    for row in text.splitlines():
        if row.startswith(MARK):
            name = row[len(MARK) :].strip()
            sections[name] = ""
        elif name:
            sections[name] += f"{row}\n"
    return sections


def _number(text: str) -> int:
    return int(text.strip()) if text.strip().isdigit() else 0


def _links(sections: Mapping[str, str]) -> tuple[Link, ...]:
    """Return the interfaces that may lead to other machines."""
    speeds: dict[str, int] = {}
    for row in (line.split() for line in sections.get("links", "").splitlines()):
        if len(row) > 1:
            speeds[row[0]] = _number(row[1])
    default = re.search(r"^default\b.*?\bdev (\S+)", sections.get("routes", ""), re.MULTILINE)
    found = []
    for line in sections.get("addresses", "").splitlines():
        match = re.match(r"\d+:\s+(\S+?)(?:@\S+)?\s+inet (\d+\.\d+\.\d+\.\d+/\d+)", line)
        if not match or VIRTUAL.match(match[1]) or not _is_usable(match[2]):
            continue
        name = plain(match[1], 15)
        found.append(
            Link(name, match[2], bool(default and default[1] == name), speeds.get(name, 0))
        )
    return tuple(found)


def _is_usable(address: str) -> bool:
    """Return whether other machines can reach an address; a prefix of 32 names no network."""
    try:
        interface = ipaddress.IPv4Interface(address)
    except ValueError:
        return False
    ip = interface.ip
    return not (ip.is_loopback or ip.is_link_local) and interface.network.prefixlen < 32


def _mac_addresses(text: str) -> frozenset[str]:
    """Return the hardware addresses of the interfaces that are not virtual."""
    rows = (line.split() for line in text.splitlines())
    return frozenset(
        row[2] for row in rows if len(row) > 2 and not VIRTUAL.match(row[0]) and row[2].strip("0:")
    )


def _devices(text: str) -> tuple[Device, ...]:
    """Return the PCI devices that could be GPUs."""
    found = []
    for row in (line.split() for line in text.splitlines()):
        if len(row) == 4 and all(re.fullmatch(r"0x[0-9a-f]+", word) for word in row[1:]):
            kind = row[1][2:6]
            if kind in (VGA, THREE_D, OTHER_DISPLAY, ACCELERATOR):
                found.append(Device(kind, row[2], row[3][2:]))
    return tuple(found)


def judge_gpus(devices: Sequence[Device]) -> Gpus:
    """Return what the devices say about GPUs; NVIDIA's count first, then AMD's."""
    nvidia = [each for each in devices if each.vendor == NVIDIA]
    if nvidia:
        return Gpus(True, f"{len(nvidia)} NVIDIA GPU(s), PCI {_ids(nvidia)}")
    amd = [each for each in devices if each.vendor == AMD]
    accelerators = [each for each in amd if each.kind in (ACCELERATOR, THREE_D)]
    if accelerators:
        return Gpus(True, f"{len(accelerators)} AMD accelerator(s), PCI {_ids(accelerators)}")
    headless = [each for each in amd if each.kind == OTHER_DISPLAY]
    if headless:
        doubt = (
            f"AMD display device without a screen (PCI {_ids(headless)}): Instinct or integrated?"
        )
        return Gpus(True, f"{len(headless)} AMD display device(s)", doubt)
    if amd:
        doubt = f"AMD graphics (PCI {_ids(amd)}): has_gpu=true if it is not part of the CPU"
        return Gpus(False, "AMD graphics", doubt)
    return Gpus(False, "no GPU")


def _ids(devices: Iterable[Device]) -> str:
    """Return the vendor and device numbers, each once."""
    return ", ".join(dict.fromkeys(f"{each.vendor[2:]}:{each.device}" for each in devices))


def merge_machines(machines: Iterable[Machine]) -> list[Machine]:
    """Return each machine once, at the address that came first.

    Cloned machines share a machine-id; only one that also has the same hardware addresses and the
    same addresses is the same machine.
    """
    merged: dict[object, Machine] = {}
    for machine in machines:
        hardware = (machine.machine_id, machine.mac_addresses, machine.links)
        key: object = hardware if machine.machine_id else machine.address
        first = merged.get(key)
        if first is None:
            merged[key] = machine
        else:
            merged[key] = _with_also(first, machine.address)
    return list(merged.values())


def _with_also(machine: Machine, address: str) -> Machine:
    return replace(machine, also=(*machine.also, address))


@dataclass(frozen=True)
class Cluster:
    """The network that the machines have in common, why it was chosen, and what was not."""

    network: Optional[ipaddress.IPv4Network]
    reason: str
    others: tuple[str, ...] = ()
    #: Networks of some of the machines only, with how many of them.
    partial: tuple[str, ...] = ()


def choose_network(machines: Sequence[Machine]) -> Cluster:
    """Return the network for the cluster: the one that most machines are on.

    Among several, a private one; then the fastest; then one that holds no default route.
    """
    members: dict[ipaddress.IPv4Network, dict[str, Link]] = {}
    for machine in machines:
        for link in machine.links:
            members.setdefault(link.network, {}).setdefault(machine.address, link)
    if not members:
        return Cluster(None, "no machine has an IPv4 address on a network")
    most = max(len(links) for links in members.values())
    if most < 2 and len(machines) > 1:
        return Cluster(None, "no two machines are on the same network")
    shared = {network: links for network, links in members.items() if len(links) == most}
    speeds_known = all(link.speed for links in shared.values() for link in links.values())

    def rank(network: ipaddress.IPv4Network) -> tuple[bool, int, bool, int]:
        links = shared[network].values()
        speed = min(link.speed for link in links) if speeds_known else 0
        is_default = any(link.is_default for link in links)
        return (network.is_private, speed, not is_default, -int(network.network_address))

    ordered = sorted(shared, key=rank, reverse=True)
    best = ordered[0]
    return Cluster(
        best,
        _reason(best, shared[best].values(), most, len(machines), speeds_known),
        tuple(str(network) for network in ordered[1:]),
        tuple(
            f"{len(links)} of {len(machines)} machines share {network}"
            for network, links in members.items()
            if 1 < len(links) < most
        ),
    )


def _reason(
    network: ipaddress.IPv4Network,
    links: Iterable[Link],
    count: int,
    total: int,
    speeds_known: bool,
) -> str:
    """Return why this network was chosen."""
    chosen = list(links)
    parts = [f"{count} of {total} machines have an address in it"]
    parts += ["private"] if network.is_private else ["not private"]
    if speeds_known:
        parts.append(f"{min(link.speed for link in chosen)} Mbit/s at least")
    default = any(link.is_default for link in chosen)
    parts.append("holds a default route" if default else "no default route leads through it")
    return ", ".join(parts)
