# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that a lab hands over: the inventory and the nodes' files (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.topology import Node, cluster_subnet

# A container's restart leaves the kernel's boot id alone, but not the start time of process 1.
BOOT_TIME_COMMAND = "cut -d ' ' -f 22 /proc/1/stat"


@dataclass(frozen=True)
class Inventory:
    """What an inventory of a lab says."""

    lab: str
    nodes: Sequence[Node]
    key: Path
    known_hosts: Path
    inputs: Mapping[str, str] = field(default_factory=dict)
    with_gpus: Collection[Node] = ()

    def render(self) -> str:
        """Return the inventory in INI form: the first node is the head, the others are workers."""
        head, workers = self.nodes[0], self.nodes[1:]
        lines = [f"# Written by `python3 -m tests.lab up --name {self.lab}`; `down` removes it."]
        lines += ["[ray_head]", self._host_line(head), "", "[ray_worker]"]
        lines += [self._host_line(node) for node in workers]
        lines += ["", "[all:vars]"]
        lines += [f"{key}={value}" for key, value in self.variables().items()]
        return "\n".join(lines) + "\n"

    def _host_line(self, node: Node) -> str:
        has_gpu = str(node in self.with_gpus).lower()
        address = node.management_address
        return f"{node.name} ansible_host={address} my_iface=eth1 has_gpu={has_gpu}"

    def variables(self) -> dict[str, str]:
        """Return the variables that hold for all nodes."""
        return {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": (
                f"-o UserKnownHostsFile={self.known_hosts} "
                "-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
            ),
            "cluster_name": self.lab,
            "cluster_subnet": cluster_subnet(self.nodes[0].subnet),
            "docker_source": "distribution",
            "boot_time_command": BOOT_TIME_COMMAND,
            **self.inputs,
        }


def render_known_hosts(keys: Mapping[Node, Sequence[str]], ports: Mapping[Node, int]) -> str:
    """Return known_hosts for every way to a node: both networks, both ports, the loopback port."""
    lines = []
    for node, node_keys in keys.items():
        addresses = (node.management_address, node.cluster_address)
        names = [*addresses, *(f"[{address}]:2222" for address in addresses)]
        if node in ports:
            names.append(f"[127.0.0.1]:{ports[node]}")
        lines += [f"{','.join(names)} {key}" for key in node_keys]
    return "".join(f"{line}\n" for line in lines)


def parse_host_keys(text: str) -> list[str]:
    """Return `type key` for every line of public host key files, without comments."""
    rows = (line.split() for line in text.splitlines())
    return [f"{row[0]} {row[1]}" for row in rows if len(row) >= 2]


def render_etc_hosts(hostname: str) -> str:
    """Return /etc/hosts as Debian's installer writes it, with the machine's name on 127.0.1.1."""
    return (
        f"127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n\n"
        "# The following lines are desirable for IPv6 capable hosts\n"
        "::1     localhost ip6-localhost ip6-loopback\n"
        "ff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
    )


def render_resolv_conf(host_text: str) -> str:
    """Return a resolv.conf with the host's name servers, or nothing if nodes cannot use those."""
    words = [line.split() for line in host_text.splitlines()]
    servers = [row[1] for row in words if len(row) > 1 and row[0] == "nameserver"]
    if not servers or any(server.startswith("127.") or server == "::1" for server in servers):
        return ""
    return "".join(f"nameserver {server}\n" for server in servers)


def render_setup(hostname: str, public_key: str, resolv_conf: str) -> str:
    """Return the shell script that makes a booted container this lab's node, again and again.

    It reads alice's password from the environment variable ALICE_PASSWORD.
    """
    resolver = f"cat >/etc/resolv.conf <<'END'\n{resolv_conf}END\n" if resolv_conf else ""
    return (
        "set -eu\n"
        "for home in /root /home/ops /home/alice; do\n"
        f"  printf '%s\\n' '{public_key}' >$home/.ssh/authorized_keys\n"
        "  chmod 600 $home/.ssh/authorized_keys\n"
        "  chown --reference=$home $home/.ssh/authorized_keys\n"
        "done\n"
        "printf 'alice:%s\\n' \"$ALICE_PASSWORD\" | chpasswd\n"
        "if ! grep -q 127.0.1.1 /etc/hosts; then\n"
        f"cat >/etc/hosts <<'END'\n{render_etc_hosts(hostname)}END\nfi\n"
        f"{resolver}"
        "cat /etc/ssh/ssh_host_*_key.pub\n"
    )
