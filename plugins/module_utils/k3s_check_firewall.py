# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node's firewalld cuts pods off from each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    merge_common,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import Network
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check_networks import (
    K3S_GROUPS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_facts import NodeLinks
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import K3S
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import (
    K3S_NETWORKS,
)

#: With these in the trusted zone pods reach each other as well, where flannel wraps their packets.
_INTERFACES = frozenset({"cni0", "flannel.1"})


def check_pods_firewalled(nodes: Sequence[NodeLinks], inventory: Inventory) -> list[Finding]:
    """Return a warning for each node of k3s whose firewalld does not trust the pods.

    provision.yml opens a node's own ports to pods. What is passed on from pod to pod meets other
    rules of firewalld, which only its zones decide.
    """
    if K3S not in inventory.profiles:
        return []
    members = [node for node in nodes if node.groups.intersection(K3S_GROUPS)]
    findings = [_cut_off(node) for node in members if _is_closed(node)]
    return merge_common(findings, [node.name for node in nodes])


def _is_closed(node: NodeLinks) -> bool:
    firewall = node.facts.get("firewall") or {}
    if "firewalld" not in (firewall.get("active") or ()) or _is_stopped(node):
        return False
    trusted = frozenset(str(each) for each in firewall.get("trusted") or ())
    if node.values.get("k3s_flannel_backend", "vxlan") == "vxlan" and trusted >= _INTERFACES:
        return False
    return not all(_is_held(pods, trusted) for pods in _networks(node, "k3s_cluster_cidr"))


def _is_stopped(node: NodeLinks) -> bool:
    """Return whether provision.yml stops the firewall; an unquoted off is False in YAML."""
    return node.values.get("os_base_firewall") in ("off", False)


def _networks(node: NodeLinks, variable: str) -> list[str]:
    value = str(node.values.get(variable) or K3S_NETWORKS[variable])
    return [each.strip() for each in value.split(",")]


def _is_held(network: str, trusted: frozenset[str]) -> bool:
    """Return whether a source of the trusted zone holds the network; one that is none is."""
    inner = _parsed(network)
    if inner is None:
        return True  # Another check names the value.
    outers = [outer for outer in map(_parsed, trusted) if outer is not None]
    return any(
        outer.version == inner.version
        and int(outer.network_address) <= int(inner.network_address)
        and int(inner.broadcast_address) <= int(outer.broadcast_address)
        for outer in outers
    )


def _parsed(text: str) -> Optional[Network]:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _cut_off(node: NodeLinks) -> Finding:
    networks = [each for variable in K3S_NETWORKS for each in _networks(node, variable)]
    sources = " ".join(f"--add-source={each}" for each in networks)
    return Finding(
        severity=Severity.WARNING,
        code="k3s-pods-firewalled",
        host=node.name,
        message="firewalld runs on the node. provision.yml lets pods reach the node itself, but"
        " firewalld rejects what is passed on from pod to pod, so DNS and services would fail.",
        seen="firewalld is active, and its zone trusted does not hold the networks of k3s",
        expected=f"{' and '.join(networks)} in the zone trusted, or no firewalld",
        fix="on the node: firewall-cmd --permanent --zone=trusted"
        f" {sources} && firewall-cmd --reload",
    )
