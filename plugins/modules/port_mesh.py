#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prove which ports of other nodes can be reached."""

from __future__ import annotations

DOCUMENTATION = r"""
module: port_mesh
short_description: Prove which ports of other nodes can be reached
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Three calls a node, each on all nodes before the next one, prove every path between them whatever the number of nodes and ports. First all
    nodes listen, then all try all others, then all stop.
  - O(state=listening) starts a process that outlives the module and the SSH connection. It ends after O(seconds), also when the control node
    is gone, and needs no file on the node.
  - A connection counts as open when the node that should have it says so under the secret of the run, from its kernel's table of
    connections. One that a proxy, a redirection or another machine took is RV(report) as C(wrong-answerer), one from another address than it was
    sent from as C(translated).
  - Services that run already are not disturbed. Each of their ports gets one connection that is reset at once, or one empty datagram.
  - Ports are tried completely. Where half of what the node's connection tracking has left is too little, a range of a destination that did not
    answer so far is represented by 64 ports, and RV(report.cost) says which were not tried.
  - A silent port is tried twice, by two packets each. Of a longer row of silent ports only 16 are tried again, and all when one of those
    answers. Kernels send few ICMP errors a second, so that the error about some of more than six neighbouring ports stands for all of
    them.
  - Root is only needed for ports below C(net.ipv4.ip_unprivileged_port_start). IPv4 only.
attributes:
  check_mode:
    support: full
    description: Runs as usual, for nothing that it does lasts.
  diff_mode:
    support: none
    description: Nothing on the node is changed.
  idempotent:
    support: full
    description: A second O(state=listening) with the same secret reports what listens already.
options:
  state:
    description:
      - C(listening) listens to O(tcp) and O(udp) and returns.
      - C(probed) tries O(targets).
      - C(absent) ends what C(listening) started under the same O(secret). It is no error when there is nothing.
    type: str
    choices: [listening, probed, absent]
    required: true
  address:
    description:
      - The node's own IPv4 address, to listen at and to try from, so that the path is that of its interface.
      - Empty with O(state=probed), each target is tried from the address that the kernel takes towards it.
    type: str
    required: true
  secret:
    description: A secret of this run, the same on all nodes. Without it nobody gets a word from the listeners nor can end them.
    type: str
    required: true
  tcp:
    description: TCP ports to listen to, such as V(8000,10002-20000). For O(state=absent) the same list, to find the process.
    type: str
    default: ""
  udp:
    description: UDP ports to listen to.
    type: str
    default: ""
  units:
    description:
      - For O(state=listening), TCP ports that services of systemd units need at their start, by unit. Where a unit runs, starts or waits for
        its start, they are left to it, since a service that finds its port taken may give up for good.
    type: dict
    default: {}
  listeners:
    description:
      - For O(state=absent), RV(listeners) of O(state=listening). RV(ended) has the ports whose service is gone, or is another one now.
    type: dict
    default: {}
  seconds:
    description:
      - For O(state=listening) the seconds after which the listeners are gone in any case.
      - For O(state=probed) the seconds after which no further port is tried.
    type: int
    default: 120
  ranges:
    description:
      - With V(few), of a range wider than 64 ports only 32 free ones are listened to. For nodes on which services run that take ports out of such
        ranges, as Ray does for its workers.
    type: str
    choices: [complete, few]
    default: complete
  source:
    description: The name of this node in the report of O(state=probed).
    type: str
    default: ""
  targets:
    description: What to try, as P(rackforge.gpu_cluster.port_mesh_targets#filter) makes it of all reports of O(state=listening).
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: The name of the node.
        type: str
        required: true
      address:
        description: Its IPv4 address.
        type: str
        required: true
      tcp:
        description: TCP ports with a listener of this module.
        type: str
        default: ""
      tcp_served:
        description: TCP ports with a service.
        type: str
        default: ""
      udp:
        description: UDP ports with a listener of this module.
        type: str
        default: ""
      udp_served:
        description: UDP ports with a service.
        type: str
        default: ""
  rate:
    description: Connections a second at most. Nodes that share one kernel, as containers do, also share its connection tracking.
    type: int
    default: 20000
  mtu:
    description:
      - Whether to send packets of the interface's full size both ways. Where one is lost, the largest that passes is found to 8 bytes, for
        at most three destinations.
    type: bool
    default: true
  bandwidth:
    description: Whether to measure the bandwidth to the first target and back, for at most a second and 512 MiB each way.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Listen on every node
  rackforge.gpu_cluster.port_mesh:
    state: listening
    address: "{{ ansible_facts['gpu_cluster']['node_address'] }}"
    secret: "{{ mesh_secret }}"
    tcp: 8076-8077,10002-20000
  register: mesh_listeners
  no_log: true

- name: Try every path from every node
  rackforge.gpu_cluster.port_mesh:
    state: probed
    source: "{{ inventory_hostname }}"
    address: "{{ ansible_facts['gpu_cluster']['node_address'] }}"
    secret: "{{ mesh_secret }}"
    targets:
      - {host: gpu-1, address: 10.0.0.11, tcp: 8076-8077}
  register: mesh_probes

- name: Stop listening
  rackforge.gpu_cluster.port_mesh:
    state: absent
    address: "{{ ansible_facts['gpu_cluster']['node_address'] }}"
    secret: "{{ mesh_secret }}"
    tcp: 8076-8077,10002-20000
    served: "10011"
"""

