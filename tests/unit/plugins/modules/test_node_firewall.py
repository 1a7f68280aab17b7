"""Claims about the node_firewall module."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import firewall_read
from ansible_collections.rackforge.gpu_cluster.plugins.modules import node_firewall
from ansible_collections.rackforge.gpu_cluster.plugins.modules.node_firewall import main

from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")
LIST = "nft --handle --stateless list ruleset"
MEMBERS = [
    {
        "name": "every node",
        "interface": "eth1",
        "sources": ["198.19.1.12", "198.19.1.13"],
        "ports": ["tcp/8076-8077"],
    }
]
OPEN = 'iifname "eth1" ip saddr 198.19.1.12-198.19.1.13 tcp dport 8076-8077 accept'
CLOSED = """table inet filter { # handle 1
	chain input { # handle 2
		type filter hook input priority filter; policy drop;
		tcp dport 22 accept # handle 3
	}
}
"""
OPENED = f"""table inet filter {{
	chain input {{
		type filter hook input priority filter; policy drop;
		jump rackforge comment "rackforge.gpu_cluster" # handle 9
		tcp dport 22 accept # handle 3
	}}
	chain rackforge {{
		{OPEN} # handle 4
	}}
}}
"""
MADE = f"table inet filter {{\n\tchain rackforge {{\n\t\t{OPEN} # handle 2\n\t}}\n}}\n"
TABLE = """table inet rackforge {
	chain input {
		type filter hook input priority filter; policy drop;
		tcp dport 22 accept
	}
}
"""
SHOW = "systemctl show rackforge-firewall.service"
UP = (0, "ActiveState=active\nUnitFileState=enabled\n", "")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node's files."""
    monkeypatch.setattr(firewall_read, "ROOT", str(tmp_path))
    monkeypatch.setattr(node_firewall, "alone_on_node", nullcontext)
    return tmp_path


def with_sshd(node: Node) -> None:
    """Let sshd listen on port 22."""
    line = 'LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=104,fd=8))\n'
    node.answers("ss -Hltnp", (0, line, ""))
    node.answers("systemctl show ssh.socket", (0, "Listen=\n", ""))


#: Beginnings of the calls that only look.
LOOKING = (
    "nft --handle",
    "nft list",
    "unshare",
    "ss ",
    "systemctl show",
    "systemctl is-",
    "ufw status",
    "ufw show",
    "firewall-cmd --list",
    "firewall-cmd --get",
    "firewall-cmd --permanent --list",
)


def changing(node: Node) -> list[str]:
    """Return the calls that change something."""
    return [call for call in node.calls if not call.startswith(LOOKING)]


def test_a_node_without_a_firewall_is_left_alone_and_says_so(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warned.append(text))
    node.answers("nft", OK)
    result = node.run(main, members=MEMBERS)
    assert (result["changed"], result["active"]) == (False, [])
    assert result["note"] == (
        "no firewall is active on this node, so every port is as open as before;"
        " os_base_firewall=enforce closes it to strangers"
    )
    assert warned == [result["note"]]
    assert changing(node) == []


def test_a_hand_written_ruleset_is_opened_and_stays_so(node: Node, root: Path) -> None:
    node.answers(LIST, (0, CLOSED, ""))
    node.answers("unshare", (0, MADE, ""))
    node.answers("/bin/sh -s", OK)
    node.answers("systemctl", OK)
    result = node.run(main, members=MEMBERS)
    assert (result["changed"], result["active"]) == (True, ["nftables"])
    assert changing(node) == [
        "/bin/sh -s",
        "systemctl daemon-reload",
        "systemctl enable --now rackforge-firewall.service",
    ]
    script = (root / "etc/rackforge/firewall.sh").read_text()
    assert f"add rule inet filter rackforge {OPEN}\n" in script
    assert "table inet rackforge" not in script
    assert "insert rule inet filter input jump rackforge" in script
    unit = (root / "etc/systemd/system/rackforge-firewall.service").read_text()
    assert "ExecReload=/bin/sh /etc/rackforge/firewall.sh\n" in unit
    assert result["diff"] == {"before": "", "after": f"nft inet filter rackforge: {OPEN}\n"}


