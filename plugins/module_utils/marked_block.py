# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One role's marked block in a file that belongs to somebody else."""

from __future__ import annotations

from collections.abc import Sequence

BEGIN = "# BEGIN rackforge.gpu_cluster {}"
END = "# END rackforge.gpu_cluster {}"


def with_lines(text: str, owner: str, lines: Sequence[str]) -> str:
    """Return ``text`` with ``owner``'s block holding ``lines``; without lines the block goes.

    A block keeps its place, a new one comes last. Everything outside stays byte for byte, but for
    the line feed that a last line without one gets. A begin without an end is all that surely is
    ours.
    """
    begin, end = BEGIN.format(owner), END.format(owner)
    old = text.splitlines(keepends=True)
    marks = [line.rstrip("\r\n") for line in old]
    place = len(old)
    while begin in marks:
        first = marks.index(begin)
        last = marks.index(end, first) if end in marks[first:] else first
        del old[first : last + 1], marks[first : last + 1]
        place = first if place > first else place
    if not lines:
        return "".join(old)
    block = [f"{line}\n" for line in (begin, *lines, end)]
    if old and place == len(old) and not old[-1].endswith("\n"):
        old[-1] += "\n"
    return "".join([*old[:place], *block, *old[place:]])
