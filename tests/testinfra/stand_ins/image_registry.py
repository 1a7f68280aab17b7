# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for an image registry: serves one archive of `docker save`, for pulling only.

It speaks the part of the registry's protocol that `docker pull` needs, takes any name and tag for
the archive's image, and writes each request to its standard error.

    python3 image_registry.py ARCHIVE ADDRESS PORT
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KIND = "application/vnd.docker."
MANIFEST = f"{KIND}distribution.manifest.v2+json"


@dataclass(frozen=True)
class Blob:
    """A stretch of the archive."""

    kind: str
    start: int
    size: int


class Archive:
    """What an archive holds, as a registry names it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.blobs: dict[str, Blob] = {}
        with tarfile.open(path) as tar:
            (entry,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
            config = self._add(tar, entry["Config"], f"{KIND}container.image.v1+json")
            layers = [
                self._add(tar, name, f"{KIND}image.rootfs.diff.tar") for name in entry["Layers"]
            ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._described(config),
            "layers": [self._described(layer) for layer in layers],
        }
        self.manifest = json.dumps(manifest).encode()

    def _add(self, tar: tarfile.TarFile, name: str, kind: str) -> str:
        member = tar.getmember(name)
        blob = Blob(kind, member.offset_data, member.size)
        whole = hashlib.sha256()
        with open(self.path, "rb") as file:
            for part in parts(file, blob):
                whole.update(part)
        digest = f"sha256:{whole.hexdigest()}"
        self.blobs[digest] = blob
        return digest

    def _described(self, digest: str) -> dict[str, Any]:
        blob = self.blobs[digest]
        return {"mediaType": blob.kind, "size": blob.size, "digest": digest}


def parts(file: Any, blob: Blob) -> Any:
    """Yield the blob's bytes."""
    file.seek(blob.start)
    left = blob.size
    while left:
        part = file.read(min(left, 1 << 20))
        left -= len(part)
        yield part


class Registry(BaseHTTPRequestHandler):
    """Answers for the archive that the class carries."""

    archive: Archive
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self._answer()

    def do_GET(self) -> None:
        """Answer with the manifest or a blob."""
        self._answer()

    def _answer(self) -> None:
        _root, _slash, last = self.path.rpartition("/")
        if self.path == "/v2/":
            self._send("application/json", b"{}")
        elif "/manifests/" in self.path:
            self._send(MANIFEST, self.archive.manifest)
        elif last in self.archive.blobs:
            self._send_blob(last)
        else:
            self.send_error(404)

    def _send(self, kind: str, body: bytes) -> None:
        self._start(kind, len(body), f"sha256:{hashlib.sha256(body).hexdigest()}")
        if self.command == "GET":
            self.wfile.write(body)

    def _send_blob(self, digest: str) -> None:
        blob = self.archive.blobs[digest]
        self._start("application/octet-stream", blob.size, digest)
        if self.command == "GET":
            with open(self.archive.path, "rb") as file:
                for part in parts(file, blob):
                    self.wfile.write(part)

    def _start(self, kind: str, size: int, digest: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.send_header("Docker-Content-Digest", digest)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.end_headers()


def main() -> None:
    """Serve until the end."""
    Registry.archive = Archive(sys.argv[1])
    ThreadingHTTPServer((sys.argv[2], int(sys.argv[3])), Registry).serve_forever()


if __name__ == "__main__":
    main()
