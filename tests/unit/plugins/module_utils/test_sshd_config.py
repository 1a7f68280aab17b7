"""Claims about the texts of sshd's configuration."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_config import (
    Effective,
    KeepAlive,
    Own,
    Setting,
    overruled,
    parse_effective,
    parse_keep_alive,
    parse_own,
    parse_settings,
    port_settings,
    split_line,
    takes_drop_in,
    with_block,
    without_block,
)

DEBIAN_12 = """
# This is the sshd server system-wide configuration file.  See
# sshd_config(5) for more information.

Include /etc/ssh/sshd_config.d/*.conf

#Port 22
#AddressFamily any
#ListenAddress 0.0.0.0

KbdInteractiveAuthentication no
UsePAM yes
X11Forwarding yes
PrintMotd no
#TCPKeepAlive yes
#ClientAliveInterval 0
AcceptEnv LANG LC_*
Subsystem\tsftp\t/usr/lib/openssh/sftp-server
"""
DEBIAN_13 = DEBIAN_12.replace("AcceptEnv LANG LC_*", "AcceptEnv LANG LC_* COLORTERM NO_COLOR")
UBUNTU_22 = """
# This is the sshd server system-wide configuration file.

Include /etc/ssh/sshd_config.d/*.conf

#Port 22
KbdInteractiveAuthentication no
UsePAM yes
"""
UBUNTU_24 = """
Include /etc/ssh/sshd_config.d/*.conf

# When systemd socket activation is used (the default), the socket
# configuration must be re-generated after changing Port, AddressFamily, or
# ListenAddress.
#Port 22
UsePAM yes
"""
EL_8 = """#\t$OpenBSD: sshd_config,v 1.103 2018/04/09 20:41:22 tj Exp $

# If you want to change the port on a SELinux system, you have to tell
# SELinux about this change.
#Port 22

HostKey /etc/ssh/ssh_host_rsa_key
HostKey /etc/ssh/ssh_host_ecdsa_key
SyslogFacility AUTHPRIV
PermitRootLogin yes
#ClientAliveInterval 0
"""
EL_9 = """#\t$OpenBSD: sshd_config,v 1.104 2021/07/02 05:11:21 dtucker Exp $

# To modify the system-wide sshd configuration, create a  *.conf  file under
#  /etc/ssh/sshd_config.d/  which will be automatically included below
Include /etc/ssh/sshd_config.d/*.conf

#Port 22
AuthorizedKeysFile\t.ssh/authorized_keys
Subsystem\tsftp\t/usr/libexec/openssh/sftp-server
"""
EL_10 = EL_9.replace("1.104 2021/07/02 05:11:21", "1.105 2024/12/03 14:12:47")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(DEBIAN_12, True, id="debian-12"),
        pytest.param(DEBIAN_13, True, id="debian-13"),
        pytest.param(UBUNTU_22, True, id="ubuntu-22.04"),
        pytest.param(UBUNTU_24, True, id="ubuntu-24.04"),
        pytest.param(EL_8, False, id="el-8"),
        pytest.param(EL_9, True, id="el-9"),
        pytest.param(EL_10, True, id="el-10"),
        pytest.param("Port 22\nInclude sshd_config.d/*.conf\n", False, id="owner-sets-first"),
        pytest.param("Include sshd_config.d/*.conf\nPort 22\n", True, id="relative-include"),
        pytest.param("Include /etc/ssh/other/*.conf\nPort 22\n", False, id="another-folder"),
        pytest.param("", False, id="empty"),
    ],
)
def test_drop_in_is_used_only_where_it_is_read_first(text: str, expected: bool) -> None:
    assert takes_drop_in(text) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("Port 22", ("port", "22"), id="words"),
        pytest.param("  port=2222", ("port", "2222"), id="equals"),
        pytest.param(
            'ListenAddress "10.0.0.1"  # office', ("listenaddress", "10.0.0.1"), id="quotes"
        ),
        pytest.param("#Port 22", ("", ""), id="comment"),
        pytest.param("", ("", ""), id="empty"),
    ],
)
def test_lines_are_read_as_sshd_does(line: str, expected: tuple[str, str]) -> None:
    assert split_line(line) == expected


def test_settings_come_in_the_order_in_which_sshd_reads_them() -> None:
    main = "Include d/*.conf\nPort 22\nMatch User backup\n  ClientAliveInterval 600\n"
    included = {
        "d/*.conf": [("/d/a.conf", "Port 2222\nMatch all\nPort 1\n"), ("/d/b.conf", "Port 3\n")]
    }
    assert parse_settings("/main", main, included) == (
        Setting("port", "2222", "/d/a.conf", 1),
        Setting("match", "all", "/d/a.conf", 2, conditional=True),
        Setting("port", "1", "/d/a.conf", 3, conditional=True),
        Setting("port", "3", "/d/b.conf", 1),
        Setting("port", "22", "/main", 2),
        Setting("match", "User backup", "/main", 3, conditional=True),
        Setting("clientaliveinterval", "600", "/main", 4, conditional=True),
    )


def test_a_file_that_includes_itself_ends() -> None:
    included = {"d/*.conf": [("/d/a.conf", "Include d/*.conf\nPort 1\n")]}
    found = parse_settings("/main", "Include d/*.conf\n", included)
    assert [setting.value for setting in found] == ["1"]


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        pytest.param("port", "2222", [2222], id="port"),
        pytest.param("listenaddress", "10.0.0.1:2200", [2200], id="address-with-port"),
        pytest.param("listenaddress", "[fe80::1]:2200", [2200], id="ipv6-with-port"),
        pytest.param("listenaddress", "10.0.0.1", [], id="address"),
        pytest.param("listenaddress", "fe80::1", [], id="ipv6"),
        pytest.param("usepam", "yes", [], id="something-else"),
    ],
)
def test_ports_of_the_owner_are_found(keyword: str, value: str, expected: list[int]) -> None:
    setting = Setting(keyword, value, "/f", 1)
    assert [port for port, _line in port_settings([setting])] == expected


KEEP_ALIVE = KeepAlive(30, 3)
PLAIN = (
    "# Managed by rackforge.gpu_cluster\n"
    "TCPKeepAlive yes\nClientAliveInterval 30\nClientAliveCountMax 3\n"
)


@pytest.mark.parametrize(
    ("own", "keep_alive", "text"),
    [
        pytest.param(Own(), None, "", id="nothing"),
        pytest.param(Own(), KEEP_ALIVE, PLAIN, id="keep-alive"),
        pytest.param(
            Own(ports=(22332,)), None, "# Managed by rackforge.gpu_cluster\nPort 22332\n", id="port"
        ),
        pytest.param(
            Own(ports=(22, 22332), trial=22332, labelled=(22332,)),
            None,
            "# Managed by rackforge.gpu_cluster\n"
            "# Port 22332 is on trial; without it: none\n"
            "# Labelled for SELinux: 22332\n"
            "Port 22\nPort 22332\n",
            id="first-trial",
        ),
        pytest.param(
            Own(ports=(22332, 22333), trial=22333, before=(22332,)),
            None,
            "# Managed by rackforge.gpu_cluster\n"
            "# Port 22333 is on trial; without it: 22332\n"
            "Port 22332\nPort 22333\n",
            id="second-trial",
        ),
    ],
)
def test_our_part_tells_the_next_run_everything(
    own: Own, keep_alive: KeepAlive | None, text: str
) -> None:
    assert own.text(keep_alive) == text
    assert parse_own(text) == own
    assert parse_keep_alive(text) == keep_alive


def test_block_stands_first_and_leaves_the_rest_byte_for_byte() -> None:
    text = with_block(EL_8, PLAIN)
    assert text == (
        "# BEGIN rackforge.gpu_cluster os_base\n"
        + PLAIN
        + "# END rackforge.gpu_cluster os_base\n"
        + EL_8
    )
    assert without_block(text) == (PLAIN, EL_8)
    assert with_block(text, "Port 1\n").count("BEGIN") == 1
    assert with_block(text, "") == EL_8


def test_effective_ports_are_those_of_the_addresses() -> None:
    said = (
        "port 22\nport 2222\nlistenaddress [::]:22\nlistenaddress 10.0.0.1:2222\n"
        "clientaliveinterval 0\ntcpkeepalive yes\n"
    )
    found = parse_effective(said)
    assert found.ports == {22, 2222}
    assert (found.values["clientaliveinterval"], found.values["tcpkeepalive"]) == ("0", "yes")


def effective(interval: str) -> Effective:
    values = {"tcpkeepalive": "yes", "clientaliveinterval": interval, "clientalivecountmax": "3"}
    return Effective(frozenset({22}), values)


@pytest.mark.parametrize(
    ("interval", "others", "expected"),
    [
        pytest.param("30", [], (), id="ours"),
        pytest.param(
            "0",
            [Setting("clientaliveinterval", "0", "/etc/ssh/sshd_config.d/00-a.conf", 3)],
            (
                "ClientAliveInterval is 0 by /etc/ssh/sshd_config.d/00-a.conf:3, which sshd reads"
                " before our line; 30 does not apply",
            ),
            id="read-before-ours",
        ),
        pytest.param(
            "30",
            [Setting("clientaliveinterval", "600", "/etc/ssh/sshd_config", 9, conditional=True)],
            ("ClientAliveInterval is 600 by /etc/ssh/sshd_config:9 for the logins of that Match",),
            id="match",
        ),
        pytest.param(
            "30",
            [Setting("clientaliveinterval", "600", "/etc/ssh/sshd_config", 9)],
            (),
            id="read-after-ours",
        ),
    ],
)
def test_a_value_of_the_owners_that_wins_is_named(
    interval: str, others: list[Setting], expected: tuple[str, ...]
) -> None:
    assert overruled(KEEP_ALIVE, effective(interval), others) == expected


def test_values_that_nobody_wants_are_not_compared() -> None:
    assert overruled(None, effective("0"), []) == ()
