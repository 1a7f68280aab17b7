"""Claims about the module that asks a node exporter, against a small server of its own."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules.node_metrics_info import main

from tests.unit.plugins.modules.conftest import Node

WORD = base64.b64encode(b"prometheus:geheim").decode()


class Exporter(HTTPServer):
    """Answers who knows the password, or everybody."""

    is_open = False
    age = 0.0

    def text(self) -> str:
        """Return the metrics of now."""
        last = time.time() - self.age
        return (
            "node_textfile_scrape_error 0\ngpu_cluster_gpus_usable 2\n"
            f"gpu_cluster_collector_last_run_timestamp_seconds {last}\n"
        )


class Handler(BaseHTTPRequestHandler):
    server: Exporter

    def do_GET(self) -> None:
        """Answer one request."""
        known = self.headers.get("Authorization") == f"Basic {WORD}"
        self.send_response(200 if known or self.server.is_open else 401)
        self.end_headers()
        self.wfile.write(self.server.text().encode())

    def log_message(self, *_words: object) -> None:
        """Stay silent."""


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    """A server at a port of its own."""
    with Exporter(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(node: Node, server: Exporter, **more: Any) -> Any:
    arguments = {"address": "127.0.0.1", "port": server.server_port, "timeout": 0, **more}
    return node.run(main, **arguments)


def test_an_exporter_that_is_right_is_reported(node: Node, exporter: Exporter) -> None:
    result = ask(node, exporter, password="geheim")
    assert result["changed"] is False
    assert (result["samples"], result["gpus"]) == (3, {"usable": 2})
    assert result["url"] == f"http://127.0.0.1:{exporter.server_port}/metrics"


def test_an_exporter_that_anybody_may_ask_fails(node: Node, exporter: Exporter) -> None:
    exporter.is_open = True
    assert "without a password: saw status 200" in ask(node, exporter, password="geheim")["msg"]


def test_an_exporter_of_the_owners_need_not_have_a_password(node: Node, exporter: Exporter) -> None:
    exporter.is_open = True
    assert "failed" not in ask(node, exporter)


def test_a_wrong_password_fails_and_is_not_shown(node: Node, exporter: Exporter) -> None:
    result = ask(node, exporter, password="falsch")
    assert "saw status 401, expected status 200" in result["msg"]
    assert "falsch" not in str(result)


def test_old_values_fail(node: Node, exporter: Exporter) -> None:
    exporter.age = 500
    assert "values are 500 s old" in ask(node, exporter, password="geheim")["msg"]


def test_silence_fails_with_the_next_command(node: Node) -> None:
    with HTTPServer(("127.0.0.1", 0), Handler) as gone:
        port = gone.server_port
    result = node.run(main, address="127.0.0.1", port=port, timeout=0)
    assert result["msg"].startswith(f"After 0 s: http://127.0.0.1:{port}/metrics: saw no answer")
    assert "systemctl status prometheus-node-exporter.service" in result["msg"]


def test_who_holds_the_port_is_named(node: Node) -> None:
    node.answers("systemctl", (0, "", ""))
    with HTTPServer(("", 0), Handler) as stranger:
        port = stranger.server_port
        result = node.run(main, address="10.0.0.1", port=port, stage="before")
    assert f"tcp port {port} of 10.0.0.1 is held by " in result["msg"]


def test_a_free_port_is_fine(node: Node) -> None:
    with HTTPServer(("127.0.0.1", 0), Handler) as gone:
        port = gone.server_port
    assert "failed" not in node.run(main, address="10.0.0.1", port=port, stage="before")
