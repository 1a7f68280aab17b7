# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that flannel and kube-proxy leave on a node: interfaces, addresses, rules."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import shutil
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.k3s.standin import files, node
from tests.lab.k3s.standin.log import info, warning

SUBNET = Path("/run/flannel/subnet.env")
#: flannel's VXLAN (k3s documentation, Requirements).
VXLAN_PORT, VXLAN_ID = 8472, 1
OVERHEAD = 50
#: Prefix length of a node's part (kube-controller-manager, node-cidr-mask-size).
SHARE = 24
OWN_CNI = Path("/etc/cni/net.d")
CNI = Path("/var/lib/cni/networks/cbr0")
_CHAINS = {
    "nat": ("KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODEPORTS", "FLANNEL-POSTRTG"),
    "filter": ("KUBE-FORWARD", "KUBE-ROUTER-FORWARD", "FLANNEL-FWD"),
}


def has_registry() -> bool:
    """Return whether images could be pulled: whether some default route leads to a neighbour."""
    return bool(node.ways_out(Path("/proc/net/route").read_text()))


def _run(*argv: str) -> bool:
    program = shutil.which(argv[0])
    if program is None:
        warning(f"{argv[0]} is not there; left out: {' '.join(argv)}")
        return False
    done = subprocess.run([program, *argv[1:]], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        warning(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.returncode == 0


def there(interface: str) -> bool:
    """Return whether an interface exists."""
    return (Path("/sys/class/net") / interface).exists()


def netns_of(uid: str) -> str:
    """Return the name of a pod's network namespace, which stays the same for the pod."""
    return f"cni-{uuid.uuid5(uuid.NAMESPACE_OID, uid)}"


def veth_of(uid: str) -> str:
    """Return the name of the host's end of a pod's cable."""
    return "veth" + hashlib.sha256(uid.encode()).hexdigest()[:8]


@dataclass
class Network:
    """Flannel's part on this node."""

    backend: str
    cluster: str
    interface: str
    address: str
    cidr: str = ""
    taken: dict[str, str] = field(default_factory=dict)

    @property
    def mtu(self) -> int:
        """The packets' size inside the pods' network."""
        path = Path("/sys/class/net") / (self.interface or "lo") / "mtu"
        outer = min(int(path.read_text()), 1500) if path.exists() else 1500
        return outer - (OVERHEAD if self.backend == "vxlan" else 0)

    def share(self) -> str:
        """Return the part of the cluster's network for this node's pods.

        k3s' controller hands these out one after the other; here the last number of the node's
        address picks it, which is unique in the subnet of a lab.
        """
        cluster = ipaddress.ip_network(self.cluster)
        number = int(ipaddress.ip_address(self.address)) & 0xFF
        blocks = 1 << max(SHARE - cluster.prefixlen, 0)
        first = int(cluster.network_address) + (number % blocks) * (1 << (32 - SHARE))
        return f"{ipaddress.ip_address(first)}/{SHARE}"

    def start(self, cidr: str) -> None:
        """Make what flannel makes once the server has assigned the pods' addresses."""
        self.cidr = cidr
        self.taken = _reserved()
        if self.backend == "none":
            return
        first = ipaddress.ip_network(cidr)[1]
        text = (
            f"FLANNEL_NETWORK={self.cluster}\nFLANNEL_SUBNET={first}/{cidr.split('/')[1]}\n"
            f"FLANNEL_MTU={self.mtu}\nFLANNEL_IPMASQ=true\n"
        )
        files.write(SUBNET, text, 0o644)
        conf = {"name": "cbr0", "cniVersion": "1.0.0", "plugins": [{"type": "flannel"}]}
        files.write(
            Path("/var/lib/rancher/k3s/agent/etc/cni/net.d/10-flannel.conflist"), json.dumps(conf)
        )
        if self.backend == "vxlan":
            self._vxlan(str(ipaddress.ip_network(cidr)[0]))
        self._rules()
        info(f"Wrote flannel subnet file to {SUBNET}")

    def _vxlan(self, first: str) -> None:
        if not there("flannel.1"):
            link = ["dev", self.interface] if self.interface else []
            _run(
                "ip",
                "link",
                "add",
                "flannel.1",
                "type",
                "vxlan",
                "id",
                str(VXLAN_ID),
                *link,
                "local",
                self.address,
                "dstport",
                str(VXLAN_PORT),
                "nolearning",
            )
        _run("ip", "address", "replace", f"{first}/32", "dev", "flannel.1")
        _run("ip", "link", "set", "flannel.1", "mtu", str(self.mtu), "up")

    def _bridge(self) -> None:
        if there("cni0"):
            return
        network = ipaddress.ip_network(self.cidr)
        _run("ip", "link", "add", "cni0", "type", "bridge")
        _run("ip", "address", "replace", f"{network[1]}/{network.prefixlen}", "dev", "cni0")
        _run("ip", "link", "set", "cni0", "mtu", str(self.mtu), "up")

    def _rules(self) -> None:
        if shutil.which("iptables") is None:
            return
        for table, chains in _CHAINS.items():
            for chain in chains:
                subprocess.run(
                    ["iptables", "-w", "-t", table, "-N", chain], capture_output=True, check=False
                )
        for table, parent, chain in (
            ("nat", "OUTPUT", "KUBE-SERVICES"),
            ("nat", "PREROUTING", "KUBE-SERVICES"),
            ("nat", "POSTROUTING", "FLANNEL-POSTRTG"),
            ("filter", "FORWARD", "KUBE-FORWARD"),
            ("filter", "FORWARD", "FLANNEL-FWD"),
        ):
            rule = [parent, "-m", "comment", "--comment", "kubernetes service portals", "-j", chain]
            seen = subprocess.run(
                ["iptables", "-w", "-t", table, "-C", *rule], capture_output=True, check=False
            )
            if seen.returncode != 0:
                _run("iptables", "-w", "-t", table, "-A", *rule)

    def ready(self) -> bool:
        """Return whether pods can have a network: flannel's, or one of one's own (/etc/cni)."""
        if self.backend != "none":
            return bool(self.cidr)
        return OWN_CNI.is_dir() and any(OWN_CNI.glob("*.conf*"))

    def attach(self, uid: str) -> str:
        """Return the address of a pod, in a network namespace of its own."""
        if self.backend == "none" or not self.cidr:
            return ""
        self._bridge()
        if uid in self.taken:
            return self.taken[uid]
        network = ipaddress.ip_network(self.cidr)
        used = set(self.taken.values())
        address = next(str(network[n]) for n in range(2, 250) if str(network[n]) not in used)
        self.taken[uid] = address
        files.write(CNI / address, f"{uid}\r\neth0", 0o644)
        space, cable = netns_of(uid), veth_of(uid)
        _run("ip", "netns", "add", space)
        _run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        _run("ip", "link", "set", cable, "master", "cni0", "up")
        _run("ip", "-n", space, "address", "add", f"{address}/{network.prefixlen}", "dev", "eth0")
        _run("ip", "-n", space, "link", "set", "eth0", "up")
        return address

    def detach(self, uid: str) -> None:
        """Take a pod's network away."""
        address = self.taken.pop(uid, "")
        if address:
            (CNI / address).unlink(missing_ok=True)
            _run("ip", "netns", "delete", netns_of(uid))


def _reserved() -> dict[str, str]:
    """Return addresses of pods that an earlier run of k3s left running, by the pod's UID."""
    if not CNI.is_dir():
        return {}
    return {
        path.read_text().split("\r\n")[0]: path.name for path in CNI.iterdir() if path.is_file()
    }
