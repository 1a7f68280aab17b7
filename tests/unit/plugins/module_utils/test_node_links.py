"""Claims about what is read of a node's network, from a tree of files and recorded output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import firewall_read
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links import read_links
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links_processes import (
    Processes,
)

Programs = Mapping[str, tuple[int, str]]

ADDRESSES = [
    {"ifname": "lo", "flags": ["LOOPBACK", "UP", "LOWER_UP"], "mtu": 65536,
     "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
    {"ifname": "bond0", "flags": ["MASTER", "UP", "LOWER_UP"], "mtu": 9000, "operstate": "UP",
     "linkinfo": {"info_kind": "bond"},
     "addr_info": [{"family": "inet", "local": "198.19.1.2", "prefixlen": 24}]},
    {"ifname": "ens1", "flags": ["SLAVE", "UP", "LOWER_UP"], "mtu": 9000, "operstate": "UP",
     "master": "bond0"},
    {"ifname": "ens2", "flags": ["NO-CARRIER", "SLAVE", "UP"], "mtu": 9000, "operstate": "DOWN",
     "master": "bond0"},
    {"ifname": "bond0.7", "link": "bond0", "flags": ["UP", "LOWER_UP"], "mtu": 9000,
     "linkinfo": {"info_kind": "vlan"}},
    {"ifname": "wg0", "flags": ["POINTOPOINT", "UP"], "mtu": 1420,
     "linkinfo": {"info_kind": "wireguard"}},
    {"ifname": "veth12@if3", "flags": ["UP"], "mtu": 1500, "linkinfo": {"info_kind": "veth"}},
    {},
]  # fmt: skip
ROUTES = [
    {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "metric": 100},
    {"dst": "198.19.1.0/24", "dev": "bond0", "protocol": "kernel", "table": "main"},
    {"dst": "10.0.0.0/8", "nexthops": [{"gateway": "198.19.1.9", "dev": "bond0", "weight": 1}]},
    {"type": "local", "dst": "198.19.1.2", "dev": "bond0", "table": "local"},
    {"type": "unreachable", "dst": "203.0.113.0/24"},
]
RULES = [
    {"priority": 0, "src": "all", "table": "local"},
    {"priority": 100, "src": "198.19.1.2", "table": "mgmt"},
    {"priority": 32766, "src": "all", "table": "main"},
]
FILES = {
    "sys/class/net/bond0/bonding/mode": "802.3ad 4\n",
    "sys/class/net/bond0/bonding/slaves": "ens1 ens2\n",
    "sys/class/net/bond0/speed": "25000\n",
    "sys/class/net/ens1/speed": "25000\n",
    "sys/class/net/ens1/duplex": "full\n",
    "sys/class/net/ens1/device/vendor": "0x15b3\n",
    "sys/class/net/ens1/device/infiniband/mlx5_0/dev": "1\n",
    "sys/class/net/ens2/speed": "-1\n",
    "sys/class/net/ens2/device/vendor": "0x15b3\n",
    "sys/class/infiniband/mlx5_0/ports/1/state": "4: ACTIVE\n",
    "sys/class/infiniband/mlx5_0/ports/1/rate": "25 Gb/sec (1X EDR)\n",
    "sys/class/infiniband/mlx5_0/ports/1/link_layer": "Ethernet\n",
    "sys/class/infiniband/mlx5_0/device/net/ens1/mtu": "9000\n",
    "proc/net/bonding/bond0": "Bonding Mode: IEEE 802.3ad\nMII Status: up\n\n"
    "Slave Interface: ens1\nMII Status: up\n\nSlave Interface: ens2\nMII Status: down\n",
    "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
    "proc/sys/net/ipv4/ip_local_reserved_ports": "8076-8077,54311\n",
    "proc/sys/net/ipv4/conf/all/rp_filter": "0\n",
    "proc/sys/net/ipv4/conf/bond0/rp_filter": "2\n",
    "proc/net/tcp": "  sl  local_address\n"
    "   0: 00000000:1F8C 00000000:0000 0A 0:0 0:0 0 0 0 501 1 0\n"
    "   1: 00000000:0016 00000000:0000 0A 0:0 0:0 0 0 0 502 1 0\n",
    "proc/net/udp": "  sl  local_address\n",
    "proc/1/cgroup": "0::/init.scope\n",
    "proc/1/comm": "systemd\n",
    "proc/700/comm": "raylet\n",
    "proc/700/cmdline": "/opt/ray/raylet\0--token=x\0",
    "proc/700/cgroup": "0::/system.slice/ray.service\n",
    "etc/docker/daemon.json": '{"bip": "10.8.0.1/24", "default-address-pools":'
    ' [{"base": "10.9.0.0/16", "size": 24}, 7]}',
}
PROGRAMS: Programs = {
    "ip -j -d addr show": (0, json.dumps(ADDRESSES)),
    "ip -j -4 route show": (0, json.dumps(ROUTES)),
    "ip -j -4 rule show": (0, json.dumps(RULES)),
    "ip -j -4 route get 198.19.1.1": (
        0,
        '[{"dst":"198.19.1.1","dev":"bond0","prefsrc":"198.19.1.2","flags":[]}]',
    ),
    "systemctl list-sockets": (0, "0.0.0.0:22 ssh.socket ssh.service\n"),
}


class FakeHost:
    """A node whose programs answer with recorded text; others are not there."""

    def __init__(self, programs: Programs) -> None:
        self.programs = programs
        self.calls: list[str] = []

    def run_command(
        self, args: list[str], data: str | None, environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        del data, environ_update
        line = " ".join(args)
        self.calls.append(line)
        for beginning, (rc, out) in self.programs.items():
            if line.removeprefix("timeout 8 ").startswith(beginning):
                return rc, out, ""
        raise AssertionError(f"unexpected command {line}")

    def get_bin_path(self, arg: str, required: bool, opt_dirs: list[str]) -> str | None:
        del required, opt_dirs
        known = {beginning.split()[0] for beginning in self.programs}
        return arg if arg in known | {"timeout"} else None


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a node with a bond of two Mellanox ports, one of them down, and Ray."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "sys/class/net/ens1/device/driver").symlink_to("/sys/bus/pci/drivers/mlx5_core")
    for pid, inode in ((1, 502), (700, 501)):
        (tmp_path / f"proc/{pid}/fd").mkdir()
        (tmp_path / f"proc/{pid}/fd/3").symlink_to(f"socket:[{inode}]")
        (tmp_path / f"proc/{pid}/fd/4").symlink_to("/dev/null")
    monkeypatch.setattr(firewall_read, "ROOT", str(tmp_path))
    return tmp_path


def read(root: Path, programs: Programs = PROGRAMS, is_root: bool = True) -> dict[str, Any]:
    return read_links(Command(FakeHost(programs)), "bond0", str(root), is_root)


def by_name(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in facts["interfaces"]}


def test_interfaces_are_told_with_kind_speed_driver_and_members(root: Path) -> None:
    interfaces = by_name(read(root))
    assert {name: each["kind"] for name, each in interfaces.items()} == {
        "lo": "loopback",
        "bond0": "bond",
        "ens1": "physical",
        "ens2": "physical",
        "bond0.7": "vlan",
        "wg0": "tunnel",
    }
    assert interfaces["bond0"]["bond"] == {
        "mode": "802.3ad",
        "members": ["ens1", "ens2"],
        "down": ["ens2"],
    }
    assert interfaces["bond0"]["addresses"] == ["198.19.1.2/24"]
    assert interfaces["ens1"] == {
        "name": "ens1",
        "kind": "physical",
        "up": True,
        "carrier": True,
        "state": "UP",
        "mtu": 9000,
        "speed_mbit": 25000,
        "duplex": "full",
        "driver": "mlx5_core",
        "vendor": "0x15b3",
        "addresses": [],
        "master": "bond0",
        "parent": None,
        "bond": None,
        "rdma": ["mlx5_0"],
    }
    assert (interfaces["ens2"]["speed_mbit"], interfaces["ens2"]["carrier"]) == (None, False)
    assert interfaces["bond0.7"]["parent"] == "bond0"


def test_routes_rules_and_the_way_to_the_neighbours_are_told(root: Path) -> None:
    facts = read(root)
    assert [(each["dst"], each["dev"], each["gateway"]) for each in facts["routes"]] == [
        ("default", "eth0", "192.0.2.1"),
        ("198.19.1.0/24", "bond0", None),
        ("10.0.0.0/8", "bond0", "198.19.1.9"),
    ]
    assert facts["rules"] == ["100: src 198.19.1.2 table mgmt"]
    assert facts["neighbour"] == {
        "address": "198.19.1.1",
        "interface": "bond0",
        "source": "198.19.1.2",
    }


def test_settings_of_the_kernel_and_docker_and_rdma_devices_are_told(root: Path) -> None:
    facts = read(root)
    assert (facts["ephemeral"], facts["reserved_ports"]) == ([32768, 60999], "8076-8077,54311")
    assert facts["rp_filter"] == 2
    assert facts["docker"] == {
        "bip": "10.8.0.1/24",
        "pools": [{"base": "10.9.0.0/16", "size": 24}],
        "networks": None,
    }
    assert facts["rdma"] == [
        {
            "name": "mlx5_0",
            "state": "ACTIVE",
            "rate": "25 Gb/sec (1X EDR)",
            "link_layer": "Ethernet",
            "interfaces": ["ens1"],
        }
    ]


def test_listeners_are_told_with_process_and_unit_but_without_arguments(root: Path) -> None:
    shown = ("ports", "pid", "process", "command", "unit")
    assert [tuple(row[name] for name in shown) for row in read(root)["listeners"]] == [
        ("22", 1, "systemd", None, "ssh.socket"),
        ("8076", 700, "raylet", "/opt/ray/raylet", "ray.service"),
    ]


#: A program whose first thread ends while another one holds a listener, as in one that is killed.
ENDING = """
import ctypes, os, socket, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=sys.stdin.read).start()
print(listener.getsockname()[1], flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_that_is_ending_still_has_its_listeners() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", ENDING], **pipes) as process:  # type: ignore[call-overload]
        port = process.stdout.readline().strip()
        stat = Path(f"/proc/{process.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "Z":
            os.sched_yield()
        listeners = Processes(Command(FakeHost({})), "/").describe(None, sees_all=True)["listeners"]
        process.stdin.close()
    assert [row["pid"] for row in listeners if row["ports"] == port] == [process.pid]


def test_an_engine_that_does_not_run_is_not_asked(root: Path) -> None:
    asked = {**PROGRAMS, "docker": (0, "")}
    assert read(root, asked)["docker"]["networks"] is None
    (root / "run").mkdir()
    (root / "run/docker.pid").write_text("900", encoding="ascii")
    network = (
        '[{"Name":"bridge","Driver":"bridge","IPAM":{"Config":[{"Subnet":"172.17.0.0/16"}]},'
        '"Containers":{"f00":{"Name":"web"}}}]'
    )
    asked = {
        **PROGRAMS,
        "docker network ls": (0, "abc\n"),
        "docker network inspect": (0, network),
    }
    assert read(root, asked)["docker"]["networks"] == [
        {"name": "bridge", "driver": "bridge", "subnets": ["172.17.0.0/16"], "containers": ["web"]}
    ]


def test_without_root_the_packet_filters_are_unknown(root: Path) -> None:
    facts = read(root, is_root=False)
    assert (facts["firewall"], facts["sees_processes"]) == (None, False)


def test_a_closed_ruleset_is_told(root: Path) -> None:
    ruleset = (
        "table inet filter {\n\tchain input {\n"
        "\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n"
    )
    facts = read(root, {**PROGRAMS, "nft": (0, ruleset)})
    assert facts["firewall"] == {
        "active": ["nftables"],
        "filters": True,
        "ours": False,
        "admits": [],
        "closed_by_us": False,
        "ufw_rules": [],
        "trusted": [],
    }


def test_the_members_in_our_rules_are_told(root: Path) -> None:
    ruleset = (
        "table inet rackforge {\n\tchain input {\n"
        "\t\ttype filter hook input priority 10; policy drop;\n"
        "\t\tip saddr { 198.19.1.11, 198.19.1.13-198.19.1.15 } tcp dport 8076 accept\n"
        "\t\tip saddr 10.1.0.0/24 udp dport 8472 accept\n\t}\n}\n"
    )
    facts = read(root, {**PROGRAMS, "nft": (0, ruleset)})
    admits = ["10.1.0.0/24 udp 8472", "198.19.1.11,198.19.1.13-198.19.1.15 tcp 8076"]
    assert (facts["firewall"]["ours"], facts["firewall"]["admits"]) == (True, admits)


def test_the_owners_rules_of_an_active_ufw_are_told(root: Path) -> None:
    (root / "etc/ufw").mkdir(parents=True)
    (root / "etc/ufw/ufw.conf").write_text("ENABLED=yes\n", encoding="ascii")
    added = "ufw allow 22/tcp\nufw deny 8076\nufw allow 80 comment 'rackforge.gpu_cluster'\n"
    programs = {
        **PROGRAMS,
        "ufw status": (0, "Status: active\n"),
        "ufw show added": (0, added),
    }
    firewall = read(root, programs)["firewall"]
    assert (firewall["active"], firewall["ours"]) == (["ufw"], True)
    assert firewall["ufw_rules"] == ["allow 22/tcp", "deny 8076"]


def test_what_firewalld_trusts_is_told(root: Path) -> None:
    zones = (
        "public (default, active)\n  interfaces: eth0\n  sources: 198.18.9.0/24\n  rich rules: \n\n"
        "trusted (active)\n  interfaces: cni0\n  sources: 10.42.0.0/16\n  rich rules: \n"
    )
    programs = {
        **PROGRAMS,
        "systemctl is-active firewalld": (0, "active\n"),
        "firewall-cmd --get-default-zone": (0, "public\n"),
        "firewall-cmd --list-all-zones": (0, zones),
        "firewall-cmd --permanent --list-all-zones": (0, zones),
    }
    firewall = read(root, programs)["firewall"]
    assert (firewall["active"], firewall["trusted"]) == (["firewalld"], ["10.42.0.0/16", "cni0"])


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((124, ""), id="hanging"),
        pytest.param((1, "Error: Operation not permitted"), id="failing"),
    ],
)
def test_packet_filters_that_do_not_answer_are_unknown(root: Path, answer: tuple[int, str]) -> None:
    assert read(root, {**PROGRAMS, "nft": answer})["firewall"] is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((0, "[{"), id="truncated"),
        pytest.param((255, ""), id="failing"),
        pytest.param((0, '{"a":1}'), id="no-list"),
        pytest.param((0, "\udcff\udcfe"), id="not-utf-8"),
    ],
)
def test_a_program_ip_that_does_not_tell_leaves_null(root: Path, answer: tuple[int, str]) -> None:
    facts = read(root, {"ip": answer, "systemctl": (1, "")})
    values = [facts[name] for name in ("interfaces", "routes", "rules", "neighbour")]
    assert values == [None, None, None, None]


