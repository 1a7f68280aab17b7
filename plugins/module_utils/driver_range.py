# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of drivers and whether they lie within bounds; a bound may name a branch only.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import enum
import re
from typing import Optional

Version = tuple[int, ...]


class Position(enum.Enum):
    """Where a version lies with respect to its bounds."""

    BELOW = "below"
    INSIDE = "inside"
    ABOVE = "above"


def parse_version(text: Optional[str]) -> Optional[Version]:
    """Return 580.95.05 as (580, 95, 5), None for what is no such version.

    The epoch and the revision of a package (3:580.95.05-1ubuntu2) are left out.
    """
    found = re.fullmatch(
        r"(?:[0-9]{1,6}:)?v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,5})(?:[-+~_].*)?", (text or "").strip()
    )
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def same_version(one: Optional[str], other: Optional[str]) -> Optional[bool]:
    """Return whether two texts name the same version; None where one of them names none."""
    first, second = parse_version(one), parse_version(other)
    if first is None or second is None:
        return None
    return first == second


def is_older(seen: str, lowest: str) -> Optional[bool]:
    """Return whether ``seen`` comes before ``lowest``; None where one of them is no version."""
    version, bound = parse_version(seen), parse_version(lowest)
    if version is None or bound is None:
        return None
    return _within_bound(version, bound) < bound


def position(version: Version, lowest: Optional[str], highest: Optional[str]) -> Position:
    """Return where a version lies; both bounds belong to the range.

    A bound counts with as many parts as it has: 590.48.01 is not above 590, and it is not above
    590.48 either. A bound that is None or no version bounds nothing.
    """
    low, high = parse_version(lowest), parse_version(highest)
    if low is not None and _within_bound(version, low) < low:
        return Position.BELOW
    if high is not None and _within_bound(version, high) > high:
        return Position.ABOVE
    return Position.INSIDE


def _within_bound(version: Version, bound: Version) -> Version:
    """Return as many parts of ``version`` as ``bound`` has."""
    return (version + (0,) * len(bound))[: len(bound)]


def bound_problem(lowest: Optional[str], highest: Optional[str]) -> Optional[str]:
    """Return what is wrong with the bounds themselves, None when nothing is."""
    for text in (lowest, highest):
        if text is not None and parse_version(text) is None:
            return f"{text!r} is no version"
    low, high = parse_version(lowest), parse_version(highest)
    if low is not None and high is not None and _within_bound(low, high) > high:
        return f"the lowest version {lowest} lies above the highest, {highest}"
    return None


def describe_range(lowest: Optional[str], highest: Optional[str]) -> str:
    """Return the bounds as a sentence has them: "530 to 590, all of 590 included"."""
    if lowest is None and highest is None:
        return "any version"
    if highest is None:
        return f"{lowest} or newer"
    upper = highest if highest.count(".") > 1 else f"{highest}, all of {highest} included"
    return f"{lowest} to {upper}" if lowest is not None else f"at most {upper}"
