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
  - O(state=restored) refuses to work when sudo was called by a user that came with the role, since that user could not come back.
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
      - Packages that the role installs or removes, by the distribution's names.
      - Those that were not installed before are purged, and with them the dependencies that came
        with them and that nothing else needs. A package that an undeclared one needs stays and
        is reported.
      - Those that were installed before and are gone are installed again, in the version that the node's repositories have then.
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
      - In O(touched), C(~USER/...) stands for a path in a user's home. While there is no such user, nothing is recorded of
        it. It goes with its user, who is to be declared in O(users).
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
    description:
      - Users that the role, or its software, creates.
      - With one that did not exist before goes the home that C(useradd) made, if nothing in it is the user's. It may hold copies of
        C(/etc/skel), empty files and directories, and in C(.ssh/authorized_keys) the block of O(blocks). Otherwise, or if that
        directory was there before, it stays and is named in RV(stays) and in a warning.
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
  memberships:
    description:
      - Memberships that the role may add, each as C(GROUP/USER). One that was not there before is taken away again.
    type: list
    elements: str
    default: []
  mounts:
    description:
      - Mount points at which the role mounts something.
      - What is mounted there, and was not before, is unmounted. When a server is dead, that takes 30 seconds.
      - A mount point that did not exist before is removed, unless there is something in it.
    type: list
    elements: path
    default: []
  data:
    description:
      - Directories that the role makes for data of the owner's.
      - One that did not exist before is removed when it is empty. Otherwise it stays and is named in RV(stays) and in a warning.
      - One that existed gets its mode and owner back.
    type: list
    elements: path
    default: []
  firewall:
    description:
      - Whether the software is Docker, which writes packet-filter rules. Rules and chains of
        Docker that were not there before are removed, and the policy of FORWARD is put back.
    type: bool
    default: false
  rules:
    description:
      - Software, other than Docker, that writes packet-filter rules.
      - The rules are recorded as they are. Taking out what came since is left to the software's own module, such as
        M(rackforge.gpu_cluster.k3s_leftovers), which is to run before O(state=restored).
    type: list
    elements: str
    choices: [k3s]
    default: []
  refresh:
    description:
      - Paths of O(files), O(blocks) or O(directories), and for each the command that makes its new content count.
      - When O(state=restored) has put such a path back, it runs the command, once for all its paths. The line is split as a shell
        would, but no shell runs it. What a killed call still owed, the next one runs.
      - A command that fails or is missing is reported in RV(left).
    type: dict
    default: {}
  touched:
    description:
      - Parts of the declaration. Each entry has some of the options O(packages), O(files), O(blocks), O(directories), O(units),
        O(sysctls), O(users), O(groups), O(interfaces), O(images), O(memberships), O(mounts), O(data), O(rules), O(firewall) and O(refresh).
        They are joined with those options themselves.
    type: list
    elements: dict
    default: []
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

- name: Record what two topics of a role are going to touch
  rackforge.gpu_cluster.ledger:
    role: os_base
    touched:
      - files: [/etc/default/grub.d/60-rackforge.cfg]
        refresh:
          /etc/default/grub.d/60-rackforge.cfg: update-grub
      - users: [ada]
        memberships: [video/ada]
        blocks: [~ada/.ssh/authorized_keys]

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
stays:
  description: What came since and stays because it holds the owner's data. This is no failure.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The thing that stays.
      type: str
      sample: /home/ada
    reason:
      description: Why it stays.
      type: str
      sample: holds /home/ada/train.py, which is its user's
  sample: []
recorded:
  description: Whether the node has a record of the role now.
  returned: always
  type: bool
  sample: true
"""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    Ledger,
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
    "memberships",
    "mounts",
    "data",
    "rules",
)
PATHS = ("files", "blocks", "directories", "mounts", "data")
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
    stays: tuple[Left, ...] = ()

    def result(self) -> dict[str, Any]:
        """Return the module's result."""
        return {
            "changed": self.changed,
            "actions": list(self.actions),
            "left": [asdict(left) for left in self.left],
            "stays": [asdict(stays) for stays in self.stays],
            "diff": {"before": self.before, "after": self.after},
            "recorded": self.recorded,
            "msg": self.msg,
        }


