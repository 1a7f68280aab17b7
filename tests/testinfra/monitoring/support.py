# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of the monitoring host, as those who have a password reach them."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

Labels = dict[str, str]


@dataclass(frozen=True)
class Server:
    """A server that asks for a user's password."""

    address: str
    user: str
    password: str

    def open(self, path: str, password: str | None = None) -> bytes:
        """Return an answer's body; HTTPError is the server's refusal."""
        request = urllib.request.Request(f"{self.address}{path}")
        known = self.password if password is None else password
        if known:
            pair = base64.b64encode(f"{self.user}:{known}".encode()).decode()
            request.add_header("Authorization", f"Basic {pair}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            body: bytes = answer.read()
        return body

    def refusal(self, path: str, password: str) -> int:
        """Return the status with which the server refuses a request, 200 when it does not."""
        try:
            self.open(path, password)
        except urllib.error.HTTPError as error:
            return error.code
        return 200

    def get(self, path: str, **parameters: str) -> Any:
        """Return the answer of the API."""
        question = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        return json.loads(self.open(path + question))

    def query(self, expression: str) -> list[tuple[Labels, float]]:
        """Return the samples of an expression, each with its labels."""
        rows = self.get("/api/v1/query", query=expression)["data"]["result"]
        return [(row["metric"], float(row["value"][1])) for row in rows]

    def number(self, expression: str) -> float | None:
        """Return the one sample of an expression, None where there is none or several."""
        rows = self.query(expression)
        return rows[0][1] if len(rows) == 1 else None

    def by_node(self, expression: str) -> dict[str, float]:
        """Return the samples of an expression by the label node."""
        return {labels["node"]: value for labels, value in self.query(expression)}

    def firing(self) -> set[tuple[str, str]]:
        """Return the alerts that fire, each with its node."""
        rows = self.query('ALERTS{alertstate="firing"}')
        return {(labels["alertname"], labels.get("node", "")) for labels, _one in rows}
