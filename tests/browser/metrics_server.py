"""A stand-in for Prometheus: serves the page of role monitoring and answers its queries."""

from __future__ import annotations

import json
import mimetypes
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

FILES = Path(__file__).parents[2] / "roles" / "monitoring" / "files"

# Labels and value of one series.
Series = tuple[Mapping[str, str], float]
Answers = Callable[[str], Sequence[Series]]


class QueryError(Exception):
    """What the server says of a query that it cannot answer."""


@dataclass
class StandIn:
    """What the server answers, and what it was asked."""

    answers: Answers
    alerts: Sequence[Mapping[str, Any]] = ()
    prefix: str = ""
    password_wanted: bool = False
    address: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, path: str, asked: dict[str, str]) -> tuple[int, Any]:
        """Return the status and the body of an answer of the API."""
        if self.password_wanted:
            return 401, None
        if path == "alerts":
            return 200, _success({"alerts": list(self.alerts)})
        self.asked.append(asked)
        try:
            series = self.answers(asked["query"])
        except QueryError as error:
            return 400, {"status": "error", "errorType": "bad_data", "error": str(error)}
        if path == "query":
            vector = [{"metric": labels, "value": [0, str(value)]} for labels, value in series]
            return 200, _success({"resultType": "vector", "result": vector})
        times = range(int(asked["start"]), int(asked["end"]) + 1, int(asked["step"]))
        matrix = [
            {"metric": labels, "values": [[time, str(value)] for time in times]}
            for labels, value in series
        ]
        return 200, _success({"resultType": "matrix", "result": matrix})


def _success(data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


def _file(name: str) -> Path:
    """Return the file at that place under /user/."""
    return FILES / name if name.startswith("dashboards/") else FILES / "page" / name


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix(stand_in.prefix)
            if path.startswith("/api/v1/"):
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                status, body = stand_in.answer(path.removeprefix("/api/v1/"), asked)
                self._send(status, "application/json", json.dumps(body).encode())
                return
            found = _file(path.removeprefix("/user/") or "index.html")
            if path.startswith("/user/") and found.is_file():
                kind = mimetypes.guess_type(found.name)[0] or "text/plain"
                self._send(200, kind, found.read_bytes())
            else:
                self._send(404, "text/plain", b"404 page not found\n")

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


class _Server(ThreadingHTTPServer):
    # A browser opens several connections at once; five would be too few to wait.
    request_queue_size = 64
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: a page that goes away leaves connections behind."""


@contextmanager
def serving(stand_in: StandIn) -> Iterator[StandIn]:
    """Serve until the end of the block, at the address that the stand-in then has."""
    server = _Server(("127.0.0.1", 0), _handler(stand_in))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    stand_in.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
