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
    """Return what stands before the block, the block's lines, and what stands after it."""
    lines = text.split("\n")  # not splitlines(), which takes other characters for ends too
    if begin not in lines:
        return text, [], ""
    first = lines.index(begin)
    rest = lines[first + 1 :]
    following = rest.index(begin) if begin in rest else len(rest)
    last = rest.index(end) if end in rest[:following] else -1
    # Somebody cut the end off: the mark itself is all that is surely ours.
    block = rest[:last] if last >= 0 else []
    before = "".join(f"{line}\n" for line in lines[:first])
    return before, block, "\n".join(rest[last + 1 :])