def test_the_second_run_changes_nothing(node: Node) -> None:
    node.answers(LIST, (0, CLOSED, ""), (0, OPENED, ""))
    node.answers("unshare", (0, MADE, ""))
    node.answers("/bin/sh -s", OK)
    node.answers("systemctl", OK)
    node.answers(SHOW, UP)
    node.run(main, members=MEMBERS)
    node.calls.clear()
    result = node.run(main, members=MEMBERS)
    assert (result["changed"], changing(node)) == (False, [])
    assert result["diff"]["before"] == result["diff"]["after"]


def test_check_mode_predicts_and_only_looks(node: Node, root: Path) -> None:
    node.answers(LIST, (0, CLOSED, ""))
    node.answers("unshare", (0, MADE, ""))
    result = node.run(main, check=True, members=MEMBERS)
    assert result["changed"] is True
    assert changing(node) == []
    assert list(root.iterdir()) == []


def enforcing(node: Node, *rulesets: str) -> dict[str, Any]:
    """Return what the module says about closing a node whose rulesets are these in turn."""
    with_sshd(node)
    node.answers(LIST, *((0, text, "") for text in rulesets))
    node.answers("nft list table", (1, "", "No such file or directory"))
    node.answers("unshare", (0, TABLE, ""))
    node.answers("systemd-run", OK)
    node.answers("/bin/sh -s", OK)
    node.answers("systemctl stop", OK)
    node.answers("systemctl daemon-reload", OK)
    node.answers("systemctl enable", OK)
    node.answers(SHOW, UP)
    return dict(node.run(main, mode="enforce"))


def test_closing_starts_the_timer_before_the_rules_and_writes_nothing_lasting(
    node: Node, root: Path
) -> None:
    result = enforcing(node, "")
    assert (result["changed"], result["needs_confirmation"]) == (True, True)
    assert changing(node) == [
        "systemd-run --unit=rackforge-firewall-rollback --on-active=60 --collect --quiet"
        " --timer-property=AccuracySec=1s flock /run/rackforge.lock /bin/sh -c"
        " nft -f /run/rackforge-firewall.nft && rm /run/rackforge-firewall.nft",
        "/bin/sh -s",
    ]
    before = (root / "run/rackforge-firewall.nft").read_text()
    assert before == "table inet rackforge\ndelete table inet rackforge\n"
    assert not (root / "etc").exists()


def test_a_confirmation_stops_the_timer_and_makes_the_rules_last(node: Node, root: Path) -> None:
    enforcing(node, "", TABLE)
    node.calls.clear()
    result = node.run(main, mode="enforce", confirm=True)
    assert "failed" not in result
    assert changing(node) == [
        "systemctl stop rackforge-firewall-rollback.timer rackforge-firewall-rollback.service",
        "systemctl daemon-reload",
        "systemctl enable --now rackforge-firewall.service",
    ]
    assert "chain published" in (root / "etc/rackforge/firewall.sh").read_text()
    assert not (root / "run/rackforge-firewall.nft").exists()
    node.calls.clear()
    again = node.run(main, mode="enforce")
    assert (again["changed"], again["needs_confirmation"]) == (False, False)
    assert changing(node) == []


def test_a_confirmation_that_comes_too_late_fails(node: Node, root: Path) -> None:
    enforcing(node, "", "")
    (root / "run/rackforge-firewall.nft").unlink()
    result = node.run(main, mode="enforce", confirm=True)
    assert result["failed"] is True
    assert result["msg"].startswith("os_base_firewall=enforce: the closing rules were taken back")
    assert not (root / "etc/rackforge").exists()


def test_a_trial_that_nobody_ended_is_tried_again_with_what_was_before_it(
    node: Node, root: Path
) -> None:
    (root / "run").mkdir()
    (root / "run/rackforge-firewall.nft").write_text("what was before\n")
    result = enforcing(node, TABLE)
    assert result["needs_confirmation"] is True
    assert changing(node)[0].startswith("systemctl stop rackforge-firewall-rollback.timer")
    assert (root / "run/rackforge-firewall.nft").read_text() == "what was before\n"


