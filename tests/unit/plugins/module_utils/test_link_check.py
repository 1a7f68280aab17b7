"""Claims about links that are down, slow, degraded or unlike the others."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    Host,
    Probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check import check_links

from tests.unit.plugins.module_utils.link_nodes import brief, host, interface, inventory, links


def eth1(number: int, **changes: Any) -> dict[str, Any]:
    return interface("eth1", f"198.19.1.{number}/24", **changes)


def test_healthy_nodes_give_no_finding() -> None:
    assert check_links(inventory()) == []


def test_nodes_that_told_nothing_give_no_finding() -> None:
    silent = Host(name="n1", groups=frozenset({"ray_head"}), probe=Probe())
    untold = links(2, interfaces=None, routes=None, rules=None, neighbour=None, docker=None)
    assert check_links(inventory(silent, host(2, untold), Host("n3"))) == []


@pytest.mark.parametrize(
    ("changes", "seen", "fix"),
    [
        pytest.param(
            {"up": False, "carrier": False, "state": "DOWN"},
            "eth1: state DOWN, switched off, no carrier",
            'ansible -i inv.ini -b -m ansible.builtin.command -a "ip link set eth1 up" n2',
            id="switched-off",
        ),
        pytest.param(
            {"carrier": False, "state": "DOWN"},
            "eth1: state DOWN, switched on, no carrier",
            "check cable, switch port and, of a bond or bridge, the members of eth1 on n2",
            id="no-carrier",
        ),
    ],
)
def test_an_interface_that_carries_nothing_is_the_only_error(
    changes: dict[str, Any], seen: str, fix: str
) -> None:
    away = {"address": "198.19.1.1", "interface": "eth0", "source": None}
    facts = links(2, eth1(2, **changes, speed_mbit=10), neighbour=away)
    (found,) = check_links(inventory(host(1), host(2, facts), host(3)))
    assert (found.code, found.host, found.seen, found.fix) == ("interface-down", "n2", seen, fix)


def test_the_odd_mtu_is_named_with_the_usual_one() -> None:
    facts = links(3, eth1(3, mtu=9000))
    (found,) = check_links(inventory(host(1), host(2), host(3, facts)))
    assert brief([found]) == [("warning", "mtu-differs", "n3")]
    assert found.seen == "1500 on n1 and n2, 9000 on n3"
    assert found.expected == "1500 on all nodes"
    assert 'ip link set eth1 mtu 1500" n3 ' in found.fix


def test_of_two_mtus_without_a_majority_the_smaller_is_proposed() -> None:
    facts = links(2, eth1(2, mtu=9000))
    (found,) = check_links(inventory(host(1), host(2, facts)))
    assert brief([found]) == [("warning", "mtu-differs", "all hosts")]
    assert 'ip link set eth1 mtu 1500" n2 ' in found.fix


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        pytest.param((1000, 1000, 1000), [], id="same"),
        pytest.param((10000, 10000, 1000), ["n3"], id="slower-than-most"),
        pytest.param((10000, 1000, 1000), [], id="one-faster"),
        pytest.param((10000, 1000), ["n2"], id="two-nodes"),
        pytest.param((100, 100, 100), ["n1", "n2", "n3"], id="all-below-gigabit"),
        pytest.param((10000, None, 10000), [], id="unknown"),
        pytest.param((None, None, None), [], id="nobody-tells"),
    ],
)
def test_a_slow_link_is_found(speeds: tuple[int | None, ...], expected: list[str]) -> None:
    hosts = [
        host(number, links(number, eth1(number, speed_mbit=speed)))
        for number, speed in enumerate(speeds, 1)
    ]
    found = check_links(inventory(*hosts))
    assert brief(found) == [("warning", "interface-slow", name) for name in expected]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kind": "veth"}, id="veth"),
        pytest.param({"driver": "virtio_net"}, id="virtio"),
        pytest.param({"kind": "tunnel"}, id="tunnel"),
        pytest.param({"kind": "vlan", "parent": "7"}, id="vlan-of-another-namespace"),
    ],
)
def test_the_speed_of_a_virtual_interface_means_nothing(changes: dict[str, Any]) -> None:
    facts = links(2, eth1(2, speed_mbit=10, **changes))
    assert check_links(inventory(host(1), host(2, facts))) == []


def bonded(down: list[str] | None, speed: int = 20000) -> dict[str, Any]:
    bond = {"mode": "802.3ad", "members": ["ens1", "ens2"], "down": down}
    return links(
        2,
        interface("eth1", "198.19.1.2/24", kind="vlan", parent="bond0", speed_mbit=None),
        interface("bond0", kind="bond", bond=bond, speed_mbit=speed, driver=None),
        interface("ens1", master="bond0", speed_mbit=10000),
        interface("ens2", master="bond0", speed_mbit=10000),
    )


def test_a_degraded_bond_below_a_vlan_is_found_and_not_called_slow_as_well() -> None:
    hosts = [host(1, links(1, eth1(1, speed_mbit=20000))), host(2, bonded(["ens2"], 10000))]
    (found,) = check_links(inventory(*hosts))
    assert brief([found]) == [("warning", "bond-degraded", "n2")]
    assert found.message == "The bond bond0 runs on 1 of 2 links."
    assert found.seen == "ens2 down, mode 802.3ad"


@pytest.mark.parametrize("down", [pytest.param([], id="all-up"), pytest.param(None, id="untold")])
def test_a_bond_that_is_whole_or_does_not_tell_gives_no_finding(down: list[str] | None) -> None:
    hosts = [host(1, links(1, eth1(1, speed_mbit=20000))), host(2, bonded(down))]
    assert check_links(inventory(*hosts)) == []


def test_rdma_devices_of_all_nodes_are_one_note() -> None:
    device = {
        "name": "mlx5_0",
        "state": "ACTIVE",
        "rate": "100 Gb/sec (4X EDR)",
        "link_layer": "InfiniBand",
        "interfaces": ["ib0"],
    }
    hosts = [host(1), host(2, links(2, rdma=[device])), host(3, links(3, rdma=[device]))]
    (found,) = check_links(inventory(*hosts))
    assert brief([found]) == [("note", "rdma-devices", "all hosts")]
    assert found.seen == ("n2 and n3: mlx5_0 (InfiniBand, 100 Gb/sec (4X EDR), ACTIVE, on ib0)")
