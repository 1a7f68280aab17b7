"""Claims about firewalld, ufw, nftables and iptables, on what they print."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    firewall_iptables,
    firewall_nft,
    firewall_script,
    firewall_ufw,
    firewall_zones,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_change import (
    without_our_rules,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_nft import (
    Closing,
    Rule,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_read import (
    parse_ssh_ports,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import Opening
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_zones import Zone

MEMBERS = Opening(
    (("tcp", ("8076-8077", "56999")),), (ipaddress.ip_network("198.19.1.12/31"),), "eth1"
)
CONTROL = Opening((("tcp", ("8265",)),), (ipaddress.ip_network("203.0.113.9"),))
WEB = Opening((("tcp", ("443",)),))
PODS = Opening(
    (("tcp", ("1-65535",)), ("udp", ("1-65535",))), (ipaddress.ip_network("10.42.0.0/16"),), "cni0"
)

OURS = (
    'rule priority="30303" family="ipv4" source address="198.19.1.12/31"'
    ' port port="8076-8077" protocol="tcp" accept'
)
ZONES = f"""block
  target: %%REJECT%%
  interfaces: \n  sources: \n  rich rules: \n
public (default, active)
  target: default
  interfaces: eth0 eth1
  sources: \n  services: dhcpv6-client ssh
  ports: 5000/tcp
  rich rules: \n\t{OURS}
\trule family="ipv4" source address="203.0.113.0/24" drop
\trule priority="30303" service name="http" accept

