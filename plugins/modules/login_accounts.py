#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have groups and administrators with their keys and sudo rules."""

from __future__ import annotations

DOCUMENTATION = r"""
module: login_accounts
short_description: Have groups and administrators with their keys and sudo rules
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Makes the groups and users that are missing with C(groupadd), C(useradd) and C(usermod). New users have no password.
  - What is there is only extended. A user or group that is there under another number, or a user with another shell, is an error, and then
    nothing at all is changed. Users and groups that are no longer listed stay.
  - A home directory that is there without its user, as after a reset, goes to the new user, who gets the number of its owner.
  - Keys stand in a marked block of C(~/.ssh/authorized_keys); every other line of that file stays. The file and its directory are made for the user alone
    (0600 and 0700). Of those that are there, only what sshd would refuse is corrected, which is another owner or others' right to write.
  - A sudo rule stands in a file of its own, which C(visudo) approves before it counts.
attributes:
  check_mode:
    support: full
    description: Says what would be made.
  diff_mode:
    support: full
    description: Lists the accounts, and shows blocks and rules before and after.
  idempotent:
    support: full
    description: Compares with what is there, so an interrupted run is made good by the next.
options:
  owner:
    description: Whose block it is; it stands in the block's marks.
    type: str
    required: true
  groups:
    description: Groups to have.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      gid:
        description: Its number. When not set, the node chooses.
        type: int
  users:
    description: Users to have.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Login name.
        type: str
        required: true
      uid:
        description: User number. When not set, the node chooses.
        type: int
      groups:
        description: Groups to be in, besides the user's own. Other memberships stay.
        type: list
        elements: str
        default: []
      shell:
        description: Login shell. When not set, a new user gets C(/bin/bash).
        type: path
      keys:
        description:
          - Public keys of the block, one line each, with options before them if there are any.
          - Those that are no longer listed go out of the block. An empty list takes the block out; when not set, the block stays as it is.
        type: list
        elements: str
      sudo:
        description:
          - Whether the user may become anybody without a password, by the file C(/etc/sudoers.d/60-rackforge-NAME).
          - V(false) takes that file away; when not set, it stays as it is. Other rules are not touched.
        type: bool
"""

EXAMPLES = r"""
- name: Have an administrator who logs in with a key
  rackforge.gpu_cluster.login_accounts:
    owner: os_base
    groups:
      - name: gpu
        gid: 3000
    users:
      - name: ada
        groups: [gpu]
        keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxWb1v0m5v1 ada@laptop"]
        sudo: true
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: [add group gpu, add user ada, write keys of ada]
"""

