# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody else is on the ports that the cluster needs, or denies them.

Who listens comes from the nodes, what is needed from the plan of the port mesh.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check_ufw import (
    UfwRule,
    delete_words,
    denied_ports,
    parse_rule,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_facts import (
    NodeLinks,
    command_on,
    node_links,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Listener
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links_sockets import (
    ANY,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    port_named,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import (
    common,
    count,
    holds,
    parsed,
    united,
)

#: Services that choose among the ports of a range wider than this pass over those in use.
WIDE = 100
#: So many taken ports of such a range are worth a remark.
MANY_TAKEN = 100
#: Rows of the catalogue where nothing of ours listens although a document names the port: current
#: Ray has no dashboard gRPC, and only the head serves the metrics of dashboard and autoscaler.
_IDLE = frozenset({"ray-dashboard-grpc"})
_HEAD_ONLY = frozenset({"ray-autoscaler-metrics", "ray-dashboard-metrics"})
#: Services without which the cluster starts all the same: Serve binds when it is first used, and
#: the ingress of k3s takes its ports by rules of the packet filter, away from whoever listens.
_LATER = frozenset({"ray-serve", "k3s-http", "k3s-https"})
#: Services that bind the node address only; Ray's and k3s's others bind every address.
_NARROW = frozenset({"ray-dashboard"})
_NARROW_PROFILES = frozenset({"monitoring"})

#: Units and containers by which each profile's services run.
_EXPECTED = {
    "ray": re.compile(r"ray(\.service)?$"),
    "k3s": re.compile(r"(k3s(-server|-agent)?\.service|k3s.*)$"),
    "monitoring": re.compile(
        r"(.*(prometheus|victoria|grafana|exporter|alertmanager).*|vm[a-z]+(\.service)?"
        r"|docker\.service)$"
    ),
}
#: The process that listens for another preflight, or for one that was cut off.
AGENT = "rackforge-mesh"
_OURS = re.compile(r"rackforge")


@dataclass(frozen=True)
class Need:
    """Ports of one service that a stranger holds."""

    service: str
    ports: str
    variable: str


def check_ports_taken(inventory: Inventory, listeners: Sequence[Listener]) -> list[Finding]:
    """Return an error for each process that holds ports that the cluster needs on its node."""
    by_host = _by_host(listeners)
    findings: list[Finding] = []
    for node in node_links(inventory):
        taken: dict[str, tuple[Mapping[str, Any], list[Need]]] = {}
        wide: dict[str, list[str]] = {}
        for needed in by_host.get(node.name, ()):
            for holder, ports in _strangers(node, needed):
                if _is_wide(needed):
                    wide.setdefault(needed.service, []).append(ports)
                    continue
                need = Need(needed.service, ports, _variable(needed.service))
                taken.setdefault(_who(holder), (holder, []))[1].append(need)
        findings += [_taken(node, holder, needs) for holder, needs in taken.values()]
        findings += [
            _crowded(node, name, united(tuple(ports)))
            for name, ports in wide.items()
            if count(united(tuple(ports))) > MANY_TAKEN
        ]
    return findings


def check_other_runs(inventory: Inventory) -> list[Finding]:
    """Return a warning for each node with listeners of another preflight, or of one cut off."""
    return [
        Finding(
            severity=Severity.WARNING,
            code="preflight-running",
            host=node.name,
            message="Listeners of another preflight are on the node, so paths to it cannot be"
            " proven.",
            seen=f"{rows[0]['process']} (pid {rows[0]['pid']}) on {rows[0]['protocol']}"
            f" {united(tuple(row['ports'] for row in rows))}",
            expected="one preflight at a time",
            fix=f"wait until it has ended, or: {command_on(node.name, f'pkill {AGENT}')}",
        )
        for node in node_links(inventory)
        if (rows := [row for row in node.facts.get("listeners") or () if row["process"] == AGENT])
    ]


def _by_host(listeners: Iterable[Listener]) -> dict[str, list[Listener]]:
    found: dict[str, list[Listener]] = {}
    for each in listeners:
        found.setdefault(each.host, []).append(each)
    return found


def _strangers(node: NodeLinks, needed: Listener) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield who else holds ports of a service in a way that keeps it from binding them."""
    if needed.service in _IDLE or (needed.service in _HEAD_ONLY and "ray_head" not in node.groups):
        return
    for row in node.facts.get("listeners") or ():
        if row["protocol"] != needed.protocol or not _is_in_the_way(row["address"], needed):
            continue
        ports = common(row["ports"], needed.ports)
        if ports and not is_expected(row, needed.profile, bool(node.facts.get("sees_processes"))):
            yield row, ports


def _is_in_the_way(address: str, needed: Listener) -> bool:
    if address in (ANY, needed.address):
        return True
    return needed.service not in _NARROW and needed.profile not in _NARROW_PROFILES


def is_expected(row: Mapping[str, Any], profile: str, sees_processes: bool) -> bool:
    """Return whether a listener may be the cluster's own service; unknown ones may."""
    if row["process"] is None:
        # Without root nobody knows whose it is. With root it is the kernel's own: VXLAN, say.
        return not sees_processes or row["protocol"] == "udp"
    if _OURS.search(f"{row['process']} {row['command'] or ''}"):
        return True
    if row["container"] and not row["container_name"]:
        return True  # A pod's, or of an engine that does not name it.
    family = {"k3s-ha": "k3s", "management": "k3s"}.get(profile, profile)
    expected = _EXPECTED.get(family)
    if expected is None:
        return False
    names = [row["unit"], row["container_name"], row["process"] if family == "k3s" else None]
    return any(name and expected.match(name) for name in names)


def _is_wide(needed: Listener) -> bool:
    return count(needed.ports) > WIDE


def _variable(service: str) -> str:
    try:
        return port_named(service).variable
    except KeyError:
        return ""


def _who(row: Mapping[str, Any]) -> str:
    """Return a stranger's name: one service or container with many sockets is one stranger."""
    return str(row["unit"] or row["container_name"] or row["pid"] or "kernel") + str(
        row["container_name"] or row["process"]
    )


def _describe(row: Mapping[str, Any]) -> str:
    if row["process"] is None:
        return "the kernel or a process in another namespace"
    parts = [f"pid {row['pid']}"]
    parts += [f"unit {row['unit']}"] if row["unit"] else []
    parts += [f"container {row['container_name']}"] if row["container_name"] else []
    command = f" {row['command']}" if row["command"] and row["command"] != row["process"] else ""
    return f"{row['process']} ({', '.join(parts)}{';' + command if command else ''})"


def _taken(node: NodeLinks, row: Mapping[str, Any], needs: Sequence[Need]) -> Finding:
    merged: dict[str, Need] = {}
    for need in needs:
        before = merged.get(need.service)
        ports = united((before.ports, need.ports)) if before else need.ports
        merged[need.service] = Need(need.service, ports, need.variable)
    services = [f"{need.service} ({row['protocol']} {need.ports})" for need in merged.values()]
    movable = [need.variable for need in merged.values() if need.variable]
    ports = united(tuple(need.ports for need in needs))
    where = {ANY: "all addresses", "loopback": "the loopback"}.get(row["address"], row["address"])
    is_later = all(service in _LATER for service in merged)
    return Finding(
        severity=Severity.WARNING if is_later else Severity.ERROR,
        code="port-taken",
        host=node.name,
        message=f"{row['process'] or 'Something'} listens on {row['protocol']} {ports}, which"
        f" {join_names(services)} needs.",
        seen=f"{_describe(row)} on {where}",
        expected="nobody, or the cluster's own service",
        fix=_release(node.name, row, movable),
        variable=movable[0] if len(movable) == 1 else "",
    )


def _release(host: str, row: Mapping[str, Any], movable: Sequence[str]) -> str:
    """Return what frees the port, and what moves ours where something can."""
    unit = str(row["unit"] or "")
    if row["container_name"]:
        free = command_on(host, f"docker stop {row['container_name']}")
    elif unit.endswith((".service", ".socket")) and not unit.startswith("user@"):
        free = command_on(host, f"systemctl disable --now {unit}")
    elif row["pid"] and row["processes"] == 1:
        free = command_on(host, f"kill {row['pid']}")
    else:
        free = command_on(host, "ss -Hlntup")
    if not movable:
        return free
    moves = " ".join(f"{variable}=NUMBER" for variable in movable)
    return f"{free}   (or move ours on all nodes: {moves})"


def _crowded(node: NodeLinks, service: str, ports: str) -> Finding:
    return Finding(
        severity=Severity.NOTE,
        code="port-taken",
        host=node.name,
        message=f"Of the range of {service}, {count(ports)} ports are in use by others; it passes"
        " over them.",
        seen=ports if len(ports) < 200 else f"{ports[:200].rpartition(',')[0]}, ...",
        expected=f"at most {MANY_TAKEN}",
        variable=_variable(service),
    )


def check_ephemeral(inventory: Inventory, listeners: Sequence[Listener]) -> list[Finding]:
    """Return a warning for each node where an outgoing connection holds a port that is needed.

    A needed port inside the kernel's range is no finding by itself: os_base reserves it.
    """
    by_host = _by_host(listeners)
    findings = []
    for node in node_links(inventory):
        outgoing, reserved = node.facts.get("outgoing") or {}, node.facts.get("reserved_ports")
        held: dict[str, str] = {}
        for needed in by_host.get(node.name, ()):
            ports = common(str(outgoing.get(needed.protocol) or ""), needed.ports)
            if ports and not _is_wide(needed) and not holds_all(reserved, ports):
                held[needed.service] = ports
        if held:
            texts = [f"{ports} of {service}" for service, ports in held.items()]
            low, high = node.facts["ephemeral"]
            findings.append(
                Finding(
                    severity=Severity.WARNING,
                    code="port-in-ephemeral-range",
                    host=node.name,
                    message="A connection that this node made has been given a port that the"
                    f" cluster needs: {join_names(texts)}.",
                    seen=f"net.ipv4.ip_local_port_range {low} {high}, reserved:"
                    f" {reserved or 'none'}",
                    expected="the port free; provision.yml reserves it for the time after",
                    fix=command_on(
                        node.name, f"ss -Hnp sport = :{united(tuple(held.values())).split(',')[0]}"
                    )
                    + "   (names the process to restart)",
                )
            )
    return findings


def holds_all(reserved: Optional[str], ports: str) -> bool:
    """Return whether every one of ``ports`` is reserved."""
    return all(
        holds(reserved or "", port)
        for first, last in parsed(ports)
        for port in range(first, last + 1)
    )


def check_denied(inventory: Inventory, listeners: Sequence[Listener]) -> list[Finding]:
    """Return an error for each ufw rule of the owner that denies a member a port that it needs."""
    nodes = {node.name: node for node in node_links(inventory)}
    by_host = _by_host(listeners)
    findings: list[Finding] = []
    for node in nodes.values():
        texts = (node.facts.get("firewall") or {}).get("ufw_rules") or ()
        rules = [rule for rule in map(parse_rule, texts) if rule is not None]
        if not any(rule.denies for rule in rules):
            continue
        denied: dict[str, dict[str, list[str]]] = {}
        for needed in by_host.get(node.name, ()):
            _collect_denied(node, needed, rules, nodes, denied)
        findings += [_denied(node, rule, what) for rule, what in denied.items()]
    return findings


def _collect_denied(
    node: NodeLinks,
    needed: Listener,
    rules: Sequence[UfwRule],
    nodes: Mapping[str, NodeLinks],
    denied: dict[str, dict[str, list[str]]],
) -> None:
    """Note in ``denied``, for each rule, what it denies to which source."""
    interface = str((node.interface or {}).get("name", ""))
    for source in needed.sources:
        other = nodes.get(source)
        if other is None or not other.address:
            continue
        packet = (needed.protocol, other.address, needed.address, interface)
        for rule, ports in denied_ports(rules, packet, needed.ports).items():
            text = f"{needed.protocol} {ports} of {needed.service}"
            denied.setdefault(rule, {}).setdefault(text, []).append(source)


def _denied(node: NodeLinks, rule: str, what: Mapping[str, Sequence[str]]) -> Finding:
    sources = sorted({name for names in what.values() for name in names})
    return Finding(
        severity=Severity.ERROR,
        code="firewall-denies",
        host=node.name,
        message=f"A rule of ufw denies {join_names(sources)} {join_names(list(what))}. It comes"
        " before the rules that provision.yml adds, and wins.",
        seen=f"ufw {rule}",
        expected="no rule that denies a member what it needs",
        fix=command_on(node.name, delete_words(rule)),
    )


def check_ports(inventory: Inventory, listeners: Sequence[Listener]) -> list[Finding]:
    """Return every finding about the ports that the plan needs and the nodes' state before it."""
    return [
        *check_other_runs(inventory),
        *check_ports_taken(inventory, listeners),
        *check_ephemeral(inventory, listeners),
        *check_denied(inventory, listeners),
    ]
