# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operating systems that nodes can have, and where their packages come from (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class NoMirrorError(ValueError):
    """Nothing says where Debian's packages come from."""


@dataclass(frozen=True)
class Platform:
    """An operating system for nodes."""

    name: str
    suite: str
    registry_image: str
    python: str


PLATFORMS: Mapping[str, Platform] = {
    "debian13": Platform("debian13", "trixie", "debian:13", "3.13"),
    "debian12": Platform("debian12", "bookworm", "debian:12", "3.11"),
}


@dataclass(frozen=True)
class Mirror:
    """Where Debian packages come from; ``security`` is empty where no such mirror is known."""

    archive: str
    security: str = ""


@dataclass(frozen=True)
class _Source:
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]


def choose_mirror(os_release: Mapping[str, str], sources: Iterable[str], named: str = "") -> Mirror:
    """Return the mirror that a Debian host uses, or the one that was ``named``."""
    if named:
        return Mirror(named.rstrip("/"))
    codename = os_release.get("VERSION_CODENAME", "")
    entries = [entry for text in sources for entry in parse_sources(text)]
    archive = _uri_of_suite(entries, codename) if os_release.get("ID") == "debian" else None
    if not archive:
        raise NoMirrorError(
            "no Debian mirror is known on this machine (/etc/apt names none), and nodes are built "
            "from one; name it: LAB_DEBIAN_MIRROR=http://<mirror>/debian"
        )
    return Mirror(archive, _uri_of_suite(entries, f"{codename}-security") or "")


def _uri_of_suite(entries: Iterable[_Source], suite: str) -> str | None:
    for entry in entries:
        if suite in entry.suites and "main" in entry.components and entry.uris:
            return entry.uris[0].rstrip("/")
    return None


def parse_sources(text: str) -> list[_Source]:
    """Return the binary package sources of an apt source file in either of apt's formats."""
    if any(line.lower().startswith("types:") for line in text.splitlines()):
        return [entry for stanza in text.split("\n\n") for entry in _parse_stanza(stanza)]
    return [entry for line in text.splitlines() for entry in _parse_line(line)]


def _parse_stanza(stanza: str) -> list[_Source]:
    fields: dict[str, list[str]] = {}
    for line in stanza.splitlines():
        key, colon, value = line.partition(":")
        if colon and not line.startswith((" ", "\t", "#")):
            fields[key.strip().lower()] = value.split()
    if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
        return []
    return [
        _Source(
            tuple(fields.get("uris", [])),
            tuple(fields.get("suites", [])),
            tuple(fields.get("components", [])),
        )
    ]


def _parse_line(line: str) -> list[_Source]:
    words = line.partition("#")[0].split()
    if not words or words[0] != "deb":
        return []
    rest = words[1:]
    if rest and rest[0].startswith("["):
        while rest and not rest.pop(0).endswith("]"):
            continue
    if len(rest) < 3:
        return []
    return [_Source((rest[0],), (rest[1],), tuple(rest[2:]))]


def render_sources(platform: Platform, mirror: Mirror) -> str:
    """Return a node's /etc/apt/sources.list.d/debian.sources."""
    keyring = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    return (
        f"Types: deb\nURIs: {mirror.archive}\nSuites: {platform.suite} {platform.suite}-updates\n"
        f"Components: main\n{keyring}"
        + (
            f"\nTypes: deb\nURIs: {mirror.security}\nSuites: {platform.suite}-security\n"
            f"Components: main\n{keyring}"
            if mirror.security
            else ""
        )
    )


def render_apt_settings(dump: str) -> str:
    """Return those settings of ``apt-config dump`` that say how the mirror is reached."""
    wanted = (
        "Acquire::Check-Valid-Until ",
        "Acquire::Check-Date ",
        "Acquire::http",
        "Acquire::https",
    )
    lines = [line for line in dump.splitlines() if line.startswith(wanted) and '""' not in line]
    return "".join(f"{line}\n" for line in lines)


def parse_os_release(text: str) -> dict[str, str]:
    """Return the keys of an os-release file."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip('"') for key, _, value in pairs}
