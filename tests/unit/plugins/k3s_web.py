"""A server on loopback that has releases of k3s, or something in their place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What a path is answered with; ``length`` is what the server claims."""

    body: bytes = b""
    status: int = 200
    length: int | None = None
    location: str = ""


@dataclass
class Server:
    """The answers by path, and what was asked."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    url: str = ""

    def has(self, path: str, body: bytes) -> None:
        """Have a file."""
        self.answers[path] = [Answer(body)]

    def gets(self) -> list[str]:
        """Return the paths that were downloaded."""
        return [each.partition(" ")[2] for each in self.asked if each.startswith("GET ")]


@contextmanager
def serving() -> Iterator[Server]:
    """Give a server that runs meanwhile."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        """Answers as the test says."""

        def do_GET(self) -> None:
            self._answer(True)

        def do_HEAD(self) -> None:
            self._answer(False)

        def _answer(self, body: bool) -> None:
            state.asked.append(f"{self.command} {self.path}")
            state.authorizations.append(self.headers.get("Authorization", ""))
            rows = state.answers.get(self.path, [Answer(status=404)])
            answer = rows.pop(0) if len(rows) > 1 else rows[0]
            self.send_response(answer.status)
            if answer.location:
                self.send_header("Location", answer.location)
            length = len(answer.body) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if body:
                # Whoever gives up on a download hangs up.
                with suppress(ConnectionError):
                    self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its own name)
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
