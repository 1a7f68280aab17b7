# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: archives that are imported at start, and which images a pod may run."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from tests.lab.k3s.standin.log import error, info

ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.lz4", ".tar.bz2")


def archives(folder: Path) -> list[Path]:
    """Return the archives and lists that k3s looks at when it starts."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.endswith((*ENDINGS, ".txt")))


def import_all(folder: Path, registry: Path) -> list[str]:
    """Import every archive, remember the images and return their names.

    An archive that cannot be read is logged and left out, as k3s does; it starts all the same.
    """
    names = set(known(registry))
    for path in archives(folder):
        if path.suffix == ".txt":
            continue
        try:
            found = names_in(path)
        except (OSError, EOFError, ValueError, KeyError, tarfile.TarError) as problem:
            error(f"Failed to process {path.name}: {str(problem) or type(problem).__name__}")
            continue
        info(f"Imported images from {path} in 1s: {json.dumps(found)}")
        names.update(found)
    registry.parent.mkdir(parents=True, exist_ok=True)
    registry.write_text(json.dumps(sorted(names)))
    return sorted(names)


def known(registry: Path) -> list[str]:
    """Return the images that were imported so far."""
    try:
        return list(json.loads(registry.read_text()))
    except (OSError, ValueError):
        return []


def names_in(path: Path) -> list[str]:
    """Return the names of the images in an archive, reading it to its end."""
    data = _plain(path)
    found: list[str] = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            source = archive.extractfile(member)
            content = source.read() if source else b""
            if member.name == "manifest.json":
                found += [tag for entry in json.loads(content) for tag in entry["RepoTags"] or ()]
    if not found:
        raise ValueError("unrecognized image format")
    return found


def _plain(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        return gzip.decompress(raw)
    if raw[:4] == b"\x28\xb5\x2f\xfd":
        program = shutil.which("zstd")
        if program is None:
            raise ValueError("the stand-in needs the program zstd for this archive")
        done = subprocess.run([program, "-dc"], input=raw, capture_output=True, check=False)
        if done.returncode != 0:
            raise ValueError(done.stderr.decode(errors="replace").strip() or "zstd failed")
        return done.stdout
    return raw


def full_name(image: str) -> str:
    """Return an image's full name, with what Docker leaves out: host, library, tag."""
    name, at, pin = image.partition("@")
    first = name.split("/")[0]
    if "/" not in name:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    if not at and ":" not in name.rsplit("/", 1)[-1]:
        name += ":latest"
    return name + at + pin


def is_there(image: str, names: Iterable[str]) -> bool:
    """Return whether an image was imported."""
    wanted = full_name(image)
    return any(full_name(name) == wanted for name in names)


def identity(image: str) -> str:
    """Return an image ID that stays the same for the same name."""
    return "sha256:" + hashlib.sha256(full_name(image).encode()).hexdigest()