def test_closing_without_nft_fails_before_the_first_change(node: Node) -> None:
    with_sshd(node)
    result = node.run(main, mode="enforce")
    assert result["msg"] == (
        "os_base_firewall=enforce needs the program nft, and this node has none; install the"
        " package nftables and run again"
    )
    predicted = node.run(main, check=True, mode="enforce")
    assert predicted["changed"] is True
    assert "nft inet rackforge input: tcp dport 22 accept\n" in predicted["diff"]["after"]
    assert changing(node) == []


def test_closing_a_node_on_which_no_ssh_is_seen_is_refused(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_firewall, "ssh_connection", lambda: ("", 0))
    node.answers("ss -Hltnp", OK)
    node.answers("systemctl show ssh.socket", OK)
    result = node.run(main, mode="enforce")
    assert result["failed"] is True
    assert "name the port in os_base_ssh_port" in result["msg"]


def test_rules_that_the_kernel_does_not_take_change_nothing(node: Node) -> None:
    with_sshd(node)
    node.answers(LIST, OK)
    node.answers("unshare", (1, "", "Error: Could not process rule: Operation not supported\n"))
    result = node.run(main, mode="enforce")
    assert result["failed"] is True
    assert result["msg"].startswith(
        "this node's kernel does not take the rules, so nothing was changed: 'unshare"
    )
    assert changing(node) == []


ZONES = "public (default, active)\n  interfaces: eth1\n  sources: \n  rich rules: \n"
RULE = (
    'rule priority="30303" family="ipv4" source address="198.19.1.12/31"'
    ' port port="8076-8077" protocol="tcp" accept'
)


def with_firewalld(node: Node, zones: str) -> None:
    """Let firewalld run with these zones."""
    node.answers("systemctl is-active firewalld", OK)
    node.answers("firewall-cmd", (0, "success\n", ""))
    node.answers("firewall-cmd --get-default-zone", (0, "public\n", ""))
    node.answers("firewall-cmd --list-all-zones", (0, zones, ""))
    node.answers("firewall-cmd --permanent --list-all-zones", (0, zones, ""))


def test_firewalld_is_opened_now_and_after_a_boot_without_a_reload(node: Node) -> None:
    with_firewalld(node, ZONES)
    result = node.run(main, members=MEMBERS)
    assert (result["changed"], result["active"]) == (True, ["firewalld"])
    assert changing(node) == [
        f"firewall-cmd --zone=public --add-rich-rule={RULE}",
        f"firewall-cmd --permanent --zone=public --add-rich-rule={RULE}",
    ]


SHIPPED = '<?xml version="1.0"?>\n<zone>\n <short>Public</short>\n <service name="ssh"/>\n</zone>\n'
WRITTEN = '<?xml version="1.0"?>\n<zone>\n  <service name="ssh"/>\n  <short>Public</short>\n</zone>'


@pytest.mark.parametrize(
    ("now", "stays"),
    [
        pytest.param(WRITTEN, False, id="only-we-wrote-it"),
        pytest.param(WRITTEN.replace("ssh", "http"), True, id="the-owner-wrote-since"),
    ],
)
def test_files_that_firewalld_wrote_for_us_go_again(
    node: Node, root: Path, now: str, stays: bool
) -> None:
    with_firewalld(node, ZONES)
    node.run(main, members=MEMBERS)
    for folder in ("etc/firewalld/zones", "usr/lib/firewalld/zones"):
        (root / folder).mkdir(parents=True)
    (root / "usr/lib/firewalld/zones/public.xml").write_text(SHIPPED)
    (root / "etc/firewalld/zones/public.xml").write_text(now)
    (root / "etc/firewalld/zones/public.xml.old").write_text("with our rule")
    node.run(main, state="absent")
    left = [path.name for path in (root / "etc/firewalld/zones").iterdir()]
    assert left == (["public.xml"] if stays else [])
    assert not (root / "etc/rackforge").exists()


