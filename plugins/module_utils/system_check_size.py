# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether nodes are large enough: processors, memory, disks, shared memory, file systems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import node_requirements
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    plural,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_requirements import (
    K3S_GROUPS,
    K3S_PROFILES,
    RAY_GROUPS,
    Minimum,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import RAY
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_common import (
    WHERE,
    disk_with,
    facts_of,
    part,
    probed,
    size,
    system_of,
)

_ROOM = 1 - node_requirements.ALLOWANCE
_TMP = "/tmp"  # noqa: S108 - judged, never written
_SHM = "/dev/shm"  # noqa: S108 - judged, never written


def is_ray(inventory: Inventory, host: Host) -> bool:
    """Return whether Ray is to run on a host."""
    return RAY in inventory.profiles and host.is_in(RAY_GROUPS)


def is_k3s(inventory: Inventory, host: Host) -> bool:
    """Return whether k3s is to run on a host."""
    return not K3S_PROFILES.isdisjoint(inventory.profiles) and host.is_in(K3S_GROUPS)


def runtime_of(host: Host) -> str:
    """Return how Ray is to run on a host: container, which is the default, or venv."""
    return "venv" if host.values.get("ray_runtime") == "venv" else "container"


def _disk_use(disk: Mapping[str, Any]) -> str:
    """Return the command that shows how full a file system is, and of what."""
    shown = f"du -x -h -d 2 -t 1G {disk.get('mount', '/')}"
    return f"ansible -i inv.ini -b -m ansible.builtin.command -a '{shown}' {WHERE}"


def check_sizes(inventory: Inventory) -> list[Finding]:
    """Return a finding for each node with less than a document asks for, by the first that does."""
    return [finding for host in probed(inventory) for finding in _sizes(inventory, host)]


def _sizes(inventory: Inventory, host: Host) -> Iterator[Finding]:
    wanted = [
        row
        for row in node_requirements.MINIMA
        if not row.profiles.isdisjoint(inventory.profiles) and host.is_in(row.groups)
    ]
    for judge in (_short_of_cpus, _short_of_memory, _short_of_disk):
        found = (judge(host, row) for row in wanted)
        first = next((finding for finding in found if finding), None)
        if first:
            yield first


def _short_of_cpus(host: Host, row: Minimum) -> Optional[Finding]:
    count = facts_of(host).get("cpu_count")
    if row.cpus is None or not isinstance(count, int) or count >= row.cpus:
        return None
    return Finding(
        severity=row.severity,
        code="cpu-too-few",
        host=host.name,
        message="The node has fewer processors than it should.",
        seen=plural(count, "processor"),
        expected=f"at least {row.cpus} ({row.source})",
        fix=f"use a machine with {row.cpus} processors or more, or go on with less",
    )


def _short_of_memory(host: Host, row: Minimum) -> Optional[Finding]:
    memory = facts_of(host).get("memory_mib")
    if row.memory_mib is None or memory is None or memory >= row.memory_mib * _ROOM:
        return None
    return Finding(
        severity=row.severity,
        code="memory-too-small",
        host=host.name,
        message="The node has less memory than it should.",
        seen=size(memory),
        expected=f"at least {size(row.memory_mib)} ({row.source})",
        fix=f"use a machine with {size(row.memory_mib)} or more",
    )


def _short_of_disk(host: Host, row: Minimum) -> Optional[Finding]:
    """Judge the disk that / lies on; where none can be told, the file system itself."""
    root = disk_with(host, "/").get("size_mib")
    known = [each for each in (system_of(host).get("system_disk_mib"), root) if each]
    if row.disk_mib is None or not known or max(known) >= row.disk_mib * _ROOM:
        return None
    return Finding(
        severity=row.severity,
        code="disk-too-small",
        host=host.name,
        message="The system disk is smaller than it should be.",
        seen=size(max(known)),
        expected=f"at least {size(row.disk_mib)} ({row.source})",
        fix=f"use a system disk of {size(row.disk_mib)} or more",
    )


def check_space(inventory: Inventory) -> list[Finding]:
    """Return a finding for each file system without room for what is to go there."""
    found: list[Finding] = []
    for host in probed(inventory):
        if is_ray(inventory, host):
            found += [*_room_for_ray(host), *_ray_stops(host)]
        if is_k3s(inventory, host):
            found += _kubelet_evicts(host)
        found += [*_inodes(inventory, host), *_read_only(inventory, host)]
    return found


def _room_for_ray(host: Host) -> Iterator[Finding]:
    """Judge the room for Ray's programs as long as they are not there."""
    path = "/opt"
    if runtime_of(host) == "container":
        path = str(system_of(host).get("docker_root") or "/var/lib/docker")
    disk = disk_with(host, path)
    free = disk.get("free_mib")
    least, enough = node_requirements.RAY_SPACE_MIB[runtime_of(host)]
    if free is None or free >= enough or part(system_of(host), "installed").get("ray"):
        return
    fails = free < least
    yield Finding(
        severity=Severity.ERROR if fails else Severity.WARNING,
        code="space-too-small",
        host=host.name,
        message=(
            f"Ray will not fit below {path}."
            if fails
            else f"Ray fits below {path}, a larger image or environment may not."
        ),
        seen=f"{size(free)} free",
        expected=f"at least {size(least if fails else enough)} free (this collection's number)",
        fix=_disk_use(disk),
    )


def _ray_stops(host: Host) -> Iterator[Finding]:
    disk = disk_with(host, "/var/lib/ray")
    total, free = disk.get("size_mib"), disk.get("free_mib")
    if not total or free is None or 1 - free / total < node_requirements.RAY_MOST_USED:
        return
    yield Finding(
        severity=Severity.WARNING,
        code="disk-nearly-full",
        host=host.name,
        message="Ray makes no more objects where its file system is this full.",
        seen=f"{size(free)} of {size(total)} free around /var/lib/ray",
        expected="less than 95 % in use (Ray's local_fs_capacity_threshold)",
        fix=_disk_use(disk),
    )


def _kubelet_evicts(host: Host) -> Iterator[Finding]:
    for path in ("/var/lib/rancher", "/var/lib/kubelet"):
        disk = disk_with(host, path)
        total, free = disk.get("size_mib"), disk.get("free_mib")
        if total and free is not None and free / total < node_requirements.K3S_LEAST_FREE:
            yield Finding(
                severity=Severity.ERROR,
                code="disk-pressure",
                host=host.name,
                message="k3s will evict every pod from the node: the disk is too full.",
                seen=f"{size(free)} of {size(total)} free around {path}",
                expected="5 % free or more (eviction-hard, as k3s sets it)",
                fix=_disk_use(disk),
            )
            return


def _used_disks(inventory: Inventory, host: Host) -> Iterator[Mapping[str, Any]]:
    """Yield the file systems that hold the system, or what is installed."""
    wanted = {"/", "/var/lib"}
    if is_ray(inventory, host):
        docker = str(system_of(host).get("docker_root") or "/var/lib/docker")
        wanted |= {"/var/lib/ray", docker if runtime_of(host) == "container" else "/opt"}
    if is_k3s(inventory, host):
        wanted |= {"/var/lib/rancher", "/var/lib/kubelet"}
    for disk in system_of(host).get("disks") or ():
        if not wanted.isdisjoint(disk.get("paths") or ()):
            yield disk


def _inodes(inventory: Inventory, host: Host) -> Iterator[Finding]:
    for disk in _used_disks(inventory, host):
        total, free = disk.get("inodes"), disk.get("inodes_free")
        if not total or free is None or free >= min(node_requirements.LEAST_INODES, total // 10):
            continue
        yield Finding(
            severity=Severity.ERROR if free < total // 1000 else Severity.WARNING,
            code="inodes-too-few",
            host=host.name,
            message=f"The file system {disk['mount']} can hold hardly any more files.",
            seen=f"{free} of {total} inodes free",
            expected=f"{node_requirements.LEAST_INODES} or more (this collection's number)",
            fix=f"ansible -i inv.ini -b -m ansible.builtin.command "
            f"-a 'du --inodes -x -d 2 {disk['mount']}' {WHERE}",
        )


def _read_only(inventory: Inventory, host: Host) -> Iterator[Finding]:
    for disk in _used_disks(inventory, host):
        if disk.get("read_only"):
            yield Finding(
                severity=Severity.ERROR,
                code="disk-read-only",
                host=host.name,
                message=f"The file system {disk['mount']} cannot be written.",
                seen=f"{disk['mount']} is mounted read-only",
                expected="a file system that can be written; an error of its disk makes it so too",
                fix=f"ansible -i inv.ini -b -m ansible.builtin.command -a 'dmesg -l err' {WHERE}",
            )


def check_shared_memory(inventory: Inventory) -> list[Finding]:
    """Return a finding for each node whose /dev/shm is smaller than Ray's object store wants.

    Containers get one of the right size of their own.
    """
    found: list[Finding] = []
    for host in probed(inventory):
        if not is_ray(inventory, host) or runtime_of(host) != "venv":
            continue
        seen, wanted = facts_of(host).get("shm_mib"), _object_store_mib(host)
        if seen is None or wanted is None or seen * 0.9 >= wanted * _ROOM:
            continue
        found.append(
            Finding(
                severity=Severity.WARNING,
                code="shm-too-small",
                host=host.name,
                message=f"Ray's object store gets less than it wants: {_SHM} is too small.",
                seen=f"{_SHM} of {size(seen)}",
                expected=f"at least {size(wanted / 0.9)} (ray_object_store_fraction, 30 % of "
                "the memory when not set)",
                fix=f"ansible -i inv.ini -b -m ansible.builtin.command "
                f"-a 'mount -o remount,size=50% {_SHM}' {WHERE}   (and in /etc/fstab)",
            )
        )
    return found


def _object_store_mib(host: Host) -> Optional[float]:
    memory = facts_of(host).get("memory_mib")
    given = host.values.get("ray_object_store_memory_mib")
    fraction = host.values.get("ray_object_store_fraction", node_requirements.OBJECT_STORE_PART)
    try:
        if given is not None:
            return float(given)
        return None if memory is None else float(memory) * float(fraction)
    except (TypeError, ValueError):
        return None  # The inputs' own check says what is wrong with the value.


def check_tmp(inventory: Inventory) -> list[Finding]:
    """Return findings about a /tmp that is full, or from which nothing may be started."""
    found: list[Finding] = []
    for host in probed(inventory):
        disk = disk_with(host, _TMP)
        runtime = runtime_of(host) if is_ray(inventory, host) else "container"
        least, free = node_requirements.TMP_MIB[runtime], disk.get("free_mib")
        if free is not None and free < least:
            found.append(
                Finding(
                    severity=Severity.WARNING,
                    code="tmp-too-small",
                    host=host.name,
                    message=f"{_TMP} has little room.",
                    seen=f"{size(free)} free",
                    expected=f"at least {size(least)} free (this collection's number)",
                    fix=_disk_use(disk),
                )
            )
        if disk.get("noexec") and runtime == "venv" and is_ray(inventory, host):
            found.append(
                Finding(
                    severity=Severity.WARNING,
                    code="tmp-noexec",
                    host=host.name,
                    message=f"Nothing starts from {_TMP}, so packages that pip has to build fail.",
                    seen=f"{_TMP} is mounted noexec",
                    expected=f"{_TMP} without noexec, or wheels for every package",
                    fix=f"ansible -i inv.ini -b -m ansible.builtin.command "
                    f"-a 'mount -o remount,exec {_TMP}' {WHERE}",
                )
            )
    return found
