"""Claims about the k3s_service module."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import k3s_unit
from ansible_collections.rackforge.gpu_cluster.plugins.modules.k3s_service import main
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.unit.plugins.modules.conftest import Answer, Node

SHOW = "systemctl show k3s.service"
READY = "timeout --kill-after=5 10 /usr/local/bin/k3s kubectl"
LOG = "journalctl --unit k3s.service"
HASH = "6f2d1e3b7c0a4f5e8d9c6b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e"
LONG_AGO, LONG_AFTER_NOW = 1, 10**18


def shown(
    active: str = "active",
    sub: str = "running",
    since: int = LONG_AFTER_NOW,
    enabled: str = "enabled",
    restarts: int = 0,
) -> Answer:
    """Return systemd's answer about a unit started so many microseconds after boot."""
    return (
        0,
        f"ActiveState={active}\nSubState={sub}\nUnitFileState={enabled}\nNeedDaemonReload=no\n"
        f"InactiveExitTimestampMonotonic={since}\nExecMainStartTimestampMonotonic=0\n"
        f"NRestarts={restarts}\n",
        "",
    )


NEW = shown("inactive", "dead", 0, "")


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """k3s's own files, below a folder of the test's; sleeping costs no time."""
    for name in ("TOKEN", "AGENT_TOKEN", "SERVER_TOKEN", "SERVER_CA", "CONTAINERD_CONFIG"):
        monkeypatch.setattr(k3s_unit, name, str(tmp_path / name))
    monkeypatch.setattr(k3s_unit, "IMAGES_DIR", str(tmp_path / "images"))
    monkeypatch.setattr(k3s_unit, "GPU_RUNTIMES", (str(tmp_path / "nvidia-container-runtime"),))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return tmp_path


def run(node: Node, check: bool = False, **more: Any) -> Any:
    """Return what the module answers on a server."""
    return node.run(main, check=check, **{"kind": "server", "api_port": 6443, **more})


def test_a_new_server_is_started_and_waited_for(node: Node, places: Path) -> None:
    (places / "SERVER_TOKEN").write_text(f"K10{HASH}::server:abc\n")
    node.answers(SHOW, NEW, shown("activating", "start"), shown(), shown())
    node.answers("systemctl", (0, "", ""))
    node.answers(LOG, (0, "", ""))
    node.answers(READY, (1, "", "not yet"), (0, "ok", ""))
    result = run(node)
    assert (result["changed"], result["done"]) == (True, ["enabled", "started"])
    assert result["ca_hash"] == HASH
    assert "systemctl --no-block start k3s.service" in node.calls


def test_a_server_that_runs_from_its_files_is_only_looked_at(node: Node, places: Path) -> None:
    (places / "SERVER_CA").write_bytes(b"certificate")
    node.answers(SHOW, shown())
    result = run(node, files=[str(places / "SERVER_CA")])
    assert (result["changed"], result["done"], len(node.calls)) == (False, [], 1)
    # The SHA-256 of the text above, where k3s has not written its token yet.
    assert result["ca_hash"] == "03d66dd08835c1ca3f128cceacd1f31ac94163096b20f445ae84285bc0832d72"


def test_a_younger_file_restarts_and_is_named(node: Node, places: Path) -> None:
    (places / "config.yaml").write_text("")
    node.answers(SHOW, shown(since=LONG_AGO), shown())
    node.answers("systemctl", (0, "", ""))
    node.answers(READY, (0, "ok", ""))
    result = run(node, files=[str(places / "config.yaml"), str(places / "none")])
    assert result["done"] == ["restarted"]
    assert result["reasons"] == [f"{places / 'config.yaml'} is younger than the running k3s"]


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        pytest.param("active", [], id="has-joined"),
        pytest.param("activating", ["restarted"], id="still-tries-with-the-old-one"),
    ],
)
def test_an_agents_token_counts_until_it_has_joined(
    node: Node, places: Path, active: str, expected: list[str]
) -> None:
    (places / "TOKEN").write_text("")
    node.answers(SHOW, shown(active, "start", since=LONG_AGO))
    assert run(node, check=True, join_files=[str(places / "TOKEN")])["done"] == expected


def test_younger_images_are_imported_by_a_restart(node: Node, places: Path) -> None:
    (places / "images").mkdir()
    (places / "images" / "k3s-airgap-images-amd64.tar.zst").write_text("")
    (places / "images" / ".cache.json").write_text("")
    node.answers(SHOW, shown(since=LONG_AGO))
    assert run(node, check=True)["done"] == ["restarted"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param('[plugins."io.containerd.cri.v1.runtime"]\n', ["restarted"], id="not-found"),
        pytest.param("[...runtimes.nvidia]\n", [], id="found-when-k3s-started"),
    ],
)
def test_a_gpu_runtime_that_came_later_is_found(
    node: Node, places: Path, config: str, expected: list[str]
) -> None:
    runtime = places / "nvidia-container-runtime"
    runtime.write_text("")
    # Packages bring their files with the times at which they were built.
    os.utime(runtime, (1, 1))
    (places / "CONTAINERD_CONFIG").write_text(config)
    node.answers(SHOW, shown(since=LONG_AGO))
    assert run(node, check=True)["done"] == expected


