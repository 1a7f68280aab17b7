# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about rules of ours that are read back: each form that our own code writes, and others."""

from __future__ import annotations

import ipaddress
from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_admits import (
    admission_of_rule,
    admission_of_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_iptables import (
    chain_text,
    our_rules,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_nft import accepting
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import Opening
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_ufw import (
    wanted_rules as ufw_rules,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_zones import (
    Zone,
    wanted_rules,
)

NETWORK = ipaddress.IPv4Network("10.1.0.0/24")
OPENING = Opening((("tcp", ("22", "8000-8010")),), (NETWORK,))
TO_ALL = Opening((("udp", ("500",)),))
ZONE = Zone("public", True, ("eth0",), (), ())


def written() -> dict[str, list[str]]:
    """Return the rules that we write for the two openings, by firewall."""
    both = [OPENING, TO_ALL]
    zones = wanted_rules(both, [ZONE])
    return {
        "nft": accepting(both),
        "iptables": our_rules(chain_text(both, 4)),
        "ufw": ufw_rules(both),
        "firewalld": sorted(zones["public"]),
    }


@pytest.mark.parametrize("firewall", ["nft", "iptables", "ufw", "firewalld"])
def test_what_we_write_is_read_back(firewall: str) -> None:
    found = [admission_of_rule(rule) for rule in written()[firewall]]
    for address, protocol, ports, is_in in (
        ("10.1.0.9", "tcp", "22", True),
        ("10.1.0.9", "tcp", "8005,9000", True),
        ("10.1.0.9", "tcp", "23-7999", False),
        ("10.1.0.9", "udp", "22", False),
        ("10.1.1.9", "tcp", "22", False),
        ("192.0.2.1", "udp", "500", True),
    ):
        told = any(each.lets_in(address, protocol, ports) for each in found if each)
        assert told is is_in, (firewall, address, protocol, ports)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(
            "ip saddr { 10.1.0.2, 10.1.0.5-10.1.0.9 } tcp dport { 22, 8000-8010 } accept",
            "10.1.0.2,10.1.0.5-10.1.0.9 tcp 22,8000-8010",
            id="nft-lists-it-so",
        ),
        pytest.param(
            "-A RACKFORGE -s 10.1.0.2/32 -p tcp -m multiport --dports 22,8000:8010 -j ACCEPT",
            "10.1.0.2/32 tcp 22,8000-8010",
            id="iptables-saves-it-so",
        ),
        pytest.param("ct state established,related accept", None, id="answers"),
        pytest.param('iifname "lo" accept', None, id="loopback"),
        pytest.param("udp sport 67 udp dport 68 accept", "any udp 68", id="dhcp"),
        pytest.param("ip saddr 10.1.0.2 tcp dport 22 drop", None, id="turned-down"),
        pytest.param("ip6 saddr fe80::/10 udp dport 546 accept", None, id="ipv6"),
        pytest.param("deny from 10.1.0.2 to any port 22 proto tcp", None, id="denied"),
        pytest.param("tcp dport ssh accept", None, id="no-number"),
    ],
)
def test_rules_as_programs_list_them(rule: str, expected: Optional[str]) -> None:
    found = admission_of_rule(rule)
    assert (str(found) if found else None) == expected


@pytest.mark.parametrize("text", ["10.1.0.2,10.1.1.0/24 tcp 22,8000-8010", "any udp 500"])
def test_the_text_that_travels_is_read_back(text: str) -> None:
    assert str(admission_of_text(text)) == text


def test_another_text_tells_nothing() -> None:
    assert admission_of_text("10.1.0.2") is None
