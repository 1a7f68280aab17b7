"""Claims about which packet-filter rules are Docker's and how they are taken out."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_firewall import (
    is_dockers,
    parse_iptables,
    parse_nft,
    undo_iptables,
    undo_nft,
)

FIXTURES = Path(__file__).parents[3] / "fixtures" / "ledger"
OWNERS = """\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
"""
OWNERS_AND_DOCKERS = """\
*filter
:INPUT DROP [3:180]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i eth7 -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
"""


def recorded(name: str) -> str:
    return (FIXTURES / name).read_text()


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("DOCKER-USER -j RETURN", id="own-chain"),
        pytest.param("FORWARD -j DOCKER-USER", id="jump"),
        pytest.param("FORWARD -j DOCKER-FORWARD", id="jump-of-docker-28"),
        pytest.param("PREROUTING -m addrtype --dst-type LOCAL -j DOCKER", id="nat-jump"),
        pytest.param("FORWARD -i docker0 ! -o docker0 -j ACCEPT", id="default-bridge"),
        pytest.param("POSTROUTING -s 172.18.0.0/16 ! -o br-8be3db5540cd -j MASQUERADE", id="net"),
        pytest.param("PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP", id="raw-of-docker-28"),
        pytest.param(
            "POSTROUTING -s 172.18.0.2/32 -d 172.18.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE",
            id="hairpin",
        ),
    ],
)
def test_rule_is_dockers(rule: str) -> None:
    assert is_dockers(rule)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("INPUT -p tcp -m tcp --dport 22 -j ACCEPT", id="ssh"),
        pytest.param("FORWARD -i br-lan -j ACCEPT", id="owners-bridge"),
        pytest.param("POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE", id="owners-nat"),
        pytest.param("OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT", id="dns-of-a-container"),
        pytest.param("INPUT -j DOCKERISH", id="owners-chain"),
    ],
)
def test_rule_is_not_dockers(rule: str) -> None:
    assert not is_dockers(rule)


@pytest.mark.parametrize("system", ["debian12", "debian13"])
def test_nothing_of_docker_survives_on_a_recorded_node(system: str) -> None:
    now = recorded(f"iptables-save-{system}-docker.txt")
    undo = undo_iptables(None, now)
    lines = undo.splitlines()
    tables = parse_iptables(now)
    chains = [c for t in tables.values() for c in t.policies if c.startswith("DOCKER")]
    gone = {line[3:] for line in lines if line.startswith("-X")}
    assert {c for c in chains if not c.startswith("DOCKER_")} == gone
    left = [
        rule
        for table in tables.values()
        for rule in table.rules
        if f"-D {rule}" not in lines and rule.split()[0] not in gone
    ]
    assert [rule.split()[0] for rule in left] == [
        "OUTPUT",
        "POSTROUTING",
        "DOCKER_OUTPUT",
        "DOCKER_OUTPUT",
        "DOCKER_POSTROUTING",
        "DOCKER_POSTROUTING",
    ]


def test_owners_rules_and_policies_stay() -> None:
    assert undo_iptables(OWNERS, OWNERS_AND_DOCKERS) == (
        "*filter\n"
        ":FORWARD ACCEPT [0:0]\n"
        "-D FORWARD -j DOCKER-USER\n"
        "-D FORWARD -o docker0 -j DOCKER\n"
        "-F DOCKER\n"
        "-F DOCKER-USER\n"
        "-X DOCKER\n"
        "-X DOCKER-USER\n"
        "COMMIT\n"
    )


def test_rules_of_an_engine_that_was_there_before_stay() -> None:
    assert undo_iptables(OWNERS_AND_DOCKERS, OWNERS_AND_DOCKERS.replace("eth7", "eth8")) == ""


def test_rules_without_docker_are_left_alone() -> None:
    assert undo_iptables("", OWNERS) == ""


def test_a_closed_policy_alone_is_opened_again() -> None:
    now = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\n"
    assert undo_iptables("", now) == "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"


@pytest.mark.parametrize("system", ["debian12", "debian13"])
def test_recorded_ruleset_has_both_tables(system: str) -> None:
    tables = parse_nft(recorded(f"nft-{system}-docker.txt"))
    assert list(tables) == [("ip", "nat"), ("ip", "filter")]
    assert tables["ip", "filter"]["FORWARD"].rules == 10
    assert tables["ip", "filter"]["DOCKER-USER"].base is False


EMPTY_FILTER = """\
table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy accept;
	}
}
"""
OWNERS_TABLE = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
		tcp dport 22 accept
	}
}
"""


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param("", EMPTY_FILTER, "delete table ip filter\n", id="new-empty-table"),
        pytest.param("", "table ip nat {\n}\n", "delete table ip nat\n", id="new-table-no-chain"),
        pytest.param(EMPTY_FILTER, EMPTY_FILTER, "", id="there-before"),
        pytest.param("", OWNERS_TABLE, "", id="owners-rules-since"),
        pytest.param("", EMPTY_FILTER.replace("accept", "drop"), "", id="closed-policy"),
        pytest.param("", EMPTY_FILTER.replace(" ip ", " inet "), "", id="not-of-iptables"),
        pytest.param(
            "",
            EMPTY_FILTER.replace("{\n\tchain", "{\n\tset s {\n\t\ttype x\n\t}\n\tchain"),
            "",
            id="a-set-is-in-it",
        ),
        pytest.param(
            OWNERS_TABLE,
            OWNERS_TABLE[:-2] + EMPTY_FILTER.split("\n", 1)[1],
            "delete chain ip filter FORWARD\n",
            id="new-empty-chain-in-owners-table",
        ),
        pytest.param(
            None,
            OWNERS_TABLE[:-2] + EMPTY_FILTER.split("\n", 1)[1],
            "delete chain ip filter FORWARD\n",
            id="no-nft-before",
        ),
        pytest.param(
            "",
            "table ip docker-bridges {\n\tchain x {\n\t\tcounter drop\n\t}\n}\n",
            "delete table ip docker-bridges\n",
            id="dockers-own-backend",
        ),
    ],
)
def test_only_what_docker_left_empty_is_deleted(
    before: str | None, now: str, expected: str
) -> None:
    assert undo_nft(before, now) == expected
