# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot, kernel, resolver, time and swap after os_base, asked of the programs that read them.

The first node has grub (with the stand-in grub-probe) and chrony, the second NetworkManager and
netplan. chrony is masked on both: a container's clock is that of the machine below.
"""

from __future__ import annotations

from typing import Any

import pytest

KNOWN_BY_THE_STAND_IN = "198.18.255.99"


def test_nodes_boot_to_the_server_target(nodes: list[Any]) -> None:
    assert {node.check_output("systemctl get-default") for node in nodes} == {"multi-user.target"}


def test_boot_waits_for_no_port(nodes: list[Any]) -> None:
    wanted = "systemctl show network-online.target --property Wants --value"
    for node in nodes:
        waiting = [name for name in node.check_output(wanted).split() if "wait-online" in name]
        states = [
            node.check_output(f"systemctl show {name} --property LoadState --value")
            for name in waiting
        ]
        assert set(states) <= {"masked"}, f"{node.backend.host}: {waiting} {states}"


def test_the_node_with_network_manager_had_something_to_wait_for(worker: Any) -> None:
    unit = "NetworkManager-wait-online.service"
    assert worker.run(f"systemctl is-enabled {unit}").stdout.strip() == "masked"
    assert worker.file(f"/usr/lib/systemd/system/{unit}").exists


def test_next_boot_gets_the_kernel_arguments_and_rescue_does_not(head: Any) -> None:
    menu = head.check_output("grep -E '^[[:space:]]*linux' /boot/grub/grub.cfg").splitlines()
    normal = [line for line in menu if " single" not in line]
    assert normal
    assert [line for line in normal if not line.endswith(" quiet pci=realloc")] == []
    assert [line for line in menu if " single" in line and "pci=realloc" in line] == []


def test_kernel_modules_are_those_that_boot_loads(nodes: list[Any]) -> None:
    for node in nodes:
        node.check_output("/usr/lib/systemd/systemd-modules-load 60-rackforge.conf")
        assert "overlay" in node.check_output("systemd-analyze cat-config modules-load.d")


@pytest.mark.parametrize("name", ["gpu-77", "gpu-77.lab.example"])
def test_names_of_the_site_are_found_short_and_long(nodes: list[Any], name: str) -> None:
    for node in nodes:
        found = node.check_output(f"getent ahostsv4 {name}").split()[0]
        assert found == KNOWN_BY_THE_STAND_IN


def test_chrony_is_told_of_the_time_server_and_its_clock_is_left(head: Any) -> None:
    sources = head.check_output("cat /etc/chrony/sources.d/*.sources").splitlines()
    assert [line.split()[:1] for line in sources if line.startswith("server")] == [["server"]]
    assert not head.service("chrony").is_running


def test_nothing_swaps(nodes: list[Any]) -> None:
    assert {node.check_output("tail -n +2 /proc/swaps") for node in nodes} == {""}
