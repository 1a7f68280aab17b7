# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports Ray and k3s have on a node that both share, so that neither finds its own taken.

Ray's workers bind ports of their range one after the other, and k3s binds its own whenever it
starts. The kernel's list of reserved ports does not stand between the two, so the ranges must.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    ITSELF,
    K3S,
    K3S_NODES,
    K3S_OWN_PORTS,
    RAY_NODES,
    RAY_WORKERS_BESIDE_K3S,
    Port,
    groups_of,
    port_named,
)

_WORKERS = port_named("ray-workers")

#: The ports that only the node itself comes to, as rows; nothing of ours moves them.
K3S_OWN_ROWS = tuple(
    Port(
        f"k3s itself ({first})" if first == last else f"k3s itself ({first}-{last})",
        K3S_NODES,
        first,
        "",
        (ITSELF,),
        "k3s's own, on the loopback",
        last=0 if first == last else last,
        profile=K3S,
        source="k3s documentation, Requirements",
    )
    for first, last in K3S_OWN_PORTS
)


def is_shared(groups: Collection[str]) -> bool:
    """Return whether a host in these groups gets Ray and k3s."""
    named = set(groups)
    return not named.isdisjoint(groups_of(RAY_NODES)) and not named.isdisjoint(groups_of(K3S_NODES))


def default_number(row: Port, groups: Collection[str]) -> int:
    """Return the first port that a row has on a host in these groups when no variable moves it."""
    is_moved = row.name == _WORKERS.name and is_shared(groups)
    return RAY_WORKERS_BESIDE_K3S if is_moved else row.number


def worker_ports(groups: Collection[str], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of the range of Ray's workers for a host in these groups.

    What the host's variables say counts more than the default, and is not judged here.
    """
    defaults = {
        _WORKERS.variable: default_number(_WORKERS, groups),
        _WORKERS.last_variable: _WORKERS.last,
    }
    given = {name: variables[name] for name in defaults if variables.get(name) is not None}
    return {**defaults, **given}


def with_worker_ports(
    variables: Mapping[str, Any], host: str, groups: Mapping[str, Sequence[str]]
) -> Mapping[str, Any]:
    """Return the host's variables with the range that Ray's workers have there."""
    mine = [name for name, hosts in groups.items() if host in hosts]
    return ChainMap(worker_ports(mine, variables), dict(variables))
