"""Nodes for the claims about links: healthy ones, to be changed where a test needs it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
    Probe,
)


def interface(name: str, *addresses: str, **changes: Any) -> dict[str, Any]:
    """Return an interface that is up, of gigabit Ethernet."""
    return {
        "name": name,
        "kind": "physical",
        "up": True,
        "carrier": True,
        "state": "UP",
        "mtu": 1500,
        "speed_mbit": 1000,
        "duplex": "full",
        "driver": "igb",
        "vendor": "0x8086",
        "addresses": list(addresses),
        "master": None,
        "parent": None,
        "bond": None,
        "rdma": [],
        **changes,
    }


def route(dst: str, dev: str, gateway: str | None = None, **changes: Any) -> dict[str, Any]:
    return {"dst": dst, "dev": dev, "gateway": gateway, "table": "main", "metric": 0, **changes}


def listens(ports: str, process: str | None = "python3", **changes: Any) -> dict[str, Any]:
    """Return a stranger that listens on all addresses."""
    return {
        "protocol": "tcp",
        "address": "*",
        "ports": ports,
        "pid": 4711 if process else None,
        "processes": 1 if process else 0,
        "process": process,
        "command": process,
        "unit": None,
        "container": None,
        "container_name": None,
        "uid": 0,
        **changes,
    }


def links(number: int, *interfaces: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the network facts of healthy node ``number``."""
    return {
        "interfaces": [
            interface("eth0", f"192.0.2.{number}/24"),
            *(interfaces or (interface("eth1", f"198.19.1.{number}/24"),)),
        ],
        "rdma": [],
        "routes": [
            route("default", "eth0", "192.0.2.254"),
            route("192.0.2.0/24", "eth0"),
            route("198.19.1.0/24", "eth1"),
        ],
        "rules": [],
        "neighbour": {"address": "198.19.1.1", "interface": "eth1", "source": None},
        "rp_filter": 0,
        "ephemeral": [32768, 60999],
        "reserved_ports": "",
        "listeners": [listens("22", "sshd", unit="ssh.service")],
        "outgoing": {"tcp": "", "udp": ""},
        "sees_processes": True,
        "firewall": {"active": [], "ours": False, "closed_by_us": False, "ufw_rules": []},
        "docker": {"bip": None, "pools": None, "networks": None},
        **changes,
    }


def host(
    number: int,
    facts: dict[str, Any] | None = None,
    groups: Iterable[str] = (),
    iface: str = "eth1",
    **values: Any,
) -> Host:
    """Return node ``number``: the head is 1."""
    return Host(
        name=f"n{number}",
        groups=frozenset(groups or ["ray_head" if number == 1 else "ray_worker"]),
        values=values,
        probe=Probe(
            reachable=True,
            sudo=True,
            facts={
                "node_address": f"198.19.1.{number}",
                "node_interface": iface,
                "links": facts or links(number),
            },
        ),
    )


def inventory(*hosts: Host, **changes: Any) -> Inventory:
    return Inventory(hosts=hosts or (host(1), host(2), host(3)), inputs={}, **changes)


def brief(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    """Return severity, code and host of each finding."""
    return [(each.severity.value, each.code, each.host) for each in findings]
