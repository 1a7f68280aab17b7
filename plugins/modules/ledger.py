#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record how a node stands before a role changes it, and put it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger
short_description: Record how a node stands before a role changes it, and put it back
version_added: 0.1.0
author: "rackforge contributors (@rackforge)"
description:
  - With O(state=recorded) a role declares what it may touch, once, before its first change. The
    module writes down how all of that stands, with copies of files, in C(/var/lib/rackforge).
  - With O(state=restored) the module compares the node with that record and undoes the
    difference. What was there before the record stays; what came since and is declared goes.
  - A later call with O(state=recorded) that declares more adds the new items as they stand then
    and never changes an older entry.
  - Roles are restored in the reverse order of their recording. When the last one is restored,
    C(/var/lib/rackforge) goes too.
attributes:
  check_mode:
    description: Predicts what would be recorded or undone and writes nothing.
    support: full
  diff_mode:
    description: Lists each thing that is undone, as it stands and as it will stand.
    support: full
options:
  state:
    description:
      - V(recorded) makes sure that the role has a record which covers the declared items.
      - V(restored) undoes what came since the record and then drops it. All declarations come
        from the record. Without a record nothing is done.
    type: str
    choices: [recorded, restored]
    default: recorded
  role:
    description: Name of the role, also used in the markers of O(blocks).
    type: str
    required: true
  packages:
    description:
      - Packages that the role installs, by the distribution's names.
      - Those that were not installed before are purged, and with them the dependencies that came
        with them and that nothing else needs. A package that an undeclared one needs stays and
        is reported.
    type: list
    elements: str
    default: []
  files:
    description: Files that the role writes or replaces as a whole (absolute paths).
    type: list
    elements: path
    default: []
  blocks:
    description:
      - Files in which the role keeps one block between the lines
        C(# BEGIN rackforge.gpu_cluster ROLE) and C(# END rackforge.gpu_cluster ROLE).
      - Only the block is cut out again. The file goes when it did not exist before and is empty
        without the block.
    type: list
    elements: path
    default: []
  directories:
    description:
      - Directories that the role, or the software it installs, creates and fills.
      - One that did not exist before is removed with everything in it, one that existed and was
        empty is emptied, any other is left alone. What is mounted inside is unmounted first.
      - Directories of the operating system are refused.
    type: list
    elements: path
    default: []
  units:
    description:
      - systemd units that the role starts, stops, enables, disables or masks.
      - A name with C(*) stands for units that appear by themselves, such as
        C(docker-*.scope).
    type: list
    elements: str
    default: []
  sysctls:
    description: Kernel settings whose running value the role, or its software, changes.
    type: list
    elements: str
    default: []
  users:
    description: Users that the role, or its software, creates. Home directories are not touched.
    type: list
    elements: str
    default: []
  groups:
    description: Groups that the role, or its software, creates.
    type: list
    elements: str
    default: []
  interfaces:
    description: Network interfaces that the software creates. C(*) matches any characters.
    type: list
    elements: str
    default: []
  images:
    description: Container images that the role pulls or loads. Those that were not there before are removed.
    type: list
    elements: str
    default: []
  firewall:
    description:
      - Whether the software is Docker, which writes packet-filter rules. Rules and chains of
        Docker that were not there before are removed, and the policy of FORWARD is put back.
    type: bool
    default: false
  keep:
    description:
      - Paths that O(state=restored) leaves as they are, for data that the owner wants.
      - A declared file or directory that equals, contains or lies in such a path is not touched.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Record how the node stands before the first change
  rackforge.gpu_cluster.ledger:
    role: docker
    packages: [docker.io]
    files: [/etc/docker/daemon.json]
    directories: [/var/lib/docker]
    units: [docker.service, docker.socket, containerd.service]
    groups: [docker]
    sysctls: [net.ipv4.ip_forward]
    interfaces: [docker0, "br-*"]
    firewall: true

- name: Undo what was recorded
  rackforge.gpu_cluster.ledger:
    state: restored
    role: docker

- name: Undo what was recorded, but leave the images
  rackforge.gpu_cluster.ledger:
    state: restored
    role: docker
    keep: [/var/lib/docker]
"""

RETURN = r"""
actions:
  description: What was undone, or would be in check mode, one sentence each, in order.
  returned: always
  type: list
  elements: str
  sample: [stop unit docker.service, purge package docker.io, delete file /etc/docker/daemon.json]
left:
  description: What could not be undone. When it is not empty the module fails and keeps the record.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The thing that is left.
      type: str
      sample: /var/lib/docker
    reason:
      description: Why it is left.
      type: str
      sample: is a mount point now; unmount it and run reset again
  sample: []
recorded:
  description: Whether the node has a record of the role now.
  returned: always
  type: bool
  sample: true
"""

import os
import re
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    LedgerError,
    RoleRecord,
    extend,
    names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_action import (
    FIRST,
    Action,
    Kind,
    Left,
    Plan,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_apply import Restorer
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_plan import (
    danger,
    plan_restore,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_read import NodeReader
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_store import Store
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_lock import alone_on_node

LISTS = (
    "packages",
    "files",
    "blocks",
    "directories",
    "units",
    "sysctls",
    "users",
    "groups",
    "interfaces",
    "images",
)
PASSES = 4


@dataclass(frozen=True)
class Outcome:
    """What one call did."""

    actions: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()
    before: str = ""
    after: str = ""
    recorded: bool = True
    changed: bool = False
    msg: str = ""

    def result(self) -> dict[str, Any]:
        """Return the module's result."""
        return {
            "changed": self.changed,
            "actions": list(self.actions),
            "left": [{"path": left.path, "reason": left.reason} for left in self.left],
            "diff": {"before": self.before, "after": self.after},
            "recorded": self.recorded,
            "msg": self.msg,
        }


def declaration(params: dict[str, Any]) -> Declaration:
    """Return what the task declares; raise LedgerError for what must not be declared."""
    if not re.match(r"[a-z][a-z0-9_]*$", params["role"]):
        raise LedgerError(f"role is '{params['role']}', expected the name of a role")
    for kind in ("files", "blocks", "directories", "keep"):
        for path in params[kind]:
            if not path.startswith("/") or os.path.normpath(path) != path:
                raise LedgerError(f"{kind} has '{path}', expected a plain absolute path")
    for path in params["directories"]:
        if danger(path):
            raise LedgerError(f"Refusing to declare directory {path}: it {danger(path)}")
    lists = {kind: tuple(dict.fromkeys(params[kind])) for kind in LISTS}
    return Declaration(firewall=params["firewall"], **lists)


def record(
    role: str, declared: Declaration, reader: NodeReader, store: Store, dry: bool
) -> Outcome:
    """Make sure that the ledger covers ``declared``."""
    ledger = store.load()
    known = ledger.get(role)
    more = declared.beyond(known.declared) if known else declared
    if known and more.empty():
        return Outcome(msg=f"The record of role {role} covers everything declared")
    now = reader.read(more)
    entry = extend(known, more, now) if known else RoleRecord(role, more, now)
    if not dry:
        store.save(ledger.put(entry), now.files)
    lines = [f"{kind}: {names(items)}\n" for kind, items in more.lists().items() if items]
    return Outcome(
        changed=True,
        recorded=not dry or known is not None,
        after="".join(lines),
        msg=f"Recorded how the node stands for role {role}",
    )


class Restoration:
    """One call with state=restored."""

    def __init__(self, role: str, reader: NodeReader, store: Store, keep: list[str]) -> None:
        self._role = role
        self._reader = reader
        self._store = store
        self._keep = keep

    def run(self, restorer: Restorer, dry: bool) -> Outcome:
        """Undo everything in the role's record and drop it."""
        ledger = self._store.load()
        known = ledger.get(self._role)
        if known is None:
            return Outcome(
                recorded=False, msg=f"Nothing of role {self._role} is recorded on this node"
            )
        plan = self._plan(known)
        done = list(plan.actions)
        if dry:
            return self._outcome(done, plan.left, recorded=True)
        reasons: dict[Action, str] = {}
        for _attempt in range(PASSES):
            if not plan.actions:
                break
            first = [action for action in plan.actions if action.kind in FIRST]
            reasons = restorer.apply(known, first or plan.actions)
            plan = self._plan(known)
            done += [action for action in plan.actions if action not in done]
        left = (*plan.left, *_unfinished(plan, reasons))
        if not left:
            self._store.save(ledger.without(self._role))
        return self._outcome(done, left, recorded=bool(left))

    def _plan(self, known: RoleRecord) -> Plan:
        present = self._reader.read(known.declared)
        return plan_restore(known, present, self._reader.outlook(known, present), self._keep)

    def _outcome(self, done: list[Action], left: tuple[Left, ...], recorded: bool) -> Outcome:
        lines = [action.diff() for action in done if action.kind is not Kind.RELOAD_SYSTEMD]
        return Outcome(
            actions=tuple(action.sentence() for action in done),
            left=left,
            before="".join(f"{before}\n" for before, _after in lines),
            after="".join(f"{after}\n" for _before, after in lines),
            recorded=recorded,
            changed=True,
            msg=f"Restored what stood before role {self._role}",
        )


def _unfinished(plan: Plan, reasons: dict[Action, str]) -> list[Left]:
    return [
        Left(action.thing(), reasons.get(action, f"did not {action.sentence()}"))
        for action in plan.actions
        if action.kind is not Kind.RELOAD_SYSTEMD
    ]


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    paths = ("files", "blocks", "directories", "keep")
    spec: dict[str, Any] = {
        "state": {"type": "str", "choices": ["recorded", "restored"], "default": "recorded"},
        "role": {"type": "str", "required": True},
        "firewall": {"type": "bool", "default": False},
    }
    for kind in (*LISTS, "keep"):
        elements = "path" if kind in paths else "str"
        spec[kind] = {"type": "list", "elements": elements, "default": []}
    return spec


def main() -> None:
    """Record or restore, and tell what happened."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    command = Command(module)
    reader, store = NodeReader(command), Store()
    role = module.params["role"]
    try:
        declared = declaration(module.params)
        with alone_on_node():
            if module.params["state"] == "recorded":
                outcome = record(role, declared, reader, store, module.check_mode)
            else:
                restoration = Restoration(role, reader, store, module.params["keep"])
                outcome = restoration.run(Restorer(command, reader, store), module.check_mode)
    except (LedgerError, CommandError, ValueError, OSError) as exc:
        module.fail_json(msg=f"Ledger of role {role}: {exc}", actions=[], left=[], recorded=False)
        return
    result = outcome.result()
    if outcome.left and not module.check_mode:
        things = "; ".join(f"{left.path}: {left.reason}" for left in outcome.left)
        result["msg"] = (
            f"Restored what could be restored of role {role}, but not: {things}. "
            f"The record is kept: settle these and run reset again"
        )
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