RETURN = r"""
report:
  description:
    - What is listened to, or what was seen of the targets. Lists of ports are texts in the kernel's notation.
    - RV(report.problem) is set when nothing could be listened to or tried.
  returned: with O(state=listening) and O(state=probed)
  type: dict
  contains:
    problem:
      description: Why there is nothing, or an empty text.
      type: str
    pairs:
      description: For O(state=probed), what was seen of each target.
      type: list
      elements: dict
    cost:
      description: For O(state=probed), what it took; seconds by phase, connections, memory, and notes about ports that were not tried.
      type: dict
  sample:
    source: gpu-0
    address: 10.0.0.10
    problem: ""
    pairs:
      - destination: gpu-1
        address: 10.0.0.11
        tcp: {open: 8076-8077}
        udp: {}
        rtt_ms: 0.08
        seen_as: 10.0.0.10
        mtu: {expected: 1500, sent: 1500, received: 1500, stalled: false}
        mbit_sent: null
        mbit_received: null
    cost:
      connections: 2
      most_held: 2
      seconds: {connect: 0.001, prove: 0.004, close: 0.001, tcp: 0.006, udp: 0.0, mtu: 0.004}
      cpu_seconds: 0.31
      open_files_limit: 16640
      peak_memory_kib: 21400
      conntrack_room: 130000
      conntrack: 12 of 262144 entries were in use
      notes: []
was_listening:
  description: Whether the listeners were still open, as the kernel of the node says; null where O(tcp) names none.
  returned: with O(state=absent)
  type: bool
  sample: true
listeners:
  description: Inode of the socket behind each TCP port at which a service of the node listens, V(0) for one that is not up.
  returned: with O(state=listening)
  type: dict
  sample: {"8077": 81920}
ended:
  description: Ports of O(listeners) at which nobody listens any more, or another socket than then, in the kernel's notation.
  returned: with O(state=absent)
  type: str
  sample: "11378"
was_there:
  description: Whether there was anything to end.
  returned: with O(state=absent)
  type: bool
  sample: true
"""

