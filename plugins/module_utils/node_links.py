# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a node's network is: interfaces, routes, listeners, packet filters, Docker's networks.

Works without root and tells more with it. Unknown is None.
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
    Result,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_pools import (
    parse_networks,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_admits import (
    admission_of_rule,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_iptables import (
    has_chain,
    our_rules,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_nft import (
    NAME,
    our_chains,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_plan import Seen
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_read import Filters
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links_interfaces import (
    Device,
    describe_interface,
    describe_rdma,
    describe_routes,
    describe_rules,
    is_worth_telling,
    neighbour_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links_processes import (
    Processes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import joined

#: Seconds after which a program is given up.
TIMEOUT = "8"
#: The owner's rules of ufw beyond these are left out.
MOST_RULES = 300
_DEVICE_FILES = ("speed", "duplex", "bonding/mode", "bonding/slaves", "device/vendor")
_RDMA_FILES = ("ports/1/state", "ports/1/rate", "ports/1/link_layer")


class Limited(Command):
    """Runs programs that end after TIMEOUT at the latest."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def find(self, program: str) -> Optional[str]:
        """Return the path of ``program``, or None when the node does not have it."""
        return self._command.find(program)

    def run(
        self,
        argv: Sequence[str],
        text: Optional[str] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> Result:
        """Return how ``argv`` ended, 124 as its exit status where it took too long."""
        timeout = self.find("timeout")
        return self._command.run([timeout, TIMEOUT, *argv] if timeout else argv, text, env)


def read_links(
    command: Command, node_interface: Optional[str], root: str = "/", is_root: Optional[bool] = None
) -> dict[str, Any]:
    """Return what this node's network is; ``node_interface`` is the one on the cluster network."""
    limited = Limited(command)
    sees_all = os.geteuid() == 0 if is_root is None else is_root
    interfaces = read_interfaces(limited, node_interface, root)
    ephemeral = read_ephemeral(root)
    return {
        "interfaces": interfaces,
        "rdma": read_rdma(root),
        **read_routes(limited, interfaces or [], node_interface),
        "rp_filter": read_rp_filter(root, node_interface),
        "ephemeral": ephemeral,
        "reserved_ports": read_reserved(root),
        **Processes(limited, root).describe(ephemeral, sees_all),
        "firewall": read_firewall(limited) if sees_all else None,
        "docker": read_docker(limited, root),
    }


def read_text(root: str, path: str) -> str:
    """Return the text of a file, '' when it cannot be read."""
    try:
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def read_rows(command: Command, *argv: str) -> Optional[list[dict[str, Any]]]:
    """Return the JSON objects that a program prints, None when it does not print such."""
    result = command.run(argv)
    try:
        rows = json.loads(result.out or ("[]" if result.rc == 0 else ""))
    except ValueError:
        return None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def read_interfaces(
    command: Command, node_interface: Optional[str], root: str = "/"
) -> Optional[list[dict[str, Any]]]:
    """Return the interfaces, without those of containers; None when ``ip`` does not tell them."""
    if command.find("ip") is None:
        return None
    rows = read_rows(command, "ip", "-j", "-d", "addr", "show")
    if rows is None:  # Older versions print details of some kinds as no JSON.
        rows = read_rows(command, "ip", "-j", "addr", "show")
    if rows is None:
        return None
    named = [row for row in rows if row.get("ifname")]
    found = [
        describe_interface(row, read_device(root, str(row["ifname"]).split("@")[0]))
        for row in named
    ]
    return [each for each in found if is_worth_telling(each, node_interface)]


def read_device(root: str, name: str) -> Device:
    """Return what sysfs says of an interface."""
    folder = f"sys/class/net/{name}"
    files = {each: read_text(root, f"{folder}/{each}") for each in _DEVICE_FILES}
    files["proc"] = read_text(root, f"proc/net/bonding/{name}") if files["bonding/mode"] else ""
    base = os.path.join(root, folder)
    return Device(
        files=files,
        driver=_link_name(f"{base}/device/driver"),
        is_hardware=os.path.exists(f"{base}/device"),
        is_wireless=os.path.exists(f"{base}/wireless") or os.path.exists(f"{base}/phy80211"),
        rdma=tuple(_names(f"{base}/device/infiniband/*")),
    )


def _link_name(path: str) -> str:
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return ""


def _names(pattern: str) -> list[str]:
    return sorted(os.path.basename(path) for path in glob.glob(pattern))


def read_rdma(root: str = "/") -> list[dict[str, Any]]:
    """Return the RDMA devices with their interfaces."""
    folder = os.path.join(root, "sys/class/infiniband")
    return [
        describe_rdma(
            name,
            {each: read_text(root, f"sys/class/infiniband/{name}/{each}") for each in _RDMA_FILES},
            _names(f"{folder}/{name}/device/net/*"),
        )
        for name in _names(f"{folder}/*")
    ]


def read_routes(
    command: Command, interfaces: Sequence[Mapping[str, Any]], node_interface: Optional[str]
) -> dict[str, Any]:
    """Return routes, rules, and the way that the kernel takes to the node address's neighbours."""
    if command.find("ip") is None:
        return {"routes": None, "rules": None, "neighbour": None}
    routes = read_rows(command, "ip", "-j", "-4", "route", "show", "table", "all")
    rules = read_rows(command, "ip", "-j", "-4", "rule", "show")
    own = [each["addresses"] for each in interfaces if each["name"] == node_interface]
    address = neighbour_of(own[0][0]) if own and own[0] else None
    ways = read_rows(command, "ip", "-j", "-4", "route", "get", address) if address else None
    way = ways[0] if ways else {}
    return {
        "routes": None if routes is None else describe_routes(routes),
        "rules": None if rules is None else describe_rules(rules),
        "neighbour": {
            "address": address,
            "interface": str(way["dev"]),
            "source": str(way["prefsrc"]) if way.get("prefsrc") else None,
        }
        if way.get("dev")
        else None,
    }


def read_rp_filter(root: str, node_interface: Optional[str]) -> Optional[int]:
    """Return the reverse path filter that holds for the node's interface: the stricter of two."""
    folder = "proc/sys/net/ipv4/conf"
    texts = [
        read_text(root, f"{folder}/{name}/rp_filter") for name in ("all", node_interface or "")
    ]
    values = [int(text) for text in texts if text.strip().isdigit()]
    return max(values) if len(values) == 2 else None


def read_ephemeral(root: str = "/") -> Optional[list[int]]:
    """Return first and last of the ports that the kernel gives to outgoing connections."""
    words = read_text(root, "proc/sys/net/ipv4/ip_local_port_range").split()
    return [int(word) for word in words] if len(words) == 2 and "".join(words).isdigit() else None


def read_reserved(root: str = "/") -> Optional[str]:
    """Return the ports that the kernel keeps from outgoing connections."""
    path = "proc/sys/net/ipv4/ip_local_reserved_ports"
    if not os.path.exists(os.path.join(root, path)):
        return None
    try:
        return joined(read_text(root, path))
    except ValueError:
        return None


def read_firewall(command: Command) -> Optional[dict[str, Any]]:
    """Return which firewalls turn down input here, and what of ours is in them; None if untold."""
    try:
        seen = Filters(command).read()
    except (CommandError, ValueError):
        return None
    return {
        "active": seen.active(),
        "filters": any(_turns_down(text) for text in _rule_texts(seen)),
        "ours": _has_ours(seen),
        "admits": _admitted(seen),
        "closed_by_us": any((each.family, each.table) == ("inet", NAME) for each in seen.chains),
        "ufw_rules": list(seen.ufw_owners[:MOST_RULES]) if seen.ufw_runs else [],
        "trusted": _trusted(seen)[:MOST_RULES],
    }


def _trusted(seen: Seen) -> list[str]:
    """Return the sources and interfaces to which a running firewalld opens everything."""
    zones = [zone for zone in seen.runtime or () if zone.name == "trusted"]
    return [each for zone in zones for each in (*zone.sources, *zone.interfaces)]


def _rule_texts(seen: Seen) -> list[str]:
    chains = [" ".join([each.hook, *(rule.text for rule in each.rules)]) for each in seen.chains]
    return [*chains, *(each.text for each in seen.saved)]


def _turns_down(rules: str) -> bool:
    """Return whether any rule or policy drops or rejects something, whatever that is."""
    return re.search(r"\b(drop|reject|DROP|REJECT)\b", rules) is not None


def _admitted(seen: Seen) -> list[str]:
    """Return whom rules of ours let in where, such as ``10.1.0.0/24 tcp 8076-8077``."""
    texts = [*(seen.ufw or ()), *(rule for zone in seen.runtime or () for rule in zone.ours)]
    texts += [rule for each in seen.saved for rule in our_rules(each.text)]
    chains = [*our_chains(seen.chains), *(each for each in seen.chains if each.table == NAME)]
    texts += [rule.text for chain in chains for rule in chain.rules]
    found = (admission_of_rule(text) for text in texts)
    return sorted({str(each) for each in found if each})


def _has_ours(seen: Seen) -> bool:
    zones = seen.runtime or ()
    return bool(
        seen.ufw
        or our_chains(seen.chains)
        or any(each.table == NAME for each in seen.chains)
        or any(has_chain(each.text) for each in seen.saved)
        or any(zone.ours for zone in zones)
    )


def read_docker(command: Command, root: str = "/") -> dict[str, Any]:
    """Return Docker's address pools in daemon.json, and the networks that it has."""
    try:
        settings = json.loads(read_text(root, "etc/docker/daemon.json") or "{}")
    except ValueError:
        settings = {}
    settings = settings if isinstance(settings, dict) else {}
    pools = settings.get("default-address-pools")
    return {
        "bip": str(settings["bip"]) if settings.get("bip") else None,
        "pools": [dict(each) for each in pools if isinstance(each, dict)]
        if isinstance(pools, list)
        else None,
        "networks": read_docker_networks(command, root),
    }


def read_docker_networks(command: Command, root: str = "/") -> Optional[list[dict[str, Any]]]:
    """Return the networks of a running engine; None where none runs or it does not answer."""
    # To ask an engine that does not run would start it.
    if not glob.glob(os.path.join(root, "run/docker.pid")) or not command.find("docker"):
        return None
    listed = command.run(["docker", "network", "ls", "--quiet"])
    names = listed.out.split()
    if listed.rc != 0 or not names:
        return None
    inspected = command.run(["docker", "network", "inspect", *names])
    if inspected.rc != 0:
        return None
    return [
        {
            "name": each.name,
            "driver": each.driver,
            "subnets": [str(subnet) for subnet in each.subnets],
            "containers": list(each.containers),
        }
        for each in parse_networks(inspected.out)
    ]
