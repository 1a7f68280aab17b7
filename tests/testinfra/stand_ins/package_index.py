# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for a package index: serves a folder of wheels as pip's simple index.

It writes each request to its standard error.

    python3 package_index.py FOLDER ADDRESS PORT      then: pip install --index-url http://.../simple
"""

from __future__ import annotations

import re
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


def project_of(wheel: str) -> str:
    """Return the project that a wheel belongs to, as an index spells it."""
    return re.sub(r"[-_.]+", "-", wheel.split("-")[0]).lower()


class Index(SimpleHTTPRequestHandler):
    """Lists a project's wheels at /simple/PROJECT/, and serves each of them below that."""

    def do_GET(self) -> None:
        """Answer with a page of links or with a wheel."""
        found = re.fullmatch(r"/simple/([a-z0-9-]+)/", self.path)
        if found is None:
            super().do_GET()
            return
        names = sorted(path.name for path in Path(self.directory).glob("*.whl"))
        links = [f'<a href="{n}">{n}</a><br>\n' for n in names if project_of(n) == found[1]]
        if not links:
            self.send_error(404)
            return
        page = "".join(links).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def translate_path(self, path: str) -> str:
        """Return the wheel that an address below /simple/PROJECT/ names."""
        return str(Path(self.directory) / Path(unquote(path)).name)


def main() -> None:
    """Serve until the end."""
    folder, address, port = sys.argv[1:]
    ThreadingHTTPServer((address, int(port)), partial(Index, directory=folder)).serve_forever()


if __name__ == "__main__":
    main()
