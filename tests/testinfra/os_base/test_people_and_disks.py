# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Administrators, file systems, models and kernel settings after os_base, and what defaults do."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any


def test_an_administrator_logs_in_with_a_key_and_is_root_without_a_password(
    head: Any, inventory: Path
) -> None:
    variables = head.backend.get_variables()
    argv = ["ssh", "-o", f"UserKnownHostsFile={inventory.parent / 'known_hosts'}"]
    argv += ["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ControlPath=none"]
    argv += ["-i", variables["ansible_ssh_private_key_file"]]
    argv += [f"ada@{variables['ansible_host']}", "id -un; id -Gn; sudo -n whoami"]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.splitlines() == ["ada", "ada researchers", "root"]


def test_the_administrator_has_the_numbers_that_the_site_gave(head: Any) -> None:
    assert head.user("ada").uid == 4101
    assert head.group("researchers").gid == 4100


def test_models_have_a_directory_that_the_group_shares(head: Any) -> None:
    assert head.check_output("stat -c '%a %U %G' /srv/models") == "2775 root researchers"


def test_a_file_system_is_mounted_now_and_known_to_boot(head: Any) -> None:
    assert head.check_output("findmnt --noheadings --output FSTYPE /datasets") == "tmpfs"
    unit = head.check_output("systemctl show datasets.mount --property SourcePath --value")
    assert unit == "/etc/fstab"
    options = head.check_output("findmnt --fstab --noheadings --output OPTIONS /datasets")
    assert "nofail" in options.split(",")


def test_settings_of_the_kernel_hold_now_and_are_read_at_boot(head: Any) -> None:
    assert head.check_output("cat /proc/sys/net/core/somaxconn") == "8192"
    at_boot = head.check_output("systemd-analyze cat-config sysctl.d")
    assert "net.core.somaxconn = 8192" in at_boot
    assert head.check_output("cat /proc/sys/net/ipv4/ip_local_reserved_ports") == "6379,10001-10010"


def test_lines_of_the_site_join_those_of_the_members(head: Any) -> None:
    for name in ("registry", "registry.lab.example"):
        assert head.check_output(f"getent ahostsv4 {name}").split()[0] == "198.18.255.1"
    assert head.check_output("getent ahostsv4 nas").split()[0] == "198.18.255.2"


def test_a_session_may_open_the_files_that_were_asked_for(head: Any) -> None:
    text = head.check_output("cat /etc/security/limits.d/60-rackforge.conf")
    assert "nofile 70000" in " ".join(text.split())


def test_sshd_notices_dead_connections(every_node: list[Any]) -> None:
    wanted = {"1": 30, "2": 45, "3": 30, "4": 30}
    for node in every_node:
        effective = node.check_output("sshd -T").splitlines()
        assert f"clientaliveinterval {wanted[node.backend.host[-1]]}" in effective
        assert {"tcpkeepalive yes", "clientalivecountmax 3"} <= set(effective)


def test_unattended_upgrades_are_gone_where_that_is_asked_for(worker: Any) -> None:
    assert not worker.package("unattended-upgrades").is_installed


def test_defaults_hold_drivers_and_keep_security_fixes(plain_nodes: list[Any]) -> None:
    for node in plain_nodes:
        assert node.package("unattended-upgrades").is_installed
        held = node.check_output("apt-config dump Unattended-Upgrade::Package-Blacklist")
        assert "(nvidia|cuda|cudnn|nvlsm)" in held


def test_defaults_touch_neither_names_nor_firewall(plain_nodes: list[Any]) -> None:
    for node in plain_nodes:
        assert "rackforge" not in node.file("/etc/hosts").content_string
        assert "rackforge" not in node.file("/etc/resolv.conf").content_string
        assert not node.file("/etc/rackforge").exists
