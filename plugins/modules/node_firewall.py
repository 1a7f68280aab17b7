#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let the cluster's members through a node's firewall, and close the node to strangers if asked."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_firewall
short_description: Let members through a node's firewall, and close the node to strangers if asked
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Finds out which firewalls are active on the node (firewalld, ufw, a hand-written ruleset of nftables or iptables) and has
    the rules for O(members) and O(owner_ports) in each of them, in what runs and in what the next boot loads.
  - With O(mode=enforce) it loads a table of nftables of its own as well, C(inet rackforge), which turns down whatever else comes in. Since
    nftables asks every table, a packet must be let in by the owner's firewall and by this table.
  - Rules that are not ours are never changed, nothing is flushed and no firewall is reloaded. Ours are told apart by the priority 30303 (rich rules of
    firewalld), the comment C(rackforge.gpu_cluster) (ufw, jumps from the owner's chains) or the names C(rackforge) and C(RACKFORGE).
  - ufw keeps one rule for the same packets. Where it has one of the owner's, whether it allows, limits, denies or rejects them, that one
    stays and ours is left out.
  - What the owner's firewalld or ufw turns down by a rule of its own stays turned down, since ours stand behind those. In a hand-written ruleset of
    nftables or iptables ours stand in front.
  - A closing table is tried first. The node takes it back by itself after O(rollback_after) seconds unless a fresh SSH connection confirms
    it, and only then is it made to outlast a boot. A run that is killed in between leaves the node as it was.
  - Rules of nftables and iptables are loaded at boot, and after each start or reload of C(nftables.service), C(netfilter-persistent.service) and
    C(iptables.service), by C(rackforge-firewall.service).
attributes:
  action:
    support: full
    description: Runs on the control node and calls the module on the node, a second time over a fresh connection where a closing table is tried.
  check_mode:
    support: full
    description: Says which rules would come and go.
  diff_mode:
    support: full
    description: Shows our rules before and after.
  idempotent:
    support: full
    description: Compares with the rules that the kernel and the programs have, so what somebody flushed comes back.
requirements:
  - nft, unshare, flock and systemd-run on the node for O(mode=enforce) and for hand-written rulesets
options:
  state:
    description: With V(absent) everything of ours is taken out and the other options do not count.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description:
      - With V(auto) our rules are opened in the firewalls that are active. Where none is, the node stays as it is, and a warning says so.
      - With V(enforce) the node is closed to everybody but the members, on their ports, SSH from anywhere, and O(owner_ports) from anywhere.
        What engines publish (Docker's ports, NodePorts) counts by the port that was asked for, and is closed in the same way except to members.
      - With V(off) firewalld and ufw are stopped and disabled. Hand-written rulesets are left alone.
    type: str
    choices: [auto, enforce, "off"]
    default: auto
  members:
    description: Who may reach which ports. The filter P(rackforge.gpu_cluster.cluster_firewall#filter) makes this list.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What these clients are called.
        type: str
        required: true
      interface:
        description: The interface that they come in at; any when empty.
        type: str
        default: ""
      sources:
        description:
          - Addresses and networks of IPv4 or IPv6. V(connection) is the address from which this SSH connection comes.
          - A member is V(name=address). Its name alone, where a run could not ask it, stands for the address that the node remembers
            from the last run in C(/etc/rackforge/members.json), else for that in C(/etc/hosts).
        type: list
        elements: str
        required: true
      ports:
        description: Ports and ranges, such as V(tcp/8000-8010) or V(udp/4789).
        type: list
        elements: str
        required: true
  owner_ports:
    description: Ports that are open to everybody, such as V(tcp/443).
    type: list
    elements: str
    default: []
  ssh_ports:
    description:
      - Ports of SSH beside those on which sshd listens now and the one that this connection uses. For a port to which sshd is about to move.
      - Those to which M(rackforge.gpu_cluster.ssh_daemon) has moved sshd count as well, named here or not. When it moves sshd
        again, the rule for the port of before goes one run later.
      - All these are opened in the owner's firewall too, which is expected to have the ports open that the owner gave sshd.
      - With O(mode=enforce) port 22 is let in beside them, since a move starts there.
    type: list
    elements: int
    default: []
  outside_interfaces:
    description:
      - Interfaces that lead outside although they are named like those of container engines, such as a bridge C(br-lan). What comes in
        at other interfaces with such names counts as the node's own containers, which O(mode=enforce) does not turn down.
    type: list
    elements: str
    default: []
  rollback_after:
    description: Seconds after which the node takes a closing table back that no fresh connection has confirmed.
    type: int
    default: 60
  confirm:
    description: Whether this call comes over the fresh connection. The action sets it; not for playbooks.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Let members through whatever firewall the node has
  rackforge.gpu_cluster.node_firewall:
    members: "{{ hostvars | rackforge.gpu_cluster.cluster_firewall(groups['all'], groups, inventory_hostname) }}"

- name: Close the node to everybody but members, SSH and visitors of a web site
  rackforge.gpu_cluster.node_firewall:
    mode: enforce
    members: "{{ hostvars | rackforge.gpu_cluster.cluster_firewall(groups['all'], groups, inventory_hostname) }}"
    owner_ports: [tcp/80, tcp/443]

- name: Take our rules out again
  rackforge.gpu_cluster.node_firewall:
    state: absent
"""

RETURN = r"""
active:
  description: The firewalls that are active on the node, without our own table.
  returned: success
  type: list
  elements: str
  sample: [firewalld]
note:
  description: What is worth knowing about the outcome, empty when there is nothing.
  returned: success
  type: str
  sample: no firewall is active on this node, so every port is as open as before; os_base_firewall=enforce closes it to strangers
trial:
  description: Whether a closing table was tried and confirmed over a fresh connection.
  returned: success
  type: bool
  sample: false
"""

from dataclasses import dataclass
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import sshd_config, sshd_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_change import (
    Changer,
    remembered_members,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_nft import (
    Chain,
    Closing,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_plan import (
    Difference,
    Parts,
    Seen,
    Wanted,
    as_wanted,
    compare,
    describe,
    parts_for,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_read import (
    Filters,
    read_file,
    ssh_connection,
    where,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.firewall_rules import (
    CONNECTION,
    FirewallError,
    Opened,
    address_in_hosts,
    opened,
    to_everybody,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_lock import alone_on_node

ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "mode": {"type": "str", "choices": ["auto", "enforce", "off"], "default": "auto"},
    "members": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "interface": {"type": "str", "default": ""},
            "sources": {"type": "list", "elements": "str", "required": True},
            "ports": {"type": "list", "elements": "str", "required": True},
        },
    },
    "owner_ports": {"type": "list", "elements": "str", "default": []},
    "ssh_ports": {"type": "list", "elements": "int", "default": []},
    "outside_interfaces": {"type": "list", "elements": "str", "default": []},
    "rollback_after": {"type": "int", "default": 60},
    "confirm": {"type": "bool", "default": False},
}

NO_FIREWALL = (
    "no firewall is active on this node, so every port is as open as before;"
    " os_base_firewall=enforce closes it to strangers"
)
LEFT_ALONE = "a hand-written ruleset of {} is active and was left alone"
LEFT_OUT = (
    "members of whom no address is known are not let in: {}; run again for all nodes when they"
    " answer"
)
NO_SSH = (
    "os_base_firewall=enforce: no sshd is seen listening on this node and this is no SSH"
    " connection, so the node might be closed to you; name the port in os_base_ssh_port"
)
NO_NFT = (
    "os_base_firewall=enforce needs the program nft, and this node has none; install the package"
    " nftables and run again"
)
ROLLED_BACK = (
    "os_base_firewall=enforce: the closing rules were taken back before a fresh SSH connection"
    " confirmed them, so strangers are not kept out. See 'journalctl --unit rackforge-firewall-rollback' on"
    " it, check over which port and path SSH reaches it, and run again"
)


@dataclass(frozen=True)
class Work:
    """What was read and what must become of it."""

    wanted: Wanted
    seen: Seen
    parts: Parts
    made: tuple[Chain, ...]
    saved: tuple[str, ...]
    difference: Difference
    clients: Opened


def own_ssh_ports() -> list[int]:
    """Return the ports to which our module ssh_daemon has moved sshd."""
    text = sshd_node.read(where(sshd_config.DROP_IN))
    block, _rest = sshd_config.without_block(sshd_node.read(where(sshd_config.MAIN)))
    own = sshd_config.parse_own(text or block)
    # While a port is on trial, our part names the port that the owner's sshd had as well.
    implied = own.trial and sshd_config.DEFAULT_PORT not in (own.trial, *own.before)
    return [port for port in own.ports if not implied or port != sshd_config.DEFAULT_PORT]


def wanted_of(params: dict[str, Any], ports_of_sshd: list[int]) -> tuple[Wanted, Opened]:
    """Return the rules that are asked for, and what is known of the members."""
    if params["state"] == "absent" or params["mode"] == "off":
        return Wanted(), Opened()
    address, port = ssh_connection()
    hosts, remembered = read_file("/etc/hosts"), remembered_members()

    def address_of(name: str) -> Optional[str]:
        if name == CONNECTION:
            return address or None
        return remembered.get(name) or address_in_hosts(hosts, name)

    clients = opened(params["members"], address_of)
    everybody = tuple(to_everybody(params["owner_ports"], "os_base_firewall_owner_ports"))
    moved_ssh = sorted({*params["ssh_ports"], *own_ssh_ports()})
    moved = to_everybody([f"tcp/{each}" for each in moved_ssh], "os_base_ssh_port")
    openings = (*clients.openings, *everybody, *moved)
    if params["mode"] != "enforce":
        return Wanted(openings), clients
    # The port of before stays, so that the table is the same before a move and after it.
    before = [sshd_config.DEFAULT_PORT] if moved_ssh else []
    ports = [each for each in [*ports_of_sshd, *moved_ssh, port, *before] if each]
    if not ports:
        raise FirewallError(NO_SSH)
    outside = tuple(params["outside_interfaces"])
    closing = Closing(tuple(sorted(set(ports))), clients.openings, everybody, outside)
    return Wanted(openings, closing), clients


def look(filters: Filters, params: dict[str, Any]) -> Work:
    """Return what the node has and what must become of it."""
    enforced = params["state"] == "present" and params["mode"] == "enforce"
    wanted, clients = wanted_of(params, filters.ssh_ports() if enforced else [])
    seen = filters.read(idle_too=params["state"] == "absent" or params["mode"] == "off")
    parts = parts_for(wanted, seen)
    made, saved = filters.made(parts)
    difference = compare(wanted, parts, seen, made, saved)
    return Work(wanted, seen, parts, made, tuple(saved), difference, clients)


def apply(changer: Changer, work: Work, params: dict[str, Any]) -> bool:
    """Do the work; return True when a closing table is loaded that must be confirmed."""
    difference, script = work.difference, work.parts.script
    changer.open(difference)
    if work.wanted.closing and (difference.table or changer.on_trial()):
        changer.take_out(difference.surplus)
        changer.try_out(script, params["rollback_after"])
        return True
    if changer.on_trial():
        changer.confirm()
    changer.take_out(difference.surplus)
    if difference.load:
        changer.load(script)
    if changer.lasting(script):
        changer.make_lasting(script)
    changer.end_trial()
    return False


def confirm(changer: Changer, work: Work) -> None:
    """Make lasting what a fresh connection has shown to be harmless."""
    if not changer.on_trial() or work.difference.table:
        raise FirewallError(ROLLED_BACK)
    changer.confirm()
    changer.make_lasting(work.parts.script)
    changer.end_trial()


def note(work: Work, params: dict[str, Any]) -> str:
    """Return what is worth telling."""
    if params["state"] == "absent":
        return ""
    by_hand = [name for name in work.seen.active() if name in ("nftables", "iptables")]
    if params["mode"] == "off" and by_hand:
        return LEFT_ALONE.format(" and ".join(by_hand))
    if params["mode"] == "auto" and not work.seen.active():
        return NO_FIREWALL
    unknown = [name for name in work.clients.unknown if name != CONNECTION]
    if unknown:
        return LEFT_OUT.format(", ".join(unknown))
    return ""


def run(module: AnsibleModule) -> dict[str, Any]:
    """Return the module's result."""
    params, command = module.params, Command(module)
    filters, changer = Filters(command), Changer(command, module)
    work = look(filters, params)
    if work.parts.text and not command.find("nft") and not module.check_mode:
        raise FirewallError(NO_NFT)
    absent = params["state"] == "absent"
    idle = filters.idle_zones() if absent and work.seen.runtime is None else []
    stops = params["mode"] == "off" and not absent and work.seen.has_manager
    filtering = work.wanted.closing or (work.wanted.openings and work.seen.active())
    members = work.clients.known if filtering else {}
    changed = bool(
        work.difference.any
        or stops
        or idle
        or changer.differs(work.parts.script)
        or not changer.knows(members)
    )
    trial = False
    if params["confirm"]:
        confirm(changer, work)
    elif changed and not module.check_mode:
        trial = apply(changer, work, params)
        changer.remember(members)
        if stops:
            changer.switch_off(work.seen.runtime is not None, work.seen.ufw_runs)
    if absent and not module.check_mode:
        changer.forget(idle)
    after = as_wanted(work.wanted, work.parts, work.seen, work.made, work.saved)
    return {
        "changed": changed,
        "active": work.seen.active(),
        "note": note(work, params),
        "needs_confirmation": trial,
        "diff": {"before": describe(work.seen), "after": describe(after)},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        with alone_on_node():
            result = run(module)
    except (FirewallError, CommandError) as error:
        module.fail_json(msg=f"{error}")
    if result["note"]:
        module.warn(result["note"])  # Ansible shows a text once, however many nodes say it.
    module.exit_json(**result)


if __name__ == "__main__":
    main()
