"""Claims about what discover.yml makes of machines' answers."""

from __future__ import annotations

import ipaddress
import subprocess
from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.discovery import (
    PROBE,
    Cluster,
    Device,
    Gpus,
    Link,
    Machine,
    ProbeError,
    TargetError,
    choose_network,
    expand_targets,
    judge_gpus,
    merge_machines,
    parse_probe,
    plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_facts import (
    OperatingSystem,
)

ANSWER = """Welcome to gpu02

@rackforge python
/usr/bin/python3.12 3.12.3

@rackforge os-release
PRETTY_NAME="Ubuntu 24.04.1 LTS"
ID=ubuntu
ID_LIKE=debian
VERSION_ID="24.04"
VERSION_CODENAME=noble

@rackforge hostname
gpu02

@rackforge machine-id
4c6f0c3c1bbd4d3f9c3a5e0d8f1b2a37

@rackforge architecture
x86_64

@rackforge memory
MemTotal:       527999999 kB

@rackforge cpus
64

@rackforge disk
/dev/nvme0n1p2 1843200000 92160000 1751040000 5% /

@rackforge sudo
asks

@rackforge addresses
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: eno1    inet 203.0.113.12/24 brd 203.0.113.255 scope global eno1\\       valid_lft forever
3: bond0.42@bond0    inet 10.1.0.12/24 brd 10.1.0.255 scope global bond0.42\\      valid_lft 1d
4: eno3    inet 169.254.7.1/16 scope link eno3\\       valid_lft forever preferred_lft forever
5: docker0    inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0\\       valid_lft forever

@rackforge routes
default via 203.0.113.1 dev eno1 proto dhcp metric 100

@rackforge links
bond0.42 100000 aa:bb:cc:00:00:02
docker0 -1 02:42:00:00:00:01
eno1 1000 aa:bb:cc:00:00:01
lo -1 00:00:00:00:00:00

@rackforge devices
0000:00:1f.0 0x060100 0x8086 0xa30d
0000:03:00.0 0x030000 0x1a03 0x2000
0000:17:00.0 0x030200 0x10de 0x2330
0000:65:00.0 0x030200 0x10de 0x2330
0000:65:00.1 0x040300 0x10de 0x22bc

@rackforge end
"""

GPU02 = Machine(
    address="203.0.113.12",
    hostname="gpu02",
    machine_id="4c6f0c3c1bbd4d3f9c3a5e0d8f1b2a37",
    os=OperatingSystem("ubuntu", "24.04", "noble", "Ubuntu 24.04.1 LTS", "Debian"),
    architecture="x86_64",
    cpus=64,
    memory_mib=515624,
    disk_gib=1757,
    sudo="asks",
    python="3.12.3",
    links=(
        Link("eno1", "203.0.113.12/24", True, 1000),
        Link("bond0.42", "10.1.0.12/24", False, 100000),
    ),
    mac_addresses=frozenset({"aa:bb:cc:00:00:01", "aa:bb:cc:00:00:02"}),
    devices=(
        Device("0300", "0x1a03", "2000"),
        Device("0302", "0x10de", "2330"),
        Device("0302", "0x10de", "2330"),
    ),
)


def test_an_answer_is_read() -> None:
    assert parse_probe(ANSWER, "203.0.113.12") == GPU02


def test_a_shell_that_ends_early_is_told() -> None:
    with pytest.raises(ProbeError, match="Account expired"):
        parse_probe("Account expired\n", "203.0.113.12")


def test_the_probe_runs_here_and_can_be_read() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"candidates=python3\n{PROBE}"],
        capture_output=True,
        text=True,
        check=True,
    )
    machine = parse_probe(done.stdout, "198.18.0.1")
    assert machine.cpus >= 1
    assert machine.memory_mib > 100
    assert machine.architecture


def test_nothing_a_machine_says_can_begin_a_line_of_its_own() -> None:
    evil = ANSWER.replace(
        "gpu02\n\n@rackforge machine", "x\x1b[2J\rall:vars{{1}}\n\n@rackforge machine"
    )
    assert "\x1b" not in parse_probe(evil, "203.0.113.12").hostname
    assert plain("a\n[all:vars]\nansible_user=root") == "a [all:vars] ansible_user=root"


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["203.0.113.7"], ["203.0.113.7"]),
        (["203.0.113.4/30"], ["203.0.113.5", "203.0.113.6"]),
        (["203.0.113.5/31"], ["203.0.113.4", "203.0.113.5"]),
        (["203.0.113.6,203.0.113.4/30"], ["203.0.113.6", "203.0.113.5"]),
        (["203.0.113.6 203.0.113.6"], ["203.0.113.6"]),
    ],
)
def test_targets(targets: list[str], expected: list[str]) -> None:
    assert expand_targets(targets) == expected


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        (["203.0.113.300"], "neither an IPv4 address nor a network"),
        (["gpu01"], "neither an IPv4 address nor a network"),
        (["10.0.0.0/19"], "more than 4096"),
        (["10.0.0.0/20", "10.1.0.0/24"], "more than 4096"),
        ([], "no address to look at"),
    ],
)
def test_bad_targets(targets: list[str], reason: str) -> None:
    with pytest.raises(TargetError, match=reason):
        expand_targets(targets)


