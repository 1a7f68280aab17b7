# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of the stand-in for k3s, checked over a real TLS connection."""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.k3s.standin import files, tokens
from tests.lab.k3s.standin.log import FatalError

HASH = "a" * 64


def test_a_secure_token_has_hash_user_and_password() -> None:
    assert tokens.parse(f"K10{HASH}::node:pass:word") == tokens.Token(HASH, "node", "pass:word")


def test_a_short_token_is_a_password() -> None:
    assert tokens.parse("password") == tokens.Token("", "", "password")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "token must not be empty"),
        ("K10abc::node:x", "invalid token CA hash length"),
        (f"K10{HASH}::node", "invalid token format"),
        (f"K10{HASH}::node:", "invalid token format"),
    ],
    ids=["empty", "short-hash", "no-password", "empty-password"],
)
def test_malformed_tokens_are_refused(text: str, message: str) -> None:
    with pytest.raises(FatalError) as caught:
        tokens.parse(text)
    assert str(caught.value) == message


class Handler(http.server.BaseHTTPRequestHandler):
    authority = b""

    def do_GET(self) -> None:
        if self.path == "/cacerts":
            self._send(200, self.authority, "text/plain")
            return
        wanted = "Basic " + base64.b64encode(b"node:right").decode()
        if self.headers.get("Authorization") != wanted:
            body = json.dumps({"message": "not authorized"}).encode()
            self._send(401, body, "application/json")
            return
        self._send(200, b'{"ok": true}', "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bytes]]:
    tls = tmp_path_factory.mktemp("tls")
    files.make_authorities(tls, 1)
    files.write_certificates(tls, ["localhost", "127.0.0.1"])
    Handler.authority = (tls / "server-ca.crt").read_bytes()
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    name = "serving-kube-apiserver"
    context.load_cert_chain(tls / f"{name}.crt", tls / f"{name}.key")
    made.socket = context.wrap_socket(made.socket, server_side=True)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{made.server_address[1]}", Handler.authority
    made.shutdown()
    thread.join()
    made.server_close()


def test_the_right_token_opens_the_door(server: tuple[str, bytes]) -> None:
    url, authority = server
    token = tokens.secure(authority, "node", "right")
    assert tokens.connect(url, token, "node").request("GET", "/v1-k3s/config") == {"ok": True}


def test_another_cluster_s_hash_is_refused_before_the_password_is_sent(
    server: tuple[str, bytes],
) -> None:
    url, authority = server
    with pytest.raises(tokens.AnswerError) as caught:
        tokens.connect(url, f"K10{HASH}::node:right", "node")
    assert str(caught.value) == (
        "token CA hash does not match the Cluster CA certificate hash: "
        f"{HASH} != {tokens.ca_hash(authority)}"
    )


def test_a_short_token_is_taken_with_a_warning(
    server: tuple[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    tokens.connect(server[0], "right", "node")
    assert "the token does not include a CA hash" in capsys.readouterr().err


def test_a_wrong_password_is_a_401(server: tuple[str, bytes]) -> None:
    url, authority = server
    access = tokens.connect(url, tokens.secure(authority, "node", "wrong"), "node")
    with pytest.raises(tokens.AnswerError, match=r"401 .*not authorized") as caught:
        access.request("GET", "/v1-k3s/config")
    assert caught.value.status == 401


def test_nobody_there_is_one_message() -> None:
    with pytest.raises(tokens.AnswerError, match=r"failed to get CA certs: .*refused"):
        tokens.connect("https://127.0.0.1:9", "right", "node")


def test_files_of_a_server_are_private(tmp_path: Path, server: tuple[str, bytes]) -> None:
    del server
    folder = tmp_path / "server"
    files.make_authorities(folder / "tls", 1)
    files.write_tokens(folder, "one", "two")
    authority = (folder / "tls/server-ca.crt").read_bytes()
    assert (folder / "token").read_text() == tokens.secure(authority, "server", "one") + "\n"
    assert (folder / "agent-token").read_text() == tokens.secure(authority, "node", "two") + "\n"
    assert (folder / "node-token").resolve() == (folder / "token").resolve()
    private = [folder / "token", folder / "agent-token", *folder.glob("tls/*.key")]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_without_a_token_of_their_own_agents_share_the_server_s(
    tmp_path: Path, server: tuple[str, bytes]
) -> None:
    folder = tmp_path / "server"
    (folder / "tls").mkdir(parents=True)
    (folder / "tls/server-ca.crt").write_bytes(server[1])
    files.write_tokens(folder, "one", "one")
    assert (folder / "agent-token").is_symlink()
