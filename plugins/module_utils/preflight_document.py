# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document preflight.json: what a run looked at and found, as plain values.

docs/preflight-schema.json is its JSON Schema. Nothing here reads or writes anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    count_by_severity,
    plural,
    sort_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Inventory,
)

SCHEMA_VERSION = 1
TOOL = "rackforge.gpu_cluster"

# The part of an address before @, where people put passwords.
_USERINFO = re.compile(r"(?<=://)[^/\s@]*@")


@dataclass(frozen=True)
class Run:
    """When and how preflight ran. Times are texts as ``2026-01-31T09:30:00Z``."""

    started_at: str
    finished_at: str
    version: str = ""
    cluster_name: str = ""
    #: Names of the inventory's files, without their folders.
    inventory: tuple[str, ...] = ()
    #: How it was asked to test, such as ``{"ports": "required"}``.
    modes: Mapping[str, Any] = field(default_factory=dict)
    #: What preflight_ignore names.
    ignore: tuple[str, ...] = ()


def build_document(
    run: Run,
    inventory: Inventory,
    findings: Iterable[Finding],
    ignored: Iterable[Finding] = (),
    gpus: Optional[Mapping[str, Mapping[str, Any]]] = None,
    mesh: Optional[Mapping[str, Any]] = None,
) -> dict[str, Any]:
    """Return the document of a run; ``gpus`` are the facts ``gpu`` of hosts, ``mesh`` the matrix.

    It names only what is listed here, so that no variable or secret of the inventory gets into it.
    """
    active, excused = sort_findings(findings), sort_findings(ignored)
    counts = count_by_severity(active)
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": TOOL, "version": run.version},
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "inventory": sorted(run.inventory),
        "cluster_name": run.cluster_name,
        "profiles": sorted(inventory.profiles),
        "modes": {name: run.modes[name] for name in sorted(run.modes)},
        "exit": _exit(counts),
        "counts": {**counts, "ignored": len(excused)},
        "ignored_by": {"codes": sorted(set(run.ignore))},
        "findings": [
            *(_finding(each, ignored=False) for each in active),
            *(_finding(each, ignored=True) for each in excused),
        ],
        "nodes": [
            describe_node(host, (gpus or {}).get(host.name) or {})
            for host in sorted(inventory.nodes, key=lambda host: host.name)
        ],
        "mesh": _mesh(mesh),
    }


def _exit(counts: Mapping[str, int]) -> str:
    """Return the outcome in one word."""
    if counts["error"]:
        return "errors"
    return "warnings" if counts["warning"] else "clean"


def _finding(finding: Finding, ignored: bool) -> dict[str, Any]:
    """Return a finding with nothing secret in it."""
    texts = {name: _USERINFO.sub("***@", text) for name, text in finding.to_dict().items()}
    return {**texts, "ignored": ignored}


