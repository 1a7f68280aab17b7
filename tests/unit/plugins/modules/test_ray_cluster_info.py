"""Claims about ray_cluster_info, with a small server in place of a head's dashboard."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules import ray_cluster_info
from ansible_collections.rackforge.gpu_cluster.plugins.modules.ray_cluster_info import main

from tests.unit.plugins.modules.conftest import Node

TOKEN = "s3cret"
JOB = {"type": "SUBMISSION", "submission_id": "raysubmit_1", "status": "RUNNING", "entrypoint": "x"}


def row(address: str, state: str = "ALIVE") -> dict[str, Any]:
    """Return a node as Ray 2.60 describes it, shortened."""
    return {"node_id": f"id-{address}", "node_ip": address, "state": state, "is_head_node": False}


class Dashboard(ThreadingHTTPServer):
    """Answers like a head; each look at the nodes takes the next of ``nodes``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.nodes: list[list[dict[str, Any]]] = [[]]
        self.raw: bytes | None = None

    @property
    def address(self) -> str:
        """The address as the module wants it."""
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Answer(BaseHTTPRequestHandler):
    """One request to the dashboard."""

    server: Dashboard

    def do_GET(self) -> None:
        """Answer a request."""
        if self.server.raw is not None:
            self.wfile.write(self.server.raw)
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.send_error(401, "Unauthorized")
        else:
            self._send(self._content())

    def _content(self) -> Any:
        if self.path == "/api/version":
            return {"version": "4", "ray_version": "2.60.0"}
        if self.path == "/api/jobs/":
            return [JOB]
        looks = self.server.nodes
        return {
            "result": True,
            "msg": "",
            "data": {"result": {"result": looks.pop(0) if len(looks) > 1 else looks[0]}},
        }

    def _send(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_ignored: object) -> None:
        """Say nothing."""


@pytest.fixture
def dashboard() -> Iterator[Dashboard]:
    with Dashboard() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    (tmp_path / "token").write_text(TOKEN + "\n")
    return str(tmp_path / "token")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster_info, "POLL_SECONDS", 0.01)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")


def test_the_cluster_is_read_and_no_proxy_is_asked(
    node: Node, dashboard: Dashboard, token_file: str
) -> None:
    dashboard.nodes = [[row("198.18.1.10"), row("198.18.1.11", "DEAD")]]
    result = node.run(main, address=dashboard.address, token_file=token_file)
    assert (result["reachable"], result["error"], result["changed"]) == (True, "", False)
    assert result["version"] == "2.60.0"
    assert [(each["address"], each["state"]) for each in result["nodes"]] == [
        ("198.18.1.10", "ALIVE"),
        ("198.18.1.11", "DEAD"),
    ]
    assert [each["job_id"] for each in result["unfinished_jobs"]] == ["raysubmit_1"]
    assert result["missing"] == []


def test_it_waits_until_a_node_appears(node: Node, dashboard: Dashboard, token_file: str) -> None:
    head, worker = row("198.18.1.10"), row("198.18.1.11")
    dashboard.nodes = [[], [head], [head], [head, worker]]
    result = node.run(
        main,
        address=dashboard.address,
        token_file=token_file,
        wait_for=["198.18.1.10", "198.18.1.11"],
        timeout=60,
    )
    assert result["missing"] == []
    assert len(dashboard.nodes) == 1


def test_a_node_that_does_not_come_is_named_in_time(
    node: Node, dashboard: Dashboard, token_file: str
) -> None:
    dashboard.nodes = [[row("198.18.1.10")]]
    wanted = ["198.18.1.10", "198.18.1.12"]
    result = node.run(
        main, address=dashboard.address, token_file=token_file, wait_for=wanted, timeout=0
    )
    assert (result["reachable"], result["missing"]) == (True, ["198.18.1.12"])
    assert result["waited_seconds"] < 5


def test_a_refused_token_is_told(node: Node, dashboard: Dashboard, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wrong")
    result = node.run(
        main,
        address=dashboard.address,
        token_file=str(tmp_path / "token"),
        wait_for=["198.18.1.10"],
        timeout=0,
    )
    assert result["reachable"] is False
    assert result["error"] == "the API refused the token (HTTP 401)"
    assert result["missing"] == ["198.18.1.10"]
    assert "wrong" not in json.dumps(result)


def test_a_missing_token_is_told_without_asking_anybody(node: Node, tmp_path: Path) -> None:
    result = node.run(main, address="http://127.0.0.1:1", token_file=str(tmp_path / "none"))
    assert result["reachable"] is False
    assert result["error"].startswith("the token cannot be read ([Errno 2] No such file")
    assert result["error"].endswith("; run provision.yml first")


def test_a_silent_head_is_told(node: Node) -> None:
    result = node.run(main, address="http://127.0.0.1:1", timeout=0)
    assert (result["reachable"], result["nodes"], result["version"]) == (False, [], "")
    assert result["error"] == "[Errno 111] Connection refused"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param(
            b"HTTP/1.0 200 OK\r\n\r\n<html>",
            "/api/version: saw no JSON, is this a Ray dashboard?",
            id="web-page",
        ),
        pytest.param(
            b"HTTP/1.0 200 OK\r\n\r\n[]",
            "/api/version: no version in the answer (TypeError('list indices must be integers or"
            " slices, not str')), is this a Ray dashboard?",
            id="other-json",
        ),
        pytest.param(
            b"SSH-2.0-OpenSSH_10.0\r\n",
            "the API answered strangely: BadStatusLine('SSH-2.0-OpenSSH_10.0\\r\\n')",
            id="another-protocol",
        ),
        pytest.param(
            b"HTTP/1.0 500 Oops\r\n\r\n",
            "the API answered strangely: <HTTPError 500: 'Oops'>",
            id="server-error",
        ),
    ],
)
def test_somebody_else_on_the_port_is_told(
    node: Node, dashboard: Dashboard, token_file: str, raw: bytes, message: str
) -> None:
    dashboard.raw = raw
    result = node.run(main, address=dashboard.address, token_file=token_file, timeout=0)
    assert (result["reachable"], result["error"]) == (False, message)
