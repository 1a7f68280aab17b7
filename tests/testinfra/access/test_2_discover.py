# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines are found, and the inventory that is written works."""

from __future__ import annotations

import pytest

from tests.testinfra.access.conftest import Desk

GPU = (
    "mkdir -p /run/pci/0000:17:00.0 && cd /run/pci/0000:17:00.0 && echo 0x030200 >class"
    " && echo 0x10de >vendor && echo 0x2330 >device && mount --bind /run/pci /sys/bus/pci/devices"
)


@pytest.fixture(scope="module")
def targets(desk: Desk) -> str:
    """The lab's management network, and one machine's address on the other network besides."""
    first = desk.address(desk.nodes[0])
    other = first.replace("198.18.", "198.19.", 1)
    return f"discover_targets={first.rpartition('.')[0]}.0/28,{other}"


def test_the_inventory_says_what_the_machines_are(desk: Desk, targets: str) -> None:
    desk.on(desk.nodes[1], GPU)
    output = desk.folder / "found.ini"
    key = ("-e", f"discover_private_key_file={desk.key}")
    played = desk.discover(
        "-e", targets, "-e", "discover_user=alice", *key, "-e", f"discover_output={output}"
    )
    assert played.rc == 0
    text = output.read_text()
    first, second = (desk.address(node) for node in desk.nodes)
    assert f"\nnode1 ansible_host={first} my_iface=eth1 has_gpu=false\n" in text
    assert f"\nnode2 ansible_host={second} my_iface=eth1 has_gpu=true\n" in text
    assert text.index("[ray_head]") < text.index("node1 ") < text.index("[ray_worker]")
    assert f"# also at {first.replace('198.18.', '198.19.', 1)}\n" in text


def test_the_inventory_works(desk: Desk) -> None:
    played = desk.play("-i", str(desk.folder / "found.ini"), "playbooks/preflight.yml")
    assert played.rc == 0
    assert played.changed == {"node1": 0, "node2": 0}


def test_an_inventory_that_is_there_is_kept(desk: Desk, targets: str) -> None:
    output = desk.folder / "found.ini"
    output.write_text("mine\n")
    arguments = ("-e", targets, "-e", "discover_user=alice", "-e", f"discover_output={output}")
    first = desk.discover(*arguments, *desk.with_password)
    second = desk.discover(*arguments, *desk.with_password)
    assert (first.rc, first.changed) == (0, {"localhost": 1})
    assert (second.rc, second.changed) == (0, {"localhost": 0})
    assert output.read_text() == "mine\n"
    written = (desk.folder / "found-2.ini").read_text()
    assert "node2 ansible_host=" in written
    assert desk.password not in written + first.output


def test_machines_that_let_nobody_in_are_named(desk: Desk, targets: str) -> None:
    output = desk.folder / "nobody.ini"
    arguments = ("-e", targets, "-e", "discover_user=alice", "-e", f"discover_output={output}")
    played = desk.discover(*arguments)
    assert played.rc == 2
    assert f"{desk.address(desk.nodes[0])}: " in played.prose
    assert "run again with -k" in played.prose
    assert not output.exists()
