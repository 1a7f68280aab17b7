# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What swaps on a node, and what keeps it from swapping now and after the next boot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: What starts swap at boot: all swap that systemd knows (fstab, partitions, zram-generator), and
#: Debian's zram-tools, which goes past systemd.
STARTERS = ("swap.target", "zramswap.service")
PROPERTIES = "Id,LoadState,UnitFileState,FragmentPath,Wants,Requires"


class SwapError(ValueError):
    """Swap cannot be kept off."""


@dataclass(frozen=True)
class SwapPlan:
    """Areas that are in use now, and the units to mask."""

    areas: tuple[str, ...]
    mask: tuple[str, ...]


def parse_swaps(text: str) -> tuple[str, ...]:
    """Return the areas in the text of /proc/swaps."""
    return tuple(line.split()[0] for line in text.splitlines()[1:] if line.split())


def plan_swap(areas: tuple[str, ...], units: Mapping[str, Mapping[str, str]]) -> SwapPlan:
    """Return what to do. A node without swap is left alone."""
    mask = []
    for name in STARTERS:
        unit = units.get(name, {})
        if unit.get("LoadState") != "loaded" or not _starts_swap(name, unit, bool(areas)):
            continue
        own = f"/etc/systemd/system/{name}"
        if unit.get("FragmentPath") == own:
            raise SwapError(
                f"os_base_swap is off, but {own} is a unit of the owner's own, expected the "
                f"distribution's, which can be masked. Remove that file, or set os_base_swap: keep"
            )
        mask.append(name)
    return SwapPlan(areas, tuple(mask))


def _starts_swap(name: str, unit: Mapping[str, str], in_use: bool) -> bool:
    if name.endswith(".service"):
        return unit.get("UnitFileState", "").startswith("enabled")
    pulled = f"{unit.get('Wants', '')} {unit.get('Requires', '')}".split()
    return in_use or any(other.endswith(".swap") for other in pulled)
