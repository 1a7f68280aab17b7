# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What argument specs cannot say of an input: its bounds, and whether a text will do for a list."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import Input, Kind
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import CATALOGUE
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import LAST_PORT

#: Lists that are handed as they are to something that splits a text at its commas. A test reads the
#: roles and holds this equal to what they do.
TAKE_TEXT = frozenset(
    {
        "docker_daemon_options",
        "docker_insecure_registries",
        "docker_no_proxy",
        "docker_registry_mirrors",
        "docker_reserved_subnets",
        "nvidia_container_engines",
        "os_base_ca_files",
        "os_base_firewall_owner_ports",
        "os_base_held_packages",
        "os_base_hosts_keep",
        "os_base_kernel_modules",
        "os_base_no_proxy",
        "os_base_ntp_servers",
        "os_base_optional_interfaces",
        "os_base_reboot_own_containers",
        "preflight_ignore",
        "preflight_own_variables",
        "ray_expected_addresses",
        "ray_venv_requirements",
        "rocm_container_engines",
    }
)

#: Inputs that are lists, sizes of batches and the like, whatever the list of them or a spec says.
KINDS = {
    "cluster_control_addresses": Kind.LIST,
    "cluster_developer_addresses": Kind.LIST,
    "cluster_no_proxy": Kind.LIST,
    "cluster_reboot_batch": Kind.BATCH,
    "k3s_upgrade_batch": Kind.BATCH,
    "k3s_cluster_cidr": Kind.SUBNET,
    "k3s_node_name": Kind.NODE_NAME,
    "k3s_service_cidr": Kind.SUBNET,
    "k3s_token": Kind.HIDDEN,
    "k3s_version": Kind.K3S_RELEASE,
    "preflight_own_variables": Kind.LIST,
}

#: The least values that are neither 0 nor the 1 of every port and time-out. Ray refuses an object
#: store under 75 MiB.
LOWEST = {
    "docker_log_max_files": 1,
    "gpu_burn_seconds": 1,
    "gpu_burn_temperature_limit_c": 1,
    "os_base_open_files": 1,
    "preflight_ports_rate": 1,
    "preflight_ports_seconds": 1,
    "ray_object_store_memory_mib": 75,
    "ray_open_files": 1,
}
_PORTS = frozenset(name for row in CATALOGUE for name in row.variables)
#: The whole of the memory, or nothing of it, is no object store.
_OPEN_FRACTIONS = {"ray_object_store_fraction": (0.001, 0.999)}


def limited(known: Input) -> Input:
    """Return the input with the kind and bounds that its name has."""
    kind = KINDS.get(known.name, known.kind)
    low, high = _bounds(known.name, kind)
    return replace(
        known,
        kind=kind,
        low=known.low if known.low is not None else low,
        high=known.high if known.high is not None else high,
        takes_text=known.takes_text or known.name in TAKE_TEXT,
    )


def _bounds(name: str, kind: Kind) -> tuple[Optional[float], Optional[float]]:
    if name in _OPEN_FRACTIONS:
        return _OPEN_FRACTIONS[name]
    if kind is not Kind.INTEGER:
        return None, None
    if name in _PORTS or name.endswith("_port"):
        return 1, LAST_PORT
    return (1 if name.endswith("_timeout_seconds") else LOWEST.get(name, 0)), None