trusted (active)
  target: ACCEPT
  interfaces: \n  sources: 198.19.1.13 00:11:22:33:44:55 ipset:friends
  rich rules: \n"""


def test_zones_of_firewalld_2_are_read() -> None:
    public = firewall_zones.parse_zones(ZONES)[1]
    assert (public.name, public.is_default, public.interfaces) == ("public", True, ("eth0", "eth1"))
    assert public.ours == frozenset({OURS})


def test_a_default_zone_that_is_not_marked_is_known_by_name() -> None:
    old = "public (active)\n  interfaces: eth0\n  sources: \n  rich rules: \n"
    assert firewall_zones.parse_zones(old, "public")[0].is_default


@pytest.mark.parametrize(
    ("zones", "opening", "expected"),
    [
        pytest.param(
            (Zone("work", interfaces=("eth1",)), Zone("public", is_default=True)),
            MEMBERS,
            ["work"],
            id="the-interfaces-zone",
        ),
        pytest.param((Zone("public", is_default=True),), MEMBERS, ["public"], id="the-default"),
        pytest.param(
            (Zone("work", interfaces=("eth1",)), Zone("lan", sources=("198.19.0.0/16",))),
            MEMBERS,
            ["lan"],
            id="a-zone-bound-to-the-source-wins",
        ),
        pytest.param(
            (
                Zone("docker", interfaces=("docker0",)),
                Zone("work", interfaces=("eth1",)),
                Zone("public", is_default=True),
            ),
            WEB,
            ["public", "work"],
            id="everywhere-but-in-dockers",
        ),
    ],
)
def test_rules_go_into_the_zones_that_packets_pass(
    zones: tuple[Zone, ...], opening: Opening, expected: list[str]
) -> None:
    assert sorted(firewall_zones.wanted_rules([opening], zones)) == expected


def test_firewalld_gets_what_is_missing_and_loses_only_ours() -> None:
    zones = firewall_zones.parse_zones(ZONES)
    wanted = firewall_zones.wanted_rules([CONTROL, WEB], zones)
    assert firewall_zones.changes(zones, wanted) == [
        (
            "public",
            [
                '--add-rich-rule=rule priority="30303" family="ipv4" source address="203.0.113.9"'
                ' port port="8265" protocol="tcp" accept',
                '--add-rich-rule=rule priority="30303" port port="443" protocol="tcp" accept',
            ],
        ),
        ("public", [f"--remove-rich-rule={OURS}"]),
    ]


def test_a_zones_file_loses_our_rules_only() -> None:
    text = (
        '<zone>\n  <port port="5000" protocol="tcp"/>\n  <rule priority="30303">\n    <accept/>\n'
        '  </rule>\n  <rule family="ipv4">\n    <drop/>\n  </rule>\n</zone>\n'
    )
    assert without_our_rules(text) == (
        '<zone>\n  <port port="5000" protocol="tcp"/>\n'
        '  <rule family="ipv4">\n    <drop/>\n  </rule>\n</zone>\n'
    )


ADDED = """Added user rules (see 'ufw status' for running firewall):
ufw allow 22/tcp
ufw deny from 203.0.113.7 comment 'rackforge'
ufw allow in on eth1 from 198.19.1.13 to any port 8076 proto tcp comment 'rackforge.gpu_cluster'
ufw allow 443/tcp comment 'rackforge.gpu_cluster'
"""


def test_ufw_gets_what_is_missing_and_loses_only_ours() -> None:
    present = firewall_ufw.our_rules(ADDED)
    wanted = firewall_ufw.wanted_rules([MEMBERS, WEB])
    assert wanted == [
        "allow in on eth1 from 198.19.1.12/31 to any port 8076:8077,56999 proto tcp",
        "allow 443/tcp",
    ]
    assert [" ".join(words) for words in firewall_ufw.changes(present, wanted)] == [
        "allow in on eth1 from 198.19.1.12/31 to any port 8076:8077,56999 proto tcp"
        " comment rackforge.gpu_cluster",
        "delete allow in on eth1 from 198.19.1.13 to any port 8076 proto tcp",
    ]


@pytest.mark.parametrize(
    ("owners", "left_out"),
    [
        pytest.param("allow 443/tcp", True, id="same"),
        pytest.param("deny 443/tcp", True, id="same-but-denied"),
        pytest.param("limit log 443/tcp comment 'a deny'", True, id="same-but-limited-and-logged"),
        pytest.param("allow 443/udp", False, id="other-protocol"),
        pytest.param("allow 443", False, id="any-protocol"),
        pytest.param("allow out 443/tcp", False, id="other-direction"),
        pytest.param("allow from 203.0.113.7 to any port 443 proto tcp", False, id="one-client"),
        pytest.param("route allow 443/tcp", False, id="forwarded"),
    ],
)
def test_ufw_gets_no_rule_of_ours_over_one_of_the_owners(owners: str, left_out: bool) -> None:
    others = firewall_ufw.owners_rules(f"{ADDED}ufw {owners}\n")
    assert others[:2] == ["allow 22/tcp", "deny from 203.0.113.7"]
    assert len(others) == 3
    wanted = firewall_ufw.wanted_rules([WEB, CONTROL], others)
    control = "allow from 203.0.113.9 to any port 8265 proto tcp"
    assert wanted == ([control] if left_out else ["allow 443/tcp", control])


def test_a_rule_of_ufw_has_fifteen_ports_at_most() -> None:
    spans = [*(str(port) for port in range(2, 30, 2)), "100-200", "300"]
    assert firewall_ufw.chunks(spans) == [
        [str(port) for port in range(2, 30, 2)],
        ["100:200", "300"],
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param("Status: active\n\nTo  Action", True, id="active"),
        pytest.param("Status: inactive\n", False, id="inactive"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_ufw_says_whether_it_filters(status: str, expected: bool) -> None:
    assert firewall_ufw.is_active(status) is expected


def test_our_rules_are_loaded_once_files_can_be_written_and_before_the_network() -> None:
    lines = firewall_script.unit().splitlines()
    assert [line for line in lines if line.startswith(("After=", "Before=", "Default"))] == [
        "DefaultDependencies=no",
        "Before=network-pre.target systemd-networkd.service NetworkManager.service"
        " networking.service shutdown.target",
        "After=local-fs.target nftables.service netfilter-persistent.service iptables.service",
    ]


RULESET = """table inet filter { # handle 1
	set strangers { # handle 2
		type ipv4_addr
		flags interval
		elements = { 203.0.113.0/24,
				192.0.2.0/24 }
	}

	chain input { # handle 3
		type filter hook input priority filter; policy drop;
		jump rackforge comment "rackforge.gpu_cluster" # handle 9
		ct state vmap { invalid : drop, established : accept, related : accept } # handle 4
		tcp dport 22 accept comment "owner ssh" # handle 5
	}

	chain rackforge { # handle 8
		iifname "eth1" ip saddr 198.19.1.12-198.19.1.13 tcp dport 8076-8077 accept # handle 10
	}
}
table inet rackforge { # handle 7
	chain input { # handle 1
		type filter hook input priority filter; policy drop;
		iifname "lo" accept # handle 2
	}
}
"""


def test_chains_rules_and_handles_are_read() -> None:
    chains = firewall_nft.parse_ruleset(RULESET)
    assert [chain.place for chain in chains] == [
        "inet filter input",
        "inet filter rackforge",
        "inet rackforge input",
    ]
    assert chains[0].rules[0] == Rule('jump rackforge comment "rackforge.gpu_cluster"', "9")
    assert firewall_nft.is_jump(chains[0].rules[0])
    assert chains[0].hook == "type filter hook input priority filter; policy drop;"
    assert [chain.place for chain in firewall_nft.our_chains(chains)] == ["inet filter rackforge"]
    assert firewall_nft.table_listing(chains) == (
        'input\ntype filter hook input priority filter; policy drop;\niifname "lo" accept\n'
    )


def ruleset(table: str, chain: str, policy: str, last: str) -> str:
    """Return a ruleset with one chain."""
    hook = f"type filter hook input priority filter; policy {policy};"
    return f"table {table} {{\n\tchain {chain} {{\n\t\t{hook}\n\t\t{last}\n\t}}\n}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(ruleset("inet filter", "input", "drop", "iif lo accept"), 1, id="policy-drop"),
        pytest.param(ruleset("inet filter", "input", "accept", "drop"), 1, id="final-drop"),
        pytest.param(
            ruleset(
                "ip filter",
                "input",
                "accept",
                "counter packets 5 bytes 300 reject with icmp port-unreachable",
            ),
            1,
            id="final-reject-with-counter",
        ),
        pytest.param(
            ruleset(
                "inet filter", "input", "accept", 'log prefix "no: " level warn drop comment "x"'
            ),
            1,
            id="final-drop-with-log",
        ),
        pytest.param(ruleset("inet filter", "input", "accept", "tcp dport 25 drop"), 0, id="open"),
        pytest.param(ruleset("inet filter", "input", "accept", ""), 0, id="empty-as-shipped"),
        pytest.param(ruleset("ip filter", "INPUT", "drop", "accept"), 0, id="kept-by-iptables"),
        pytest.param(ruleset("inet firewalld", "filter_INPUT", "drop", ""), 0, id="firewalld"),
        pytest.param(ruleset("inet rackforge", "input", "drop", ""), 0, id="our-own"),
        pytest.param(ruleset("inet f2b-table", "f2b-chain", "drop", ""), 0, id="fail2ban"),
        pytest.param(ruleset("netdev filter", "input", "drop", ""), 0, id="another-family"),
    ],
)
def test_closed_input_is_told_from_open_and_from_what_programs_keep(
    text: str, expected: int
) -> None:
    assert len(firewall_nft.closed_inputs(firewall_nft.parse_ruleset(text))) == expected


def test_the_closing_table_lets_in_ssh_members_and_the_owners_list() -> None:
    text = firewall_nft.table_text(Closing((2222, 22), (MEMBERS, CONTROL), (WEB,)))
    table = firewall_nft.parse_ruleset(text.partition("delete table inet rackforge\n")[2])
    chains = {chain.name: [rule.text for rule in chain.rules] for chain in table}
    assert chains["input"] == [
        "ct state established,related accept",
        'iifname "lo" accept',
        "meta l4proto { 1, 58 } accept",
        "udp sport 67 udp dport 68 accept",
        "ip6 saddr fe80::/10 udp dport 546 accept",
        "tcp dport { 22, 2222 } accept",
        'iifname "eth1" ip saddr 198.19.1.12-198.19.1.13 tcp dport { 8076-8077, 56999 } accept',
        "ip saddr 203.0.113.9 tcp dport 8265 accept",
        "tcp dport 443 accept",
        "meta l4proto tcp ct status dnat ct original proto-dst 443 accept",
        "jump inside",
    ]
    assert chains["published"] == [
        'iifname "eth1" ip saddr 198.19.1.12-198.19.1.13 accept',
        "ip saddr 203.0.113.9 meta l4proto tcp ct status dnat ct original proto-dst 8265 accept",
        "meta l4proto tcp ct status dnat ct original proto-dst 443 accept",
        "jump inside",
        "drop",
    ]
    assert chains["forward"] == ["ct state new ct status dnat jump published"]


@pytest.mark.parametrize(
    ("outside", "expected"),
    [
        pytest.param(("eth0", "eth1"), 'iifname "docker*" accept', id="ordinary"),
        pytest.param(("br-lan", "eth1"), 'iifname "br-lan" drop', id="named-like-dockers"),
    ],
)
def test_a_bridge_that_leads_outside_is_no_container(
    outside: tuple[str, ...], expected: str
) -> None:
    text = firewall_nft.table_text(Closing((22,), outside=outside))
    assert firewall_nft.parse_ruleset(text.split("\n", 2)[2])[0].rules[0].text == expected


def test_a_table_of_one_family_gets_the_sources_of_that_family() -> None:
    both = Opening(
        (("tcp", ("8265",)),),
        (ipaddress.ip_network("203.0.113.9"), ipaddress.ip_network("fd00::/64")),
    )
    assert firewall_nft.accepting([both], "ip") == ["ip saddr 203.0.113.9 tcp dport 8265 accept"]
    assert firewall_nft.accepting([both]) == [
        "ip saddr 203.0.113.9 tcp dport 8265 accept",
        "ip6 saddr fd00::-fd00::ffff:ffff:ffff:ffff tcp dport 8265 accept",
    ]


EL_IPTABLES = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        pytest.param(EL_IPTABLES, True, id="as-shipped-with-iptables-services"),
        pytest.param("*filter\n:INPUT DROP [0:0]\nCOMMIT\n", True, id="policy"),
        pytest.param("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", False, id="open"),
        pytest.param(
            "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n",
            False,
            id="one-address-turned-down",
        ),
        pytest.param("", False, id="nothing-loaded"),
    ],
)
def test_iptables_closed_by_hand_is_recognised(saved: str, expected: bool) -> None:
    assert firewall_iptables.is_closed(saved) is expected


def test_our_chain_of_iptables_is_filled_in_one_step() -> None:
    assert firewall_iptables.chain_text([MEMBERS, WEB], 4) == (
        "*filter\n:RACKFORGE - [0:0]\n"
        "-A RACKFORGE -i eth1 -s 198.19.1.12/31 -p tcp -m multiport --dports 8076:8077,56999"
        " -j ACCEPT\n"
        "-A RACKFORGE -p tcp -m multiport --dports 443 -j ACCEPT\nCOMMIT\n"
    )
    assert firewall_iptables.chain_text([MEMBERS], 6) == "*filter\n:RACKFORGE - [0:0]\nCOMMIT\n"


SS = """LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=104,fd=8))
LISTEN 0 128 [::]:2222 [::]:* users:(("sshd",pid=104,fd=7))
LISTEN 0 4096 127.0.0.1:631 0.0.0.0:* users:(("cupsd",pid=9,fd=7))
LISTEN 0 4096 *:9090 *:* users:(("systemd",pid=1,fd=40))
"""
UBUNTU_SS = 'LISTEN 0 4096 *:22022 *:* users:(("sshd",pid=7,fd=3),("systemd",pid=1,fd=40))\n'
IDLE_SS = 'LISTEN 0 4096 *:22022 *:* users:(("systemd",pid=1,fd=40))\n'


@pytest.mark.parametrize(
    ("listening", "socket", "expected"),
    [
        pytest.param(SS, "Listen=\n", [22, 2222], id="sshd-itself"),
        pytest.param(UBUNTU_SS, "Listen=[::]:22022 (Stream)\n", [22022], id="ubuntu-24.04"),
        pytest.param(IDLE_SS, "Listen=[::]:22022 (Stream)\n", [22022], id="socket-before-a-login"),
        pytest.param(SS, "Listen=[::]:22 (Stream)\n", [22, 2222], id="socket-unit-that-is-off"),
        pytest.param("", "", [], id="nothing"),
    ],
)
def test_ports_of_ssh_are_found(listening: str, socket: str, expected: list[int]) -> None:
    assert parse_ssh_ports(listening, socket) == expected


def test_pods_come_in_at_their_bridge_only() -> None:
    assert firewall_ufw.wanted_rules([PODS]) == [
        "allow in on cni0 from 10.42.0.0/16 to any port 1:65535 proto tcp",
        "allow in on cni0 from 10.42.0.0/16 to any port 1:65535 proto udp",
    ]
    assert firewall_nft.accepting([PODS]) == [
        'iifname "cni0" ip saddr 10.42.0.0-10.42.255.255 tcp dport 1-65535 accept',
        'iifname "cni0" ip saddr 10.42.0.0-10.42.255.255 udp dport 1-65535 accept',
    ]
