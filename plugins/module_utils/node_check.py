# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the nodes, judged by what their probes brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
    Severity,
    join_names,
    plural,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_network import (
    parse_subnet,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import (
    MINIMUM_PYTHON,
    UNREACHABLE_CODES,
    Target,
    python_too_old,
)


def check_probes(inventory: Inventory) -> list[Finding]:
    """Return what the probes themselves found, and a finding for each node without a probe."""
    findings: list[Finding] = []
    for host in inventory.nodes:
        if host.probe is not None:
            findings.extend(_with_a_way_out(inventory, each) for each in host.probe.findings)
        elif host.in_play:
            findings.append(
                Finding(
                    severity=Severity.ERROR,
                    code="probe-failed",
                    host=host.name,
                    message=f"{host.name} was not looked at: its probe ended with an error.",
                    seen="the message of the failed task above",
                    expected="a probe",
                    fix=f"ansible -m ansible.builtin.ping {host.name}",
                )
            )
    return findings


def _with_a_way_out(inventory: Inventory, finding: Finding) -> Finding:
    """Return the finding, with the limit that goes on without a node that can be done without."""
    if finding.code not in UNREACHABLE_CODES or finding.host in inventory.needed_names:
        return finding
    limit = ",".join([*([inventory.limit] if inventory.limit else []), f"!{finding.host}"])
    way_out = f"(or go on without {finding.host}: --limit '{limit}')"
    return replace(finding, fix=f"{finding.fix}   {way_out}" if finding.fix else way_out)


def check_nodes(inventory: Inventory) -> list[Finding]:
    """Return findings about what each node says of itself."""
    findings: list[Finding] = []
    for host in inventory.nodes:
        if host.probe is not None and host.probe.facts:
            facts = host.probe.facts
            found = (_check_address(host, facts), _check_python(host, facts))
            findings.extend(finding for finding in found if finding)
    return findings


def _check_address(host: Host, facts: Mapping[str, Any]) -> Optional[Finding]:
    """Return the finding for a node without a node address."""
    problem = facts.get("address_problem")
    if not problem:
        return None
    fixes = {
        "interface-down": (
            'ansible -i inv.ini -b -m ansible.builtin.command -a "ip link set {iface} up" {host}'
        ),
        "my-iface-without-address": "give {iface} an address, or take {ok}: {host} my_iface={ok}",
        "address-outside-subnet": "{host} my_iface={ok}   (or correct cluster_subnet)",
        "no-address-in-subnet": "correct cluster_subnet, or choose: {host} my_iface={ok}",
        "iproute2-missing": (
            "ansible -i inv.ini -b -m ansible.builtin.package -a name=iproute2 {host}"
        ),
    }
    values = {
        "host": host.name,
        "iface": str(host.values.get("my_iface", "the interface")),
        "ok": _usable_interface(host, facts),
    }
    return Finding(
        severity=Severity.ERROR,
        code=str(problem["code"]),
        host=host.name,
        message=str(problem["message"]),
        seen=str(problem["seen"]),
        expected=str(problem["expected"]),
        fix=fixes.get(str(problem["code"]), "{host} my_iface={ok}").format(**values),
        variable="my_iface" if "my_iface" in host.values else "",
    )


def _usable_interface(host: Host, facts: Mapping[str, Any]) -> str:
    """Return the interface to propose: one with an address in cluster_subnet, else with any."""
    subnet = parse_subnet(str(host.values.get("cluster_subnet") or ""))
    usable = [
        each
        for each in facts.get("interfaces", [])
        if each.get("addresses") and not each.get("is_loopback")
    ]
    for each in usable:
        networks = [parse_subnet(str(text)) for text in each["addresses"]]
        if subnet is not None and any(net is not None and net.overlaps(subnet) for net in networks):
            return str(each["name"])
    others = [each for each in usable if each["name"] != facts.get("default_interface")]
    return str((others or usable)[0]["name"]) if usable else "INTERFACE"


def _check_python(host: Host, facts: Mapping[str, Any]) -> Optional[Finding]:
    """Return the finding for a Python that our modules do not run on."""
    version = str(facts.get("python_version", ""))
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if len(parts) == 2 and parts < MINIMUM_PYTHON:
        return python_too_old(version, Target(name=host.name))
    return None


def pattern_of(inventory: Inventory) -> str:
    """Return how Ansible is told of every node: the groups that have hosts, with colons between."""
    filled = {group for host in inventory.nodes for group in host.groups}
    return ":".join(group for group in inventory.cluster_groups if group in filled)


def check_clocks(inventory: Inventory) -> list[Finding]:
    """Return a warning for each clock that follows no time source, one when none does."""
    probed = [host for host in inventory.nodes if host.probe is not None and host.probe.facts]
    adrift = [
        host.name
        for host in probed
        if host.probe and host.probe.facts.get("clock_synchronised") is False
    ]
    if len(adrift) > 1 and len(adrift) == len(probed):
        return [_clock_adrift(ALL_HOSTS, pattern_of(inventory))]
    return [_clock_adrift(name, name) for name in adrift]


def _clock_adrift(host: str, pattern: str) -> Finding:
    """Return the warning about the clock of ``host``; ``pattern`` names it to Ansible."""
    return Finding(
        severity=Severity.WARNING,
        code="clock-not-synchronised",
        host=host,
        message="The clock follows no time source, so it will drift.",
        seen="NTPSynchronized=no",
        expected="a clock that chrony or systemd-timesyncd keeps right",
        fix=f"ansible -i inv.ini -b -m ansible.builtin.package -a name=chrony {pattern}",
    )


def check_unique_addresses(inventory: Inventory) -> list[Finding]:
    """Return a finding for each node address that several nodes have."""
    holders: dict[str, list[Host]] = {}
    for host in inventory.nodes:
        address = host.probe.facts.get("node_address") if host.probe else None
        if address:
            holders.setdefault(str(address), []).append(host)
    return [_shared_address(address, hosts) for address, hosts in holders.items() if len(hosts) > 1]


def _machine_id(host: Host) -> str:
    """Return the machine id of a host, "" where it has none yet."""
    found = str(host.probe.facts.get("machine_id") or "") if host.probe else ""
    return "" if found == "uninitialized" else found


def _is_one_machine(hosts: Sequence[Host]) -> bool:
    """Return whether ``hosts`` are names of one machine.

    Clones share the machine id, but neither the boot nor all addresses. Containers of one machine
    share the boot.
    """
    machines = {_machine_id(host) for host in hosts}
    if len(machines) != 1 or machines == {""}:
        return False
    facts = [host.probe.facts for host in hosts if host.probe]
    boots = {str((each.get("system") or {}).get("boot_id") or "") for each in facts} - {""}
    return len(boots) < 2 and len({_all_addresses(each) for each in facts}) == 1


def _all_addresses(facts: Mapping[str, Any]) -> frozenset[str]:
    """Return every address that a machine's interfaces have."""
    return frozenset(
        str(address)
        for interface in facts.get("interfaces") or ()
        for address in interface.get("addresses") or ()
    )


def check_unique_machines(inventory: Inventory) -> list[Finding]:
    """Return a finding for each machine id that several machines have, or one under two names."""
    holders: dict[str, list[Host]] = {}
    for host in inventory.nodes:
        if _machine_id(host):
            holders.setdefault(_machine_id(host), []).append(host)
    found = []
    for hosts in holders.values():
        if len(hosts) > 1 and not _is_one_machine(hosts):
            found.append(_shared_machine_id([host.name for host in hosts]))
        elif len(_node_addresses(hosts)) > 1:
            found.append(_shared_address(" and ".join(_node_addresses(hosts)), hosts))
    return found


def _node_addresses(hosts: Sequence[Host]) -> list[str]:
    """Return the node addresses of ``hosts``, each once."""
    found = (host.probe.facts.get("node_address") for host in hosts if host.probe)
    return sorted({str(address) for address in found if address})


def _shared_machine_id(names: Sequence[str]) -> Finding:
    """Return the finding for machines with one machine id."""
    return Finding(
        severity=Severity.ERROR,
        code="machine-id-doubled",
        host=names[0],
        message=(
            f"{join_names(names)} are machines of their own with one machine id, as clones have it:"
            " DHCP and Kubernetes take them for one."
        ),
        seen=f"one /etc/machine-id on {join_names(names)}",
        expected="a machine id of its own for each machine",
        fix="ansible -i inv.ini -b -m ansible.builtin.shell -a 'rm -f /etc/machine-id"
        " /var/lib/dbus/machine-id && systemd-machine-id-setup && systemctl reboot' "
        f"{':'.join(names[1:])}",
    )


def _shared_address(address: str, hosts: Sequence[Host]) -> Finding:
    """Return the finding for ``hosts`` that have the node address ``address``."""
    names = [host.name for host in hosts]
    if _is_one_machine(hosts):
        return Finding(
            severity=Severity.ERROR,
            code="address-doubled",
            host=names[0],
            message=f"{join_names(names)} are one machine under {plural(len(names), 'name')}.",
            seen=f"{address} and one machine id on {join_names(names)}",
            expected="a machine of its own for each host",
            fix=f"remove {join_names(names[1:])} from the inventory, or correct its ansible_host",
        )
    return Finding(
        severity=Severity.ERROR,
        code="address-doubled",
        host=names[0],
        message=f"{join_names(names)} have one node address.",
        seen=f"{address} on {join_names(names)}",
        expected="a node address of its own for each host",
        fix=f"{names[-1]} my_iface=INTERFACE   (the one on the cluster network)",
        variable="my_iface",
    )


def check_unique_hostnames(inventory: Inventory) -> list[Finding]:
    """Return a finding for each hostname that several nodes give themselves."""
    holders: dict[str, list[Host]] = {}
    for host in inventory.nodes:
        hostname = host.probe.facts.get("hostname") if host.probe else None
        if hostname:
            holders.setdefault(str(hostname).lower(), []).append(host)
    return [
        _shared_hostname(hostname, [host.name for host in hosts])
        for hostname, hosts in holders.items()
        if len(hosts) > 1 and not _is_one_machine(hosts)
    ]


def _shared_hostname(hostname: str, names: Sequence[str]) -> Finding:
    """Return the finding for hosts that give themselves one name."""
    return Finding(
        severity=Severity.ERROR,
        code="hostname-doubled",
        host=names[0],
        message=f"{join_names(names)} call themselves by one name.",
        seen=f"hostname {hostname} on {join_names(names)}",
        expected="a hostname of its own for each node",
        fix=f"ansible -i inv.ini -b -m ansible.builtin.hostname -a name={names[-1]} {names[-1]}",
    )
