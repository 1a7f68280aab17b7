"""Claims about listeners and their holders, on the kernel's tables as Debian 13 shows them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links_sockets import (
    MOST_ROWS,
    Holder,
    Names,
    Socket,
    describe_listeners,
    outgoing_ports,
    parse_containers,
    parse_list_sockets,
    parse_sockets,
    short_command,
    unit_and_container,
)

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  inode"
REST = "00000000:00000000 00:00000000 00000000"
NOBODY = "0" * 32
TCP = f"""{HEAD}
   0: 00000000:0016 00000000:0000 0A {REST}     0        0 13805594 1 0000000068410968 100 0 0 10 0
   1: 0B00007F:9C23 00000000:0000 0A {REST}   102        0 13801318 1 00000000b65c0f0f 100 0 0 10 0
   2: 0BFB13C6:D427 0CFB13C6:1F8C 01 {REST}     0        0 13805999 1 0000000068410968 100 0 0 10 0
   3: 0BFB13C6:D428 0CFB13C6:1F8C 06 {REST}     0        0 0 3 0000000068410968
"""
TCP6 = f"""{HEAD}
   0: 00000000000000000000000000000000:0016 {NOBODY}:0000 0A {REST} 0 0 77 1 0
   1: 00000000000000000000000001000000:0277 {NOBODY}:0000 0A {REST} 0 0 78 1 0
   2: 0000000000000000FFFF00000BFB13C6:0016 {NOBODY}:D100 01 {REST} 0 0 79 1 0
