"""Claims about netplan's ethernets, on recorded output of ``netplan get``."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.netplan import (
    Ethernet,
    NetplanError,
    choose,
    parse_ethernets,
    render,
)

# What Ubuntu's installer leaves, with a bond and a renamed port.
RECORDED = """\
network:
  version: 2
  renderer: networkd
  bonds:
    bond0:
      addresses:
      - "192.0.2.10/24"
      interfaces:
      - ens1f0
      - ens1f1
  ethernets:
    ens1f0: {}
    ens1f1: {}
    port1:
      match:
        macaddress: "02:00:00:00:00:01"
      addresses:
      - "198.51.100.12/24"
      set-name: "eth1"
    uplinks:
      match:
        name: "en*"
      dhcp4: true
      optional: true
  wifis:
    wlan0:
      optional: true
      access-points:
        lab:
          password: "secret"
"""
ETHERNETS = [
    Ethernet("ens1f0", ("ens1f0",)),
    Ethernet("ens1f1", ("ens1f1",)),
    Ethernet("port1", ("port1", "eth1")),
    Ethernet("uplinks", ("uplinks", "en*")),
]


def test_ethernets_are_read_with_the_names_they_stand_for() -> None:
    assert parse_ethernets(RECORDED) == ETHERNETS


def test_a_node_without_ethernets_has_none() -> None:
    assert parse_ethernets("network:\n  version: 2\n  renderer: NetworkManager\n") == []
    assert parse_ethernets("") == []


@pytest.mark.parametrize(
    ("wanted", "cluster", "expected"),
    [
        pytest.param([], "eth1", ["ens1f0", "ens1f1", "uplinks"], id="all-but-the-cluster's"),
        pytest.param([], "bond0", ["ens1f0", "ens1f1", "port1", "uplinks"], id="cluster-on-a-bond"),
        pytest.param(["eth1"], "ens1f0", ["port1"], id="by-interface"),
        pytest.param(["port1", "eth1"], "ens1f0", ["port1"], id="by-both-names"),
        pytest.param(["ens1f0"], "ens1f0", ["ens1f0"], id="the-owner-knows-better"),
    ],
)
def test_chosen_definitions(wanted: list[str], cluster: str, expected: list[str]) -> None:
    assert choose(ETHERNETS, wanted, cluster) == expected


def test_an_interface_that_netplan_does_not_know_is_not_taken_over() -> None:
    with pytest.raises(NetplanError) as error:
        choose(ETHERNETS[:2], ["ens1f0", "eno9"], "bond0")
    assert str(error.value) == (
        "os_base_optional_interfaces has eno9, expected ethernets that netplan configures: ens1f0,"
        " ens1f1. See 'netplan get ethernets' on the node"
    )


def test_dropin_says_nothing_but_optional() -> None:
    assert render(["ens1f1", "all ports"]) == (
        "# Managed by rackforge.gpu_cluster\n"
        "network:\n"
        "  version: 2\n"
        "  ethernets:\n"
        '    "all ports":\n'
        "      optional: true\n"
        "    ens1f1:\n"
        "      optional: true\n"
    )
    assert render([]) == ""