def test_a_unit_on_its_way_up_is_waited_for_and_not_restarted(node: Node) -> None:
    node.answers(SHOW, shown("activating", "start"), shown())
    node.answers(READY, (0, "ok", ""))
    result = run(node)
    assert (result["changed"], result["done"]) == (False, [])
    assert not [call for call in node.calls if "restart" in call]


def test_a_fault_is_named_with_the_log_and_without_secrets(node: Node, places: Path) -> None:
    (places / "TOKEN").write_text(f"K10{HASH}::server:s3cretword\n")
    failing = shown("activating", "auto-restart", restarts=12)
    node.answers(SHOW, NEW, shown("activating", "start"), failing)
    node.answers("systemctl", (0, "", ""))
    said = f'level=fatal msg="K10{HASH}::server:s3cretword: not authorized (s3cretword)"\n'
    node.answers(LOG, (0, said, ""))
    result = run(node, server="198.19.1.11:6443")
    assert (result["failed"], result["fault"]) == (True, "not-authorized")
    assert "198.19.1.11:6443 refused this node's token" in result["msg"]
    assert "s3cretword" not in str(result)
    assert 'level=fatal msg="******** not authorized (********)"' in result["msg"]


def test_the_wait_ends_with_the_state_that_was_seen(node: Node) -> None:
    node.answers(SHOW, NEW, shown("activating", "start"))
    node.answers("systemctl", (0, "", ""))
    node.answers(LOG, (0, "", ""))
    result = run(node, timeout=0)
    assert result["failed"] is True
    assert "systemd says activating (start)." in result["msg"]
    assert "Its log is empty." in result["msg"]


def test_check_mode_starts_nothing(node: Node) -> None:
    node.answers(SHOW, NEW)
    result = run(node, check=True)
    assert (result["done"], result["ca_hash"], len(node.calls)) == (["enabled", "started"], "", 1)


def test_a_systemd_that_refuses_is_quoted(node: Node) -> None:
    node.answers(SHOW, (1, "", "Failed to connect to bus"))
    assert "Failed to connect to bus" in run(node)["msg"]


class Supervisor(BaseHTTPRequestHandler):
    """The server's end of a token's replacement."""

    status = 200
    seen: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_PUT(self) -> None:  # the name that http.server calls
        """Note the request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


def make_certificate(path: Path) -> bytes:
    """Return a certificate of this machine, and write it with its key into a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "k3s-server-ca")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(begin)
        .not_valid_after(begin.replace(year=2120))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    text = made.public_bytes(serialization.Encoding.PEM)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(text + key.private_bytes(*pem, serialization.NoEncryption()))
    return text


@pytest.fixture
def supervisor(places: Path) -> Iterator[int]:
    """The port of a server that would replace its token."""
    own = make_certificate(places / "supervisor.pem")
    (places / "SERVER_CA").write_bytes(own)
    server = HTTPServer(("127.0.0.1", 0), Supervisor)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(places / "supervisor.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Supervisor.seen.clear()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def tokens(places: Path, running: str, wanted: str) -> None:
    """Have a running server with one password and a file with another."""
    (places / "SERVER_TOKEN").write_text(f"K10{HASH}::server:{running}\n")
    (places / "TOKEN").write_text(wanted)


def test_a_changed_token_is_replaced_before_the_restart(
    node: Node, places: Path, supervisor: int
) -> None:
    tokens(places, "old", "new")
    node.answers(SHOW, shown(since=LONG_AGO), shown())
    node.answers("systemctl", (0, "", ""))
    node.answers(READY, (0, "ok", ""))
    result = run(node, rotate_token=True, files=[str(places / "TOKEN")], api_port=supervisor)
    assert result["done"] == ["token replaced", "restarted"]
    ((path, login, body),) = Supervisor.seen
    assert path == "/v1-k3s/token"
    assert base64.b64decode(login.split()[1]) == b"server:old"
    assert json.loads(body) == {"newToken": "new"}
    assert not [call for call in node.calls if "new" in call.split()]


def test_a_server_that_refuses_the_new_token_is_not_restarted(
    node: Node, places: Path, supervisor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "status", 500)
    tokens(places, "old", "new")
    node.answers(SHOW, shown())
    result = run(node, rotate_token=True, api_port=supervisor)
    assert "did not replace its token (HTTP Error 500" in result["msg"]
    assert not [call for call in node.calls if "restart" in call]


@pytest.mark.parametrize(
    ("running", "wanted", "rotate"),
    [
        pytest.param("same", "same", True, id="the-same-token"),
        pytest.param("same", f"K10{HASH}::server:same\n", True, id="the-same-in-another-form"),
        pytest.param("old", "new", False, id="another-server-does-it"),
    ],
)
def test_a_token_is_replaced_only_where_it_must(
    node: Node, places: Path, running: str, wanted: str, rotate: bool
) -> None:
    tokens(places, running, wanted)
    node.answers(SHOW, shown())
    assert run(node, rotate_token=rotate)["done"] == []
