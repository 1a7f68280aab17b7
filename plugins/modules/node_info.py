#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a node is: its addresses, operating system, size and clock."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Read what a node is and which of its addresses is its node address
version_added: 0.1.0
description:
  - Reads the network interfaces of a node and chooses its node address, the one under which
    the other nodes of the cluster reach it.
  - Reads the operating system, the size and the state of the clock as well, so that one call
    answers what the other roles and the preflight report need.
  - Changes nothing and needs no privileges.
author:
  - rackforge contributors (@rackforge)
options:
  my_iface:
    description:
      - Name of the interface on the cluster network. When set it decides.
      - When empty, the interface that holds an address in O(cluster_subnet) is taken, or the one
        with the default route when O(cluster_subnet) is empty too.
    type: str
    default: ""
  cluster_subnet:
    description:
      - The cluster network as V(198.18.0.0/24). The node address must lie in it when it is set.
    type: str
    default: ""
  survey:
    description:
      - Whether what a preflight judges is read too, RV(ansible_facts.gpu_cluster.system) and RV(ansible_facts.gpu_cluster.links).
      - It takes a moment longer, and tells more when the module runs as root.
    type: bool
    default: false
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
requirements:
  - iproute2 on the node (C(ip -j))
seealso:
  - module: rackforge.gpu_cluster.node_probe
"""

EXAMPLES = r"""
- name: Read what the node is
  rackforge.gpu_cluster.node_info:
    my_iface: eth1
  register: node

- name: Show the address that the other nodes reach it at
  ansible.builtin.debug:
    msg: "{{ ansible_facts['gpu_cluster']['node_address'] }}"
