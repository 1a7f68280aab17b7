# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports as numbers and as the texts that travel between the parts of the mesh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeVar

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import parsed

T = TypeVar("T")


def expand(text: str) -> list[int]:
    """Return the ports of a list such as ``7000,7010-7020``, in order."""
    return [port for first, last in parsed(text) for port in range(first, last + 1)]


def compress(ports: Iterable[int]) -> str:
    """Return the list of these ports, neighbours as ranges."""
    found = []
    for _key, group in groupby(enumerate(sorted(set(ports))), lambda pair: pair[1] - pair[0]):
        run = [port for _place, port in group]
        found.append(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]))
    return ",".join(found)


def spread(values: Sequence[T], most: int) -> list[T]:
    """Return at most ``most`` of the values: the first, the last and others evenly between."""
    if len(values) <= most:
        return list(values)
    if most < 2:
        return list(values[:most])
    return [values[place * (len(values) - 1) // (most - 1)] for place in range(most)]