def _mesh(matrix: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    """Return the matrix with its cells in a stable order, None when no port was tested."""
    if not matrix:
        return None
    cells = sorted(matrix["cells"], key=lambda cell: (cell["source"], cell["destination"]))
    return {**matrix, "cells": cells}


def describe_node(host: Host, gpu_facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the document says of one node; null is what the node did not tell."""
    probe = host.probe
    facts: Mapping[str, Any] = probe.facts if probe is not None else {}
    return {
        "name": host.name,
        "groups": sorted(host.groups),
        "address": facts.get("node_address"),
        "interface": facts.get("node_interface"),
        "reachable": probe.reachable if probe is not None else None,
        "os": (facts.get("os") or {}).get("name") or None,
        "kernel": facts.get("kernel"),
        "architecture": facts.get("architecture"),
        "python": facts.get("python_version"),
        "cpu_count": facts.get("cpu_count"),
        "memory_mib": facts.get("memory_mib"),
        "disks": _disks(facts.get("system") or {}),
        "gpus": _gpus(gpu_facts),
        "link": _link(facts.get("links") or {}, facts.get("node_interface")),
    }


def _disks(system: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the file systems of a node."""
    names = ("mount", "size_mib", "free_mib")
    disks = [{name: each.get(name) for name in names} for each in system.get("disks") or ()]
    return sorted(disks, key=lambda disk: str(disk["mount"]))


def _gpus(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the GPUs of a node in the order of the PCI bus."""
    drivers = {each.get("vendor"): each.get("loaded") for each in facts.get("stacks") or ()}
    gpus = sorted(facts.get("gpus") or (), key=lambda gpu: str(gpu.get("pci_address")))
    return [
        {
            "model": gpu.get("model"),
            "vendor": gpu.get("vendor"),
            "memory_mib": gpu.get("memory_mib"),
            "driver": drivers.get(gpu.get("vendor")),
        }
        for gpu in gpus
    ]


def _link(links: Mapping[str, Any], interface: Optional[str]) -> Optional[dict[str, Any]]:
    """Return what is known of the interface on the cluster network."""
    names = ("kind", "mtu", "speed_mbit", "driver")
    for each in links.get("interfaces") or ():
        if interface and each.get("name") == interface:
            return {name: each.get(name) for name in names}
    return None


def dump_document(document: Mapping[str, Any]) -> str:
    """Return the text of preflight.json: one line for each node, finding and pair of nodes."""
    return f"{_dumped(document, '')}\n"


def _dumped(value: Any, indent: str) -> str:
    """Return JSON whose outer objects and lists of objects have a line for each member."""
    inner = f"{indent}  "
    if isinstance(value, Mapping) and len(indent) < 4 and value:
        parts = [f"{json.dumps(str(key))}: {_dumped(each, inner)}" for key, each in value.items()]
        return f"{{\n{inner}{f',{chr(10)}{inner}'.join(parts)}\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        lines = f",\n{inner}".join(json.dumps(each) for each in value)
        return f"[\n{inner}{lines}\n{indent}]"
    return json.dumps(value)


@dataclass(frozen=True)
class Tested:
    """What a run looked at, in figures; times in milliseconds."""

    nodes: int
    gpus: int
    pairs: int
    ports: int
    good: int
    rtts: Sequence[float] = ()


def count_tested(document: Mapping[str, Any]) -> Tested:
    """Return the figures of a document: the nodes that answered, and what the mesh tried."""
    cells = (document["mesh"] or {}).get("cells") or []
    return Tested(
        nodes=sum(node["reachable"] is True for node in document["nodes"]),
        gpus=sum(len(node["gpus"]) for node in document["nodes"]),
        pairs=sum(bool(cell.get("tested")) for cell in cells),
        ports=sum(cell.get("tested") or 0 for cell in cells),
        good=sum(cell.get("good") or 0 for cell in cells),
        rtts=sorted(cell["rtt_ms"] for cell in cells if cell.get("rtt_ms") is not None),
    )


def run_seconds(document: Mapping[str, Any]) -> Optional[int]:
    """Return how many seconds the run took, None when its times cannot be read."""
    form = "%Y-%m-%dT%H:%M:%SZ"
    try:
        begun = datetime.strptime(document["started_at"], form)
        return int((datetime.strptime(document["finished_at"], form) - begun).total_seconds())
    except ValueError:
        return None


def describe_tested(document: Mapping[str, Any]) -> str:
    """Return the terminal's line about what was tested."""
    tested = count_tested(document)
    parts = [plural(tested.nodes, "node")]
    if tested.pairs:
        parts += [count(tested.pairs, "path"), count(tested.ports, "port")]
    if tested.gpus:
        parts.append(count(tested.gpus, "GPU"))
    seconds = run_seconds(document)
    took = f" in {seconds} s" if seconds is not None else ""
    ports = "" if tested.pairs else "; no port was tried"
    return f"Tested {', '.join(parts)}{took}{ports}."


def count(number: int, noun: str) -> str:
    """Return "1 path" or "9,900 paths"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
