#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take out of a node what k3s leaves behind when its unit stops."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_leftovers
short_description: Take out of a node what k3s leaves behind when its unit stops
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Stops and disables the units of k3s, ends what outlives them, and takes out mounts, network namespaces, interfaces, routes to
    pods, packet-filter rules and IP sets.
  - Run it before M(rackforge.gpu_cluster.ledger) restores the role, which takes out files, directories and kernel settings.
  - Without the ledger's record of a role that brought k3s, and where k3s was there before that record, it does nothing.
  - The interfaces and mount points are those of C(k3s-killall.sh) in C(install.sh) of k3s-io/k3s. Other than that script it tells
    processes by where their program lies and by their control group, and deletes rules one by one. Another container engine's
    processes, network namespaces and rules stay, also those that the same CNI plugins made for it.
  - Rules and interfaces that were there before the record stay. So does what C(/etc/fstab) mounts.
  - Where the node has no C(iptables), C(ipset) or C(ip), it takes those that k3s brought along. Where there are none at all, there are
    no rules to take out.
  - Kernel modules stay loaded.
attributes:
  check_mode:
    support: full
    description: Lists what would go.
  diff_mode:
    support: full
    description: Lists what goes.
  idempotent:
    support: full
    description: A second call finds nothing. A call that was killed is made good by the next one.
options:
  role:
    description: The role in whose record the ledger says how the node stood before.
    type: str
    default: k3s
  state:
    description:
      - With V(absent) everything goes.
      - With V(leaving) nothing goes, but systemd does not start C(k3s.service) again when it ends. For one of two servers, just before the
        other one takes it out of etcd. Its k3s ends then, and started again it would join again.
      - V(leaving) lasts until V(absent), or until the node boots.
    type: str
    choices: [absent, leaving]
    default: absent
"""

EXAMPLES = r"""
- name: End what k3s left running
  rackforge.gpu_cluster.k3s_leftovers:

- name: Keep a server from coming back while the other one takes it out
  rackforge.gpu_cluster.k3s_leftovers:
    state: leaving
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, one sentence each.
  returned: always
  type: list
  elements: str
  sample: [stop and disable unit k3s.service, unmount /var/lib/kubelet/pods/8f3/volumes/token, delete interface cni0]
ours:
  description: Whether k3s came with this collection. If not, nothing was touched.
  returned: always
  type: bool
  sample: true
"""

from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_leftovers import is_ours
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_leftovers_node import (
    LeftoverError,
    Node,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import LedgerError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_store import Store
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_lock import alone_on_node

#: What was found may have let go of something else: nothing may be left in the end.
PASSES = 3


def clear(node: Node, dry: bool) -> list[str]:
    """Take everything out; return what was done."""
    done: list[str] = []
    for _attempt in range(PASSES):
        found = node.look()
        done += [sentence for sentence in found.sentences() if sentence not in done]
        if dry or found.empty():
            return done
        node.take_out(found)
    left = node.look()
    if not left.empty():
        raise LeftoverError(f"still to do after {PASSES} attempts: {'; '.join(left.sentences())}")
    return done


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "default": "k3s"},
            "state": {"type": "str", "choices": ["absent", "leaving"], "default": "absent"},
        },
        supports_check_mode=True,
    )
    result: dict[str, Any] = {"changed": False, "actions": [], "ours": False}
    try:
        with alone_on_node():
            record = Store().load().get(module.params["role"])
            if record is not None and is_ours(record):
                node = Node(Command(module), record.before)
                leaves = module.params["state"] == "leaving"
                act = node.leave if leaves else partial(clear, node)
                done = act(module.check_mode)
                diff = {"before": "".join(f"{line}\n" for line in done), "after": ""}
                result.update(changed=bool(done), actions=done, ours=True, diff=diff)
    except (LeftoverError, CommandError, LedgerError, OSError) as error:
        module.fail_json(
            msg=f"k3s could not be taken out: {error}. What went is gone; "
            "run the same command again, which goes on"
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
