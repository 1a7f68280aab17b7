#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have sshd notice dead connections, and listen on another port without a lock-out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_daemon
short_description: Have sshd notice dead connections, and listen on another port
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Keeps our settings of sshd in C(/etc/ssh/sshd_config.d/00-rackforge.conf). Where C(sshd_config) does not include that folder before it
    sets anything (OpenSSH before 8.2, EL 8), they stand in a marked block at its top. sshd takes the first value that it reads.
  - Nothing is changed when sshd rejects its present configuration. A new one is checked with C(sshd -T) before sshd is restarted.
    When that fails, or sshd does not listen afterwards, everything is put back.
  - A port is changed in two steps. sshd first listens on the old and the new port. Then the control node logs in at the new one, past every
    open connection, and makes sure that it is this node that answers. Only then the old port is closed, and the run goes on at
    the new one. When the login fails, the node is put back and the task fails with what was seen.
  - Where a socket of systemd's listens, the socket gets the port. On Ubuntu 24.04 a generator derives it from sshd's configuration, elsewhere it
    stands in a drop-in C(60-rackforge.conf) of the socket.
  - Lines of the owner's are never edited. Ports that they name stay open, with a warning that tells the line; so does a keep-alive value
    that sshd reads before ours.
  - A restart of sshd does not end sessions.
attributes:
  check_mode:
    support: full
    description:
      - Says what would be written and whether sshd would be restarted. The new port cannot be tried, so it is taken to work.
      - Where C(semanage) is still to be installed, labels for SELinux are not foreseen.
  diff_mode:
    support: full
    description: Shows the files before and after.
  idempotent:
    support: full
    description:
      - Compares the files with the daemon's start and its ports, so an interrupted run is made good by the next. A run that was killed between
        the two steps leaves both ports open.
      - In a marked block the whole of C(sshd_config) counts, so an edit of the owner's that sshd has not taken up yet is taken up as well.
options:
  state:
    description: V(present) has the settings, V(absent) takes them out again and returns to the ports of before.
    type: str
    choices: [present, absent]
    default: present
  keep_alive:
    description: Whether sshd notices dead connections, with C(TCPKeepAlive yes) and the two options below.
    type: bool
    default: true
  client_alive_interval_seconds:
    description: Seconds of silence after which sshd asks the client for a sign of life. The CVGL document has 30.
    type: int
    default: 30
  client_alive_count_max:
    description: Questions without an answer after which sshd ends the connection. The CVGL document has 3.
    type: int
    default: 3
  port:
    description: Port that sshd shall listen on instead of its present one, from 1 to 65535. When not set, ports stay as they are.
    type: int
  step:
    description: Which part of the change of ports this call is. The action plugin sets it; leave it alone.
    type: str
    choices: [try, keep, undo]
    default: try
  no_proof:
    description: Why the control node cannot try a port, empty when it can. The action plugin sets it; leave it alone.
    type: str
    default: ""