def with_ufw(node: Node, root: Path, status: str, added: str) -> None:
    """Let ufw have this status and these rules."""
    (root / "etc/ufw").mkdir(parents=True)
    (root / "etc/ufw/ufw.conf").write_text("ENABLED=yes\nLOGLEVEL=low\n")
    node.answers("ufw", OK)
    node.answers("ufw status", (0, f"Status: {status}\n", ""))
    node.answers("ufw show added", (0, added, ""))


LEFT_OVER = "ufw allow 443/tcp comment 'rackforge.gpu_cluster'\nufw allow 80/tcp comment 'mine'\n"


def test_ufw_gets_members_and_loses_what_is_no_longer_asked_for(node: Node, root: Path) -> None:
    with_ufw(node, root, "active", LEFT_OVER)
    result = node.run(main, members=MEMBERS)
    assert result["active"] == ["ufw"]
    assert changing(node) == [
        "ufw allow in on eth1 from 198.19.1.12/31 to any port 8076:8077 proto tcp"
        " comment rackforge.gpu_cluster",
        "ufw delete allow 443/tcp",
    ]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("allow 443/tcp", id="allows-the-same"),
        pytest.param("allow 443/tcp comment 'web site'", id="allows-the-same-with-a-comment"),
        pytest.param("limit 443/tcp", id="limits-it"),
        pytest.param("deny 443/tcp", id="denies-it"),
        pytest.param("reject log 443/tcp", id="rejects-and-logs-it"),
    ],
)
def test_a_rule_of_the_owners_in_ufw_is_neither_taken_over_nor_deleted(
    node: Node, root: Path, rule: str
) -> None:
    with_ufw(node, root, "active", f"ufw {rule}\n")
    result = node.run(main, owner_ports=["tcp/443"])
    assert result["diff"] == {"before": "", "after": ""}
    assert (result["changed"], changing(node)) == (False, [])
    removed = node.run(main, state="absent")
    assert (removed["changed"], changing(node)) == (False, [])


MOVED = "# Managed by rackforge.gpu_cluster\nPort 22332\nTCPKeepAlive yes\n"
BLOCK = (
    f"# BEGIN rackforge.gpu_cluster os_base\n{MOVED}# END rackforge.gpu_cluster os_base\n"
    "# Bj\xf6rn's sshd\nPort 2200\n"
)
DROP_IN = "etc/ssh/sshd_config.d/00-rackforge.conf"
TRIAL = (
    "# Managed by rackforge.gpu_cluster\n# Port 22332 is on trial; without it: none\n"
    "Port 22\nPort 22332\n"
)


def with_sshd_config(root: Path, path: str, text: str) -> None:
    """Let a file of sshd's say this, in the owner's old encoding."""
    (root / path).parent.mkdir(parents=True)
    (root / path).write_bytes(text.encode("latin-1"))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param(DROP_IN, MOVED, id="drop-in"),
        pytest.param("etc/ssh/sshd_config", BLOCK, id="block-of-el-8"),
        pytest.param(DROP_IN, TRIAL, id="on-trial-without-the-owners-port"),
    ],
)
def test_a_port_that_sshd_was_moved_to_stays_open_when_nobody_names_it_any_more(
    node: Node, root: Path, path: str, text: str
) -> None:
    with_sshd_config(root, path, text)
    with_ufw(node, root, "active", "ufw allow 22332/tcp comment 'rackforge.gpu_cluster'\n")
    result = node.run(main)
    assert (result["changed"], changing(node)) == (False, [])


