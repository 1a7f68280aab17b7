"""Claims about logins; ssh is a program that records how it was called, or the real one for -G."""

from __future__ import annotations

import builtins
import importlib
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_hosts import HostKey
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_login import (
    Answer,
    KeySession,
    LoginError,
    NeedsParamikoError,
    PasswordSession,
    Policy,
    RefusedError,
    accepted_key,
    describe_changed,
    import_paramiko,
    log_in_with_password,
    was_accepted,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import (
    Route,
    RouteError,
    read_route,
    route_of,
    ssh_words,
)

ACCEPTS = "debug1: Server accepts key: /k ED25519 SHA256:abc explicit\n"


def route(executable: str = "ssh") -> Route:
    return Route("203.0.113.1", ("-l", "ann"), "203.0.113.1", "ann", 22, executable=executable)


def fake_ssh(folder: Path, err: str = "", rc: int = 0) -> str:
    """Return an ssh that writes its arguments and input down and ends as it is told."""
    (folder / "err").write_text(err)
    path = folder / "ssh"
    path.write_text(
        '#!/bin/sh\nd=${0%/*}; printf "%s\\n" "$@" >"$d/argv"; cat >"$d/input"\n'
        f'cat "$d/err" >&2; echo hello; exit {rc}\n'
    )
    path.chmod(0o755)
    return str(path)


def test_a_script_and_its_secret_travel_on_standard_input(tmp_path: Path) -> None:
    session = KeySession(route(fake_ssh(tmp_path, rc=3)))
    assert session.run("echo hi", "geheim") == Answer(3, "hello\n", "")
    assert (tmp_path / "input").read_text() == "geheim\necho hi"
    assert "geheim" not in (tmp_path / "argv").read_text()


def test_with_a_key_file_only_that_key_is_offered(tmp_path: Path) -> None:
    KeySession(route(fake_ssh(tmp_path)), key_file="/k").run("exit 0")
    argv = (tmp_path / "argv").read_text().splitlines()
    assert {"-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-oBatchMode=yes"} <= set(argv)
    assert argv[argv.index("-i") + 1] == "/k"
    assert argv.index("-i") < argv.index("-l")


@pytest.mark.parametrize(
    ("strict", "accept_new", "expected"),
    [("ask", True, True), ("ask", False, False), ("true", True, False), ("false", True, False)],
)
def test_new_host_keys_are_taken_only_where_nobody_said_otherwise(
    tmp_path: Path, strict: str, accept_new: bool, expected: bool
) -> None:
    way = replace(route(fake_ssh(tmp_path)), strict=strict)
    KeySession(way, Policy(accept_new=accept_new)).run("exit 0")
    argv = (tmp_path / "argv").read_text()
    assert ("-oStrictHostKeyChecking=accept-new" in argv) is expected


def test_in_check_mode_new_host_keys_go_to_a_file_of_ours(tmp_path: Path) -> None:
    way = replace(route(fake_ssh(tmp_path)), known_hosts=("/home/me/.ssh/known_hosts",))
    KeySession(way, Policy(record_new=False)).run("exit 0")
    words = (tmp_path / "argv").read_text().splitlines()
    option = next(word for word in words if word.startswith("-oUserKnownHostsFile="))
    first, second = option.removeprefix("-oUserKnownHostsFile=").split()
    assert second == '"/home/me/.ssh/known_hosts"'
    assert not Path(first.strip('"')).exists()


@pytest.mark.parametrize(
    ("err", "kind"),
    [
        ("ann@203.0.113.1: Permission denied (publickey,password).", RefusedError),
        ("ssh: connect to host 203.0.113.1 port 22: Connection refused", LoginError),
    ],
)
def test_a_refusal_is_told_from_a_machine_that_is_away(
    tmp_path: Path, err: str, kind: type[LoginError]
) -> None:
    with pytest.raises(LoginError) as caught:
        KeySession(route(fake_ssh(tmp_path, err, 255))).run("exit 0")
    assert type(caught.value) is kind
    assert str(caught.value) == err


def test_the_way_out_is_not_taken_when_only_the_clusters_key_gets_in(tmp_path: Path) -> None:
    session = KeySession(route(fake_ssh(tmp_path, ACCEPTS)), not_with="SHA256:abc")
    with pytest.raises(RefusedError, match="only the cluster's own key"):
        session.run("exit 0")


@pytest.mark.parametrize(
    ("err", "expected"),
    [
        pytest.param(ACCEPTS, True, id="ours"),
        pytest.param(ACCEPTS.replace("abc", "xyz"), False, id="another"),
        pytest.param(ACCEPTS.replace("abc", "xyz") + ACCEPTS, True, id="the-last-one-counts"),
        pytest.param("debug1: Server accepts key: pkalg x blen 51\n", True, id="an-old-ssh"),
        pytest.param("", True, id="nothing-said"),
    ],
)
def test_which_key_got_us_in(err: str, expected: bool) -> None:
    assert was_accepted(err, "SHA256:abc") is expected
    assert ("SHA256" in accepted_key(err)) is ("SHA256" in err)


def test_without_paramiko_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **more: Any) -> Any:
        if name == "paramiko":
            raise ImportError("No module named 'paramiko'")
        return real(name, *args, **more)

    monkeypatch.delitem(sys.modules, "paramiko", raising=False)
    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(NeedsParamikoError, match="No module named 'paramiko'"):
        import_paramiko()