notes:
  - A change of ports needs the connection plugin P(ansible.builtin.ssh#connection).
  - Where SELinux does not know a port as sshd's, it is labelled with C(semanage), and the label is taken back on removal.
"""

EXAMPLES = r"""
- name: Notice dead connections
  rackforge.gpu_cluster.ssh_daemon:

- name: Move sshd away from port 22
  rackforge.gpu_cluster.ssh_daemon:
    port: 22332
  register: ssh_daemon

- name: Reach the node at its new port from here on
  ansible.builtin.set_fact:
    ansible_port: "{{ ssh_daemon.moved_to }}"
    ansible_ssh_port: "{{ ssh_daemon.moved_to }}"
  when: ssh_daemon.moved_to is defined
"""

RETURN = r"""
ports:
  description: Ports that sshd listens on by its configuration.
  returned: when the node runs sshd
  type: list
  elements: int
  sample: [22332]
restarted:
  description: Whether sshd was, or in check mode would be, restarted.
  returned: when the node runs sshd
  type: bool
  sample: true
remarks:
  description: What of the owner's stays or wins beside our settings; shown as warnings too.
  returned: when the node runs sshd
  type: list
  elements: str
  sample: ["ClientAliveInterval is 0 by /etc/ssh/sshd_config.d/00-a.conf:3, which sshd reads before our line; 30 does not apply"]
moved_to:
  description: Port at which the node must be reached from here on, by variables ansible_port and ansible_ssh_port.
  returned: when this task changed the port of its own connection
  type: int
  sample: 22332
"""

import contextlib
import os
import secrets
from dataclasses import replace
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import sshd_config as config
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import sshd_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import sshd_ports as ports
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_config import KeepAlive
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_node import (
    Seen,
    Sshd,
    SshdError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_ports import PortPlan
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text

#: What the login at a new port reads, to tell this node from another that answers there.
NONCE = "/run/rackforge.gpu_cluster.ssh-trial"


def keep_alive(params: dict[str, Any], seen: Seen, planned: PortPlan) -> Optional[KeepAlive]:
    """Return the values for our part, None when it shall have none."""
    if params["state"] == "absent":
        # Until the port of before is proven, our part stays but for its ports.
        stays = planned.proof or params["step"] == ports.UNDO
        return config.parse_keep_alive(seen.own) if stays else None
    if not params["keep_alive"]:
        return None
    return KeepAlive(params["client_alive_interval_seconds"], params["client_alive_count_max"])


def plan(sshd: Sshd, seen: Seen, params: dict[str, Any], check_mode: bool) -> PortPlan:
    """Return what our part shall say; raise SshdError for what would end in a lock-out."""
    absent, step = params["state"] == "absent", params["step"]
    found = ports.plan_ports(seen.ports, params["port"], absent, step)
    if found.proof and params["no_proof"]:
        raise SshdError(params["no_proof"])
    taker = sshd.taker(found.proof) if found.proof and found.proof not in seen.open else ""
    if taker:
        raise SshdError(
            f"tcp/{found.proof} is taken by {taker}, expected it to be free; choose another port"
        )
    if check_mode:
        # What the two steps come to, were the port proven.
        found = ports.plan_ports(seen.ports, params["port"], absent, ports.KEEP)
    return found


def labelled(
    sshd: Sshd, seen: Seen, planned: PortPlan, check_mode: bool
) -> tuple[PortPlan, tuple[int, ...]]:
    """Return the plan with the ports that must be labelled for SELinux noted, and these ports."""
    own = planned.own
    new = sshd.unlabelled(own, dry=check_mode)
    kept = [port for port in seen.ports.own.labelled if port in (*own.ports, *own.before)]
    noted = tuple(sorted({*kept, *new}))
    return replace(planned, own=replace(own, labelled=noted)), new


def apply(sshd: Sshd, seen: Seen, planned: PortPlan, own: str, labels: tuple[int, ...]) -> None:
    """Have sshd run with our part saying ``own``."""
    lines, base = planned.own.ports, seen.ports.explicit or seen.ports.default
    wanted = frozenset(lines) or sshd.bound(seen) & frozenset(base) or frozenset(base[:1])
    interim = own or sshd_node.STUB
    sshd.bring(seen, seen.texts(interim, lines), labels, wanted)
    old = [port for port in seen.ports.own.labelled if port not in planned.own.labelled]
    main = sshd_node.read(config.MAIN) if seen.in_block else seen.main
    if not own or old:
        sshd.finish(seen, replace(seen, main=main).texts(own, lines), tuple(old))


def shown(texts: sshd_node.Texts) -> str:
    """Return files as one text for a diff."""
    return "".join(f"==> {path}\n{text}" for path, text in texts.items() if text)


def handle_nonce(module: AnsibleModule, wanted: bool) -> str:
    """Return a word that stands in a file of this node for every login to read, if one is wanted."""
    if not wanted:
        if not module.check_mode:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(NONCE)
        return ""
    nonce = secrets.token_hex(16)
    write_text(module, NONCE, nonce + "\n")
    os.chmod(NONCE, 0o644)
    return nonce


def run(module: AnsibleModule, sshd: Sshd, seen: Seen) -> dict[str, Any]:
    """Return the module's result."""
    params, check_mode = module.params, module.check_mode
    planned = plan(sshd, seen, params, check_mode)
    alive = keep_alive(params, seen, planned)
    own = planned.own.text(alive)
    before = {path: sshd_node.read(path) or None for path in seen.texts("", ())}
    after = seen.texts(own, planned.own.ports)
    changed = before != after or not sshd.stands(seen)
    if changed:
        planned, labels = labelled(sshd, seen, planned, check_mode)
        own = planned.own.text(alive)
        after = seen.texts(own, planned.own.ports)
        if not check_mode:
            apply(sshd, seen, planned, own, labels)
    now = seen if check_mode or not changed else sshd.read() or seen
    remarks = [*ports.staying(planned, seen.explicit)]
    # What check mode predicts has not been written, so sshd cannot be asked about it.
    remarks += [] if check_mode else config.overruled(alive, now.effective, now.others)
    for remark in remarks:
        module.warn(remark)
    proof = 0 if check_mode else planned.proof
    return {
        "changed": changed,
        "restarted": changed,
        "ports": sorted(now.open),
        "remarks": remarks,
        "diff": {"before": shown(before), "after": shown(after)},
        "proof": proof,
        "nonce": handle_nonce(module, bool(proof)),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "keep_alive": {"type": "bool", "default": True},
            "client_alive_interval_seconds": {"type": "int", "default": 30},
            "client_alive_count_max": {"type": "int", "default": 3},
            "port": {"type": "int"},
            "step": {"type": "str", "choices": ["try", "keep", "undo"], "default": "try"},
            "no_proof": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    port = module.params["port"]
    if port is not None and not 0 < port < 65536:
        module.fail_json(msg=f"os_base_ssh_port is {port}, expected a port from 1 to 65535")
    sshd = Sshd(module, Command(module))
    try:
        seen = sshd.read()
        if seen is None and port is not None:
            raise SshdError("systemd runs no sshd here; see 'systemctl status ssh sshd'")
        result = {"changed": False} if seen is None else run(module, sshd, seen)
    except (SshdError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not configure sshd: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
