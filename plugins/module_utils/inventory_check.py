# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be wrong with an inventory and with what its nodes answered.

Values in, findings out: the preflight_report action collects the values and prints the findings.
"""

from __future__ import annotations

from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    INVENTORY,
    Finding,
    Severity,
    join_names,
    merge_common,
    plural,
    sort_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_check import check_inputs
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_ports import check_ports
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    Refusal,
    closest_name,
    judge_value,
    meant_input,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    HEAD,
    K3S_AGENT,
    K3S_SERVER,
    MONITORING,
    WORKER,
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_check import check_k3s
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_check import (
    check_clocks,
    check_nodes,
    check_probes,
    check_unique_addresses,
    check_unique_hostnames,
    check_unique_machines,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    K3S,
    RAY,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import (
    UNREACHABLE_CODES,
)


def check_inventory(inventory: Inventory) -> list[Finding]:
    """Return every finding about the inventory and its nodes, sorted."""
    per_host = [
        *check_values(inventory),
        *check_names(inventory),
        *check_password_name(inventory),
        *check_inputs(inventory),
        *check_ports(inventory),
    ]
    names = [host.name for host in inventory.nodes]
    everybody = inventory.with_outside()
    return sort_findings(
        [
            *check_heads(inventory),
            *check_k3s_servers(inventory),
            *check_monitoring(inventory),
            *check_groups(inventory),
            *check_limit(inventory),
            *merge_common(per_host, names),
            *check_k3s(inventory),
            *check_probes(inventory),
            *check_nodes(inventory),
            *check_clocks(inventory),
            *check_unique_addresses(everybody),
            *check_unique_hostnames(everybody),
            *check_unique_machines(everybody),
        ]
    )


def is_fatal(finding: Finding, inventory: Inventory, tolerate_unreachable: bool = False) -> bool:
    """Return whether ``finding`` stops the run.

    Every error does, but for a worker or agent that cannot be reached when that is tolerated: the
    others join the head, or a server, which must be there. ``--limit '!NAME'`` leaves one out.
    """
    if finding.severity is not Severity.ERROR:
        return False
    needed = finding.host in inventory.needed_names
    worker_is_away = finding.code in UNREACHABLE_CODES and not needed
    return not (tolerate_unreachable and worker_is_away)


def check_heads(inventory: Inventory) -> list[Finding]:
    """Return a finding unless the group of the head has exactly one host, as a Ray cluster needs.

    An inventory that is for nothing at all is taken for one of a Ray cluster.
    """
    heads = inventory.heads
    is_without = bool(inventory.hosts and inventory.profiles) and RAY not in inventory.profiles
    if len(heads) == 1 or is_without:
        return []
    if not inventory.hosts:
        return [
            Finding(
                severity=Severity.ERROR,
                code="inventory-empty",
                host=INVENTORY,
                message="The inventory names no machine.",
                seen="no host",
                expected=f"one host in [{HEAD}], and the others in [{WORKER}]",
                fix="ansible-playbook -i inv.ini PLAYBOOK   (with the path of your inventory)",
            )
        ]
    if not heads:
        candidates = inventory.nodes or inventory.hosts
        return [
            Finding(
                severity=Severity.ERROR,
                code="head-missing",
                host=INVENTORY,
                message=f"No host is in the group {HEAD}, so the cluster would have no head.",
                seen=f"{HEAD} has no host",
                expected=f"exactly one host in {HEAD}",
                fix=f"[{HEAD}] with one line below it: {candidates[0].name}",
            )
        ]
    names = [host.name for host in heads]
    return [
        Finding(
            severity=Severity.ERROR,
            code="head-doubled",
            host=INVENTORY,
            message=f"{plural(len(names), 'host')} are in the group {HEAD}.",
            seen=f"{HEAD}: {join_names(names)}",
            expected=f"exactly one host in {HEAD}",
            fix=f"leave {names[0]} in [{HEAD}] and move {join_names(names[1:])} to [{WORKER}]",
        )
    ]


def check_k3s_servers(inventory: Inventory) -> list[Finding]:
    """Return a finding unless a k3s cluster has one server, or an odd number from three."""
    names = [host.name for host in inventory.k3s_servers]
    if K3S not in inventory.profiles or len(names) % 2:
        return []
    if not names:
        candidates = inventory.nodes or inventory.hosts
        line = f": {candidates[0].name}" if candidates else ""
        return [
            Finding(
                severity=Severity.ERROR,
                code="k3s-server-missing",
                host=INVENTORY,
                message=f"No host is in the group {K3S_SERVER}, so agents would have no server.",
                seen=f"{K3S_SERVER} has no host",
                expected=f"one host in {K3S_SERVER}, or an odd number from three",
                fix=f"[{K3S_SERVER}] with one line below it{line}",
            )
        ]
    return [
        Finding(
            severity=Severity.ERROR,
            code="k3s-server-even",
            host=INVENTORY,
            message=(
                f"{plural(len(names), 'host')} are in the group {K3S_SERVER}: etcd survives no"
                f" more failures than with {len(names) - 1}."
            ),
            seen=f"{K3S_SERVER}: {join_names(names)}",
            expected=f"one host in {K3S_SERVER}, or an odd number from three",
            fix=f"leave {len(names) - 1} in [{K3S_SERVER}] and move {names[-1]} to [{K3S_AGENT}]",
        )
    ]


def check_monitoring(inventory: Inventory) -> list[Finding]:
    """Return a finding when several hosts are to ask all nodes for their metrics."""
    names = [host.name for host in inventory.monitoring_hosts]
    if len(names) < 2:
        return []
    return [
        Finding(
            severity=Severity.ERROR,
            code="monitoring-doubled",
            host=INVENTORY,
            message=f"{plural(len(names), 'host')} are in the group {MONITORING}.",
            seen=f"{MONITORING}: {join_names(names)}",
            expected=f"one host in {MONITORING}, or none",
            fix=f"leave {names[0]} in [{MONITORING}] and take {join_names(names[1:])} out of it",
        )
    ]


def check_groups(inventory: Inventory) -> list[Finding]:
    """Return findings about hosts in no group of ours or in two, and about misspelt groups."""
    findings = [_misspelt_group(inventory, name) for name in sorted(inventory.group_names)]
    for host in inventory.hosts:
        if {HEAD, WORKER} <= host.groups:
            findings.append(
                Finding(
                    severity=Severity.NOTE,
                    code="head-is-worker-too",
                    host=host.name,
                    message=(
                        f"{host.name} is in {HEAD} and in {WORKER}: it becomes the head, which runs"
                        " work as well, and gets no second Ray."
                    ),
                )
            )
        elif not host.is_in(inventory.cluster_groups):
            findings.append(
                Finding(
                    severity=Severity.NOTE,
                    code="host-without-group",
                    host=host.name,
                    message=f"{host.name} is left alone: it is in no group of the cluster.",
                    seen=f"groups: {join_names(sorted(host.groups)) or 'none'}",
                    expected=f"one of {', '.join(inventory.cluster_groups)}, to make it a node",
                )
            )
    return [finding for finding in findings if finding]


def _misspelt_group(inventory: Inventory, name: str) -> Optional[Finding]:
    """Return a finding when ``name`` looks like one of our groups that has no host."""
    filled = {group for host in inventory.hosts for group in host.groups}
    candidates = [group for group in inventory.cluster_groups if group not in filled]
    meant = closest_name(name, candidates)
    if meant is None or name in inventory.cluster_groups:
        return None
    return Finding(
        severity=Severity.WARNING,
        code="group-misspelt",
        host=INVENTORY,
        message=f"The group {name} is not one of ours, and {meant} has no host.",
        seen=f"[{name}]",
        expected=f"[{meant}]",
        fix=f"[{meant}]",
    )


def check_limit(inventory: Inventory) -> list[Finding]:
    """Return findings when --limit leaves out a host that the nodes need and that does not answer.

    These are the head, the server of k3s that others join, and the monitoring host.
    """
    known = [("head-outside-limit", "head", host) for host in inventory.heads]
    known += [
        ("monitoring-outside-limit", "monitoring host", host) for host in inventory.monitoring_hosts
    ]
    findings = [
        _outside_limit(inventory, host, code, what)
        for code, what, host in known
        if not host.in_play and _why_silent(inventory, host)
    ]
    servers = inventory.k3s_servers
    first = [host for host in servers if host.name == inventory.first_k3s_server] or servers
    is_outside = first and not any(host.in_play for host in first)
    if is_outside and _why_silent(inventory, first[0]):
        findings.append(
            _outside_limit(inventory, first[0], "k3s-server-outside-limit", "k3s server")
        )
    return findings


def _why_silent(inventory: Inventory, host: Host) -> str:
    """Return why a host outside the limit cannot tell what the nodes need, "" when it can."""
    asked = host.outside
    if asked is None:
        return "nobody asked it"
    if not (asked.reachable and asked.sudo):
        first = next(iter(asked.findings), None)
        return f"{first.message} {first.seen}".strip() if first else "it does not answer"
    return inventory.silent.get(host.name, "")


def _outside_limit(inventory: Inventory, host: Host, code: str, what: str) -> Finding:
    """Return the finding about a host that a limit leaves out and that cannot be asked."""
    return Finding(
        severity=Severity.ERROR,
        code=code,
        host=host.name,
        message=(
            f"--limit leaves out the {what} {host.name}, which every node depends on and which"
            " could not be asked for what they need to know."
        ),
        seen=_why_silent(inventory, host),
        expected=f"the {what} {host.name} running, or a limit that includes it",
        fix=_limit_with(host.name, inventory.limit or "HOSTS"),
    )


def _limit_with(name: str, limit: str) -> str:
    """Return the option that lets a host in; what a limit excludes, no name in it brings back."""
    patterns = [each for each in limit.split(",") if each.strip() != f"!{name}"]
    if all(each.startswith("!") for each in patterns):
        kept = ",".join(patterns)
        return f"--limit '{kept}'" if kept else "the same command without --limit"
    return f"--limit '{','.join([*patterns, name])}'"


def check_values(inventory: Inventory) -> list[Finding]:
    """Return a finding for each value that its variable does not accept."""
    findings: list[Finding] = []
    for host in inventory.nodes:
        findings += [
            _unresolved(host, name, reason) for name, reason in sorted(host.unresolved.items())
        ]
        for name in sorted(host.values):
            known = inventory.inputs.get(name)
            refusal = judge_value(known, host.values[name]) if known else None
            findings += [_refused(host, name, refusal)] if refusal else []
    return findings


def _unresolved(host: Host, name: str, reason: str) -> Finding:
    """Return the finding about an expression that cannot be templated."""
    return Finding(
        severity=Severity.ERROR,
        code="value-unresolved",
        host=host.name,
        message=f"The value of {name} cannot be worked out.",
        seen=reason,
        expected="a value, or an expression of variables that are defined",
        fix=f"ansible -m ansible.builtin.debug -a var={name} {host.name}",
        variable=name,
    )


def _refused(host: Host, name: str, refusal: Refusal) -> Finding:
    """Return the finding about a value that is not accepted."""
    return Finding(
        severity=Severity.ERROR,
        code=refusal.code,
        host=host.name,
        message=f"{name} has a value that it does not accept.",
        seen=refusal.seen,
        expected=refusal.expected,
        fix=refusal.fix,
        variable=name,
    )


def check_names(inventory: Inventory) -> list[Finding]:
    """Return a finding for each variable that looks like a misspelt one of ours."""
    names = {name for host in inventory.nodes for name in host.variable_names}
    meant = {name: meant_input(name, inventory.inputs, inventory.own_names) for name in names}
    return [
        Finding(
            severity=Severity.ERROR,
            code="variable-misspelt",
            host=host.name,
            message=f"Nothing reads the variable {name}. Did you mean {meant[name]}?",
            seen=name,
            expected=str(meant[name]),
            fix=f"rename it to {meant[name]}, or list it in preflight_own_variables if it is yours",
            variable=name,
        )
        for host in inventory.nodes
        for name in sorted(host.variable_names)
        if meant[name]
    ]


def check_password_name(inventory: Inventory) -> list[Finding]:
    """Return an error for hosts whose sudo password has its name of long ago, as ConvectHub has."""
    return [
        Finding(
            severity=Severity.ERROR,
            code="sudo-password-name",
            host=host.name,
            message=(
                "ansible_sudo_pass is an old name that only sudo honours. In --extra-vars every"
                " user of this machine can read it, in an inventory everybody who has the file."
            ),
            seen="ansible_sudo_pass is set",
            expected="the option -K, or ansible_become_password in a vaulted vars file",
            fix="ansible-playbook -K ...   (asks for the password; remove ansible_sudo_pass from"
            " the inventory and from --extra-vars)",
            variable="ansible_sudo_pass",
        )
        for host in inventory.nodes
        if "ansible_sudo_pass" in host.variable_names
    ]


def describe_scope(inventory: Inventory) -> str:
    """Return "3 nodes, 1 not reached" for the head line of a report."""
    nodes = [host for host in inventory.nodes if host.in_play]
    away = [host for host in nodes if host.probe is not None and not host.probe.reachable]
    text = plural(len(nodes), "node")
    return f"{text}, {len(away)} not reached" if away else text