"""

RETURN = r"""
ansible_facts:
  description: The values below as the fact RV(ansible_facts.gpu_cluster).
  returned: always
  type: dict
  contains:
    gpu_cluster:
      description: What was read.
      type: dict
      returned: always
      contains:
        node_address:
          description: The address of the node on the cluster network, or null.
          type: str
          returned: always
          sample: 198.19.1.3
        node_interface:
          description: The interface that holds the node address, or null.
          type: str
          returned: always
          sample: eth1
        address_problem:
          description: Why there is no node address, as code, message, seen and expected; or null.
          type: dict
          returned: always
          sample: null
        interfaces:
          description: The interfaces in the order of the node, each with its IPv4 addresses.
          type: list
          elements: dict
          returned: always
          sample:
            - name: eth1
              addresses: [198.19.1.3/24]
              state: UP
              is_loopback: false
        default_interface:
          description: The interface of the default route, or null.
          type: str
          returned: always
          sample: eth0
        hostname:
          description: The name that the node gives itself.
          type: str
          returned: always
          sample: node2
        os:
          description: The distribution from /etc/os-release, as id, version_id, codename, name and family.
          type: dict
          returned: always
          sample:
            id: debian
            version_id: "13"
            codename: trixie
            name: Debian GNU/Linux 13 (trixie)
            family: Debian
        python_version:
          description: Version of the Python that runs the modules.
          type: str
          returned: always
          sample: 3.13.5
        kernel:
          description: Release of the running kernel.
          type: str
          returned: always
          sample: 6.12.48+deb13-amd64
        architecture:
          description: Machine type.
          type: str
          returned: always
          sample: x86_64
        cpu_count:
          description: Number of processors that the system has online.
          type: int
          returned: always
          sample: 64
        memory_mib:
          description: Memory in MiB, or null when the node does not say.
          type: int
          returned: always
          sample: 515644
        shm_mib:
          description: Size of /dev/shm in MiB, or null when the node has none.
          type: int
          returned: always
          sample: 257822
        clock_synchronised:
          description: Whether the clock follows a time source; null when the node cannot tell.
          type: bool
          returned: always
          sample: true
        machine_id:
          description: Content of /etc/machine-id, empty when there is none.
          type: str
          returned: always
          sample: 4c6f0c3c1bbd4d3f9c3a5e0d8f1b2a37
        uid:
          description: Effective user id of the module.
          type: int
          returned: always
          sample: 0
        user:
          description: Name of the effective user.
          type: str
          returned: always
          sample: root
        system:
          description:
            - What a preflight judges besides the network; null is not known.
            - C(clock) and C(clock_end) are the node's time in seconds when the module began and ended, sizes are MiB. C(disks) are the
              file systems below /, /home, /opt, /tmp and what is in /var/lib; those of other machines are not asked. C(system_disk_mib) is the disk below /, whatever part of it / has.
            - C(cgroup) is v1, v2 or hybrid. C(reboot) tells of Debian's note and of an installed kernel that is newer than the running one.
            - C(login) has mode and owner of what leads to the keys of the user that Ansible logs in as; C(strict_modes) is asked for only where
              others may write there.
          type: dict
          returned: when O(survey=true)
          sample:
            clock: 1795354965.602
            clock_end: 1795354965.913
            boot_id: ad23fb64-f74f-496c-ba0e-0edcedd614cf
            disks:
              - mount: /
                type: ext4
                noexec: false
                read_only: false
                paths: [/, /home, /opt, /tmp, /var/lib, /var/lib/docker]
                size_mib: 450310
                free_mib: 398220
                inodes: 29376512
                inodes_free: 28911204
            docker_root: /var/lib/docker
            system_disk_mib: 457862
            cgroup: v2
            secure_boot: false
            reboot: {required: false, packages: [], newer_kernel: null}
            upgrades: {tool: unattended-upgrades, active: true, held: false}
            swap: [/swap.img]
            pci_gpus: ["nvidia 0x2330 at 0000:3b:00.0"]
            nameservers: [127.0.0.53]
            names: {hostname: node2, hosts_file: [127.0.1.1], resolved: [127.0.1.1], localhost: [127.0.0.1]}
            login:
              user: ops
              uid: 1000
              paths: [{path: /home/ops/.ssh, mode: "0700", owner: 1000, private_group: true}]
              strict_modes: null
            installed: {ray: true, k3s: false}
        links:
          description:
            - What the node's network is. What could not be read is null; without root that holds for firewall and for other users'
              processes.
            - C(interfaces) has kind (physical, bond, bridge, vlan, veth, tunnel, wireless, loopback or
              what C(ip) says), up, carrier, state, mtu, speed_mbit, duplex, driver, vendor, addresses, master, parent, bond (mode,
              members, down) and rdma. Ends of containers are left out.
            - C(routes) are the IPv4 routes that lead somewhere, 1,000 at most; rules the policy rules
              besides the usual three; neighbour the way the kernel takes inside the node address's subnet.
            - C(listeners) has a row for each protocol, address (V(*), V(loopback) or one) and holder,
              with ports as a list; processes without a service are told by program beyond 400 rows. A command is told without its
              arguments.
            - C(outgoing) are the ports of the ephemeral range that connections to elsewhere hold.
          type: dict
          returned: when O(survey=true)
          sample:
            interfaces:
              - name: eth1
                kind: physical
                up: true
                carrier: true
                state: UP
                mtu: 9000
                speed_mbit: 25000
                duplex: full
                driver: mlx5_core
                vendor: "0x15b3"
                addresses: [198.19.1.3/24]
                master: null
                parent: null
                bond: null
                rdma: [mlx5_0]
            rdma: [{name: mlx5_0, state: ACTIVE, rate: 25 Gb/sec (1X EDR), link_layer: Ethernet, interfaces: [eth1]}]
            routes: [{dst: 198.19.1.0/24, dev: eth1, gateway: null, table: main, metric: 0}]
            rules: []
            neighbour: {address: 198.19.1.1, interface: eth1, source: 198.19.1.3}
            rp_filter: 0
            ephemeral: [32768, 60999]
            reserved_ports: 8076-8078,54311
            listeners:
              - protocol: tcp
                address: "*"
                ports: "22"
                pid: 96
                processes: 1
                process: sshd
                command: /usr/sbin/sshd
                unit: ssh.service
                container: null
                container_name: null
                uid: 0
            outgoing: {tcp: "41022", udp: ""}
            sees_processes: true
            firewall: {active: [ufw], filters: true, ours: false, closed_by_us: false, ufw_rules: [deny 8076/tcp], trusted: []}
            docker: {bip: null, pools: null, networks: null}
node_address:
  description: Like every value of RV(ansible_facts.gpu_cluster), also found at the top of the result.
  returned: always
  type: str
  sample: 198.19.1.3
