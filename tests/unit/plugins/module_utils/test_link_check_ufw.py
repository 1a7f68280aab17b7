"""Claims about what the rules of ufw's owner deny."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_check_ufw import (
    delete_words,
    denied_ports,
    parse_rule,
)

PACKET = ("tcp", "198.19.1.12", "198.19.1.11", "eth1")


def denied(
    *rules: str, ports: str = "8076-8077", packet: tuple[str, str, str, str] = PACKET
) -> dict[str, str]:
    known = [rule for rule in map(parse_rule, rules) if rule]
    return denied_ports(known, packet, ports)


@pytest.mark.parametrize(
    ("rule", "ports"),
    [
        pytest.param("deny 8076", "8076", id="port"),
        pytest.param("deny 8076/tcp", "8076", id="port-and-protocol"),
        pytest.param("reject 8000:9000,22/tcp", "8076-8077", id="list-with-range"),
        pytest.param("deny log 8077", "8077", id="logged"),
        pytest.param("deny in 8077", "8077", id="in"),
        pytest.param("deny in on eth1", "8076-8077", id="whole-interface-has-no-ports"),
        pytest.param("deny in on eth1 to any port 8077 proto tcp", "8077", id="interface"),
        pytest.param("deny from 198.19.1.0/24", "8076-8077", id="source"),
        pytest.param("deny from 198.19.1.12 to 198.19.1.11 port 8076", "8076", id="both-sides"),
        pytest.param("deny from any to any port 8076:8077 proto tcp", "8076-8077", id="long-any"),
    ],
)
def test_a_denied_port_is_found(rule: str, ports: str) -> None:
    assert denied(rule) == {rule: ports}


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("allow 8076", id="allows"),
        pytest.param("limit 8076/tcp", id="limits"),
        pytest.param("deny 8076/udp", id="other-protocol"),
        pytest.param("deny 9000", id="other-port"),
        pytest.param("deny out 8076", id="outgoing"),
        pytest.param("deny out on eth1 to any port 8076", id="outgoing-interface"),
        pytest.param("route deny in on eth1 out on eth0", id="forwarded"),
        pytest.param("deny in on eth0 to any port 8076", id="other-interface"),
        pytest.param("deny from 203.0.113.0/24", id="other-source"),
        pytest.param("deny to 198.18.1.11 port 8076", id="other-destination"),
        pytest.param("deny from 2001:db8::/32", id="ipv6"),
        pytest.param("deny OpenSSH", id="application"),
        pytest.param("deny from any port 8076", id="source-port"),
        pytest.param("deny", id="nothing"),
        pytest.param("deny 99999", id="no-port"),
        pytest.param("deny from", id="cut-off"),
        pytest.param("", id="empty"),
    ],
)
def test_a_rule_about_something_else_denies_nothing(rule: str) -> None:
    assert denied(rule) == {}


def test_the_first_rule_that_matches_decides() -> None:
    assert denied("allow from 198.19.1.12", "deny 8076") == {}
    assert denied("deny 8076", "allow from 198.19.1.12") == {"deny 8076": "8076"}


def test_each_port_is_denied_by_the_rule_that_comes_first() -> None:
    assert denied("deny 8076", "allow 8077", "deny 8000:9000/tcp", ports="8075-8078") == {
        "deny 8076": "8076",
        "deny 8000:9000/tcp": "8075,8078",
    }


def test_the_deletion_of_a_rule_can_be_typed() -> None:
    assert delete_words("deny in on eth1 to any port 8076") == (
        "ufw delete deny in on eth1 to any port 8076"
    )
