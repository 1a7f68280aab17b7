# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node is a system that our roles know: distribution, machine type, kernel, cgroups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import node_requirements
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    INVENTORY,
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_system_state import (
    numbers_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_common import (
    WHERE,
    facts_of,
    part,
    probed,
    system_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_size import (
    is_k3s,
    is_ray,
)


def check_platforms(inventory: Inventory) -> list[Finding]:
    """Return a finding for each system that is not in the support table."""
    found: list[Finding] = []
    for host in probed(inventory):
        judged = (_system(host), _machine(host), _kernel(host), _cgroups(inventory, host))
        found += [finding for finding in judged if finding]
    return found


def is_supported(system: Mapping[str, Any]) -> bool:
    """Return whether a distribution and its version are in the support table."""
    name, version = str(system.get("id", "")), str(system.get("version_id", ""))
    short = version if name == "ubuntu" else version.split(".")[0]
    return short in node_requirements.SUPPORTED.get(name, ())


def _system(host: Host) -> Optional[Finding]:
    system = part(facts_of(host), "os")
    # An empty version is one, as Debian's testing has; None is not known.
    unread = any(system.get(name) is None for name in ("id", "version_id", "family"))
    if unread or not system["id"] or is_supported(system):
        return None
    shown = system.get("name") or f"{system['id']} {system.get('version_id', '')}".strip()
    if system.get("family") in node_requirements.FAMILIES:
        return Finding(
            severity=Severity.WARNING,
            code="os-untested",
            host=host.name,
            message="This version of the operating system is not in the support table.",
            seen=str(shown),
            expected=node_requirements.SUPPORT_TABLE,
            fix="install a version of the table, or go on: the roles treat it like its family",
        )
    return Finding(
        severity=Severity.ERROR,
        code="os-unsupported",
        host=host.name,
        message="The roles do not know this operating system, nor its package manager.",
        seen=str(shown),
        expected=node_requirements.SUPPORT_TABLE,
        fix="install one of these, or take the node out of the inventory",
    )


def _machine(host: Host) -> Optional[Finding]:
    machine = facts_of(host).get("architecture")
    if not machine or machine in node_requirements.ARCHITECTURES:
        return None
    return Finding(
        severity=Severity.ERROR,
        code="architecture-unsupported",
        host=host.name,
        message="Neither Ray nor k3s runs on this type of machine as we install them.",
        seen=str(machine),
        expected=" or ".join(node_requirements.ARCHITECTURES),
        fix="take the node out of the inventory",
    )


def _kernel(host: Host) -> Optional[Finding]:
    release = str(facts_of(host).get("kernel") or "")
    version = numbers_of(release)[:2]
    if len(version) < 2 or version >= node_requirements.OLDEST_KERNEL:
        return None
    oldest = ".".join(str(number) for number in node_requirements.OLDEST_KERNEL)
    return Finding(
        severity=Severity.WARNING,
        code="kernel-too-old",
        host=host.name,
        message="The kernel is older than that of any system in the support table.",
        seen=release,
        expected=f"{oldest} or newer, as Enterprise Linux 8 has",
        fix="boot the kernel of the installed distribution, or upgrade the distribution",
    )


def _cgroups(inventory: Inventory, host: Host) -> Optional[Finding]:
    """Judge for k3s only: Docker Engine still serves version 1, which Enterprise Linux 8 has."""
    mode = system_of(host).get("cgroup")
    if mode not in ("v1", "hybrid") or not is_k3s(inventory, host):
        return None
    return Finding(
        severity=Severity.WARNING,
        code="cgroup-v1",
        host=host.name,
        message="k3s 1.35 and newer does not start on a node with control groups of version 1.",
        seen=f"control groups {mode}",
        expected="version 2 (Kubernetes 1.35: failCgroupV1 of the kubelet is on by default)",
        fix="os_base_kernel_arguments='[\"systemd.unified_cgroup_hierarchy=1\"]'"
        f"   (in the inventory, for {WHERE})",
    )


def check_mixed_machines(inventory: Inventory) -> list[Finding]:
    """Return a warning for a Ray cluster of several types of machine."""
    types: dict[str, list[str]] = {}
    for host in probed(inventory):
        machine = facts_of(host).get("architecture")
        if machine in node_requirements.ARCHITECTURES and is_ray(inventory, host):
            types.setdefault(str(machine), []).append(host.name)
    if len(types) < 2:
        return []
    return [
        Finding(
            severity=Severity.WARNING,
            code="architecture-mixed",
            host=INVENTORY,
            message=(
                "The Ray cluster has several types of machine: one image and compiled packages of"
                " jobs do not serve both."
            ),
            seen="; ".join(f"{name}: {join_names(hosts)}" for name, hosts in sorted(types.items())),
            expected="one type of machine in a cluster, or an image with a build for each",
            fix="give each type an inventory of its own, or set ray_image for each group",
        )
    ]