def test_the_port_of_before_stays_open_for_the_run_that_moves_sshd_again(
    node: Node, root: Path
) -> None:
    ours = "ufw allow {}/tcp comment 'rackforge.gpu_cluster'\n"
    with_sshd_config(root, DROP_IN, MOVED)
    with_ufw(node, root, "active", ours.format("22332"))
    node.run(main, ssh_ports=[22444])
    assert changing(node) == [
        "ufw allow 22332,22444/tcp comment rackforge.gpu_cluster",
        "ufw delete allow 22332/tcp",
    ]
    (root / DROP_IN).write_text(MOVED.replace("22332", "22444"))
    node.answers("ufw show added", (0, ours.format("22332,22444"), ""))
    node.calls.clear()
    node.run(main, ssh_ports=[22444])
    assert changing(node) == [
        "ufw allow 22444/tcp comment rackforge.gpu_cluster",
        "ufw delete allow 22332,22444/tcp",
    ]


def let_in_by_the_table(
    node: Node, monkeypatch: pytest.MonkeyPatch, port: int, ssh_ports: list[int]
) -> str:
    """Return the rule for SSH that our table would get while sshd listens on ``port``."""
    monkeypatch.setattr(node_firewall, "ssh_connection", lambda: ("203.0.113.9", port))
    line = f'LISTEN 0 128 0.0.0.0:{port} 0.0.0.0:* users:(("sshd",pid=104,fd=8))\n'
    node.answers("ss -Hltnp", (0, line, ""))
    node.answers("systemctl show ssh.socket", (0, "Listen=\n", ""))
    table = node.run(main, check=True, mode="enforce", ssh_ports=ssh_ports)["diff"]["after"]
    rules = [line for line in table.splitlines() if "inet rackforge input: tcp dport" in line]
    assert len(rules) == 1
    return str(rules[0]).rpartition(": ")[2]


