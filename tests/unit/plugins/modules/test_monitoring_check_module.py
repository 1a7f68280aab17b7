"""Claims about the monitoring_check module, before a server that answers as the test says."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules.monitoring_check import main

from tests.unit.plugins.modules.conftest import Node

ADDRESS = "192.0.2.1:9100"
TARGETS = {"gpu-1": {"node": [{"targets": [ADDRESS]}]}}
METRIC = {"job": "node", "instance": ADDRESS}
FIRING = [
    {"alertname": "RebootRequired", "severity": "info", "node": "gpu-1"},
    {"alertname": "GpuFailed", "severity": "critical", "node": "gpu-1", "gpu": "1"},
    {"alertname": "GpuFailed", "severity": "critical", "node": "gpu-1", "gpu": "2"},
]
GRANTED = "Basic " + base64.b64encode(b"admin:secret").decode()


@dataclass
class Server:
    """What the server knows, and where it is."""

    port: int = 0
    up: str = "1"
    age: str = "3"
    is_open: bool = False
    rules: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, path: str, query: str) -> dict[str, Any]:
        """Return the data of one answer."""
        if path.endswith("/targets"):
            return {"activeTargets": [{"labels": METRIC, "lastError": "connection refused"}]}
        if path.endswith("/rules"):
            return {"groups": [{"name": "own", "rules": self.rules}]}
        if query.startswith("ALERTS"):
            return {"result": [{"metric": each, "value": [0, "1"]} for each in FIRING]}
        value = self.up if query == "up" else self.age
        return {"result": [{"metric": METRIC, "value": [0, value]}]}


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine."""
    known = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            granted = known.is_open or self.headers.get("Authorization") == GRANTED
            parts = urlsplit(self.path)
            query = parse_qs(parts.query).get("query", [""])[0]
            body = {"status": "success", "data": known.answer(parts.path, query)}
            self.send_response(200 if granted else 401)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode() if granted else b"")

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.port = web.server_port
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield known
    web.shutdown()
    web.server_close()


def check(node: Node, server: Server, folder: Path, known: bool = True, **more: Any) -> Any:
    """Return the module's answer; it does not wait."""
    file = folder / "password"
    file.write_text("secret\n" if known else "wrong\n")
    arguments = {"targets": TARGETS, "metrics": {"node": ["node_load1"]}, "timeout": 0, **more}
    url = f"http://127.0.0.1:{server.port}"
    return node.run(main, url=url, password_file=str(file), **arguments)


def test_all_is_well_where_targets_are_up_and_metrics_fresh(
    node: Node, server: Server, tmp_path: Path
) -> None:
    result = check(node, server, tmp_path)
    assert (result["changed"], result["targets"], result["metrics"]) == (False, 1, 1)


def test_a_target_that_is_down_fails_with_the_servers_words(
    node: Node, server: Server, tmp_path: Path
) -> None:
    server.up = "0"
    assert check(node, server, tmp_path)["problems"] == [
        f"target {ADDRESS} (job node, host gpu-1): saw 'connection refused', expected up; on "
        "gpu-1: systemctl status prometheus-node-exporter.service"
    ]


def test_an_old_sample_fails(node: Node, server: Server, tmp_path: Path) -> None:
    server.age = "61"
    assert "saw the last sample 61 s old" in check(node, server, tmp_path)["msg"]


def test_a_server_without_a_password_fails(node: Node, server: Server, tmp_path: Path) -> None:
    server.is_open = True
    assert "saw 200 without a password, expected 401" in check(node, server, tmp_path)["msg"]


def test_a_password_that_the_server_does_not_know_is_told(
    node: Node, server: Server, tmp_path: Path
) -> None:
    said = check(node, server, tmp_path, known=False)["msg"]
    assert "saw 401, expected it to know the password" in said
    assert "wrong" not in said


def test_a_rule_that_fails_is_told(node: Node, server: Server, tmp_path: Path) -> None:
    server.rules = [{"name": "NodeDown", "health": "err", "lastError": "bad"}]
    assert "rule NodeDown of group own: saw 'bad'" in check(node, server, tmp_path)["msg"]


def test_an_alertmanager_that_does_not_answer_is_told(
    node: Node, server: Server, tmp_path: Path
) -> None:
    # Port 9 (discard) of this machine: nothing listens there.
    said = check(node, server, tmp_path, alertmanager_url="http://127.0.0.1:9")["msg"]
    assert "http://127.0.0.1:9/api/v2/status: Connection refused" in said


def test_the_owners_server_need_only_answer(node: Node, server: Server, tmp_path: Path) -> None:
    assert check(node, server, tmp_path, answers_only=True)["changed"] is False


def test_a_missing_password_names_the_next_command(node: Node, server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}"
    result = node.run(main, url=url, password_file="/none/password")
    assert "run provision.yml" in result["msg"]


def test_a_report_tells_what_is_wrong_and_what_fires_and_does_not_fail(
    node: Node, server: Server, tmp_path: Path
) -> None:
    server.up = "0"
    result = check(node, server, tmp_path, report=True)
    assert result.get("failed", False) is False
    assert len(result["problems"]) == 1
    assert [(row["severity"], row["alert"], row["node"]) for row in result["firing"]] == [
        ("critical", "GpuFailed", "gpu-1"),
        ("info", "RebootRequired", "gpu-1"),
    ]


def test_a_report_of_a_host_without_a_password_says_what_to_run(node: Node, tmp_path: Path) -> None:
    result = node.run(
        main, url="http://127.0.0.1:1", password_file=str(tmp_path / "none"), report=True
    )
    assert result["problems"][0].endswith("run provision.yml")
