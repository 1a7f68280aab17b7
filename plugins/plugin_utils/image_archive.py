# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a container image archive (``docker save``) holds, read on the control node."""

from __future__ import annotations

import gzip
import json
import lzma
import tarfile
import zlib
from dataclasses import dataclass
from typing import Any

#: What reading a file raises that is damaged, cut short, or something else altogether.
_UNREADABLE = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
)


class ImageArchiveError(ValueError):
    """A file that is no image archive."""


@dataclass(frozen=True)
class ImageArchive:
    """The image in an archive: its names and the digests of its layers' contents."""

    names: tuple[str, ...]
    layers: tuple[str, ...]


def read_archive(path: str) -> ImageArchive:
    """Return the first image of the archive at ``path``, compressed or not.

    Layers are compared by the digests of their contents, because an image's identifier differs
    between Docker's two image stores while these digests do not.
    """
    try:
        with tarfile.open(path) as archive:
            manifest = _json(archive, "manifest.json", path)[0]
            config = _json(archive, manifest["Config"], path)
        return ImageArchive(
            names=tuple(manifest.get("RepoTags") or ()),
            layers=tuple(config["rootfs"]["diff_ids"]),
        )
    except ImageArchiveError:
        raise
    except _UNREADABLE as error:
        said = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
        raise ImageArchiveError(
            f"{path}: saw no image archive ({said}), expected what 'docker save' writes"
        ) from error


def normal_name(name: str) -> str:
    """Return an image's name as ``docker save`` writes it: without Docker Hub, with a tag."""
    for prefix in ("docker.io/library/", "docker.io/", "library/"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
            break
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def _json(archive: tarfile.TarFile, name: str, path: str) -> Any:
    try:
        member = archive.extractfile(name)
    except KeyError:
        member = None
    if member is None:
        raise ImageArchiveError(
            f"{path}: no {name} inside; expected what 'docker save' writes, perhaps it is cut short"
        )
    return json.load(member)
