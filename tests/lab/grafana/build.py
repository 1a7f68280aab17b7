# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Grafana as an archive with the layout of its releases."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

PROGRAM = Path(__file__).with_name("standin.py")


def build(folder: Path, version: str) -> tuple[Path, str]:
    """Return the archive and its SHA-256 digest, the same each time."""
    top = f"grafana-{version}"
    files = {
        f"{top}/VERSION": (0o644, f"{version}\n".encode()),
        f"{top}/bin/grafana": (0o755, PROGRAM.read_bytes()),
        f"{top}/conf/defaults.ini": (0o644, b"# A stand-in has no defaults.\n"),
        f"{top}/public/stand-in": (0o644, b"This is a stand-in for Grafana.\n"),
    }
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, (mode, content) in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = mode, len(content)
            tar.addfile(entry, io.BytesIO(content))
    packed = gzip.compress(plain.getvalue(), mtime=0)
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"grafana_{version}_linux_amd64.tar.gz"
    archive.write_bytes(packed)
    return archive, hashlib.sha256(packed).hexdigest()
