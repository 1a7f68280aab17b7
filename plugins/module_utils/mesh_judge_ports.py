# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of ports for the judge of the mesh: what port_spans has, for texts that come from nodes.

The judge looks at thousands of pairs that carry a few texts over and over, so answers are kept.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import port_spans
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import (
    Spans,
    common,
    parsed,
    written,
)

__all__ = ["Spans", "common", "count", "first", "readable", "union", "without"]

_KEPT = 1 << 13


@functools.lru_cache(maxsize=_KEPT)
def readable(text: str) -> str:
    """Return ``text``, or nothing when it is no list of ports."""
    try:
        return text if parsed(text) else ""
    except ValueError:
        return ""


@functools.lru_cache(maxsize=_KEPT)
def count(text: str) -> int:
    """Return how many ports a list holds."""
    return port_spans.count(text)


def first(text: str) -> int:
    """Return the lowest port of a list that is not empty."""
    return parsed(text)[0][0]


def union(texts: Iterable[str]) -> str:
    """Return the ports of all ``texts``."""
    return port_spans.united(tuple(dict.fromkeys(text for text in texts if text)))


@functools.lru_cache(maxsize=_KEPT)
def without(text: str, other: str) -> str:
    """Return the ports of ``text`` that ``other`` does not have."""
    rest: list[tuple[int, int]] = []
    for start, end in parsed(text):
        for begin, last in parsed(other):
            if last < start or begin > end:
                continue
            if begin > start:
                rest.append((start, begin - 1))
            start = last + 1
        if start <= end:
            rest.append((start, end))
    return written(rest)