def test_the_table_is_the_same_before_and_after_sshd_is_moved(
    node: Node, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = let_in_by_the_table(node, monkeypatch, 22, [22332])
    with_sshd_config(root, DROP_IN, MOVED)
    after = let_in_by_the_table(node, monkeypatch, 22332, [22332])
    unnamed = let_in_by_the_table(node, monkeypatch, 22332, [])
    expected = "tcp dport { 22, 22332 } accept"
    assert (before, after, unnamed) == (expected, expected, expected)


def test_port_22_is_not_let_in_where_the_owner_chose_another(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert let_in_by_the_table(node, monkeypatch, 2222, []) == "tcp dport 2222 accept"


def test_our_rules_leave_a_ufw_that_is_switched_off(node: Node, root: Path) -> None:
    with_ufw(node, root, "inactive", LEFT_OVER)
    result = node.run(main, state="absent")
    assert (result["changed"], result["active"]) == (True, [])
    assert changing(node) == ["ufw delete allow 443/tcp"]


def test_off_stops_the_owners_firewalls_and_says_what_it_left(node: Node, root: Path) -> None:
    with_firewalld(node, ZONES)
    with_ufw(node, root, "active", "")
    node.answers(LIST, (0, CLOSED, ""))
    node.answers("systemctl disable", OK)
    result = node.run(main, mode="off", members=MEMBERS)
    assert changing(node) == ["systemctl disable --now firewalld.service", "ufw disable"]
    assert result["note"] == "a hand-written ruleset of nftables is active and was left alone"


def test_removal_takes_out_jump_chain_table_unit_and_script(node: Node, root: Path) -> None:
    node.answers(LIST, (0, OPENED + TABLE, ""))
    node.answers("/bin/sh -c", OK)
    node.answers("systemctl", OK)
    for path in ("etc/rackforge/firewall.sh", "etc/systemd/system/rackforge-firewall.service"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("ours")
    result = node.run(main, state="absent")
    assert result["changed"] is True
    assert changing(node) == [
        "/bin/sh -c nft delete rule inet filter input handle 9",
        "/bin/sh -c nft flush chain inet filter rackforge"
        " && nft delete chain inet filter rackforge",
        "/bin/sh -c nft delete table inet rackforge",
        "systemctl disable --now rackforge-firewall.service",
        "systemctl daemon-reload",
    ]
    assert not (root / "etc/rackforge").exists()


EL = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n"
FILLED = (
    "*filter\n:RACKFORGE - [0:0]\n-A RACKFORGE -s 198.19.1.12/31 -i eth1 -p tcp -m multiport"
    " --dports 8076:8077 -j ACCEPT\nCOMMIT\n"
)


def test_iptables_closed_by_hand_is_opened_by_a_chain_of_ours(node: Node, root: Path) -> None:
    (root / "proc/net").mkdir(parents=True)
    (root / "proc/net/ip_tables_names").write_text("filter\n")
    node.answers("iptables-legacy-save", (0, EL, ""))
    node.answers("unshare", (0, FILLED, ""))
    node.answers("/bin/sh -s", OK)
    node.answers("systemctl", OK)
    result = node.run(main, members=MEMBERS)
    assert result["active"] == ["iptables"]
    script = (root / "etc/rackforge/firewall.sh").read_text()
    assert "iptables-legacy-restore --noflush <<'END'\n*filter\n:RACKFORGE - [0:0]\n" in script
    jump = "-m comment --comment rackforge.gpu_cluster -j RACKFORGE"
    assert (
        f"iptables-legacy -C INPUT {jump} 2>/dev/null || iptables-legacy -I INPUT {jump}" in script
    )


def test_members_of_whom_no_address_is_known_are_named(node: Node) -> None:
    with_firewalld(node, ZONES)
    group = {**MEMBERS[0], "sources": ["198.19.1.12", "w7"]}
    assert node.run(main, members=[group])["note"] == (
        "members of whom no address is known are not let in: w7; run again for all nodes when they"
        " answer"
    )


def test_a_port_that_is_none_is_refused_before_anything_is_read(node: Node) -> None:
    result = node.run(main, owner_ports=["443"])
    assert result["failed"] is True
    assert result["msg"].startswith("os_base_firewall_owner_ports: saw '443', expected tcp/443")
    assert node.calls == []


def test_the_ssh_connection_is_found_above_sudo(root: Path) -> None:
    files = {
        "self": ("PATH=/bin", "PPid:\t71"),
        "71": ("A=b\0SSH_CONNECTION=203.0.113.9 5 198.18.1.2 2222", "PPid:\t1"),
    }
    for process, (environment, status) in files.items():
        folder = root / "proc" / process
        folder.mkdir(parents=True)
        (folder / "environ").write_text(environment)
        (folder / "status").write_text(f"Name:\tx\n{status}\n")
    assert firewall_read.ssh_connection() == ("203.0.113.9", 2222)


def test_a_member_that_cannot_be_asked_keeps_its_rules(node: Node) -> None:
    with_firewalld(node, ZONES)
    group = {**MEMBERS[0], "sources": ["w1=198.19.1.12", "w2=198.19.1.13"]}
    node.run(main, members=[group])
    rule = f"{ZONES}\t{RULE}\n"
    with_firewalld(node, rule)
    node.calls.clear()
    result = node.run(main, members=[{**group, "sources": ["w1=198.19.1.12", "w2"]}])
    assert (result["changed"], result["note"], changing(node)) == (False, "", [])


def test_a_member_that_left_the_inventory_loses_its_rules(node: Node, root: Path) -> None:
    with_firewalld(node, f"{ZONES}\t{RULE}\n")
    node.run(main, members=[{**MEMBERS[0], "sources": ["w1=198.19.1.12"]}])
    assert f"firewall-cmd --zone=public --remove-rich-rule={RULE}" in node.calls
    assert (root / "etc/rackforge/members.json").read_text() == '{"w1": "198.19.1.12"}\n'


def test_the_backup_that_firewalld_keeps_of_a_zone_is_put_back(node: Node, root: Path) -> None:
    with_firewalld(node, ZONES)
    zones = root / "etc/firewalld/zones"
    zones.mkdir(parents=True)
    (zones / "public.xml").write_text("<zone/>")
    (zones / "public.xml.old").write_text("the owner's before last")
    node.run(main, members=MEMBERS)
    (zones / "public.xml.old").write_text("with our rule")
    node.run(main, state="absent")
    assert (zones / "public.xml").read_text() == "<zone/>"
    assert (zones / "public.xml.old").read_text() == "the owner's before last"
