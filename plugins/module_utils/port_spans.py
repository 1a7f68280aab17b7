# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of ports as spans: what two lists have in common, how many there are, an even sample."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from functools import lru_cache

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import (
    LAST_PORT,
    joined,
)

Spans = tuple[tuple[int, int], ...]

_LIST = re.compile(r"\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*")


@lru_cache(maxsize=4096)
def parsed(text: str) -> Spans:
    """Return the spans of a list of ports, sorted and merged; ValueError names what is none."""
    # What is in order already needs no closer look: the ports of a sample come by the thousand.
    spans = _ends(text) if _LIST.fullmatch(text) else ()
    return spans if spans and _is_in_order(spans) else _ends(joined(text))


def _ends(text: str) -> Spans:
    ends = [part.partition("-") for part in text.split(",") if part]
    return tuple((int(first), int(last or first)) for first, _dash, last in ends)


def _is_in_order(spans: Spans) -> bool:
    before = -1
    for first, last in spans:
        if not before < first <= last <= LAST_PORT:
            return False
        before = last + 1
    return True


def written(spans: Iterable[tuple[int, int]]) -> str:
    """Return spans, sorted as they are, as the kernel writes them: neighbours merged."""
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in merged)


@lru_cache(maxsize=4096)
def united(texts: tuple[str, ...]) -> str:
    """Return the ports of all lists as one."""
    return written(sorted(span for text in texts for span in parsed(text)))


@lru_cache(maxsize=4096)
def common(left: str, right: str) -> str:
    """Return the ports that are in both lists."""
    if left == right:
        return written(parsed(left))
    ours, theirs = parsed(left), parsed(right)
    found = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        first = max(ours[i][0], theirs[j][0])
        last = min(ours[i][1], theirs[j][1])
        if first <= last:
            found.append((first, last))
        if ours[i][1] < theirs[j][1]:
            i += 1
        else:
            j += 1
    return written(found)


def holds(text: str, port: int) -> bool:
    """Return whether a list of ports holds ``port``."""
    return any(first <= port <= last for first, last in parsed(text))


def count(text: str) -> int:
    """Return how many ports a list holds."""
    return sum(last - first + 1 for first, last in parsed(text))


def sample(first: int, last: int, most: int, seed: str) -> str:
    """Return ``most`` ports of a range, or all when it has no more: both ends, the rest even.

    Where the rest begins comes from ``seed``, so that another run sees other ports.
    """
    width = last - first + 1
    if width <= most:
        return written([(first, last)])
    inner, wanted = width - 2, most - 2
    shift = zlib.crc32(seed.encode()) % inner
    places = {first + 1 + (number * inner + shift) // wanted for number in range(wanted)}
    return written((place, place) for place in sorted({first, last} | places))
