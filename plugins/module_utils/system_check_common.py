# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a node share: its facts, the words for sizes, one finding for many hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_check import pattern_of

#: Stands in a fix for the host that it is typed for; ``for_hosts`` puts the name in.
WHERE = "{where}"

_NOTHING: Mapping[str, Any] = {}


def probed(inventory: Inventory) -> list[Host]:
    """Return the nodes that told something of themselves."""
    return [host for host in inventory.nodes if host.probe is not None and host.probe.facts]


def facts_of(host: Host) -> Mapping[str, Any]:
    """Return what the probe brought of a host, nothing when it brought nothing."""
    return host.probe.facts if host.probe is not None else _NOTHING


def system_of(host: Host) -> Mapping[str, Any]:
    """Return the part of a host's facts that ``read_system`` made."""
    return part(facts_of(host), "system")


def part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a dictionary within ``values``, an empty one where there is none."""
    found = values.get(name)
    return found if isinstance(found, Mapping) else _NOTHING


def disk_with(host: Host, path: str) -> Mapping[str, Any]:
    """Return the file system that ``path`` lies on, an empty one where that is not known."""
    for disk in system_of(host).get("disks") or ():
        if path in (disk.get("paths") or ()):
            return dict(disk)
    return _NOTHING


def size(mib: Optional[float]) -> str:
    """Return "15.6 GiB", or "512 MiB" below one."""
    if mib is None:
        return "unknown"
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{int(mib)} MiB"


def for_hosts(findings: Iterable[Finding], inventory: Inventory) -> list[Finding]:
    """Return the findings with one in place of those of a kind that every node has.

    Those are of a kind that differ in host and in what was seen only.
    """
    names = [host.name for host in probed(inventory)]
    kinds: dict[Finding, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(replace(finding, host="", seen=""), []).append(finding)
    merged: list[Finding] = []
    for alike in kinds.values():
        hosts = {finding.host for finding in alike}
        if len(names) > 1 and hosts == set(names):
            merged.append(_of_everybody(alike, pattern_of(inventory)))
        else:
            merged += [replace(each, fix=each.fix.replace(WHERE, each.host)) for each in alike]
    return merged


def _of_everybody(findings: Sequence[Finding], pattern: str) -> Finding:
    """Return one finding for all hosts, with what was seen on which where that differs."""
    seen: dict[str, list[str]] = {}
    for finding in findings:
        seen.setdefault(finding.seen, []).append(finding.host)
    text = findings[0].seen
    if len(seen) > 1:
        text = "; ".join(f"{what} on {join_names(hosts, 3)}" for what, hosts in seen.items())
    fix = findings[0].fix.replace(WHERE, pattern)
    return replace(findings[0], host=ALL_HOSTS, seen=text, fix=fix)
