# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster's names in /etc/hosts, in a marked block that leaves the rest of the file alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BEGIN = "# BEGIN rackforge.gpu_cluster {}"
END = "# END rackforge.gpu_cluster {}"


def with_block(
    text: str, owner: str, entries: Mapping[str, Sequence[str]], keep: Sequence[str] = ()
) -> str:
    """Return ``text`` with ``owner``'s block holding ``entries`` (address to names).

    Lines of the present block for names in ``keep`` stay as they are: they belong to members that
    could not be asked for their address this time. A line whose address is somebody else's by now
    goes all the same. Everything outside the block stays byte for byte.
    """
    before, block, after = _split(text, BEGIN.format(owner), END.format(owner))
    lines = [f"{address} {' '.join(names)}" for address, names in entries.items()]
    taken = {name for names in entries.values() for name in names}
    wanted = set(keep) - taken
    lines += [line for line in block if _is_kept(line, wanted, entries)]
    if not lines:
        return before + after
    marked = [BEGIN.format(owner), *sorted(lines, key=_order), END.format(owner)]
    joint = "\n" if before and not before.endswith("\n") else ""
    return before + joint + "".join(f"{line}\n" for line in marked) + after


def _is_kept(line: str, wanted: set[str], entries: Mapping[str, Sequence[str]]) -> bool:
    address, *names = line.split() or [""]
    return address not in entries and bool(wanted.intersection(names))


def _order(line: str) -> tuple[list[int], str]:
    address = line.split()[0]
    parts = address.split(".")
    numbers = [int(part) for part in parts] if all(part.isdigit() for part in parts) else []
    return numbers, line


def _split(text: str, begin: str, end: str) -> tuple[str, list[str], str]:
    """Return what stands before the block, the block's lines, and what stands after it.

    Somebody may have doubled the block, or cut its end off: then the mark itself is all that is
    surely ours.
    """
    lines = text.split("\n")  # not splitlines(), which takes other characters for ends too
    if begin not in lines:
        return text, [], ""
    first = lines.index(begin)
    block: list[str] = []
    after: list[str] = []
    place = first
    while place < len(lines):
        if lines[place] != begin:
            after.append(lines[place])
        else:
            inside = _until_mark(lines[place + 1 :], begin, end)
            block += inside
            place += len(inside) + 1 if inside or lines[place + 1 : place + 2] == [end] else 0
        place += 1
    return "".join(f"{line}\n" for line in lines[:first]), block, "\n".join(after)


def _until_mark(lines: list[str], begin: str, end: str) -> list[str]:
    """Return the lines before the end mark, none when a block begins anew before it."""
    found = next((place for place, line in enumerate(lines) if line in (begin, end)), -1)
    return lines[:found] if found >= 0 and lines[found] == end else []
