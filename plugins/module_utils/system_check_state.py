# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's state says: boots that wait, upgrades, names, rights of SSH's files, swap."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_system_state import (
    too_open,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_common import (
    WHERE,
    facts_of,
    part,
    probed,
    system_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_size import is_k3s

_ROOT_COMMAND = "ansible -i inv.ini -b -m ansible.builtin.command -a"


def check_states(inventory: Inventory) -> list[Finding]:
    """Return findings about the state of each node."""
    found: list[Finding] = []
    for host in probed(inventory):
        judged = (
            _reboot(host),
            _kernel(host),
            _upgrades(host),
            _nameservers(host),
            _own_name(host),
            _localhost(host),
            _swap(inventory, host),
        )
        found += [finding for finding in judged if finding]
        found += _rights(host)
    return found


def _reboot(host: Host) -> Optional[Finding]:
    reboot = part(system_of(host), "reboot")
    if reboot.get("required") is not True:
        return None
    packages = [str(name) for name in reboot.get("packages") or ()]
    reason = f", for {join_names(packages, 3)}" if packages else ""
    return Finding(
        severity=Severity.WARNING,
        code="reboot-pending",
        host=host.name,
        message="The node waits for a boot: what runs is not what is installed.",
        seen=f"/run/reboot-required{reason}",
        expected="a node that was booted after its last upgrade",
        fix=f"ansible -i inv.ini -b -m ansible.builtin.reboot {WHERE}",
    )


def _kernel(host: Host) -> Optional[Finding]:
    """Tell of a kernel that the next boot may start; a pinned older one is the owner's choice."""
    reboot = part(system_of(host), "reboot")
    newer = reboot.get("newer_kernel")
    if not newer or reboot.get("required") is True:
        return None
    return Finding(
        severity=Severity.NOTE,
        code="kernel-newer-installed",
        host=host.name,
        message="A newer kernel is installed than the one that runs; a GPU driver fits one kernel.",
        seen=f"{facts_of(host).get('kernel') or 'an older one'} runs, {newer} is installed",
        expected="the newest kernel, unless an older one is meant to stay",
        fix=f"ansible -i inv.ini -b -m ansible.builtin.reboot {WHERE}",
    )


def _upgrades(host: Host) -> Optional[Finding]:
    upgrades = part(system_of(host), "upgrades")
    if not upgrades.get("active") or upgrades.get("held"):
        return None
    if host.values.get("os_base_unattended_upgrades") == "keep":
        return Finding(
            severity=Severity.WARNING,
            code="upgrades-unattended",
            host=host.name,
            message="Kernel, GPU driver and engine may be replaced under running work.",
            seen=f"{upgrades.get('tool')} is on, os_base_unattended_upgrades=keep",
            expected="upgrades that leave those packages alone",
            fix="os_base_unattended_upgrades=hold",
            variable="os_base_unattended_upgrades",
        )
    return Finding(
        severity=Severity.NOTE,
        code="upgrades-unattended",
        host=host.name,
        message=(
            "Unattended upgrades are on. provision.yml keeps them from kernel, GPU driver and"
            " engine (os_base_unattended_upgrades); until then they may replace those."
        ),
        seen=f"{upgrades.get('tool')} is on",
    )


def _nameservers(host: Host) -> Optional[Finding]:
    if system_of(host).get("nameservers") != []:
        return None
    return Finding(
        severity=Severity.NOTE,
        code="dns-missing",
        host=host.name,
        message="The node has no name server, so packages and images come by address or offline.",
        seen="no nameserver in /etc/resolv.conf",
        expected="a name server, unless the cluster is cut off on purpose",
        fix="os_base_dns_servers='[\"ADDRESS\"]'",
    )


def _own_name(host: Host) -> Optional[Finding]:
    """Judge what the node's own name resolves to; any address of its own will do."""
    names = part(system_of(host), "names")
    hostname, resolved = str(names.get("hostname") or ""), names.get("resolved")
    if not hostname or not isinstance(resolved, list):
        return None
    if not resolved:
        return Finding(
            severity=Severity.WARNING,
            code="hostname-unresolved",
            host=host.name,
            message="The node does not find its own name, so sudo and logins wait for DNS.",
            seen=f"no address for {hostname}",
            expected=f"{hostname} in /etc/hosts",
            fix=f"{_ROOT_COMMAND} 'sed -i \"1i 127.0.1.1 {hostname}\" /etc/hosts' {WHERE}",
        )
    own = own_addresses(facts_of(host))
    strangers = [each for each in resolved if not _is_own(each, own)]
    if not own or len(strangers) < len(resolved):
        return None
    return Finding(
        severity=Severity.WARNING,
        code="hostname-elsewhere",
        host=host.name,
        message="The node's own name leads to an address that the node does not have.",
        seen=f"{hostname} is {join_names(strangers)}",
        expected=f"an address of the node: {join_names(sorted(own))}",
        fix=f"correct {hostname} in /etc/hosts of {WHERE}, or in DNS",
    )


def own_addresses(facts: Mapping[str, Any]) -> frozenset[str]:
    """Return the addresses that the node's interfaces have, without their prefixes."""
    return frozenset(
        str(address).split("/")[0]
        for interface in facts.get("interfaces") or ()
        for address in interface.get("addresses") or ()
    )


def _is_own(text: object, own: frozenset[str]) -> bool:
    """Return whether an address is one of ``own`` or of no other machine; IPv6 is not judged."""
    try:
        address = ipaddress.ip_address(str(text).partition("%")[0])
    except ValueError:
        return True
    return address.is_loopback or address.version != 4 or str(address) in own


def _localhost(host: Host) -> Optional[Finding]:
    found = part(system_of(host), "names").get("localhost")
    if not isinstance(found, list) or any(_is_own(each, frozenset()) for each in found):
        return None
    return Finding(
        severity=Severity.WARNING,
        code="localhost-unresolved",
        host=host.name,
        message="localhost is not the node itself, so programs miss their own services.",
        seen=f"localhost is {join_names([str(each) for each in found])}" if found else "no address",
        expected="127.0.0.1",
        fix=f"{_ROOT_COMMAND} 'sed -i \"1i 127.0.0.1 localhost\" /etc/hosts' {WHERE}",
    )


def _swap(inventory: Inventory, host: Host) -> Optional[Finding]:
    areas = system_of(host).get("swap")
    if not areas or not is_k3s(inventory, host) or host.values.get("os_base_swap") == "off":
        return None
    return Finding(
        severity=Severity.NOTE,
        code="swap-on",
        host=host.name,
        message="The node swaps. k3s starts all the same, but limits of memory hold less strictly.",
        seen=join_names([str(area) for area in areas]),
        expected="no swap on a Kubernetes node, unless it is wanted",
        fix="os_base_swap=off",
    )


def _consequence(strict_modes: Optional[bool]) -> str:
    """Return what sshd makes of it, as far as it said how strict it is."""
    if strict_modes is None:
        return ", and sshd may refuse such keys (StrictModes)"
    return ", and sshd refuses such keys (StrictModes)" if strict_modes else ""


def _rights(host: Host) -> Iterator[Finding]:
    """Judge the way to authorized_keys as sshd with StrictModes does."""
    login = part(system_of(host), "login")
    user, user_id = str(login.get("user") or ""), login.get("uid")
    if not isinstance(user_id, int):
        return
    wide = too_open(login.get("paths") or (), user_id)
    if not wide:
        return
    strict = login.get("strict_modes")
    paths = " ".join(str(each["path"]) for each in wide)
    yield Finding(
        severity=Severity.WARNING,
        code="ssh-files-open",
        host=host.name,
        message=f"Others may write what lets {user} log in{_consequence(strict)}.",
        seen=", ".join(f"{each['path']} {each['mode']} of uid {each['owner']}" for each in wide),
        expected=f"owner {user} or root, and no right to write for group and others; 0700 for"
        " ~/.ssh and 0600 for authorized_keys (Neutree)",
        fix=f"ansible -i inv.ini -b -m ansible.builtin.shell "
        f"-a 'chown {user} {paths} && chmod go-w {paths}' {WHERE}",
    )
