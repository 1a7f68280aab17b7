# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a k3s that is on the nodes already has against the inventory."""

from __future__ import annotations

from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    K3S_AGENT,
    K3S_SERVER,
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_common import (
    WHERE,
    part,
    probed,
    system_of,
)


def check_foreign(inventory: Inventory) -> list[Finding]:
    """Return an error for each node that is to get k3s and has one of its owner's."""
    hosts = [host for host in probed(inventory) if host.is_in((K3S_SERVER, K3S_AGENT))]
    return [finding for finding in map(_foreign, hosts) if finding]


def _foreign(host: Host) -> Optional[Finding]:
    units = [str(unit) for unit in part(system_of(host), "installed").get("k3s_foreign") or ()]
    if not units:
        return None
    script = "k3s-agent-uninstall.sh" if "k3s-agent" in units[0] else "k3s-uninstall.sh"
    return Finding(
        Severity.ERROR,
        "k3s-foreign",
        host.name,
        "A k3s is on the node that this collection did not install. It would be taken over, and"
        " what it runs would be lost.",
        seen=join_names(units),
        expected="no k3s, or one of ours",
        fix=f"take the host out of {K3S_SERVER} and {K3S_AGENT}, or, where nothing of it is needed:"
        f" ansible -i inv.ini -b -m ansible.builtin.command -a /usr/local/bin/{script} {WHERE}",
    )


def check_first_server(inventory: Inventory) -> list[Finding]:
    """Return an error where a first server without k3s would found a cluster beside one.

    Servers that --limit leaves out may run one. One that does not answer is an error of its own.
    """
    first = inventory.first_k3s_server
    servers = {host.name: host for host in inventory.hosts if host.is_in((K3S_SERVER,))}
    asked = {host.name for host in probed(inventory)}
    if first not in asked or first not in servers or _has_k3s(servers[first]):
        return []
    running = [name for name, host in servers.items() if name in asked and _has_k3s(host)]
    unknown = [name for name, host in servers.items() if not host.in_play]
    if running:
        return [_founds_another(first, running)]
    return [_may_found_another(first, unknown)] if unknown else []


def _founds_another(first: str, running: list[str]) -> Finding:
    return Finding(
        Severity.ERROR,
        "k3s-first-server-new",
        first,
        f"{first} stands first in {K3S_SERVER} and has no k3s, while {join_names(running)} has. "
        "The first one founds a cluster, so there would be two.",
        seen=f"k3s on {join_names(running)}, none on {first}",
        expected=f"a server that runs k3s as the first of {K3S_SERVER}; new ones join it",
        fix=f"move {first} behind {running[0]} in [{K3S_SERVER}]; or, to begin from nothing: "
        "ansible-playbook -i inv.ini playbooks/reset.yml",
    )


def _may_found_another(first: str, unknown: list[str]) -> Finding:
    return Finding(
        Severity.ERROR,
        "k3s-first-server-new",
        first,
        f"{first} would found a cluster, and whether {join_names(unknown)} has one is not known in "
        "this run.",
        seen=f"no k3s on {first}, {join_names(unknown)} not asked",
        expected=f"all of {K3S_SERVER} in the run that founds the cluster",
        fix="ansible-playbook -i inv.ini playbooks/provision.yml   (without --limit)",
    )


def _has_k3s(host: Host) -> bool:
    return bool(part(system_of(host), "installed").get("k3s"))
