# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that the lab writes for Ansible, SSH and the nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.inventory import (
    Inventory,
    parse_host_keys,
    render_etc_hosts,
    render_known_hosts,
    render_resolv_conf,
    render_setup,
)
from tests.lab.topology import Node, plan_nodes


def test_the_inventory_of_three_nodes() -> None:
    inventory = Inventory(
        "lab", plan_nodes("lab", 3, 1), Path("/s/id"), Path("/s/known"), {"ray_runtime": "venv"}
    )
    assert inventory.render() == (
        "# Written by `python3 -m tests.lab up --name lab`; `down` removes it.\n"
        "[ray_head]\n"
        "node1 ansible_host=198.18.1.11 my_iface=eth1 has_gpu=false\n"
        "\n"
        "[ray_worker]\n"
        "node2 ansible_host=198.18.1.12 my_iface=eth1 has_gpu=false\n"
        "node3 ansible_host=198.18.1.13 my_iface=eth1 has_gpu=false\n"
        "\n"
        "[all:vars]\n"
        "ansible_user=root\n"
        "ansible_ssh_private_key_file=/s/id\n"
        "ansible_ssh_common_args=-o UserKnownHostsFile=/s/known -o StrictHostKeyChecking=yes"
        " -o IdentitiesOnly=yes\n"
        "cluster_name=lab\n"
        "cluster_subnet=198.19.1.0/24\n"
        "docker_source=distribution\n"
        "boot_time_command=cut -d ' ' -f 22 /proc/1/stat\n"
        "ray_runtime=venv\n"
    )


def test_one_node_is_a_head_without_workers() -> None:
    text = Inventory("lab", plan_nodes("lab", 1, 1), Path("/s/id"), Path("/s/known")).render()
    assert "[ray_worker]\n\n[all:vars]" in text


def test_known_hosts_names_every_way_to_a_node() -> None:
    node = Node("lab", 1, 1)
    assert render_known_hosts({node: ["ssh-ed25519 AAAA"]}, {node: 2201}) == (
        "198.18.1.11,198.19.1.11,[198.18.1.11]:2222,[198.19.1.11]:2222,[127.0.0.1]:2201"
        " ssh-ed25519 AAAA\n"
    )


def test_host_keys_lose_their_comments() -> None:
    text = "ssh-ed25519 AAAA root@node1\n\nssh-rsa BBBB\n"
    assert parse_host_keys(text) == ["ssh-ed25519 AAAA", "ssh-rsa BBBB"]


def test_a_node_name_stands_on_127_0_1_1_as_after_the_installer() -> None:
    assert render_etc_hosts("node1").startswith("127.0.0.1\tlocalhost\n127.0.1.1\tnode1\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "search example\nnameserver 192.0.2.53\n", "nameserver 192.0.2.53\n", id="reachable"
        ),
        pytest.param("nameserver 127.0.0.53\n", "", id="a-loopback-resolver-is-the-hosts-own"),
        pytest.param("", "", id="none"),
    ],
)
def test_name_servers_for_nodes(text: str, expected: str) -> None:
    assert render_resolv_conf(text) == expected


def test_the_setup_script_contains_no_password() -> None:
    script = render_setup("node1", "ssh-ed25519 AAAA", "")
    assert 'alice:%s\\n\' "$ALICE_PASSWORD" | chpasswd' in script
