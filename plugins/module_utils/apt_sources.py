# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entries of apt's source files that are the distribution's own, pointed at a mirror."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

#: For whom: the components that the distribution itself has.
_COMPONENTS = {
    "debian": {"main", "contrib", "non-free", "non-free-firmware"},
    "ubuntu": {"main", "restricted", "universe", "multiverse"},
}
_POCKETS = {
    *("updates", "security", "backports", "backports-sloppy"),
    *("proposed", "proposed-updates"),
}
_REMOTE = re.compile(r"(https?|ftp|tor\+https?|mirror(\+\w+)?):")
_ENTRY = re.compile(r"(\s*deb(?:-src)?\s+(?:\[([^]]*)]\s+)?)(\S+)(\s+)(\S+)([^#\n]*)")


@dataclass(frozen=True)
class Archive:
    """The node's distribution, the mirrors it is to use, and what apt knows of each source.

    ``origins`` maps (address without the last slash, suite) to the Origin that apt has read in the
    signed Release file.
    """

    distribution: str
    codename: str
    mirror: Optional[str] = None
    security_mirror: Optional[str] = None
    origins: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rewritten:
    """A source file afterwards, and those of its entries that come from a mirror of ours."""

    text: str
    mirrored: str
    own: int


@dataclass(frozen=True)
class _Source:
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str


def parse_origins(listing: str) -> dict[tuple[str, str], str]:
    """Return the origins that apt-get indextargets lists as ``address|suite|origin``."""
    rows = (line.split("|") for line in listing.splitlines())
    return {(row[0].rstrip("/"), row[1]): row[2] for row in rows if len(row) == 3 and row[2]}


def rewritten(path: str, text: str, archive: Archive) -> Rewritten:
    """Return what becomes of the source file at ``path``; its name tells its form."""
    return _stanzas(text, archive) if path.endswith(".sources") else _lines(text, archive)


def _lines(text: str, archive: Archive) -> Rewritten:
    """Treat the one-line form. Options, components, suites and comments stay."""
    after, mirrored, own = [], [], 0
    for line in text.splitlines(keepends=True):
        found = _ENTRY.match(line)
        source = found and _Source(
            (found[3],), (found[5],), tuple(found[6].split()), _option(found[2] or "", "signed-by")
        )
        mirror = None
        if found and source and _is_own(source, archive):
            own += 1
            mirror = _mirror_for(source.suites, archive)
        if found and mirror:
            line = line[: found.start(3)] + mirror + line[found.end(3) :]
            mirrored.append(line)
        after.append(line)
    return Rewritten("".join(after), "".join(mirrored), own)


def _option(options: str, name: str) -> str:
    pairs = (word.partition("=") for word in options.split())
    return next((value for key, _is, value in pairs if key.lower() == name), "")


def _stanzas(text: str, archive: Archive) -> Rewritten:
    """Treat the deb822 form: of a stanza of the distribution's only the field URIs changes."""
    after, mirrored, own = [], [], 0
    for stanza in _split(text):
        fields = _fields(stanza)
        values = {name: _value(stanza[first:last]) for name, (first, last) in fields.items()}
        mirror = None
        if values.get("enabled", "yes").lower() not in ("no", "false", "without", "off", "disable"):
            source = _Source(
                uris=tuple(values.get("uris", "").split()),
                suites=tuple(values.get("suites", "").split()),
                components=tuple(values.get("components", "").split()),
                signed_by=values.get("signed-by", ""),
            )
            if "uris" in fields and _is_own(source, archive):
                own += 1
                mirror = _mirror_for(source.suites, archive)
        if mirror:
            first, last = fields["uris"]
            head = stanza[first].partition(":")[0]
            stanza = [*stanza[:first], f"{head}: {mirror}\n", *stanza[last:]]
            mirrored.append("".join(stanza).rstrip("\n") + "\n")
        after += stanza
    return Rewritten("".join(after), "\n".join(mirrored), own)


def _split(text: str) -> Iterator[list[str]]:
    """Yield the stanzas, each with the empty lines after it."""
    stanza: list[str] = []
    for line in text.splitlines(keepends=True):
        if stanza and line.strip() and not stanza[-1].strip():
            yield stanza
            stanza = []
        stanza.append(line)
    if stanza:
        yield stanza


def _fields(stanza: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return the fields' names, in lower case, and the lines from which to which each one goes."""
    found: dict[str, tuple[int, int]] = {}
    name = ""
    for number, line in enumerate(stanza):
        if line.startswith((" ", "\t")) and line.strip() and name:
            found[name] = (found[name][0], number + 1)
        elif not line.startswith("#") and ":" in line:
            name = line.partition(":")[0].strip().lower()
            found[name] = (number, number + 1)
    return found


def _value(lines: Sequence[str]) -> str:
    text = "".join(line for line in lines if not line.startswith("#"))
    return text.partition(":")[2].strip()


def _is_own(source: _Source, archive: Archive) -> bool:
    """Return whether a source is the distribution's: by what apt read of it, else by its looks."""
    if not source.uris or not all(_REMOTE.match(uri) for uri in source.uris):
        return False
    mirrors = {m.rstrip("/") for m in (archive.mirror, archive.security_mirror) if m}
    addresses = [uri.rstrip("/") for uri in source.uris]
    if mirrors.issuperset(addresses):
        return True
    known = {archive.origins.get((a, s), "") for a in addresses for s in source.suites} - {""}
    if known:
        return {origin.lower() for origin in known} == {archive.distribution}
    return _has_its_suites(source, archive) and _has_its_key_or_path(source, archive)


def _has_its_suites(source: _Source, archive: Archive) -> bool:
    names = {archive.codename, *(f"{archive.codename}-{pocket}" for pocket in _POCKETS)}
    components = set(source.components)
    return (
        bool(source.suites)
        and names.issuperset(source.suites)
        and bool(components)
        and components <= _COMPONENTS.get(archive.distribution, set())
    )


def _has_its_key_or_path(source: _Source, archive: Archive) -> bool:
    """Return whether key or address name the distribution: .../ubuntu-ports, debian.list."""
    if source.signed_by:
        return f"{archive.distribution}-archive" in source.signed_by
    ends = [uri.rstrip("/").rpartition("/")[2] for uri in source.uris]
    return all(re.match(rf"{archive.distribution}(-\w+)?(\.list)?$", end) for end in ends)


def _mirror_for(suites: Sequence[str], archive: Archive) -> Optional[str]:
    """Return the mirror for suites: security's for those alone, else the archive's."""
    security = all(suite.endswith("-security") for suite in suites)
    return archive.security_mirror if security else archive.mirror
