# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edits of INI files that leave every other line as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.marked_block import BEGIN, END


def with_key(text: str, section: str, key: str, value: str) -> str:
    """Return ``text`` with the key in the section; a present value is replaced in its place."""
    lines = _lines(text)
    first, last = _span(lines, section)
    if first < 0:
        gap = ["\n"] if lines and lines[-1].strip() else []
        return "".join([*lines, *gap, f"[{section}]\n", f"{key} = {value}\n"])
    words = re.escape(key).replace(r"\-", "[-_]")
    found = [n for n in range(first, last) if re.match(rf"{words}\s*[=:]", lines[n])]
    if not found:
        return "".join([*lines[:last], f"{key} = {value}\n", *lines[last:]])
    end = found[0] + 1
    while end < last and lines[end][:1] in (" ", "\t") and lines[end].strip():
        end += 1  # The value went on.
    return "".join([*lines[: found[0]], f"{key} = {value}\n", *lines[end:]])


def with_block(text: str, owner: str, content: Sequence[str], section: str) -> str:
    """Return ``text`` with ``owner``'s marked block at the end of a section; no content, no block.

    At the end, since of two lines for one key the last one counts.
    """
    begin, end = BEGIN.format(owner), END.format(owner)
    lines = _without(_lines(text), begin, end)
    if not content:
        return "".join(lines) if begin in text else text
    block = [f"{line}\n" for line in (begin, *content, end)]
    first, last = _span(lines, section)
    if first < 0:
        block.insert(1, f"[{section}]\n")
        last = len(lines)
    return "".join([*lines[:last], *block, *lines[last:]])


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    whole = [f"{line}\n" for line in lines[:-1]]
    return [*whole, f"{lines[-1]}\n"] if lines[-1] else whole


def _without(lines: Sequence[str], begin: str, end: str) -> list[str]:
    kept = list(lines)
    marks = [line.strip() for line in kept]
    while begin in marks and end in marks[marks.index(begin) :]:
        first = marks.index(begin)
        last = marks.index(end, first)
        del kept[first : last + 1], marks[first : last + 1]
    return kept


def _span(lines: Sequence[str], section: str) -> tuple[int, int]:
    """Return where the section's lines begin and end, less empty ones at its end; or -1."""
    heads = [n for n, line in enumerate(lines) if line.startswith("[")]
    first = next((n for n in heads if lines[n].split("]")[0] == f"[{section}"), -1)
    if first < 0:
        return -1, -1
    last = next((n for n in heads if n > first), len(lines))
    while last > first + 1 and not lines[last - 1].strip():
        last -= 1
    return first + 1, last
