# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the port catalogue to the port mesh: who listens to what, and who tries it.

Pure. Port numbers travel as spans, and what is the same for many pairs of nodes is worked out
once: a fleet of 100 nodes has 9,900 pairs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    PROTOCOLS,
    Listener,
    ListenReport,
    Target,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    ANY,
    CATALOGUE,
    CONTROL_NODE,
    Port,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_rules import (
    PortRuleError,
    members_of,
    span_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_shared import (
    with_worker_ports,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import (
    common,
    holds,
    sample,
    united,
    written,
)

REQUIRED = "required"
FULL = "full"
SAMPLE = "sample"
OFF = "off"
MODES = (REQUIRED, FULL, SAMPLE, OFF)

#: For each mode that samples: the widest range that is tested completely, and how many ports of a
#: wider one are. ``required`` completes every range of a service, and leaves only those that stand
#: for all ports.
_SAMPLES = {REQUIRED: (1 << 14, 1 << 10), SAMPLE: (64, 64)}


def plan_listeners(
    nodes: Mapping[str, str],
    groups: Mapping[str, Sequence[str]],
    variables: Mapping[str, Mapping[str, Any]],
    profiles: Collection[str],
    mode: str = REQUIRED,
    seed: str = "",
    catalogue: Sequence[Port] = CATALOGUE,
) -> list[Listener]:
    """Return what each node of ``nodes`` (name and node address) must be reached at, and by whom.

    A node without an address takes no part, nor does a service whose variable is no port. A
    service that nobody here can try has no sources. ValueError names an unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"preflight_ports: saw {mode!r}, expected one of {', '.join(MODES)}")
    if mode == OFF:
        return []
    known = {name: address for name, address in nodes.items() if address}
    return [
        listener
        for row in catalogue
        if not row.is_login and (row.profile in profiles or row.profile == ANY)
        for listener in _listeners_of(row, known, groups, variables, (mode, seed))
    ]


def _listeners_of(
    row: Port,
    nodes: Mapping[str, str],
    groups: Mapping[str, Sequence[str]],
    variables: Mapping[str, Mapping[str, Any]],
    choice: tuple[str, str],
) -> Iterable[Listener]:
    """Yield the listeners of one row, a host at a time."""
    clients = _clients(row, nodes, groups)
    for host in members_of(row.role, groups):
        own = variables.get(host, {})
        if host not in nodes or not row.counts(own):
            continue
        try:
            first, last = span_of(row, with_worker_ports(own, host, groups))
        except PortRuleError:
            # Preflight has a finding about the variable, and goes on to find the others.
            continue
        yield Listener(
            host=host,
            address=nodes[host],
            protocol=row.protocol,
            ports=written([(first, last)]),
            tested=_tested(first, last, f"{choice[1]}/{host}/{row.name}", choice[0]),
            service=row.name,
            profile=row.profile,
            sources=tuple(client for client in clients if client != host),
        )


def _clients(
    row: Port, nodes: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Return who tries a row: nodes with an address, and the control node."""
    found = [name for client in row.clients for name in members_of(client, groups) if name in nodes]
    if CONTROL_NODE in row.clients:
        found.append(CONTROL_NODE)
    return tuple(dict.fromkeys(found))


def _tested(first: int, last: int, seed: str, mode: str) -> str:
    """Return the ports of a range that the mode tests."""
    widest, most = _SAMPLES.get(mode, (last, last))
    if last - first + 1 <= widest:
        return written([(first, last)])
    return sample(first, last, most, seed)


def listen_ports(listeners: Iterable[Listener], host: str) -> dict[str, str]:
    """Return the ports that ``host`` must listen to, by protocol: what somebody tries there."""
    return all_listen_ports(each for each in listeners if each.host == host).get(
        host, dict.fromkeys(PROTOCOLS, "")
    )


_RAY, _K3S, _K3S_AGENT = "ray.service", "k3s.service", "k3s-agent.service"
#: Services that listen from the start of their unit on, by their names in the catalogue, with the
#: units, as the roles name them. Those that come later or never (ray-serve) are not among them.
UNITS: Mapping[str, tuple[str, ...]] = {
    "ray-gcs": (_RAY,),
    "ray-dashboard": (_RAY,),
    "ray-client": (_RAY,),
    "ray-node-manager": (_RAY,),
    "ray-object-manager": (_RAY,),
    "ray-metrics": (_RAY,),
    "ray-runtime-env-agent": (_RAY,),
    "ray-dashboard-agent": (_RAY,),
    "ray-dashboard-agent-grpc": (_RAY,),
    "k3s-api": (_K3S,),
    "k3s-kubelet": (_K3S, _K3S_AGENT),
}


def ports_of_units(listeners: Iterable[Listener]) -> dict[str, dict[str, str]]:
    """Return by host and unit the TCP ports that the unit's services need at its start."""
    found: dict[str, dict[str, list[str]]] = {}
    for each in listeners:
        units = found.setdefault(each.host, {})
        for unit in UNITS.get(each.service, ()):
            units.setdefault(unit, []).append(each.ports)
    return {
        host: {unit: united(tuple(lists)) for unit, lists in units.items()}
        for host, units in found.items()
    }


def all_listen_ports(listeners: Iterable[Listener]) -> dict[str, dict[str, str]]:
    """Return ``listen_ports`` of every host of the plan."""
    texts: dict[str, dict[str, list[str]]] = {}
    for each in listeners:
        mine = texts.setdefault(each.host, {name: [] for name in PROTOCOLS})
        if each.sources:
            mine[each.protocol].append(each.tested)
    return {
        host: {name: united(tuple(lists)) for name, lists in mine.items()}
        for host, mine in texts.items()
    }


def targets_of(
    listeners: Iterable[Listener], reports: Mapping[str, ListenReport], source: str
) -> list[Target]:
    """Return what ``source`` (a host, or the control node) tries, as far as somebody listens."""
    return all_targets(listeners, reports, (source,))[source]


def all_targets(
    listeners: Iterable[Listener], reports: Mapping[str, ListenReport], sources: Iterable[str]
) -> dict[str, list[Target]]:
    """Return ``targets_of`` for each of ``sources``.

    Each begins with the destination that follows its own place, lest all begin with the same one.
    """
    of_host: dict[str, list[Listener]] = {}
    for each in listeners:
        of_host.setdefault(each.host, []).append(each)
    hosts = list(of_host)
    places = {host: place + 1 for place, host in enumerate(hosts)}
    kept = {host: _by_source(mine, reports.get(host)) for host, mine in of_host.items()}
    return {
        source: [
            kept[host][source]
            for host in _rotated(hosts, places.get(source, 0))
            if source in kept[host]
        ]
        for source in sources
    }


def _rotated(hosts: Sequence[str], place: int) -> list[str]:
    return [*hosts[place:], *hosts[:place]]


def _by_source(listeners: Sequence[Listener], report: Optional[ListenReport]) -> dict[str, Target]:
    """Return what each source tries on the one node that ``listeners`` are about."""
    if report is None or report.problem:
        return {}
    rows: dict[str, list[int]] = {}
    for number, each in enumerate(listeners):
        for source in each.sources:
            rows.setdefault(source, []).append(number)
    made: dict[tuple[int, ...], Target] = {}
    found = {}
    for source, numbers in rows.items():
        key = tuple(numbers)
        if key not in made:
            made[key] = _target([listeners[number] for number in key], report)
        if _has_ports(made[key]):
            found[source] = made[key]
    return found


def _target(listeners: Sequence[Listener], report: ListenReport) -> Target:
    wanted = {
        name: united(tuple(each.tested for each in listeners if each.protocol == name))
        for name in PROTOCOLS
    }
    return Target(
        host=listeners[0].host,
        address=listeners[0].address,
        tcp=common(wanted["tcp"], report.tcp.ours),
        tcp_served=common(wanted["tcp"], report.tcp.served),
        udp=common(wanted["udp"], report.udp.ours),
        udp_served=common(wanted["udp"], report.udp.served),
    )


def _has_ports(target: Target) -> bool:
    return bool(target.tcp or target.tcp_served or target.udp or target.udp_served)


def services_at(listeners: Iterable[Listener], host: str, protocol: str, port: int) -> list[str]:
    """Return the names of the rows that have ``port`` on ``host``."""
    return [
        each.service
        for each in listeners
        if each.host == host and each.protocol == protocol and holds(each.ports, port)
    ]