class Machine(paramiko.ServerInterface):
    """An SSH server that lets everybody in and does one thing when it is asked to run a command."""

    def __init__(self, act: str) -> None:
        self.act = act

    def check_auth_none(self, _username: str) -> int:
        return paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, _kind: str, _chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: Any, _command: bytes) -> bool:
        threading.Thread(target=self.answer, args=(channel,), daemon=True).start()
        return True

    def answer(self, channel: Any) -> None:
        while channel.recv(65536):
            pass
        if self.act == "hang up":
            channel.get_transport().close()
            return
        channel.sendall(b"hello\n")
        channel.sendall_stderr(b"a word\n")
        channel.send_exit_status(3)
        channel.close()


@contextmanager
def logged_in(act: str) -> Iterator[PasswordSession]:
    """Give a session with a machine on the other end of a socket."""
    here, there = socket.socketpair()
    server, client = paramiko.Transport(there), paramiko.Transport(here)
    try:
        server.add_server_key(paramiko.ECDSAKey.generate())
        server.start_server(event=threading.Event(), server=Machine(act))
        client.start_client(timeout=30)
        client.auth_none("ann")
        yield PasswordSession(route(), client)
    finally:
        client.close()
        server.close()


def test_a_script_is_answered_over_paramiko() -> None:
    with logged_in("answer") as session:
        assert session.run("true") == Answer(3, "hello\n", "a word\n")


def test_a_connection_that_breaks_is_told_at_once() -> None:
    with logged_in("hang up") as session, pytest.raises(LoginError) as told:
        session.run("true", timeout=20)
    assert str(told.value) == "Connection closed by the machine before the script ended"


class Hasty:
    """A channel on which everything comes between two looks, as on a busy control node."""

    closed = False
    eof_received = False

    def __init__(self) -> None:
        self.streams = {"out": b"", "err": b""}
        self.status_event = threading.Event()

    def recv_ready(self) -> bool:
        return bool(self.streams["out"])

    def recv_stderr_ready(self) -> bool:
        is_ready = bool(self.streams["err"])
        if not self.eof_received:
            self.streams = {"out": b"hello\n", "err": b"a word\n"}
            self.eof_received = True
            self.status_event.set()
        return is_ready

    def recv(self, _size: int) -> bytes:
        text, self.streams["out"] = self.streams["out"], b""
        return text

    def recv_stderr(self, _size: int) -> bytes:
        text, self.streams["err"] = self.streams["err"], b""
        return text

    def exit_status_ready(self) -> bool:
        return self.status_event.is_set()

    def recv_exit_status(self) -> int:
        return 0

    def ignore(self, *_args: Any) -> None:
        """Take what the test is not about."""

    settimeout = exec_command = sendall = shutdown_write = ignore


class OneChannel:
    """A transport that opens this channel."""

    def open_session(self, timeout: int) -> Hasty:  # noqa: ARG002 - paramiko's own signature
        return Hasty()


def test_what_comes_just_before_the_end_is_read() -> None:
    session = PasswordSession(route(), OneChannel())
    assert session.run("true") == Answer(0, "hello\n", "a word\n")


def test_a_closed_port_is_told_in_sshs_words() -> None:
    closed = replace(route(), host="127.0.0.1", port=1)
    with pytest.raises(
        LoginError, match=r"connect to host 127\.0\.0\.1 port 1: Connection refused"
    ):
        log_in_with_password(closed, "x", Policy(connect_timeout=2))


def test_a_changed_key_is_told_in_sshs_words() -> None:
    known = (HostKey("ssh-ed25519", "AAAA", where="/home/me/known_hosts:7"),)
    text = describe_changed(HostKey("ssh-ed25519", "BBBB"), known)
    assert text.splitlines()[0] == "REMOTE HOST IDENTIFICATION HAS CHANGED"
    assert text.splitlines()[2] == "Offending ssh-ed25519 key in /home/me/known_hosts:7"


def test_ssh_itself_says_what_its_options_mean() -> None:
    words = ssh_words("ann", 2222, ["-F /dev/null", "-o UserKnownHostsFile=/x", "-J ops@hop:23"])
    found = read_route("203.0.113.1", words)
    assert (found.user, found.port, found.known_hosts) == ("ann", 2222, ("/x",))
    assert found.known_hosts_name == "[203.0.113.1]:2222"
    assert found.proxy == "ssh -o BatchMode=yes -W 203.0.113.1:2222 ssh://ops@hop:23"


def test_what_ssh_refuses_is_told() -> None:
    with pytest.raises(RouteError, match="nonsense"):
        read_route("203.0.113.1", ["-F", "/dev/null", "-o", "nonsense=1"])
    with pytest.raises(RouteError, match="no address"):
        read_route("-oProxyCommand=x", [])


def test_a_command_that_carries_the_connection_is_filled_in() -> None:
    settings = {"hostname": "h", "port": "23", "user": "u", "proxycommand": "exec nc -x p %h %p"}
    assert route_of("h", [], "ssh", settings).proxy == "nc -x p h 23"


def test_no_known_hosts_file_is_no_file() -> None:
    settings = {"hostname": "h", "port": "22", "user": "u", "userknownhostsfile": "/dev/null"}
    assert route_of("h", [], "ssh", settings).known_hosts == ()
