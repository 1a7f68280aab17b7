# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs out of release archives: which a node lacks, and what an archive must look like.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

#: Names of processors in release archives, by what Linux calls them.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "amd64": "amd64", "arm64": "arm64"}
_FOLDER = re.compile(r"(?P<name>[a-z][a-z0-9_-]*?)-(?P<version>\d[\w.+-]*)\.linux-(?P<arch>\w+)")


class ReleaseArchiveError(ValueError):
    """A release cannot be had, and why."""


@dataclass(frozen=True)
class Release:
    """A release as it is wanted. ``given_by`` names the input for messages."""

    name: str
    source: str
    checksum: str
    programs: tuple[str, ...]
    given_by: str

    @property
    def remote(self) -> bool:
        """Return whether the node downloads it."""
        return self.source.startswith(("https://", "http://"))


@dataclass(frozen=True)
class Record:
    """What was brought before: version and digest of the archive, digests of programs by name."""

    version: str = ""
    checksum: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return what ``parse_record`` reads."""
        values = {"version": self.version, "checksum": self.checksum, "files": dict(self.files)}
        return json.dumps(values, indent=1) + "\n"


def parse_record(text: Optional[str]) -> Record:
    """Return what was brought before; an unreadable record counts as none."""
    try:
        values = json.loads(text or "{}")
        files = {str(name): str(digest) for name, digest in values.get("files", {}).items()}
        return Record(str(values.get("version", "")), str(values.get("checksum", "")), files)
    except (ValueError, AttributeError):
        return Record()


def parse_release(params: Mapping[str, Any]) -> Release:
    """Return a release from a task's values; ReleaseArchiveError names the input that is wrong."""
    given_by = str(params.get("input") or params["name"])
    source, checksum = str(params.get("source") or ""), str(params.get("checksum") or "")
    digest = (
        checksum.lower()[len("sha256:") :] if checksum.startswith("sha256:") else checksum.lower()
    )
    if not source:
        raise ReleaseArchiveError(
            f"{given_by} has no source, expected the path of a .tar.gz on the control node or a URL"
        )
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ReleaseArchiveError(
            f"{given_by}: checksum is '{checksum}', expected the SHA-256 digest, 64 hexadecimal "
            f"digits; the release's own list (sha256sums.txt) has it"
        )
    return Release(str(params["name"]), source, digest, tuple(params["programs"]), given_by)


def is_missing(release: Release, record: Record, seen: Mapping[str, Optional[str]]) -> bool:
    """Return whether the archive is needed. ``seen`` has the digests of the programs by name."""
    return record.checksum != release.checksum or any(
        seen.get(name) is None or seen.get(name) != record.files.get(name)
        for name in release.programs
    )


def chosen_members(
    release: Release, members: Iterable[str], architecture: str
) -> tuple[str, dict[str, str]]:
    """Return the version that an archive holds, and its members by program.

    The layout is that of the releases: NAME-VERSION.linux-ARCHITECTURE/PROGRAM.
    """
    names = [name[2:] if name.startswith("./") else name for name in members]
    folders = {name.split("/", 1)[0] for name in names if name}
    expected = f"{release.name}-VERSION.linux-{architecture_of(architecture)}/"
    fits = [match for match in map(_FOLDER.fullmatch, sorted(folders)) if match]
    if len(folders) != 1 or not fits or fits[0]["name"] != release.name:
        seen = ", ".join(sorted(folders)[:3]) or "nothing"
        raise ReleaseArchiveError(
            f"{release.given_by}: the archive holds {seen}, expected one directory {expected}"
        )
    if fits[0]["arch"] != architecture_of(architecture):
        raise ReleaseArchiveError(
            f"{release.given_by}: the archive is for linux-{fits[0]['arch']}, expected {expected} "
            f"since this node is {architecture}"
        )
    paths = {name: f"{fits[0].group()}/{name}" for name in release.programs}
    lacking = [name for name, path in paths.items() if path not in names]
    if lacking:
        raise ReleaseArchiveError(
            f"{release.given_by}: {fits[0].group()} has no {', '.join(lacking)} in it, "
            f"expected {', '.join(release.programs)}"
        )
    return fits[0]["version"], paths


def architecture_of(machine: str) -> str:
    """Return what releases call the processor of a node."""
    if machine not in ARCHITECTURES:
        raise ReleaseArchiveError(f"this node is {machine}, expected x86_64 or aarch64")
    return ARCHITECTURES[machine]


def refuse_older(release: Release, before: str, version: str) -> None:
    """Raise ReleaseArchiveError for a version older than the one that is there.

    Older ones do not promise to read what newer ones have stored.
    """
    if before and ordered(version) < ordered(before):
        raise ReleaseArchiveError(
            f"{release.given_by} is {release.name} {version}, expected {before} or newer, which is "
            f"on this node: an older one may not read its data. Nothing was changed. To go back, "
            f"remove it with its data (reset) and install the older one"
        )


def ordered(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Return what versions are compared by: 2.10.0 is after 2.9.1, and 3.0.0 after 3.0.0-rc.1."""
    plain, _dash, pre = version.partition("-")
    numbers = tuple(int(part) for part in re.findall(r"\d+", plain.split("+")[0]))
    return numbers, not pre, pre