import grp
import os
import pwd
import tempfile
from dataclasses import dataclass
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_home import (
    USERADD_DEFAULTS,
    home_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.login_accounts import (
    KEYS,
    Account,
    Group,
    Known,
    User,
    finds_keys,
    includes_rules,
    keys_elsewhere,
    plan_accounts,
    problems,
    sudo_rule,
    sudoers_path,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.marked_block import with_lines
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
)

SUDOERS = "/etc/sudoers"


class AccountError(Exception):
    """An account cannot be as it is wanted, and why."""


@dataclass(frozen=True)
class Change:
    """One difference: what is done, and a line or text for before and after."""

    sentence: str
    before: str = ""
    after: str = ""


def read_accounts(users: list[User]) -> Known:
    """Return the accounts of this node."""
    found = {
        entry.pw_name: Account(entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell)
        for entry in pwd.getpwall()
    }
    for user in users:  # of a directory service, which need not list its users
        if user.name not in found:
            try:
                entry = pwd.getpwnam(user.name)
            except KeyError:
                continue
            found[user.name] = Account(entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell)
    groups = grp.getgrall()
    defaults = read_text(USERADD_DEFAULTS) or ""
    wanted = {u.name: home_of(u.name, defaults) for u in users if u.name not in found}
    return Known(
        groups={entry.gr_name: entry.gr_gid for entry in groups},
        members={entry.gr_name: frozenset(entry.gr_mem) for entry in groups},
        users=found,
        homes={n: (h, os.lstat(h).st_uid) for n, h in wanted.items() if os.path.lexists(h)},
    )


class Accounts:
    """The node's accounts, as far as this call looks after them."""

    def __init__(self, module: AnsibleModule, command: Command) -> None:
        self._module = module
        self._command = command
        self._dry: bool = module.check_mode
        self.changes: list[Change] = []

    def have(self, groups: list[Group], users: list[User]) -> None:
        """Make everything that is missing, the accounts before their keys and rules."""
        known = read_accounts(users)
        wrong = problems(groups, users, known)
        wrong += [f"user {u.name}: {u.shell} is no program" for u in users if _no_shell(u)]
        wrong += [why for user in users for why in _links(user, known.users.get(user.name))]
        if wrong:
            raise AccountError("; ".join(wrong))
        for step in plan_accounts(groups, users, known):
            thing = step.sentence.split(" ", 1)[1]
            self.changes.append(Change(step.sentence, f"{thing}: no\n", f"{thing}: yes\n"))
            if not self._dry:
                self._command.need(step.argv)
        for user in users:
            if user.keys is not None:
                self._keys(user.name, user.keys)
            if user.sudo is not None:
                self._rule(user.name, user.sudo)

    def _keys(self, name: str, keys: tuple[str, ...]) -> None:
        try:
            account = pwd.getpwnam(name)
        except KeyError:  # check mode: the user is still to come
            block = with_lines("", self._module.params["owner"], keys)
            if block:
                self.changes.append(Change(f"write keys of {name}", "", block))
            return
        path = os.path.join(account.pw_dir, KEYS)
        before = read_text(path)
        after = with_lines(before or "", self._module.params["owner"], keys)
        if after != (before or ""):
            self.changes.append(Change(f"write keys of {name}", before or "", after))
            if not self._dry:
                self._make_home(name, account)
                self._place_keys(path, after, before is None, account)
        if after or before is not None:
            self._own(path, account)

    def _make_home(self, name: str, account: pwd.struct_passwd) -> None:
        if not os.path.isdir(account.pw_dir):
            self._command.need(["mkhomedir_helper", name])
        if not os.path.isdir(account.pw_dir):
            raise AccountError(f"user {name}: its home {account.pw_dir} is missing; make it first")

    def _place_keys(self, path: str, text: str, is_new: bool, account: pwd.struct_passwd) -> None:
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            os.chmod(folder, 0o700)
            os.chown(folder, account.pw_uid, account.pw_gid)
        place_text(self._module, path, text, 0o600 if is_new else None)
        if is_new:
            os.chown(path, account.pw_uid, account.pw_gid)

    def _own(self, path: str, account: pwd.struct_passwd) -> None:
        """Correct what sshd would refuse: another owner, or others' right to write."""
        for place in (os.path.dirname(path), path):
            if os.path.islink(place) or not os.path.exists(place):
                continue
            found = os.lstat(place)
            mode = found.st_mode & 0o7777
            if found.st_uid == account.pw_uid and not mode & 0o022:
                continue
            before = f"{place}: {mode:04o}, owner {found.st_uid}\n"
            after = f"{place}: {mode & ~0o022:04o}, owner {account.pw_uid}\n"
            self.changes.append(Change(f"let sshd accept {place}", before, after))
            if not self._dry:
                _correct(place, account)

    def _rule(self, name: str, wanted: bool) -> None:
        path = sudoers_path(name)
        before, after = read_text(path), sudo_rule(name) if wanted else None
        right = after is None or (before == after and os.stat(path).st_mode & 0o7777 == 0o440)
        if before == after and right:
            return
        what = f"let {name} use sudo" if wanted else f"take the sudo rule of {name} away"
        self.changes.append(Change(what, before or "", after or ""))
        if self._dry:
            return
        if after is not None:
            self._approve(name, after)
        place_text(self._module, path, after, None if after is None else 0o440)

    def _approve(self, name: str, rule: str) -> None:
        if not self._command.find("visudo"):
            raise AccountError(f"user {name}: the node has no visudo; install the package sudo")
        handle, draft = tempfile.mkstemp(dir=self._module.tmpdir)
        with os.fdopen(handle, "w") as file:
            file.write(rule)
        result = self._command.run(["visudo", "--check", f"--file={draft}"])
        os.unlink(draft)
        if result.rc != 0:
            raise AccountError(f"user {name}: sudo would not accept the rule: {result.explain()}")

    def warnings(self, users: list[User]) -> list[str]:
        """Return what keeps keys or rules from counting although they are in their place."""
        found = []
        if any(user.keys for user in users) and self._command.find("sshd"):
            settings = self._command.run(["sshd", "-T"])
            if settings.rc == 0 and not finds_keys(settings.out):
                found.append(
                    f"sshd looks for keys in {keys_elsewhere(settings.out)}, not in ~/{KEYS}, so the "
                    f"keys do not count; see AuthorizedKeysFile in the output of 'sshd -T'"
                )
        text: Optional[str] = read_text(SUDOERS) if any(user.sudo for user in users) else None
        if text is not None and not includes_rules(text):
            found.append(
                f"{SUDOERS} does not read /etc/sudoers.d, so the sudo rules do not count; add the line "
                f"'@includedir /etc/sudoers.d' with 'visudo'"
            )
        return found


def _no_shell(user: User) -> bool:
    return bool(user.shell) and not os.access(user.shell, os.X_OK)


def _correct(place: str, account: pwd.struct_passwd) -> None:
    """Give a user what lies at ``place``; a link that has come there meanwhile is an error."""
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fchmod(handle, os.fstat(handle).st_mode & 0o7777 & ~0o022)
        os.fchown(handle, account.pw_uid, account.pw_gid)
    finally:
        os.close(handle)


def _links(user: User, account: Optional[Account]) -> list[str]:
    """Return why keys cannot be looked after: root never goes through a user's links.

    An empty list counts: the owner and mode of the file are corrected for it too.
    """
    if account is None or user.keys is None:
        return []
    path = os.path.join(account.home, KEYS)
    return [
        f"user {user.name}: {place} is a link, expected a plain one; replace it first"
        for place in (os.path.dirname(path), path)
        if os.path.islink(place)
    ]


def as_user(entry: dict[str, Any]) -> User:
    """Return one entry of ``users``."""
    keys = entry["keys"]
    return User(
        name=entry["name"],
        uid=entry["uid"],
        groups=tuple(dict.fromkeys(entry["groups"] or ())),
        shell=entry["shell"] or "",
        keys=None if keys is None else tuple(dict.fromkeys(key.strip() for key in keys)),
        sudo=entry["sudo"],
    )


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    name = {"type": "str", "required": True}
    user = {
        "name": name,
        "uid": {"type": "int"},
        "groups": {"type": "list", "elements": "str", "default": []},
        "shell": {"type": "path"},
        "keys": {"type": "list", "elements": "str", "no_log": False},
        "sudo": {"type": "bool"},
    }
    group = {"name": name, "gid": {"type": "int"}}
    return {
        "owner": {"type": "str", "required": True},
        "groups": {"type": "list", "elements": "dict", "default": [], "options": group},
        "users": {"type": "list", "elements": "dict", "default": [], "options": user},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    accounts = Accounts(module, Command(module))
    groups = [Group(entry["name"], entry["gid"]) for entry in module.params["groups"]]
    users = [as_user(entry) for entry in module.params["users"]]
    try:
        accounts.have(groups, users)
        warnings = accounts.warnings(users)
    except (AccountError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not have the groups and users that are wanted: {error}")
        return
    for warning in warnings:
        module.warn(warning)
    module.exit_json(
        changed=bool(accounts.changes),
        actions=[change.sentence for change in accounts.changes],
        diff={
            "before": "".join(change.before for change in accounts.changes),
            "after": "".join(change.after for change in accounts.changes),
        },
    )


if __name__ == "__main__":
    main()
