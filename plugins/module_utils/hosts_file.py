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
    could not be asked for their address this time.
    """
    before, block, after = _split(text.splitlines(), BEGIN.format(owner), END.format(owner))
    lines = [f"{address} {' '.join(names)}" for address, names in entries.items()]
    taken = {name for names in entries.values() for name in names}
    wanted = set(keep) - taken
    lines += [line for line in block if wanted & set(line.split()[1:])]
    if not lines:
        return "".join(f"{line}\n" for line in before + after)
    marked = [BEGIN.format(owner), *sorted(lines, key=_order), END.format(owner)]
    return "".join(f"{line}\n" for line in before + marked + after)


def _order(line: str) -> tuple[list[int], str]:
    address = line.split()[0]
    parts = address.split(".")
    numbers = [int(part) for part in parts] if all(part.isdigit() for part in parts) else []
    return numbers, line


def _split(lines: list[str], begin: str, end: str) -> tuple[list[str], list[str], list[str]]:
    if begin not in lines:
        return lines, [], []
    first = lines.index(begin)
    rest = lines[first + 1 :]
    if end not in rest:  # Somebody cut the end off: the mark itself is all that is surely ours.
        return lines[:first], [], rest
    last = rest.index(end)
    return lines[:first], rest[:last], rest[last + 1 :]
