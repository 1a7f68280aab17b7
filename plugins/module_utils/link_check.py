# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the nodes' links: down, slow, degraded, unlike the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
    Severity,
    join_names,
    plural,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_check_firewall import (
    check_pods_firewalled,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check_networks import (
    check_docker_networks,
    check_k3s_networks,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check_routes import (
    check_routes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_facts import (
    NodeLinks,
    command_on,
    interface_named,
    node_links,
)

#: Mbit/s below which a cluster network is slow whatever the others have (gigabit Ethernet).
SLOWEST_GOOD = 1000
#: Drivers of virtual machines' interfaces, which name a speed that means nothing.
VIRTUAL_DRIVERS = frozenset(
    {"virtio_net", "vmxnet3", "hv_netvsc", "xen_netfront", "netfront", "ena", "gve", "e1000"}
)


def check_links(inventory: Inventory) -> list[Finding]:
    """Return every finding about the network of the nodes, but for those about ports."""
    nodes = node_links(inventory)
    return [
        *check_up(nodes),
        *check_mtu(nodes),
        *check_speed(nodes),
        *check_bonds(nodes),
        *check_rdma(nodes),
        *check_routes(nodes),
        *check_docker_networks(nodes),
        *check_k3s_networks(nodes, inventory),
        *check_pods_firewalled(nodes, inventory),
    ]


def check_up(nodes: Sequence[NodeLinks]) -> list[Finding]:
    """Return an error for each node whose interface of the cluster network carries nothing."""
    return [
        Finding(
            severity=Severity.ERROR,
            code="interface-down",
            host=node.name,
            message=_what_is_down(node),
            seen=f"{node.interface['name']}: state {node.interface['state']}, "
            f"{'switched on' if node.interface['up'] else 'switched off'}, "
            f"{'carrier' if node.interface['carrier'] else 'no carrier'}",
            expected=f"{node.interface['name']} up, with carrier",
            fix=command_on(node.name, f"ip link set {node.interface['name']} up")
            if not node.interface["up"]
            else f"check cable, switch port and, of a bond or bridge, the members of "
            f"{node.interface['name']} on {node.name}",
            variable="my_iface" if "my_iface" in node.values else "",
        )
        for node in nodes
        if node.interface and node.is_down
    ]


def _what_is_down(node: NodeLinks) -> str:
    interface = node.interface or {}
    if not interface["up"]:
        return f"The interface {interface['name']} of the cluster network is switched off."
    return f"The interface {interface['name']} of the cluster network has no carrier."


def check_mtu(nodes: Sequence[NodeLinks]) -> list[Finding]:
    """Return one warning when the interfaces of the cluster network differ in their MTU."""
    mtus = {
        node.name: int(node.interface["mtu"])
        for node in nodes
        if node.interface and node.interface["mtu"]
    }
    counts = Counter(mtus.values()).most_common()
    if len(counts) < 2:
        return []
    usual = counts[0][0] if counts[0][1] > counts[1][1] else None
    # Without a majority the smallest is the one that every switch on the way takes.
    right = usual or min(mtus.values())
    odd = [name for name, mtu in mtus.items() if mtu != right]
    interfaces = {
        node.name: str((node.interface or {})["name"]) for node in nodes if node.interface
    }
    groups = [
        f"{mtu} on {join_names([name for name in mtus if mtus[name] == mtu])}"
        for mtu, _count in counts
    ]
    one = odd[0] if len(odd) == 1 and usual else ""
    return [
        Finding(
            severity=Severity.WARNING,
            code="mtu-differs",
            host=one or ALL_HOSTS,
            message="The interfaces of the cluster network differ in their MTU: large packets from"
            " one with more to one with less are dropped or cut.",
            seen=", ".join(groups),
            expected=f"{usual} on all nodes" if usual else "the same MTU on all nodes",
            fix=command_on(",".join(odd), f"ip link set {interfaces[odd[0]]} mtu {right}")
            + "   (and in its network configuration)",
        )
    ]


def speed_of(node: NodeLinks) -> Optional[int]:
    """Return the Mbit/s of the link below the node address, None where they mean nothing.

    A bond that lacks members is slow for that reason, and a finding of its own.
    """
    if node.interface is None or any(bond["bond"]["down"] for bond in node.bonds_below()):
        return None
    return _speed(node, node.interface, 0)


def _speed(node: NodeLinks, interface: Mapping[str, Any], depth: int) -> Optional[int]:
    kind = interface["kind"]
    if kind in ("physical", "bond") and interface["driver"] not in VIRTUAL_DRIVERS:
        speed = interface["speed_mbit"]
        return int(speed) if speed else None
    lower: list[Mapping[str, Any]] = []
    if kind in ("vlan", "macvlan", "ipvlan"):
        parent = interface_named(node.interfaces, str(interface["parent"]))
        lower = [parent] if parent else []
    if kind in ("bridge", "openvswitch"):
        lower = [each for each in node.interfaces if each["master"] == interface["name"]]
    speeds = [_speed(node, each, depth + 1) for each in lower] if depth < 4 else []
    return max((speed for speed in speeds if speed), default=None)


def check_speed(nodes: Sequence[NodeLinks]) -> list[Finding]:
    """Return a warning for each link slower than most of them, or than gigabit Ethernet."""
    speeds = {node.name: speed_of(node) for node in nodes if not node.is_down}
    known = [speed for speed in speeds.values() if speed]
    # Of as many fast as slow ones the fast ones count as usual.
    usual = max(Counter(known).items(), key=lambda item: (item[1], item[0]))[0] if known else 0
    findings = []
    for node in nodes:
        speed = speeds.get(node.name)
        if node.interface and speed and speed < max(usual, SLOWEST_GOOD):
            name = node.interface["name"]
            than = f"{usual} Mbit/s as most nodes have" if speed < usual else "gigabit Ethernet"
            findings.append(
                Finding(
                    severity=Severity.WARNING,
                    code="interface-slow",
                    host=node.name,
                    message=f"The link of {name} is slow, so this node holds the others up.",
                    seen=f"{name}: {speed} Mbit/s, duplex {node.interface['duplex'] or 'unknown'}",
                    expected=than,
                    fix=command_on(node.name, f"ethtool {name}")
                    + "   (shows what both ends offer; check cable and switch port)",
                )
            )
    return findings


def check_bonds(nodes: Sequence[NodeLinks]) -> list[Finding]:
    """Return a warning for each bond below a node address that lacks members."""
    findings = []
    for node in nodes:
        for bond in node.bonds_below():
            down = bond["bond"]["down"]
            if down and not node.is_down:
                members = bond["bond"]["members"]
                findings.append(
                    Finding(
                        severity=Severity.WARNING,
                        code="bond-degraded",
                        host=node.name,
                        message=f"The bond {bond['name']} runs on"
                        f" {len(members) - len(down)} of {plural(len(members), 'link')}.",
                        seen=f"{join_names(down)} down, mode {bond['bond']['mode']}",
                        expected=f"{join_names(members)} up",
                        fix=f"check cable and switch port of {join_names(down)} on {node.name}",
                    )
                )
    return findings


def check_rdma(nodes: Sequence[NodeLinks]) -> list[Finding]:
    """Return one note that names the RDMA devices, where there are some."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if node.rdma:
            text = ", ".join(_rdma_text(device) for device in node.rdma)
            found.setdefault(text, []).append(node.name)
    if not found:
        return []
    names = [name for group in found.values() for name in group]
    return [
        Finding(
            severity=Severity.NOTE,
            code="rdma-devices",
            host=names[0] if len(names) == 1 else ALL_HOSTS,
            message=f"{plural(len(names), 'node')} can do RDMA; NCCL uses it where all of its nodes"
            " have it and NCCL_IB_HCA does not say otherwise.",
            seen="; ".join(f"{join_names(group)}: {text}" for text, group in found.items()),
        )
    ]


def _rdma_text(device: Mapping[str, Any]) -> str:
    parts = [str(device[name]) for name in ("link_layer", "rate", "state") if device[name]]
    parts += [f"on {join_names(device['interfaces'])}"] if device["interfaces"] else []
    return f"{device['name']} ({', '.join(parts)})" if parts else str(device["name"])