def declaration(params: Mapping[str, Any]) -> Declaration:
    """Return what the task declares; raise LedgerError for what must not be declared."""
    if not re.match(r"[a-z][a-z0-9_]*$", params["role"]):
        raise LedgerError(f"role is '{params['role']}', expected the name of a role")
    declared = _part(params)
    for part in params["touched"]:
        declared = declared.plus(_part(_checked(part)))
    for path in params["keep"]:
        _expect_plain("keep", path)
    return declared


def _checked(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return one entry of ``touched``; raise LedgerError when it is not like the options."""
    kinds: dict[str, Any] = dict.fromkeys(LISTS, (list, tuple))
    kinds.update(firewall=bool, refresh=dict)
    for kind, value in part.items():
        if kind not in kinds:
            known = ", ".join(kinds)
            raise LedgerError(f"touched has '{kind}', expected one of {known}")
        if not isinstance(value, kinds[kind]):
            kind_of = {"firewall": "a boolean", "refresh": "a dictionary"}.get(kind, "a list")
            raise LedgerError(f"touched has {kind} {value!r}, expected {kind_of}")
    return part


def _part(part: Mapping[str, Any]) -> Declaration:
    """Return what one entry of ``touched``, or the options themselves, declare."""
    lists = {kind: [str(item) for item in part.get(kind) or ()] for kind in LISTS}
    for kind in PATHS:
        lists[kind] = [os.path.expanduser(path) for path in lists[kind]]
        for path in lists[kind]:
            if kind != "blocks" or not re.match("~[^/]+/", path):
                _expect_plain(kind, path)
    for path in lists["directories"]:
        if danger(path):
            raise LedgerError(f"Refusing to declare directory {path}: it {danger(path)}")
    for name in lists["memberships"]:
        if not re.match("[^/]+/[^/]+$", name):
            raise LedgerError(f"memberships has '{name}', expected GROUP/USER")
    refresh = {str(path): str(line) for path, line in (part.get("refresh") or {}).items()}
    for path, line in refresh.items():
        _expect_plain("refresh", path)
        _expect_command(path, line)
    kinds = {kind: tuple(dict.fromkeys(items)) for kind, items in lists.items()}
    return Declaration(firewall=bool(part.get("firewall")), refresh=refresh, **kinds)


def _expect_plain(kind: str, path: str) -> None:
    if not path.startswith("/") or os.path.normpath(path) != path:
        raise LedgerError(f"{kind} has '{path}', expected a plain absolute path")


def _expect_command(path: str, line: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise LedgerError(f"refresh has '{line}' for {path}, which has {exc}") from exc
    if not words:
        raise LedgerError(f"refresh has no command for {path}, expected a program and arguments")


def at_home(declared: Declaration) -> Declaration:
    """Return ``declared`` with the homes of users that have come since it was made."""
    return replace(declared, blocks=tuple(os.path.expanduser(path) for path in declared.blocks))


def record(
    role: str, declared: Declaration, reader: NodeReader, store: Store, dry: bool
) -> Outcome:
    """Make sure that the ledger covers ``declared``."""
    ledger = store.load()
    known = ledger.get(role)
    more = declared.beyond(at_home(known.declared)) if known else declared
    if known and more.empty():
        return Outcome(msg=f"The record of role {role} covers everything declared")
    now = reader.read(more)
    entry = extend(known, more, now) if known else RoleRecord(role, more, now)
    if not dry:
        store.save(ledger.put(entry), now.files)
    lines = [f"{kind}: {names(items)}\n" for kind, items in more.lists().items() if items]
    lines += [f"refresh: {path}: {command}\n" for path, command in more.refresh.items()]
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
        caller = os.environ.get("SUDO_USER", "")
        if known.before.users.get(caller) is False:
            raise LedgerError(
                f"user {caller}, who called sudo, came with this role and would go with it. Nothing was "
                f"changed. Connect as root or as a user who was there before (ansible_user)"
            )
        plan = self._plan(known)
        done, stays = list(plan.actions), dict.fromkeys(plan.stays)
        if dry:
            return self._outcome(done, plan, (), recorded=True)
        reasons: dict[Action, str] = {}
        for _attempt in range(PASSES):
            if not plan.actions:
                break
            known = self._remember(ledger, known, plan)
            now = [action for action in plan.actions if action.kind in FIRST] or plan.actions
            reasons = restorer.apply(known, now)
            known = _refreshed(known, [action for action in now if action not in reasons])
            plan = self._plan(known)
            done += [action for action in plan.actions if action not in done]
            stays.update(dict.fromkeys(plan.stays))
        unfinished = _unfinished(plan, reasons)
        left = (*plan.left, *unfinished)
        self._store.save(ledger.put(known) if left else ledger.without(self._role))
        return self._outcome(done, replace(plan, stays=tuple(stays)), unfinished, bool(left))

    def _remember(self, ledger: Ledger, known: RoleRecord, plan: Plan) -> RoleRecord:
        """Write down whose command is due before anything moves: this run may be killed."""
        due = plan.due(known.declared.refresh)
        pending = tuple(dict.fromkeys((*known.pending, *due)))
        if pending != known.pending:
            known = replace(known, pending=pending)
            self._store.save(ledger.put(known))
        return known

    def _plan(self, known: RoleRecord) -> Plan:
        present = self._reader.read(known.declared)
        return plan_restore(known, present, self._reader.outlook(known, present), self._keep)

    def _outcome(
        self, done: list[Action], plan: Plan, unfinished: tuple[Left, ...], recorded: bool
    ) -> Outcome:
        lines = [action.diff() for action in done if action.kind is not Kind.RELOAD_SYSTEMD]
        return Outcome(
            actions=tuple(action.sentence() for action in done),
            left=(*plan.left, *unfinished),
            stays=plan.stays,
            before="".join(f"{before}\n" for before, _after in lines),
            after="".join(f"{after}\n" for _before, after in lines),
            recorded=recorded,
            changed=True,
            msg=f"Restored what stood before role {self._role}",
        )


def _unfinished(plan: Plan, reasons: dict[Action, str]) -> tuple[Left, ...]:
    return tuple(
        Left(action.thing(), reasons.get(action, f"did not {action.sentence()}"))
        for action in plan.actions
        if action.kind is not Kind.RELOAD_SYSTEMD
    )


def _refreshed(known: RoleRecord, done: list[Action]) -> RoleRecord:
    """Return ``known`` without the paths whose command is among ``done``."""
    ran = {action.target for action in done if action.kind is Kind.REFRESH}
    pending = tuple(path for path in known.pending if known.declared.refresh.get(path) not in ran)
    return replace(known, pending=pending)


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    spec: dict[str, Any] = {
        "state": {"type": "str", "choices": ["recorded", "restored"], "default": "recorded"},
        "role": {"type": "str", "required": True},
        "firewall": {"type": "bool", "default": False},
        "refresh": {"type": "dict", "default": {}},
        "touched": {"type": "list", "elements": "dict", "default": []},
    }
    for kind in (*LISTS, "keep"):
        elements = "path" if kind in (*PATHS, "keep") else "str"
        spec[kind] = {"type": "list", "elements": elements, "default": []}
    spec["rules"]["choices"] = ["k3s"]
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
        nothing: dict[str, Any] = {"actions": [], "left": [], "stays": []}
        module.fail_json(msg=f"Ledger of role {role}: {exc}", recorded=False, **nothing)
        return
    result = outcome.result()
    for stays in outcome.stays:
        module.warn(f"{stays.path} stays: it {stays.reason}")
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
