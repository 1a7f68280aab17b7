# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the interfaces and routes of a node are, from the output of ``ip`` and from sysfs.

Pure: texts in, plain values out. What the node does not tell is None.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

#: Kinds of ``ip -d link`` that carry packets inside other packets.
TUNNELS = frozenset(
    {
        *("tun", "gre", "gretap", "ip6gre", "ip6gretap", "ipip", "sit", "ip6tnl", "vti", "vti6"),
        *("vxlan", "geneve", "wireguard", "erspan", "bareudp", "ppp"),
    }
)
#: Routes beyond these are left out: a node with all routes of the internet is not judged by them.
MOST_ROUTES = 1000
#: Tables that every node has, and their rules.
_USUAL_TABLES = frozenset({"local", "main", "default", "255", "254", "253"})


@dataclass(frozen=True)
class Device:
    """What sysfs says of one interface; a file that is not there or not readable is ''."""

    files: Mapping[str, str] = field(default_factory=dict)
    driver: str = ""
    is_hardware: bool = False
    is_wireless: bool = False
    rdma: tuple[str, ...] = ()

    def number(self, name: str) -> Optional[int]:
        """Return the number in a file; None for none, and for -1, which says unknown."""
        text = self.files.get(name, "").strip()
        return int(text) if re.fullmatch(r"\d{1,9}", text) and int(text) > 0 else None


def describe_interface(row: Mapping[str, Any], device: Device) -> dict[str, Any]:
    """Return one interface of ``ip -j -d addr show`` as plain values."""
    flags = [str(flag) for flag in row.get("flags") or []]
    kind = kind_of(row, device)
    name = str(row["ifname"]).split("@")[0]
    return {
        "name": name,
        "kind": kind,
        "up": "UP" in flags,
        "carrier": "LOWER_UP" in flags and "NO-CARRIER" not in flags,
        "state": str(row.get("operstate", "UNKNOWN")),
        "mtu": _number(row.get("mtu")),
        "speed_mbit": device.number("speed"),
        "duplex": device.files.get("duplex", "").strip() or None,
        "driver": device.driver or None,
        "vendor": device.files.get("device/vendor", "").strip() or None,
        "addresses": [
            f"{info['local']}/{info.get('prefixlen', 32)}"
            for info in row.get("addr_info") or []
            if isinstance(info, Mapping) and info.get("family") == "inet" and info.get("local")
        ],
        "master": str(row["master"]) if row.get("master") else None,
        # The lower interface; a number stands for one in another network namespace.
        "parent": str(row["link"]) if row.get("link") else None,
        "bond": bond_of(device.files) if kind == "bond" else None,
        "rdma": list(device.rdma),
    }


def kind_of(row: Mapping[str, Any], device: Device) -> str:
    """Return physical, wireless, loopback, bond, bridge, vlan, veth, tunnel or what ``ip`` says."""
    kind = str((row.get("linkinfo") or {}).get("info_kind") or "")
    if "LOOPBACK" in (row.get("flags") or []):
        return "loopback"
    if device.is_wireless:
        return "wireless"
    if kind:
        return "tunnel" if kind in TUNNELS else kind
    return "physical" if device.is_hardware else "virtual"


def bond_of(files: Mapping[str, str]) -> Optional[dict[str, Any]]:
    """Return mode and members of a bond, from sysfs and the text of /proc/net/bonding."""
    mode = files.get("bonding/mode", "").split()
    members = files.get("bonding/slaves", "").split()
    if not mode:
        return None
    status: dict[str, str] = {}
    member = ""
    for line in files.get("proc", "").splitlines():
        name, _colon, value = line.partition(":")
        if name == "Slave Interface":
            member = value.strip()
        elif name == "MII Status" and member:
            status[member] = value.strip()
    known = all(each in status for each in members)
    down = [each for each in members if status.get(each) != "up"] if known else None
    return {"mode": mode[0], "members": members, "down": down}


def _number(value: object) -> Optional[int]:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_worth_telling(interface: Mapping[str, Any], node_interface: Optional[str]) -> bool:
    """Return whether an interface is more than a container's end: a k3s node has hundreds."""
    is_end = interface["kind"] == "veth" and not interface["addresses"]
    return not is_end or interface["name"] == node_interface


def describe_routes(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the IPv4 routes that lead somewhere, without the kernel's own for local addresses."""
    found = []
    for row in rows:
        if row.get("type", "unicast") != "unicast" or not row.get("dst"):
            continue
        hops = [row, *(hop for hop in row.get("nexthops") or [] if isinstance(hop, Mapping))]
        devices = [str(hop["dev"]) for hop in hops if hop.get("dev")]
        gateways = [str(hop["gateway"]) for hop in hops if hop.get("gateway")]
        found.append(
            {
                "dst": str(row["dst"]),
                "dev": devices[0] if devices else "",
                "gateway": gateways[0] if gateways else None,
                "table": str(row.get("table", "main")),
                "metric": _number(row.get("metric")) or 0,
            }
        )
    return found[:MOST_ROUTES]


def describe_rules(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the policy rules besides the three that every node has."""
    found = []
    for row in rows:
        table = str(row.get("table", ""))
        selectors = [name for name in row if name not in ("priority", "src", "table", "protocol")]
        if table in _USUAL_TABLES and not selectors and row.get("src", "all") == "all":
            continue
        words = [f"{name} {value}".strip() for name, value in row.items() if name != "priority"]
        found.append(f"{row.get('priority', '?')}: {' '.join(words)}")
    return found


def neighbour_of(address: str) -> Optional[str]:
    """Return an address of the same subnet as ``198.19.1.7/24``; None where it has no other."""
    try:
        own = ipaddress.IPv4Interface(address)
    except ValueError:
        return None
    network = own.network
    if network.prefixlen > 31:
        return None
    first = network.network_address + (0 if network.prefixlen == 31 else 1)
    return str(first if first != own.ip else first + 1)


def describe_rdma(name: str, files: Mapping[str, str], interfaces: Sequence[str]) -> dict[str, Any]:
    """Return one RDMA device: state, rate and link layer of its first port."""
    state = files.get("ports/1/state", "").partition(":")[2].strip()
    return {
        "name": name,
        "state": state or None,
        "rate": files.get("ports/1/rate", "").strip() or None,
        "link_layer": files.get("ports/1/link_layer", "").strip() or None,
        "interfaces": list(interfaces),
    }
