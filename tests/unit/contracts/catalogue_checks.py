"""Contracts of the port catalogue: it agrees with the roles and with itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CONTROL_NODE,
    DEVELOPERS,
    EVERY_NODE,
    Port,
)

from tests.unit.contracts.reading import roles

#: Groups of an inventory, as docs and playbooks name them.
GROUPS = frozenset({"ray_head", "ray_worker", "k3s_server", "k3s_agent", "monitoring", "registry"})
CLIENTS = GROUPS | {CONTROL_NODE, EVERY_NODE, DEVELOPERS}
SERVERS = GROUPS | {EVERY_NODE}


def catalogue_is_consistent(catalogue: Sequence[Port]) -> list[str]:
    """Names are unique, groups known, numbers possible."""
    counted = Counter(port.name for port in catalogue)
    problems = [f"{name}: the name is used {n} times" for name, n in counted.items() if n > 1]
    return problems + [f"{port.name}: {p}" for port in catalogue for p in _port_problems(port)]


def _port_problems(port: Port) -> Iterator[str]:
    if port.role not in SERVERS:
        yield f"unknown role {port.role!r}"
    for client in port.clients:
        if client not in CLIENTS:
            yield f"unknown client {client!r}"
    if not 0 < port.number <= port.end <= 65535:
        yield f"impossible range {port.number}-{port.end}"
    if port.protocol not in {"tcp", "udp"}:
        yield f"unknown protocol {port.protocol!r}"
    if bool(port.last) != bool(port.last_variable):
        yield "a range needs both last and last_variable"


def catalogue_equals_defaults(root: Path, catalogue: Sequence[Port]) -> list[str]:
    """Each number stands, literally and equal, in the defaults of the role that owns it."""
    defaults = {role.name: role.variables("defaults") for role in roles(root)}
    problems = []
    for port in catalogue:
        for variable, number in ((port.variable, port.number), (port.last_variable, port.last)):
            owner = max((n for n in defaults if variable.startswith(f"{n}_")), key=len, default="")
            if not owner:
                continue
            seen = defaults[owner].get(variable)
            if seen != number:
                problems.append(
                    f"{port.name}: {variable} is {seen!r} in roles/{owner}/defaults, "
                    f"{number} in the catalogue"
                )
    return problems