"""

import os
import platform
import pwd
import socket
import time
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_facts import (
    parse_chronyc,
    parse_memory_mib,
    parse_os_release,
    parse_timedatectl,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links import read_links
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_network import (
    AddressProblem,
    NodeAddress,
    choose_interface,
    parse_default_interface,
    parse_interfaces,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_system import read_system

ARGUMENTS = {
    "my_iface": {"type": "str", "default": ""},
    "cluster_subnet": {"type": "str", "default": ""},
    "survey": {"type": "bool", "default": False},
}

# Seconds after which a program that answers about the clock is given up.
CLOCK_TIMEOUT = "5"


def read_network(command: Command, my_iface: str, cluster_subnet: str) -> dict[str, Any]:
    """Return the interfaces and the node address, or why there is none."""
    program = command.find("ip")
    if program is None:
        problem = AddressProblem(
            code="iproute2-missing",
            message="The node has no program ip, so its addresses cannot be read.",
            seen="no ip in PATH, /usr/sbin or /sbin",
            expected="the package iproute2 (Debian, Ubuntu) or iproute (EL)",
        )
        return network_values([], None, problem)
    interfaces = parse_interfaces(command.run([program, "-j", "addr", "show"]).out)
    routes = command.run([program, "-j", "-4", "route", "show", "default"]).out
    default_interface = parse_default_interface(routes)
    choice = choose_interface(interfaces, default_interface, my_iface, cluster_subnet)
    return network_values([each.to_dict() for each in interfaces], default_interface, choice)


def network_values(
    interfaces: list[dict[str, Any]],
    default_interface: Optional[str],
    choice: NodeAddress | AddressProblem,
) -> dict[str, Any]:
    """Return the part of the result that is about the network."""
    chosen = choice if isinstance(choice, NodeAddress) else None
    return {
        "interfaces": interfaces,
        "default_interface": default_interface,
        "node_address": chosen.address if chosen else None,
        "node_interface": chosen.interface if chosen else None,
        "address_problem": choice.to_dict() if isinstance(choice, AddressProblem) else None,
    }


def read_clock(command: Command) -> Optional[bool]:
    """Return whether the clock follows a time source, None when no program can tell."""
    timeout = command.find("timeout")
    questions = (
        (["timedatectl", "show", "-p", "NTPSynchronized"], parse_timedatectl),
        (["chronyc", "-n", "tracking"], parse_chronyc),
    )
    for words, parse in questions:
        program = command.find(words[0])
        if timeout and program:
            result = command.run([timeout, CLOCK_TIMEOUT, program, *words[1:]])
            answer = parse(result.out) if result.rc == 0 else None
            if answer is not None:
                return answer
    return None


def read_text(path: str) -> str:
    """Return the content of a file, "" when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def shared_memory_mib() -> Optional[int]:
    """Return the size of /dev/shm in MiB, None when the node has none."""
    try:
        status = os.statvfs("/dev/shm")  # noqa: S108 - measured, never written
    except OSError:
        return None
    return status.f_blocks * status.f_frsize // (1024 * 1024)


def user_name(uid: int) -> str:
    """Return the name of a user, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def read_node(command: Command, my_iface: str, cluster_subnet: str) -> dict[str, Any]:
    """Return everything this module tells about the node."""
    return {
        **read_network(command, my_iface, cluster_subnet),
        "hostname": socket.gethostname(),
        "os": parse_os_release(read_text("/etc/os-release")).to_dict(),
        "python_version": platform.python_version(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu_count": os.cpu_count() or 1,
        "memory_mib": parse_memory_mib(read_text("/proc/meminfo")),
        "shm_mib": shared_memory_mib(),
        "clock_synchronised": read_clock(command),
        "machine_id": read_text("/etc/machine-id").strip(),
        "uid": os.geteuid(),
        "user": user_name(os.geteuid()),
    }


def main() -> None:
    """Answer with what was read."""
    begun = time.time()
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    command = Command(module)
    node = read_node(command, params["my_iface"], params["cluster_subnet"])
    if params["survey"]:
        node["links"] = read_links(command, node["node_interface"])
        node["system"] = {**read_system(command), "clock": begun, "clock_end": time.time()}
    module.exit_json(changed=False, ansible_facts={"gpu_cluster": node}, **node)


if __name__ == "__main__":
    main()
