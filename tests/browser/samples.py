"""Documents of made-up clusters, built by the code that builds the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    HEAD,
    WORKER,
    Host,
    Inventory,
    Probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_document import (
    Run,
    build_document,
)

PORTS = 10_008
RUN = Run(
    started_at="2026-11-22T13:40:02Z",
    finished_at="2026-11-22T13:40:19Z",
    version="0.1.0",
    cluster_name="atlas",
    inventory=("inv.ini",),
    modes={"ports": "required", "bandwidth": False},
)

GPUS: dict[str, Any] = {
    "stacks": [{"vendor": "nvidia", "loaded": "570.124.06"}],
    "gpus": [
        {
            "model": "NVIDIA H100 80GB HBM3",
            "vendor": "nvidia",
            "memory_mib": 81559,
            "pci_address": f"0000:{number:02x}:00.0",
        }
        for number in range(8)
    ],
}


def names(count: int) -> list[str]:
    """Return the names of the nodes, the head first."""
    return ["head", *(f"gpu-{number:02d}" for number in range(1, count))][:count]


def host(name: str, number: int, reachable: bool = True) -> Host:
    """Return a node that answered, or did not."""
    facts: dict[str, Any] = {
        "node_address": f"198.19.0.{number + 10}",
        "node_interface": "bond0",
        "os": {"name": "Ubuntu 24.04.3 LTS"},
        "kernel": "6.8.0-87-generic",
        "architecture": "x86_64",
        "python_version": "3.12.3",
        "cpu_count": 128,
        "memory_mib": 1031884,
        "system": {"disks": [{"mount": "/", "size_mib": 915000, "free_mib": 702000}]},
        "links": {
            "interfaces": [
                {"name": "bond0", "kind": "bond", "mtu": 9000, "speed_mbit": 200000, "driver": None}
            ]
        },
    }
    probe = Probe(reachable=reachable, sudo=reachable, facts=facts if reachable else {})
    return Host(name, groups=frozenset({HEAD if number == 0 else WORKER}), probe=probe)


def cell(source: str, destination: str, place: int, **other: Any) -> dict[str, Any]:
    """Return one direction of a pair, healthy unless told otherwise."""
    return {
        "source": source,
        "destination": destination,
        "state": "good",
        "rtt_ms": round(0.11 + place * 7 % 23 / 100, 3),
        "tested": PORTS,
        "good": PORTS,
        "faults": [],
        "mtu": {"expected": 9000, "sent": 9000, "received": 9000},
        **other,
    }


def fault(service: str, protocol: str, verdict: str, ports: str) -> dict[str, str]:
    """Return one fault of a cell."""
    return {"service": service, "protocol": protocol, "verdict": verdict, "ports": ports}


PARTLY = {
    "state": "partly",
    "good": PORTS - 2,
    "faults": [
        fault("ray-object-manager", "tcp", "filtered", "8076"),
        fault("ray-workers", "tcp", "refused", "15000"),
    ],
}
CLOSED = {
    "state": "closed",
    "rtt_ms": None,
    "good": 0,
    "faults": [fault("every service", "tcp", "filtered", "8076-8077,10002-20000")],
    "mtu": {"expected": 9000, "sent": None, "received": None},
}


def matrix(
    members: Sequence[str], bad: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the mesh of all members and the control node, with some cells other than healthy."""
    sources = ["control node", *members]
    cells = [
        cell(source, to, row * 31 + column, **bad.get((source, to), {}))
        for row, source in enumerate(sources)
        for column, to in enumerate(members)
        if source != to
    ]
    return {"sources": sources, "destinations": list(members), "cells": cells, "summary": {}}


def healthy(count: int) -> dict[str, Any]:
    """Return the document of a cluster that has nothing wrong."""
    members = names(count)
    inventory = Inventory(
        hosts=tuple(host(name, number) for number, name in enumerate(members)), inputs={}
    )
    gpus = dict.fromkeys(members[1:] or members, GPUS)
    mesh = matrix(members, {}) if count > 1 else None
    return build_document(RUN, inventory, [], gpus=gpus, mesh=mesh)


def broken(count: int) -> dict[str, Any]:
    """Return the document of a cluster with a bit of everything wrong."""
    members = names(count)
    last, some = members[-1], members[-2]
    away = {members[count // 2]} if count > 3 else set()
    bad: dict[tuple[str, str], Mapping[str, Any]] = {
        (source, last): PARTLY for source in members if source != last
    }
    if count > 3:
        bad[members[0], some] = CLOSED
        bad.update({(name, each): CLOSED for name in away for each in members if each != name})
        bad.update({(each, name): CLOSED for name in away for each in members if each != name})
    inventory = Inventory(
        hosts=tuple(host(name, place, name not in away) for place, name in enumerate(members)),
        inputs={},
    )
    return build_document(
        Run(**{**RUN.__dict__, "ignore": ("mtu-differs",)}),
        inventory,
        [*planted(members, last), *(unreachable(name) for name in away)],
        ignored=[Finding(Severity.WARNING, "mtu-differs", last, "eth1 has another MTU.")],
        gpus=dict.fromkeys(members[1:], GPUS),
        mesh=matrix(members, bad),
    )


def unreachable(name: str) -> Finding:
    """Return the finding about a node that is away."""
    return Finding(
        Severity.ERROR,
        "unreachable",
        name,
        f"{name} cannot be reached over SSH.",
        seen="connect to host 198.18.0.14 port 22: No route to host",
        expected="an SSH login",
        fix=f"ssh -p 22 ubuntu@{name} true",
    )


def planted(members: Sequence[str], last: str) -> list[Finding]:
    """Return findings of every severity."""
    return [
        Finding(
            Severity.ERROR,
            "port-filtered",
            last,
            f"Nobody reaches {last} on 8076 tcp (ray-object-manager): its firewall drops it.",
            seen="no answer from 198.19.0.12 (bond0) to every node",
            expected="an answer of our listener",
            fix=f"ansible -i inv.ini {last} -b -m ansible.builtin.command "
            "-a 'ufw allow from 198.19.0.0/24 to any port 8076 proto tcp'",
        ),
        *(
            Finding(
                Severity.WARNING,
                "clock-not-synchronised",
                name,
                f"The clock of {name} follows no time source.",
                seen="NTPSynchronized=no",
                expected="a clock that follows a time source",
                fix=f"ansible -i inv.ini {name} -b -m ansible.builtin.command -a 'timedatectl'",
            )
            for name in members[:8]
        ),
        Finding(
            Severity.NOTE,
            "head-is-worker-too",
            members[0],
            f"{members[0]} is in ray_head and in ray_worker: it becomes the head.",
        ),
    ]