import socket
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.boot_units import parse_show
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import Wish
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    ProbeReport,
    Target,
    target_from_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import (
    compress,
    expand,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_probe import Order, probe
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_routes import by_source
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_sockets import (
    read_listeners,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_start import (
    end_agent,
    start_agent,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import key_of
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import joined


def is_ipv4(text: str) -> bool:
    """Return whether a text is an IPv4 address."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def check(params: dict[str, Any]) -> None:
    """Raise ValueError for an address or list of ports that is none."""
    addresses = [each["address"] for each in params["targets"]]
    if params["address"] or params["state"] != "probed":
        addresses.append(params["address"])
    for address in addresses:
        if not is_ipv4(address):
            raise ValueError(f"saw the address {address!r}, expected IPv4 such as 10.0.0.1")
    for text in (params["tcp"], params["udp"]):
        joined(text)
    for each in params["targets"]:
        joined(each["tcp"], each["tcp_served"], each["udp"], each["udp_served"])
    for name in ("rate", "seconds"):
        if params[name] < 1:
            raise ValueError(f"saw {name}: {params[name]}, expected 1 or more")


def left_to_units(command: Command, units: Mapping[str, str]) -> set[int]:
    """Return the ports of those units that run, or will as soon as it is their turn."""
    if not units:
        return set()
    show = ["systemctl", "show", "--property=Id,ActiveState,Job", *sorted(units)]
    seen = parse_show(command.run(show).out)
    up = [
        unit
        for unit in units
        if seen.get(unit, {}).get("ActiveState", "inactive") not in ("inactive", "failed")
        or seen.get(unit, {}).get("Job", "") not in ("", "0")
    ]
    return {port for unit in up for port in expand(units[unit])}


def listen(key: bytes, wish: Wish, left: Set[int]) -> dict[str, Any]:
    """Return the report of the listeners; ports that were left alone are the services' own."""
    report = start_agent(key, wish)
    sockets = read_listeners(wish.address)
    served = set(expand(report.tcp.served)) | left
    report = replace(report, tcp=replace(report.tcp, served=compress(served)))
    listeners = {str(port): sockets.get(port, 0) for port in sorted(served)}
    return {"report": report.to_plain(), "listeners": listeners}


def run(params: dict[str, Any], command: Command) -> dict[str, Any]:
    """Return the result of the wished state."""
    key = key_of(params["secret"])
    if params["state"] == "listening":
        left = left_to_units(command, params["units"]) & set(expand(params["tcp"]))
        wish = Wish(
            params["address"],
            compress(set(expand(params["tcp"])) - left),
            params["udp"],
            params["seconds"],
            params["ranges"] == "few" or bool(left),
        )
        return listen(key, wish, left)
    if params["state"] == "absent":
        # Whether the agent still listens, also where a packet filter keeps even this node from it.
        heard = read_listeners(params["address"])
        ours = expand(params["tcp"])
        before = {int(port): int(inode) for port, inode in params["listeners"].items()}
        return {
            "was_listening": not heard.keys().isdisjoint(ours) if ours else None,
            "ended": compress(port for port, inode in before.items() if heard.get(port) != inode),
            "was_there": end_agent(key, params["address"], params["tcp"]),
        }
    targets = tuple(target_from_plain(each) for each in params["targets"])
    ways = {params["address"]: targets} if params["address"] else by_source(targets)
    reports = [probe(key, params["source"], order_of(params, *way)) for way in ways.items()]
    return {"report": merged(reports).to_plain()}


def order_of(params: dict[str, Any], source: str, targets: tuple[Target, ...]) -> Order:
    """Return what to try from one address."""
    return Order(
        source=source,
        targets=targets,
        rate=params["rate"],
        mtu=params["mtu"],
        bandwidth=params["bandwidth"],
        seconds=params["seconds"],
    )


def merged(reports: Sequence[ProbeReport]) -> ProbeReport:
    """Return one report of what was tried from several addresses; the first tells what it cost."""
    first = reports[0] if reports else ProbeReport("", "", problem="there was nothing to try")
    return replace(first, pairs=tuple(pair for each in reports for pair in each.pairs))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"choices": ["listening", "probed", "absent"], "required": True},
            "address": {"type": "str", "required": True},
            "secret": {"type": "str", "required": True, "no_log": True},
            "tcp": {"type": "str", "default": ""},
            "udp": {"type": "str", "default": ""},
            "units": {"type": "dict", "default": {}},
            "listeners": {"type": "dict", "default": {}},
            "seconds": {"type": "int", "default": 120},
            "ranges": {"choices": ["complete", "few"], "default": "complete"},
            "source": {"type": "str", "default": ""},
            "targets": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    **{name: {"type": "str", "required": True} for name in ("host", "address")},
                    **{
                        name: {"type": "str", "default": ""}
                        for name in ("tcp", "tcp_served", "udp", "udp_served")
                    },
                },
            },
            # Not as one number: the contract of ports would take it for one.
            "rate": {"type": "int", "default": 20 * 1000},
            "mtu": {"type": "bool", "default": True},
            "bandwidth": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        check(module.params)
        result = run(module.params, Command(module))
    except (OSError, ValueError) as error:
        module.fail_json(
            msg=f"The ports were not tried (state {module.params['state']}): {error}; check"
            " address, ports and targets of this task"
        )
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
