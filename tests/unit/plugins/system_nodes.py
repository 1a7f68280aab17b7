"""Inventories of nodes that are healthy but for what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
    Probe,
)

PATHS = (
    "/",
    "/home",
    "/opt",
    "/tmp",
    "/var/lib",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/rancher",
    "/var/lib/kubelet",
    "/var/lib/ray",
)


def disk(mount: str = "/", *paths: str, **other: Any) -> dict[str, Any]:
    """Return a large and empty file system that holds ``paths``, by default all."""
    return {
        "mount": mount,
        "type": "ext4",
        "noexec": False,
        "read_only": False,
        "paths": list(paths or PATHS),
        "size_mib": 400_000,
        "free_mib": 300_000,
        "inodes": 20_000_000,
        "inodes_free": 19_000_000,
        **other,
    }


def system(**other: Any) -> dict[str, Any]:
    """Return what ``read_system`` brings from an ordinary server with Debian 13."""
    return {
        "clock": 1_795_000_000.5,
        "boot_id": "ad23fb64-f74f-496c-ba0e-0edcedd614cf",
        "disks": [disk()],
        "docker_root": "/var/lib/docker",
        "system_disk_mib": 457_862,
        "cgroup": "v2",
        "secure_boot": True,
        "reboot": {"required": False, "packages": [], "newer_kernel": None},
        "upgrades": {"tool": None, "active": False, "held": False},
        "swap": [],
        "pci_gpus": [],
        "nameservers": ["198.18.0.53"],
        "names": {
            "hostname": "node1",
            "hosts_file": ["127.0.1.1"],
            "resolved": ["127.0.1.1"],
            "localhost": ["::1", "127.0.0.1"],
        },
        "login": {
            "user": "ops",
            "uid": 1000,
            "paths": [
                {"path": "/home/ops", "mode": "0755", "owner": 1000, "private_group": True},
                {"path": "/home/ops/.ssh", "mode": "0700", "owner": 1000, "private_group": True},
            ],
            "strict_modes": None,
        },
        "installed": {"ray": False, "k3s": False},
        "clock_offset": [-0.4, 0.3],
        **other,
    }


def facts(number: int = 1, /, **other: Any) -> dict[str, Any]:
    """Return the facts of such a server; ``system`` replaces parts of its system."""
    changed: Mapping[str, Any] = other.pop("system", {})
    return {
        "node_address": f"198.19.1.{number}",
        "hostname": f"node{number}",
        "machine_id": f"{number:032x}",
        "interfaces": [
            {"name": "lo", "addresses": ["127.0.0.1/8"], "is_loopback": True},
            {"name": "eth1", "addresses": [f"198.19.1.{number}/24"], "is_loopback": False},
        ],
        "os": {
            "id": "debian",
            "version_id": "13",
            "name": "Debian GNU/Linux 13 (trixie)",
            "family": "Debian",
        },
        "kernel": "6.12.48+deb13-amd64",
        "architecture": "x86_64",
        "cpu_count": 64,
        "memory_mib": 515_644,
        "shm_mib": 257_822,
        "system": system(**changed),
        **other,
    }


def node(
    name: str, group: str = "ray_worker", values: Mapping[str, Any] | None = None, **given: Any
) -> Host:
    """Return a host whose probe brought ``facts(**given)``, or nothing for ``facts=None``."""
    brought = given.pop("facts", facts(**given) if given else facts())
    return Host(
        name=name,
        groups=frozenset({group}),
        values=values or {},
        probe=Probe(reachable=True, sudo=True, facts=brought) if brought is not None else None,
    )


def inventory(*hosts: Host, profiles: tuple[str, ...] = ("ray",)) -> Inventory:
    """Return an inventory of ``hosts`` for ``profiles``."""
    groups = ("ray_head", "ray_worker", "k3s_server", "k3s_agent", "monitoring", "registry")
    return Inventory(hosts=hosts, inputs={}, cluster_groups=groups, profiles=frozenset(profiles))


def brief(
    check: Callable[[Inventory], list[Finding]], *hosts: Host, profiles: tuple[str, ...] = ("ray",)
) -> list[tuple[str, str, str, str]]:
    """Return severity, host, code and what was seen of each finding."""
    return [
        (each.severity.value, each.host, each.code, each.seen)
        for each in check(inventory(*hosts, profiles=profiles))
    ]
