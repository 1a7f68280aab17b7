"""Claims about the comparison of a node before and after."""

from __future__ import annotations

import pytest

from tests.testinfra.node_snapshot import EXCEPTIONS, Known, compare, snapshot


def answers(**changed: str) -> dict[str, str]:
    """What a node prints, by a word of the script that asks for it."""
    texts = {
        "Status-Abbrev": "bash:amd64\tii \n",
        "{Version}": "bash:amd64\t5.2\n",
        "apt-mark": "",
        "systemctl": "file ssh.service\tenabled\nssh.service\tloaded active running\n",
        "find": "/etc\td 755 root:root \n/etc/motd\tf 644 root:root \n\n"
        "aaaabbbbccccddddeeee  /etc/motd\n",
        "sysctl -a": "vm.swappiness\t60\n",
        "passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "getent group": "root:x:0:\n",
        "/proc/mounts": "/\toverlay overlay rw\n",
        "ss -H": "tcp 0.0.0.0:22\tlistening\n",
        "/sys/class/net": "lo\tpresent\n",
        "iptables": "",
    }
    return {**texts, **changed}


def node(**changed: str) -> dict[str, dict[str, str]]:
    texts = answers(**changed)

    def run(script: str) -> str:
        return next(text for word, text in texts.items() if word in script)

    return snapshot(run)


def test_the_same_node_has_no_differences() -> None:
    assert compare(node(), node()) == []


@pytest.mark.parametrize(
    ("word", "text", "expected"),
    [
        pytest.param(
            "Status-Abbrev",
            "bash:amd64\tii \nless:amd64\trc \n",
            ["packages: less:amd64: was (absent); now rc "],
            id="package-with-configuration-left",
        ),
        pytest.param(
            "find",
            "/etc\td 755 root:root \n/etc/motd\tf 600 root:root \n\nffff  /etc/motd\n",
            [
                "files: /etc/motd: was f 644 root:root sha256:aaaabbbbccccdddd; "
                "now f 600 root:root sha256:ffff"
            ],
            id="file",
        ),
        pytest.param(
            "getent group",
            "root:x:0:\ndocker:x:999:\n",
            ["groups: docker: was (absent); now docker:x:999:"],
            id="group",
        ),
        pytest.param(
            "ss -H", "", ["sockets: tcp 0.0.0.0:22: was listening; now (absent)"], id="socket"
        ),
        pytest.param(
            "sysctl -a",
            "vm.swappiness\t10\nkernel.random.uuid\tx\n",
            ["sysctls: vm.swappiness: was 60; now 10"],
            id="sysctl-but-not-the-random-one",
        ),
        pytest.param(
            "iptables",
            "== nft\ntable ip filter {\n\tchain FORWARD {\n\t\tcounter accept\n\t}\n}\n",
            [
                "firewall: nft  table ip filter {: was (absent); now present",
                "firewall: nft table ip filter / chain FORWARD counter accept: "
                "was (absent); now present",
                "firewall: nft table ip filter chain FORWARD {: was (absent); now present",
            ],
            id="nft-rule",
        ),
        pytest.param(
            "iptables",
            "== iptables-legacy\n*filter\n:INPUT ACCEPT [1:2]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n",
            [],
            id="empty-legacy-table-is-no-rule",
        ),
        pytest.param(
            "iptables",
            "== iptables-legacy\n*filter\n:FORWARD DROP [0:0]\nCOMMIT\n",
            ["firewall: iptables-legacy filter :FORWARD DROP: was (absent); now present"],
            id="closed-policy",
        ),
    ],
)
def test_what_changed_is_named(word: str, text: str, expected: list[str]) -> None:
    assert compare(node(), node(**{word: text})) == expected


def test_only_the_named_exception_is_forgiven() -> None:
    known = (Known("sysctls", "vm.*", "for this test"),)
    assert compare(node(), node(**{"sysctl -a": "vm.swappiness\t1\n"}), known) == []
    assert compare(node(), node(passwd=""), known) != []


def test_firewall_rules_can_be_read_from_outside() -> None:
    texts = answers()
    seen = snapshot(
        lambda script: next(text for word, text in texts.items() if word in script),
        in_network=lambda _script: "== nft\ntable ip nat {\n}\n",
    )
    assert seen["firewall"] == {"nft  table ip nat {": "present"}


def test_every_exception_has_a_reason_and_the_list_is_short() -> None:
    assert all(known.reason for known in EXCEPTIONS)
    assert len(EXCEPTIONS) < 30
