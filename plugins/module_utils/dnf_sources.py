# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repositories of dnf that are the distribution's own, pointed at a mirror."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

#: Where CentOS Stream's repositories lie; its files name a metalink and no folder.
_STREAM = {
    "baseos": "$stream/BaseOS/$basearch/os/",
    "appstream": "$stream/AppStream/$basearch/os/",
    "crb": "$stream/CRB/$basearch/os/",
    "highavailability": "$stream/HighAvailability/$basearch/os/",
    "resilientstorage": "$stream/ResilientStorage/$basearch/os/",
    "nfv": "$stream/NFV/$basearch/os/",
    "rt": "$stream/RT/$basearch/os/",
    "extras-common": "SIGs/$stream/extras/$basearch/extras-common/",
}
_URL = re.compile(r"#?\s*baseurl\s*=\s*(\S+)", re.IGNORECASE)
_LISTS = re.compile(r"(mirrorlist|metalink)\s*=", re.IGNORECASE)
_ACTIVE = re.compile(r"baseurl\s*=", re.IGNORECASE)


@dataclass(frozen=True)
class Repositories:
    """A .repo file afterwards, its enabled repositories that come from the mirror, and its gaps.

    ``unknown`` are enabled repositories of the file whose folder on a mirror nobody told.
    """

    text: str
    mirrored: str
    own: int
    unknown: tuple[str, ...]


def with_mirror(text: str, mirror: str) -> Repositories:
    """Return a .repo file of the distribution with ``mirror`` in the place of its mirror lists.

    Keys, checks and what is enabled stay; a mirror list is commented out. The folders below the
    mirror are those that the distribution's own (often commented) baseurl names, from the first
    one with $releasever or $stream in its name.
    """
    after, mirrored, own, unknown = [], [], 0, []
    for section in _sections(text):
        name = _name(section)
        folder = _folder(name, section)
        enabled = not any(re.match(r"enabled\s*=\s*(0|no|false)\b", line, re.I) for line in section)
        if name and folder:
            own += 1
            section = _pointed(section, f"{mirror.rstrip('/')}/{folder}")
            mirrored += section if enabled else []
        elif name and enabled:
            unknown.append(name)
        after += section
    return Repositories("".join(after), "".join(mirrored), own, tuple(unknown))


def _sections(text: str) -> Iterator[list[str]]:
    section: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("[") and section:
            yield section
            section = []
        section.append(line if line.endswith("\n") else f"{line}\n")
    if section:
        yield section


def _name(section: Sequence[str]) -> str:
    found = re.match(r"\[([^]]+)]", section[0])
    return found[1] if found else ""


def _folder(name: str, section: Sequence[str]) -> Optional[str]:
    """Return where the repository lies below a mirror's address."""
    for line in sorted(section, key=lambda line: line.startswith("#")):  # What counts now is first.
        found = _URL.match(line)
        tail = found and re.search(r"/((?:SIGs/)?[^/]*\$(?:releasever|stream)\b.*)$", found[1])
        if tail:
            return tail[1]
    return _STREAM.get(name)


def _pointed(section: Sequence[str], url: str) -> list[str]:
    """Return the section with ``url`` as its one address, where its address stood."""
    after: list[str] = []
    place, listed, inside = 0, 0, False
    for line in section:
        inside = bool(_ACTIVE.match(line)) or (inside and line[:1] in (" ", "\t"))
        if inside:
            place = place or len(after)
            continue
        after.append(f"#{line}" if _LISTS.match(line) else line)
        listed = listed or (len(after) if _LISTS.match(line) else 0)
    place = place or listed or 1
    return [*after[:place], f"baseurl={url}\n", *after[place:]]