def test_older_ip_is_asked_again_without_details(root: Path) -> None:
    programs = {
        "ip -j -d addr": (0, '[{"ifname":"tun0","linkinfo":{persist}}]'),
        "ip -j addr": (0, '[{"ifname":"eth0","flags":["UP"]}]'),
        **{key: value for key, value in PROGRAMS.items() if "addr" not in key},
    }
    assert list(by_name(read(root, programs))) == ["eth0"]


def test_a_node_without_anything_to_read_is_told_with_null(tmp_path: Path) -> None:
    facts = read(tmp_path, {}, is_root=False)
    assert facts == {
        "interfaces": None,
        "rdma": [],
        "routes": None,
        "rules": None,
        "neighbour": None,
        "rp_filter": None,
        "ephemeral": None,
        "reserved_ports": None,
        "listeners": None,
        "outgoing": None,
        "sees_processes": False,
        "firewall": None,
        "docker": {"bip": None, "pools": None, "networks": None},
    }


def test_a_listener_that_ends_while_its_process_is_looked_for_is_left_out(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = root / "proc/net/tcp"
    (root / "proc/700/fd/3").unlink()
    pids = Processes._pids

    def end_then_list(processes: Processes) -> list[int]:
        table.write_text("", encoding="ascii")
        return pids(processes)

    monkeypatch.setattr(Processes, "_pids", end_then_list)
    assert [row["ports"] for row in read(root)["listeners"]] == ["22"]


def test_a_listener_without_a_process_that_stays_is_told(root: Path) -> None:
    (root / "proc/700/fd/3").unlink()
    assert [(row["ports"], row["process"]) for row in read(root)["listeners"]] == [
        ("22", "systemd"),
        ("8076", None),
    ]


def test_a_single_rule_that_drops_is_told_apart_from_no_rule_at_all(root: Path) -> None:
    table = "table inet mine {{\n\tchain input {{\n\t\t{}\n\t}}\n}}\n"
    hook = "type filter hook input priority filter; policy accept;"
    dropping = table.format(f"{hook}\n\t\ttcp dport 8076 drop")
    for ruleset, filters in ((dropping, True), (table.format(hook), False)):
        facts = read(root, {**PROGRAMS, "nft": (0, ruleset)})
        assert (facts["firewall"]["active"], facts["firewall"]["filters"]) == ([], filters)
