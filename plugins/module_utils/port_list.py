# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of ports as the kernel writes them: ``7000,7010-7020``."""

from __future__ import annotations

import re

LAST_PORT = (1 << 16) - 1


def joined(*lists: str) -> str:
    """Return the ports of all lists as one: sorted, neighbours merged.

    ValueError names what is neither a port nor a range.
    """
    spans = sorted(_span(part) for text in lists for part in text.split(",") if part.strip())
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in merged)


def _span(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    first, last = (int(found.group(1)), int(found.group(2) or found.group(1))) if found else (1, 0)
    if not 0 <= first <= last <= LAST_PORT:
        raise ValueError(f"saw {text.strip()!r}, expected a port or a range such as 7000-7010")
    return first, last
