"""Contracts of the port catalogue: it agrees with the roles and with itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    ANY,
    CLUSTER_GROUPS,
    CONTROL_NODE,
    DEVELOPERS,
    EXPANSIONS,
    ITSELF,
    PROFILES,
    USERS,
    Port,
)

from tests.unit.contracts.reading import roles

SERVERS = frozenset(CLUSTER_GROUPS) | frozenset(EXPANSIONS)
CLIENTS = SERVERS | {CONTROL_NODE, DEVELOPERS, USERS, ITSELF}
#: Variables that are Ansible's, not a role's.
ANSIBLES_OWN = frozenset({"ansible_port"})


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
    yield from _origin_problems(port)
    # A row without any variable cannot be moved.
    if port.variables and bool(port.last) != bool(port.last_variable):
        yield "a range needs both last and last_variable"


def _origin_problems(port: Port) -> Iterator[str]:
    if port.profile not in (*PROFILES, ANY):
        yield f"unknown profile {port.profile!r}"
    if not port.source:
        yield "names no document in source"


def catalogue_equals_defaults(root: Path, catalogue: Sequence[Port]) -> list[str]:
    """Each number stands, literally and equal, in the defaults of the role that owns it."""
    defaults = {role.name: role.variables("defaults") for role in roles(root)}
    problems = []
    for port in catalogue:
        for variable, number in ((port.variable, port.number), (port.last_variable, port.last)):
            owner = _owner(variable, defaults)
            if not owner:
                continue
            seen = defaults[owner].get(variable)
            if seen != number:
                problems.append(
                    f"{port.name}: {variable} is {seen!r} in roles/{owner}/defaults, "
                    f"{number} in the catalogue"
                )
    return problems


def catalogue_variables_have_an_owner(root: Path, catalogue: Sequence[Port]) -> list[str]:
    """Each variable is a role's, or Ansible's own."""
    present = {role.name for role in roles(root)}
    return [
        f"{port.name}: {variable} belongs to no role"
        for port in catalogue
        for variable in (port.variable, port.last_variable)
        if variable and variable not in ANSIBLES_OWN and not _owner(variable, present)
    ]


def _owner(variable: str, names: Iterable[str]) -> str:
    """Return the role whose prefix a variable has, the longest one; empty when there is none."""
    return max((name for name in names if variable.startswith(f"{name}_")), key=len, default="")
