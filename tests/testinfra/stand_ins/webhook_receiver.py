# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver of alerts: appends the body of each request to a file, a line each.

``webhook_receiver.py FILE ADDRESS PORT`` runs until it is stopped. A stand-in for the owner's chat
or pager.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock


def main(path: str, address: str, port: str) -> None:
    """Serve for ever."""
    file, lock = Path(path), Lock()
    file.touch()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep what comes."""
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            with lock, file.open("a", encoding="utf-8") as kept:
                kept.write(" ".join(body.splitlines()) + "\n")
            self.send_response(200)
            self.end_headers()

    ThreadingHTTPServer((address, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:4])