def test_the_largest_network_that_is_allowed() -> None:
    assert len(expand_targets(["10.0.0.0/20"])) == 4094


@pytest.mark.parametrize(
    ("devices", "has_gpu", "doubt"),
    [
        pytest.param([("0302", "0x10de", "2330")], True, "", id="nvidia"),
        pytest.param(
            [("0300", "0x1a03", "2000"), ("0300", "0x10de", "2684")], True, "", id="nvidia-and-bmc"
        ),
        pytest.param([("1200", "0x1002", "74a1")], True, "", id="amd-accelerator"),
        pytest.param([("0380", "0x1002", "740f")], True, "Instinct or", id="amd-without-a-screen"),
        pytest.param([("0300", "0x1002", "1638")], False, "part of the CPU", id="amd-graphics"),
        pytest.param([("0300", "0x8086", "4680")], False, "", id="intel-graphics"),
        pytest.param([("0300", "0x1a03", "2000")], False, "", id="bmc-only"),
        pytest.param([], False, "", id="none"),
    ],
)
def test_gpus(devices: list[tuple[str, str, str]], has_gpu: bool, doubt: str) -> None:
    found: Gpus = judge_gpus([Device(*each) for each in devices])
    assert found.has_gpu is has_gpu
    assert doubt in found.doubt
    assert bool(found.doubt) is bool(doubt)


def machine(number: int, *links: Link) -> Machine:
    return Machine(address=f"203.0.113.{number}", links=links)


def link(name: str, address: str, speed: int = 0, *, default: bool = False) -> Link:
    return Link(name, address, default, speed)


@pytest.mark.parametrize(
    ("machines", "network", "others"),
    [
        pytest.param(
            [
                machine(n, link("eth0", f"8.8.8.{n}/24"), link("eth1", f"10.1.0.{n}/24"))
                for n in (1, 2)
            ],
            "10.1.0.0/24",
            ("8.8.8.0/24",),
            id="private-before-public",
        ),
        pytest.param(
            [
                machine(
                    n,
                    link("eth0", f"10.1.0.{n}/24", default=True),
                    link("eth1", f"10.2.0.{n}/24"),
                )
                for n in (1, 2)
            ],
            "10.2.0.0/24",
            ("10.1.0.0/24",),
            id="no-default-route",
        ),
        pytest.param(
            [
                machine(
                    n,
                    link("eth0", f"10.1.0.{n}/24", 100000, default=True),
                    link("ipmi", f"10.2.0.{n}/24", 1000),
                )
                for n in (1, 2)
            ],
            "10.1.0.0/24",
            ("10.2.0.0/24",),
            id="fast-before-slow",
        ),
        pytest.param(
            [
                machine(
                    1, link("eth0", "10.1.0.1/24", 100000, default=True), link("e", "10.2.0.1/24")
                ),
                machine(
                    2, link("eth0", "10.1.0.2/24", 100000, default=True), link("e", "10.2.0.2/24")
                ),
            ],
            "10.2.0.0/24",
            ("10.1.0.0/24",),
            id="speed-does-not-count-when-one-is-unknown",
        ),
        pytest.param(
            [
                machine(1, link("a", "10.1.0.1/24"), link("b", "10.2.0.1/24")),
                machine(2, link("a", "10.1.0.2/24")),
                machine(3, link("b", "10.2.0.3/24"), link("a", "10.1.0.3/24")),
            ],
            "10.1.0.0/24",
            (),
            id="most-machines",
        ),
        pytest.param([machine(1, link("a", "10.1.0.1/24"))], "10.1.0.0/24", (), id="one-machine"),
    ],
)
def test_the_network(machines: list[Machine], network: str, others: tuple[str, ...]) -> None:
    cluster = choose_network(machines)
    assert (str(cluster.network), cluster.others) == (network, others)


@pytest.mark.parametrize(
    ("machines", "reason"),
    [
        ([machine(1), machine(2)], "no machine has an IPv4 address on a network"),
        (
            [machine(1, link("a", "10.1.0.1/24")), machine(2, link("a", "10.2.0.1/24"))],
            "no two machines are on the same network",
        ),
    ],
)
def test_no_network(machines: list[Machine], reason: str) -> None:
    assert choose_network(machines) == Cluster(None, reason)


def test_the_choice_is_explained() -> None:
    pair = [replace(GPU02, address=f"203.0.113.{n}") for n in (1, 2)]
    cluster = choose_network(pair)
    assert cluster.network == ipaddress.IPv4Network("10.1.0.0/24")
    assert cluster.reason == (
        "2 of 2 machines have an address in it, private, 100000 Mbit/s at least, no default route"
        " leads through it"
    )


def test_a_machine_at_two_addresses_is_one() -> None:
    merged = merge_machines([GPU02, replace(GPU02, address="10.1.0.12")])
    assert merged == [replace(GPU02, also=("10.1.0.12",))]


def test_clones_are_different_machines() -> None:
    clone = replace(GPU02, address="203.0.113.13", mac_addresses=frozenset({"aa:bb:cc:00:00:09"}))
    assert merge_machines([GPU02, clone]) == [GPU02, clone]


def test_machines_without_an_id_are_different() -> None:
    pair = [replace(GPU02, machine_id="", address=each) for each in ("203.0.113.1", "203.0.113.2")]
    assert merge_machines(pair) == pair
