# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML texts of the report: everything that came from a node passes through ``text``."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

# Characters that change how the text around them is shown, or that HTML does not allow.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

# Typographic signs; as escapes, since they look like letters.
CROSS = "\u00d7"
DASH = "\u2013"


def plain(value: Any) -> str:
    """Return a value as text without control characters."""
    return _CONTROLS.sub("\ufffd", DASH if value is None or value == "" else str(value))


def text(value: Any) -> str:
    """Return a value so that HTML shows it as it is; unknown ones as a dash."""
    return html.escape(plain(value))


def gib(mib: Any) -> str:
    """Return mebibytes as "503 GiB", empty when they are not known."""
    if not isinstance(mib, (int, float)):
        return ""
    return f"{mib / 1024:,.0f} GiB" if mib >= 10240 else f"{mib / 1024:,.1f} GiB"


def two_lines(first: Any, second: Any) -> str:
    """Return two values below each other, the second one paler and only where it is known."""
    return f"{text(first)}<br><span class='soft'>{text(second)}</span>" if second else text(first)


def table(label: str, heads: Sequence[str], rows: Iterable[Sequence[str]], wide: str = "") -> str:
    """Return a table in a box that scrolls by itself; cells are HTML, the first one heads its row.

    Columns named in ``wide`` (with spaces between) may break their lines.
    """
    broken = {index for index, head in enumerate(heads) if head in wide.split()}
    head = "".join(f'<th scope="col">{text(each)}</th>' for each in heads)
    body = "".join(_row(row, broken) for row in rows)
    return (
        f'<div class="card scroll" tabindex="0" role="region" aria-label="{text(label)}">'
        f'<table class="list"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _row(cells: Sequence[str], broken: set[int]) -> str:
    """Return a row of a table."""
    rest = "".join(
        f'<td class="wrap">{cell}</td>' if index in broken else f"<td>{cell}</td>"
        for index, cell in enumerate(cells[1:], start=1)
    )
    return f'<tr><th scope="row">{cells[0]}</th>{rest}</tr>'
