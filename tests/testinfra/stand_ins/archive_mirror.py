# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a mirror of the distribution, and for a web proxy.

As a mirror it serves /debian and /debian-security with what the node's own archive has; as a proxy
it fetches whatever http:// address it is asked for (there is nothing below .example).
FOLDER/requests gets a line for each request: method and address.

    python3 archive_mirror.py FOLDER ADDRESS PORT
"""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 1 << 16


def archives() -> dict[str, str]:
    """Return the last word of each of apt's own addresses, and the address."""
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    addresses = {line.rstrip("/") for line in listing.splitlines()}
    return {address.rpartition("/")[2]: address for address in addresses}


class Mirror(BaseHTTPRequestHandler):
    """Passes requests on, and writes them down."""

    def __init__(self, known: dict[str, str], log: Path, *arguments: object) -> None:
        self._known = known
        self._log = log
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with what the address has."""
        with self._log.open("a") as file:
            file.write(f"{self.command} {self.path}\n")
        address = self.path if self.path.startswith("http://") else self._upstream()
        if str(urlsplit(address).hostname).endswith(".example"):
            self._refuse(404)
            return
        wanted = {k: v for k, v in self.headers.items() if k in ("If-Modified-Since", "Range")}
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=wanted)) as answer:
                self.send_response(answer.status)
                for name in ("Content-Length", "Content-Type", "Last-Modified", "Content-Range"):
                    if answer.headers[name]:
                        self.send_header(name, answer.headers[name])
                self.end_headers()
                while data := answer.read(CHUNK):
                    self.wfile.write(data)
        except urllib.error.HTTPError as error:
            self._refuse(error.code)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _upstream(self) -> str:
        _root, name, rest = (*self.path.split("/", 2), "")[:3]
        return f"{self._known.get(name, 'http://127.0.0.1:9')}/{rest}"


def main() -> None:
    """Serve until the end."""
    folder, address, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    handler = partial(Mirror, archives(), folder / "requests")
    ThreadingHTTPServer((address, port), handler).serve_forever()


if __name__ == "__main__":
    main()
