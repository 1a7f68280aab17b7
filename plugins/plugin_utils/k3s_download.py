# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills a directory of the control node with a release of k3s."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_artifacts import Request
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release import too_large
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_fetch import (
    Web,
    fetch_digests,
    shown,
    trusted_digest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    Content,
    ReleaseError,
    digest_of,
    drop_drafts,
    free_bytes,
    put,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_releases import (
    BINARIES,
    checksum_name,
    file_url,
    image_names,
    known_digests,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_directory import listed_in

#: Seconds between two lines about a download that goes on.
TELL_EVERY = 10.0


@dataclass(frozen=True)
class Due:
    """A file that the directory is to have, and whether it must be downloaded."""

    name: str
    sha256: str
    missing: bool


@dataclass
class Teller:
    """Says how far a download is, every few seconds."""

    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    last: float = field(default=0.0)

    def begin(self, name: str) -> Callable[[int, Optional[int]], None]:
        """Return what a download of ``name`` calls with the bytes that have come."""
        self.last = self.clock()

        def progress(seen: int, length: Optional[int]) -> None:
            if self.clock() - self.last >= TELL_EVERY:
                self.last = self.clock()
                self.say(f"{name}: {seen >> 20} of {(length or 0) >> 20 or 'unknown'} MiB")

        return progress


@dataclass(frozen=True)
class Download:
    """A release and where it comes from."""

    request: Request
    url: str
    web: Web
    tell: Teller

    def plan(self, architecture: str) -> tuple[list[Due], dict[str, str]]:
        """Return the files of an architecture, and the digests that its release lists.

        Where all is there and whole by digests that are known, nobody is asked.
        """
        request = self.request
        known = known_digests(request.version, architecture, request.checksums)
        listed = listed_in(request.directory, architecture)
        if not self._settled(architecture, known, listed):
            listed = fetch_digests(self.web, self.url, request.version, architecture)
        names = wanted_names(architecture, listed, request.images)
        return [self._due(name, known, listed) for name in names], listed

    def _due(self, name: str, known: Mapping[str, str], listed: Mapping[str, str]) -> Due:
        digest = trusted_digest(name, known, listed, self.url, self.request.version)
        present = digest_of(os.path.join(self.request.directory, name))
        return Due(name, digest, present != digest)

    def _settled(
        self, architecture: str, known: Mapping[str, str], listed: Mapping[str, str]
    ) -> bool:
        """Return whether the list that lies there agrees with what is known of the release."""
        name = BINARIES[architecture]
        return name in known and listed.get(name) == known[name]

    def check_room(self, missing: list[Due]) -> None:
        """Raise ReleaseError when the directory cannot take what is missing."""
        sizes = [
            self.web.size(file_url(self.url, self.request.version, each.name)) for each in missing
        ]
        nearest, free = free_bytes(self.request.directory)
        wrong = too_large(sum(size or 0 for size in sizes), nearest, free)
        if wrong:
            raise ReleaseError(wrong)

    def fetch(self, due: Due) -> None:
        """Download one file; it takes its place when its digest is right."""
        address = file_url(self.url, self.request.version, due.name)

        def accepted(content: Content) -> str:
            if content.sha256 == due.sha256:
                return ""
            return (
                f"{shown(address)} has the SHA-256 digest {content.sha256}, expected {due.sha256}; "
                "it was thrown away"
            )

        mode = 0o755 if due.name in BINARIES.values() else 0o644
        path = os.path.join(self.request.directory, due.name)
        self.tell.say(f"Downloading {shown(address)}")
        put(self.web.blocks(address, self.tell.begin(due.name)), path, mode, accepted)


def wanted_names(architecture: str, listed: Mapping[str, str], images: bool) -> list[str]:
    """Return the files to have: binary, and the archive of images in its smallest form."""
    archives = [name for name in image_names(architecture) if name in listed][:1] if images else []
    if images and not archives:
        raise ReleaseError(
            f"{checksum_name(architecture)} of the release lists no archive of images, expected "
            f"{image_names(architecture)[0]}; is this a release of k3s?"
        )
    return [BINARIES[architecture], *archives]


def list_text(listed: Mapping[str, str]) -> str:
    """Return a list of checksums as sha256sum writes it."""
    return "".join(f"{digest}  {name}\n" for name, digest in listed.items())


def run(download: Download, check_mode: bool) -> dict[str, Any]:
    """Fill the directory and return what came."""
    request = download.request
    plans = {each: download.plan(each) for each in request.names()}
    missing = [due for dues, _listed in plans.values() for due in dues if due.missing]
    lists = {
        checksum_name(each): listed
        for each, (_dues, listed) in plans.items()
        if listed_in(request.directory, each) != listed
    }
    changed = bool(missing or lists)
    if changed and not check_mode:
        os.makedirs(request.directory, exist_ok=True)
        drop_drafts(request.directory)
        download.check_room(missing)
        for due in missing:
            download.fetch(due)
        for name, listed in lists.items():
            path = os.path.join(request.directory, name)
            put([list_text(listed).encode()], path, 0o644, lambda _content: "")
    return {
        "changed": changed,
        "directory": request.directory,
        "version": request.version,
        "downloaded": [due.name for due in missing] + sorted(lists),
        "files": {due.name: due.sha256 for dues, _listed in plans.values() for due in dues},
    }