"""
CONTAINER = "ab" * 32
AROUND = "5d" * 32


def test_listeners_and_connections_are_told_apart_and_timed_out_ones_left_out() -> None:
    assert list(parse_sockets(TCP.splitlines(), "tcp")) == [
        Socket("tcp", "*", 22, 13805594, listens=True),
        Socket("tcp", "loopback", 39971, 13801318, listens=True, uid=102),
        Socket("tcp", "198.19.251.11", 54311, 13805999, listens=False),
    ]


def test_ipv6_sockets_are_read_and_ipv4_addresses_in_them_recognised() -> None:
    assert list(parse_sockets(TCP6.splitlines(), "tcp")) == [
        Socket("tcp", "*", 22, 77, listens=True),
        Socket("tcp", "loopback", 631, 78, listens=True),
        Socket("tcp", "198.19.251.11", 22, 79, listens=False),
    ]


def test_a_bound_udp_socket_listens_and_a_connected_one_goes_out() -> None:
    lines = [
        f" 1: 00000000:2118 00000000:0000 07 {REST} 0 0 5 2 0 0",
        f" 2: 0BFB13C6:D427 0CFB13C6:0035 01 {REST} 0 0 6 2 0 0",
    ]
    assert [each.listens for each in parse_sockets(lines, "udp")] == [True, False]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="empty"),
        pytest.param(" 0: 00000000:0016 00000000:0000 0A", id="cut-off"),
        pytest.param(f" 0: zz:0016 00000000:0000 0A {REST} 0 0 5 1 0", id="garbage-address"),
        pytest.param(f" 0: 000:0016 00000000:0000 0A {REST} 0 0 5 1 0", id="short-address"),
        pytest.param(f" 0: 00000000:0016:1 00000000:0000 0A {REST} 0 0 5 1 0", id="two-colons"),
        pytest.param(f" 0: 00000000:0016 00000000:0000 0A {REST} 0 0 x 1 0", id="no-inode"),
        pytest.param("\ufffd\ufffd " * 12, id="no-text"),
    ],
)
def test_a_line_that_says_nothing_is_passed_over(line: str) -> None:
    assert list(parse_sockets([line, TCP.splitlines()[1]], "tcp")) == [
        Socket("tcp", "*", 22, 13805594, listens=True)
    ]


@pytest.mark.parametrize(
    ("cgroup", "own", "expected"),
    [
        pytest.param("0::/system.slice/ray.service\n", "", ("ray.service", ""), id="service"),
        pytest.param(
            "9:name=systemd:/system.slice/ssh.service\n5:devices:/\n0::/system.slice/ssh.service",
            "",
            ("ssh.service", ""),
            id="cgroup-1",
        ),
        pytest.param(
            "0::/user.slice/user-1000.slice/session-3.scope",
            "",
            ("session-3.scope", ""),
            id="login",
        ),
        pytest.param(
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/jupyter.service",
            "",
            ("jupyter.service", ""),
            id="service-of-a-user",
        ),
        pytest.param(
            f"0::/system.slice/docker-{CONTAINER}.scope", "", ("", CONTAINER), id="docker-systemd"
        ),
        pytest.param(f"0::/docker/{CONTAINER}", "", ("", CONTAINER), id="docker-cgroupfs"),
        pytest.param(
            f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{CONTAINER}.scope",
            "",
            ("", CONTAINER),
            id="pod",
        ),
        pytest.param(
            f"0::/docker/{AROUND}/system.slice/ssh.service",
            f"0::/docker/{AROUND}/init.scope",
            ("ssh.service", ""),
            id="node-that-is-a-container",
        ),
        pytest.param(
            f"0::/docker/{AROUND}/system.slice/docker-{CONTAINER}.scope",
            f"0::/docker/{AROUND}/init.scope",
            ("", CONTAINER),
            id="container-in-such-a-node",
        ),
        pytest.param("0::/\n", "", ("", ""), id="root"),
        pytest.param("", "", ("", ""), id="unreadable"),
    ],
)
def test_unit_and_container_are_found_in_the_control_group(
    cgroup: str, own: str, expected: tuple[str, str]
) -> None:
    assert unit_and_container(cgroup, own) == expected


@pytest.mark.parametrize(
    ("cmdline", "expected"),
    [
        pytest.param("/usr/sbin/nginx\0-g\0daemon off;\0", "/usr/sbin/nginx", id="program"),
        pytest.param("nginx: master process /usr/sbin/nginx\0", "nginx:", id="title"),
        pytest.param("python3\0-m\0http.server\08076\0", "python3 -m http.server", id="module"),
        pytest.param("python3.11\0/srv/app.py\0--token=x\0", "python3.11 /srv/app.py", id="script"),
        pytest.param("python3\0-c\0secret\0", "python3", id="inline-code-is-not-told"),
        pytest.param("", "", id="kernel-thread"),
        pytest.param(" \0", " ", id="blank"),
    ],
)  # fmt: skip
def test_a_command_is_told_without_its_arguments(cmdline: str, expected: str) -> None:
    assert short_command(cmdline) == expected


def test_containers_are_named_by_id_and_by_the_ports_they_publish() -> None:
    text = (
        f"{CONTAINER}\tvllm\t0.0.0.0:8000->80/tcp, [::]:8000->80/tcp, 127.0.0.1:9000-9001->90/tcp\n"
        f"{AROUND}\tray\t\nwarning without tabs\n"
    )
    names, published = parse_containers(text)
    assert names == {CONTAINER: "vllm", AROUND: "ray"}
    assert published == {8000: "vllm", 9000: "vllm", 9001: "vllm"}


def test_socket_units_are_found_by_port() -> None:
    text = (
        "/run/dbus/system_bus_socket dbus.socket    dbus.service\n"
        "[::]:9090                   cockpit.socket cockpit.service\n"
        "0.0.0.0:22                  ssh.socket     ssh.service\n"
    )
    assert parse_list_sockets(text) == {9090: "cockpit.socket", 22: "ssh.socket"}


def rows(
    sockets: list[Socket], holders: dict[int, Holder], names: Names | None = None
) -> list[tuple[Any, ...]]:
    shown = ("address", "ports", "pid", "processes", "process", "unit", "container_name")
    return [
        tuple(row[name] for name in shown)
        for row in describe_listeners(sockets, holders, names or Names())
    ]


def listener(port: int, inode: int, address: str = "*") -> Socket:
    return Socket("tcp", address, port, inode, listens=True)


def test_a_service_with_many_processes_is_one_row() -> None:
    sockets = [listener(10002, 1), listener(10003, 2), listener(8077, 3)]
    holders = {
        1: Holder(300, "ray::IDLE", unit="ray.service"),
        2: Holder(200, "ray::train", unit="ray.service"),
        3: Holder(100, "raylet", unit="ray.service"),
    }
    assert rows(sockets, holders) == [
        ("*", "8077,10002-10003", 100, 3, "raylet", "ray.service", None)
    ]


def test_processes_of_one_program_without_a_service_are_rows_of_their_own() -> None:
    holders = {1: Holder(11, "python3"), 2: Holder(12, "python3")}
    assert rows([listener(8076, 1), listener(8077, 2)], holders) == [
        ("*", "8076", 11, 1, "python3", None, None),
        ("*", "8077", 12, 1, "python3", None, None),
    ]


def test_very_many_processes_are_told_by_program() -> None:
    count = MOST_ROWS + 1
    sockets = [listener(10000 + number, number) for number in range(count)]
    holders = {number: Holder(1000 + number, "python3") for number in range(count)}
    assert rows(sockets, holders) == [
        ("*", f"10000-{10000 + MOST_ROWS}", 1000, count, "python3", None, None)
    ]


def test_a_container_is_named_whether_it_listens_itself_or_through_the_proxy() -> None:
    sockets = [listener(8000, 1), listener(9000, 2)]
    holders = {
        1: Holder(50, "docker-proxy", unit="docker.service"),
        2: Holder(60, "python", container=CONTAINER),
    }
    names = Names(containers={CONTAINER: "ray"}, published={8000: "vllm"})
    assert rows(sockets, holders, names) == [
        ("*", "8000", 50, 1, "docker-proxy", "docker.service", "vllm"),
        ("*", "9000", 60, 1, "python", None, "ray"),
    ]


def test_what_systemd_listens_for_is_the_socket_unit() -> None:
    assert rows(
        [listener(9090, 1)], {1: Holder(1, "systemd", unit="init.scope")},
        Names(sockets={9090: "cockpit.socket"}),
    ) == [("*", "9090", 1, 1, "systemd", "cockpit.socket", None)]  # fmt: skip


def test_a_socket_without_a_process_is_told_with_nobody() -> None:
    assert rows([listener(2049, 9)], {}) == [("*", "2049", None, 0, None, None, None)]


def test_connections_that_came_in_hold_no_port_of_the_range() -> None:
    sockets = [
        Socket("tcp", "*", 44217, 1, listens=True),
        Socket("tcp", "198.19.1.1", 44217, 2, listens=False),
        Socket("tcp", "198.19.1.1", 54311, 3, listens=False),
        Socket("tcp", "198.19.1.1", 8076, 4, listens=False),
        Socket("udp", "198.19.1.1", 44217, 5, listens=False),
    ]
    assert outgoing_ports(sockets, 32768, 60999) == {"tcp": "54311", "udp": "44217"}
