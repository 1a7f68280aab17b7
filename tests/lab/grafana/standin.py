#!/usr/bin/env python3
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Grafana's server: its flags, settings, provisioning and API, no pages."""

from __future__ import annotations

import argparse
import base64
import configparser
import hashlib
import http.server
import json
import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


def expand(value: str) -> str:
    """Return a setting with $__file{...} read, as Grafana does."""

    def read(match: re.Match[str]) -> str:
        return Path(match[1]).read_text(encoding="utf-8").strip()

    return re.sub(r"\$__file\{([^}]+)\}", read, value)


def provisioned(folder: Path) -> list[dict[str, Any]]:
    """Return the provisioning documents of a folder: JSON after lines of comment."""
    found = []
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        lines = path.read_text(encoding="utf-8").splitlines()
        found.append(json.loads("\n".join(line for line in lines if not line.startswith("#"))))
    return found


class Grafana:
    """What one server knows."""

    def __init__(self, config: Path, home: Path) -> None:
        if not (home / "conf" / "defaults.ini").is_file():
            sys.exit(f"Grafana-server Init Failed: Could not find config defaults in {home}")
        self.ini = configparser.RawConfigParser(comment_prefixes=("#", ";"))
        with config.open(encoding="utf-8") as file:
            self.ini.read_file(file)
        folder = Path(self.ini["paths"]["provisioning"])
        self.sources: dict[str, dict[str, Any]] = {}
        for document in provisioned(folder / "datasources"):
            self.sources.update({each["uid"]: each for each in document["datasources"]})
        for source in self.sources.values():
            secrets = source.get("secureJsonData", {})
            source["secret"] = {key: expand(value) for key, value in secrets.items()}
        self.dashboards: dict[str, dict[str, Any]] = {}
        for document in provisioned(folder / "dashboards"):
            for provider in document["providers"]:
                for path in sorted(Path(provider["options"]["path"]).glob("*.json")):
                    board = json.loads(path.read_text(encoding="utf-8"))
                    self.dashboards[board["uid"]] = board
        self.password = self._first_password()

    def _first_password(self) -> str:
        """Return the digest of the password of the first start; later ones do not count."""
        security = self.ini["security"]
        expand(security["secret_key"])
        words = f"{security['admin_user']}:{expand(security['admin_password'])}"
        kept = Path(self.ini["paths"]["data"]) / "grafana.db"
        if not kept.exists():
            kept.write_text(hashlib.sha256(words.encode()).hexdigest(), encoding="utf-8")
        return kept.read_text(encoding="utf-8")

    def knows(self, header: str | None) -> bool:
        """Return whether a request shows the password."""
        kind, _, words = (header or "").partition(" ")
        if kind != "Basic":
            return self.ini.getboolean("auth.anonymous", "enabled", fallback=False)
        try:
            shown = base64.b64decode(words)
        except ValueError:
            return False
        return hashlib.sha256(shown).hexdigest() == self.password

    def answer(self, path: str) -> tuple[int, Any]:
        """Return status and document of an address that needs the password."""
        if path == "/api/datasources":
            return 200, [self._shown(source) for source in self.sources.values()]
        found = re.fullmatch(r"/api/datasources/uid/([^/?]+)", path)
        if found and found[1] in self.sources:
            return 200, self._shown(self.sources[found[1]])
        if path.startswith("/api/search"):
            shown = [{"uid": u, "title": d["title"]} for u, d in self.dashboards.items()]
            return 200, [{**each, "type": "dash-db", "folderUid": "rackforge"} for each in shown]
        found = re.fullmatch(r"/api/dashboards/uid/([^/?]+)", path)
        if found and found[1] in self.dashboards:
            return 200, {"dashboard": self.dashboards[found[1]], "meta": {"provisioned": True}}
        found = re.fullmatch(r"/api/datasources/proxy/uid/([^/]+)(/.*)", path)
        if found and found[1] in self.sources:
            return self._asked(self.sources[found[1]], found[2])
        return 404, {"message": "Not found"}

    @staticmethod
    def _shown(source: dict[str, Any]) -> dict[str, Any]:
        hidden = ("secret", "secureJsonData")
        fields = {key: bool(value) for key, value in source["secret"].items()}
        shown = {key: value for key, value in source.items() if key not in hidden}
        return {**shown, "readOnly": not source["editable"], "secureJsonFields": fields}

    @staticmethod
    def _asked(source: dict[str, Any], path: str) -> tuple[int, Any]:
        request = urllib.request.Request(source["url"] + path)
        words = f"{source['basicAuthUser']}:{source['secret']['basicAuthPassword']}"
        request.add_header("Authorization", "Basic " + base64.b64encode(words.encode()).decode())
        context = None
        if "tlsCACert" in source["secret"]:
            context = ssl.create_default_context(cadata=source["secret"]["tlsCACert"])
            context.check_hostname = "serverName" not in source["jsonData"]
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, {"message": str(error)}
        except OSError as error:
            return 502, {"message": str(error)}


def handler(grafana: Grafana) -> type[http.server.BaseHTTPRequestHandler]:
    """Return what answers requests."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/api/health":
                self._send(200, {"database": "ok", "version": os.environ.get("VERSION", "")})
            elif self.path == "/login":
                self._send(200, {"title": "Grafana (stand-in)"})
            elif not grafana.knows(self.headers.get("Authorization")):
                self._send(401, {"message": "Unauthorized"})
            else:
                self._send(*grafana.answer(self.path))

        def _send(self, status: int, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="grafana", description=__doc__)
    parser.add_argument("command", choices=["server"])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--homepath", type=Path, required=True)
    given = parser.parse_args()
    grafana = Grafana(given.config, given.homepath)
    server = grafana.ini["server"]
    address = (server["http_addr"], int(server["http_port"]))
    web = http.server.ThreadingHTTPServer(address, handler(grafana))
    if server["protocol"] == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server["cert_file"], server["cert_key"])
        web.socket = context.wrap_socket(web.socket, server_side=True)
    web.serve_forever()


if __name__ == "__main__":
    main()
