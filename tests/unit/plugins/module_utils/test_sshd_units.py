"""Claims about who listens for SSH."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_units import (
    Streams,
    find_listener,
    made_folder,
    parse_bound,
    parse_streams,
    parse_units,
    port_takers,
    socket_text,
    stream_port,
)

SERVICE = (
    "MainPID={pid}\nId={name}\nLoadState=loaded\nActiveState={state}\nNeedDaemonReload=no\n"
    "InactiveExitTimestampMonotonic=13266788278\n"
)
MISSING = "Id={name}\nLoadState=not-found\nActiveState=inactive\nNeedDaemonReload=no\n"
SOCKET = (
    "Accept={accept}\n{listen}Id={name}\nLoadState=loaded\nActiveState={state}\n"
    "NeedDaemonReload=no\nInactiveExitTimestampMonotonic=7\n"
)


def shown(*stanzas: str) -> str:
    return "\n".join(stanzas)


def service(name: str, state: str, pid: int = 0) -> str:
    return SERVICE.format(name=name, state=state, pid=pid)


def socket(name: str, state: str, accept: str, *listen: str) -> str:
    lines = "".join(f"Listen={each} (Stream)\n" for each in listen)
    return SOCKET.format(name=name, state=state, accept=accept, listen=lines)


def missing(name: str) -> str:
    return MISSING.format(name=name)


STOP_AND_START = (
    "systemctl stop ssh.socket ssh.service; "
    "systemctl start ssh.socket || { systemctl start ssh.service; exit 1; }"
)
TOGETHER = ("systemd-run", "--quiet", "--wait", "--collect", "sh", "-c", STOP_AND_START)


@pytest.mark.parametrize(
    ("text", "name", "ports", "pids", "restart"),
    [
        pytest.param(
            shown(
                service("ssh.service", "active", 96),
                service("ssh.service", "active", 96),
                socket("ssh.socket", "inactive", "no", "[::]:22"),
                missing("sshd.socket"),
            ),
            "ssh.service",
            set(),
            frozenset({96}),
            ("systemctl", "restart", "ssh.service"),
            id="debian-service-and-its-alias",
        ),
        pytest.param(
            shown(
                missing("ssh.service"),
                service("sshd.service", "active", 812),
                missing("ssh.socket"),
                socket("sshd.socket", "inactive", "yes", "[::]:22"),
            ),
            "sshd.service",
            set(),
            frozenset({812}),
            ("systemctl", "restart", "sshd.service"),
            id="el-service",
        ),
        pytest.param(
            shown(
                service("ssh.service", "inactive"),
                missing("sshd.service"),
                socket("ssh.socket", "active", "yes", "[::]:22"),
                missing("sshd.socket"),
            ),
            "ssh.socket",
            {22},
            frozenset({1}),
            ("systemctl", "restart", "ssh.socket"),
            id="debian-12-socket-for-each-connection",
        ),
        pytest.param(
            shown(
                service("ssh.service", "active", 422),
                missing("sshd.service"),
                socket("ssh.socket", "active", "no", "[::]:22"),
                missing("sshd.socket"),
            ),
            "ssh.socket",
            {22},
            frozenset({1, 422}),
            TOGETHER,
            id="debian-13-socket",
        ),
        pytest.param(
            shown(
                service("ssh.service", "inactive"),
                missing("sshd.service"),
                socket("ssh.socket", "active", "no", "0.0.0.0:22332", "[::]:22332"),
                missing("sshd.socket"),
            ),
            "ssh.socket",
            {22332},
            frozenset({1}),
            TOGETHER,
            id="ubuntu-24.04-socket",
        ),
        pytest.param(
            shown(
                missing("ssh.service"),
                service("sshd.service", "inactive"),
                missing("ssh.socket"),
                socket("sshd.socket", "active", "yes", "[::]:22"),
            ),
            "sshd.socket",
            {22},
            frozenset({1}),
            ("systemctl", "restart", "sshd.socket"),
            id="el-socket",
        ),
    ],
)
def test_the_unit_that_holds_the_port_is_found(
    text: str, name: str, ports: set[int], pids: frozenset[int], restart: tuple[str, ...]
) -> None:
    listener = find_listener(parse_units(text))
    assert listener is not None
    assert (listener.main.name, listener.pids, listener.restart) == (name, pids, restart)
    assert (listener.socket.ports if listener.socket else set()) == ports


def test_an_sshd_that_systemd_does_not_run_is_nobody() -> None:
    stopped = shown(service("ssh.service", "inactive"), missing("ssh.socket"))
    assert find_listener(parse_units(stopped)) is None


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param("22", 22, id="port"),
        pytest.param("0.0.0.0:2222", 2222, id="ipv4"),
        pytest.param("[::]:22", 22, id="ipv6"),
        pytest.param("*:22", 22, id="any"),
        pytest.param("/run/ssh.sock", 0, id="path"),
        pytest.param("vsock::22", 0, id="vsock"),
    ],
)
def test_port_of_a_stream(stream: str, expected: int) -> None:
    assert stream_port(stream) == expected


LISTENING = """\
LISTEN 0      128       0.0.0.0:22    0.0.0.0:* users:(("sshd",pid=96,fd=8))
LISTEN 0      4096   127.0.0.11:39213 0.0.0.0:*
LISTEN 0      128     127.0.0.1:6010  0.0.0.0:* users:(("sshd",pid=700,fd=9))
LISTEN 0      4096            *:22332       *:* users:(("sshd",pid=96,fd=3),("systemd",pid=1,fd=52))
LISTEN 0      511       0.0.0.0:8443  0.0.0.0:* users:(("nginx",pid=5,fd=6),("nginx",pid=6,fd=6))
"""


def test_only_the_listening_process_counts() -> None:
    assert parse_bound(LISTENING, frozenset({96})) == {22, 22332}
    assert parse_bound(LISTENING, frozenset({1})) == {22332}


def test_who_has_taken_a_port_is_named_once() -> None:
    assert port_takers(LISTENING, 8443) == ("nginx",)
    assert port_takers(LISTENING, 2222) == ()


OWN = "/etc/systemd/system/ssh.socket.d/60-rackforge.conf"
DEBIAN = "# /usr/lib/systemd/system/ssh.socket\n[Socket]\nListenStream=22\nAccept=no\n"
UBUNTU_22 = "# /lib/systemd/system/ssh.socket\n[Socket]\nListenStream=22\nAccept=yes\n"
UBUNTU_24 = (
    "# /usr/lib/systemd/system/ssh.socket\n[Socket]\nListenStream=0.0.0.0:22\n"
    "ListenStream=[::]:22\nBindIPv6Only=ipv6-only\nAccept=no\n"
)
OURS = f"\n# {OWN}\n[Socket]\nListenStream=\nListenStream=22332\n"
OWNERS = (
    "\n# /etc/systemd/system/ssh.socket.d/override.conf\n[Socket]\nListenStream=10.0.0.1:2222\n"
)
RESET = (
    "\n# /etc/systemd/system/ssh.socket.d/override.conf\n[Socket]\n"
    "ListenStream=\nListenStream=2222\n"
)


@pytest.mark.parametrize(
    ("text", "default", "explicit"),
    [
        pytest.param(DEBIAN, (22,), [], id="debian-12-13"),
        pytest.param(UBUNTU_22, (22,), [], id="ubuntu-22.04"),
        pytest.param(UBUNTU_24, (22,), [], id="two-addresses"),
        pytest.param(DEBIAN + OURS, (22,), [], id="ours-is-left-out"),
        pytest.param(DEBIAN + OWNERS, (22,), [2222], id="owner-adds"),
        pytest.param(DEBIAN + RESET, (), [2222], id="owner-replaces"),
    ],
)
def test_streams_of_vendor_and_owner_are_told_apart(
    text: str, default: tuple[int, ...], explicit: list[int]
) -> None:
    found = parse_streams(text, OWN)
    assert found.default == default
    assert [port for port, _path in found.explicit] == explicit


@pytest.mark.parametrize(
    ("text", "ports", "lines"),
    [
        pytest.param(DEBIAN, (22332,), ["22332"], id="moved"),
        pytest.param(DEBIAN, (22, 22332), ["22", "22332"], id="trial"),
        pytest.param(UBUNTU_24, (22332,), ["0.0.0.0:22332", "[::]:22332"], id="both-families"),
        pytest.param(DEBIAN + OWNERS, (22332,), ["10.0.0.1:2222", "22332"], id="owner's-stays"),
        pytest.param(DEBIAN + RESET, (22332,), ["2222", "22332"], id="owner-replaced-all"),
    ],
)
def test_drop_in_of_the_socket_resets_and_lists(
    text: str, ports: tuple[int, ...], lines: list[str]
) -> None:
    found = socket_text(parse_streams(text, OWN), ports, made_folder=False)
    assert found.splitlines() == [
        "# Managed by rackforge.gpu_cluster",
        "[Socket]",
        "ListenStream=",
        *(f"ListenStream={line}" for line in lines),
    ]


def test_without_ports_of_ours_there_is_no_drop_in() -> None:
    assert socket_text(Streams(("22",), ()), (), made_folder=True) == ""


def test_drop_in_remembers_that_its_folder_is_new() -> None:
    assert made_folder(socket_text(Streams(("22",), ()), (22332,), made_folder=True))
    assert not made_folder(socket_text(Streams(("22",), ()), (22332,), made_folder=False))
