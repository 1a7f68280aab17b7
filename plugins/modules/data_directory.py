#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a directory for data, with room for it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: data_directory
short_description: Have a directory for data, with room for it
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Makes a directory with its missing parents (mode 0755), and sets its own mode and owner. What is in it is not touched.
  - Before that, and as long as the directory is empty, it looks whether its file system has room. Without it nothing is made.
attributes:
  check_mode:
    support: full
    description: Says what would be made, and finds a lack of room.
  diff_mode:
    support: full
    description: Shows state, mode and owner before and after.
  idempotent:
    support: full
    description: Compares with what is there.
options:
  path:
    description: The directory, not a top-level one.
    type: path
    required: true
  owner:
    description: Owner, by name or number.
    type: str
    default: root
  group:
    description: Group, by name or number.
    type: str
    default: root
  mode:
    description: Octal permissions.
    type: str
    default: "0755"
  free_gib:
    description: GiB that its file system must have free for other users than root, as long as the directory is empty.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Have room for models
  rackforge.gpu_cluster.data_directory:
    path: /srv/models
    group: gpu
    mode: "2775"
    free_gib: 200
"""

RETURN = r"""
free_gib:
  description: GiB that are free there.
  returned: success
  type: float
  sample: 812.4
place:
  description: The path, or its nearest parent that was there, whose file system was looked at.
  returned: success
  type: str
  sample: /srv
"""

import grp
import os
import pwd
import stat
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.data_directory import (
    GIB,
    Seen,
    Wanted,
    differences,
    problem,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import make_parents

_KINDS = ((stat.S_ISLNK, "link"), (stat.S_ISDIR, "directory"), (stat.S_ISREG, "file"))


def look(path: str) -> Seen:
    """Return how ``path`` stands."""
    place = path
    while not os.path.isdir(place) and place != "/":
        place = os.path.dirname(place)
    room = os.statvfs(place)
    free = room.f_bavail * room.f_frsize
    if not os.path.lexists(path):
        return Seen("absent", place, free)
    found = os.lstat(path)
    kind = next((name for test, name in _KINDS if test(found.st_mode)), "other")
    return Seen(
        kind=kind,
        place=place,
        free=free,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        empty=kind == "directory" and not os.listdir(path),
    )


def number(name: str, what: str, find: Callable[[str], int], may_come: bool) -> int:
    """Return the number of a user or group.

    When the node has none of that name: -1 if it may come before this is done, else ValueError.
    """
    if name.isdigit():
        return int(name)
    try:
        return find(name)
    except KeyError:
        if may_come:
            return -1
        message = f"this node has no {what} {name}; create it first, or give a number"
        raise ValueError(message) from None


def make(wanted: Wanted, seen: Seen) -> None:
    """Make the directory, or give it mode and owner."""
    make_parents(f"{wanted.path}/")
    if seen.kind == "absent" or (seen.uid, seen.gid) != (wanted.uid, wanted.gid):
        os.chown(wanted.path, wanted.uid, wanted.gid)
    os.chmod(wanted.path, int(wanted.mode, 8))  # after chown, which drops set-group-ID


def as_wanted(params: dict[str, Any], may_come: bool = False) -> Wanted:
    """Return what the task wants; raise ValueError for a user or group that is not there."""
    uid = number(params["owner"], "user", lambda name: pwd.getpwnam(name).pw_uid, may_come)
    gid = number(params["group"], "group", lambda name: grp.getgrnam(name).gr_gid, may_come)
    return Wanted(params["path"], params["mode"], uid, gid, params["free_gib"])


def main() -> None:
    """Run the module."""
    spec: dict[str, Any] = {
        "path": {"type": "path", "required": True},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "mode": {"type": "str", "default": "0755"},
        "free_gib": {"type": "int", "default": 0},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    path = module.params["path"]
    try:
        # In check mode an earlier task has only said that it would make them.
        wanted, seen = as_wanted(module.params, module.check_mode), look(path)
        wrong = problem(wanted, seen)
        if wrong:
            raise ValueError(wrong)
        found = differences(wanted, seen)
        if found and not module.check_mode:
            make(wanted, seen)
    except (ValueError, OSError) as error:
        module.fail_json(msg=f"Could not have the directory {path}: {error}")
        return
    diff = {
        "before": "".join(f"{path}: {name} {before}\n" for name, before, _after in found),
        "after": "".join(f"{path}: {name} {after}\n" for name, _before, after in found),
    }
    room = round(seen.free / GIB, 1)
    module.exit_json(changed=bool(found), free_gib=room, place=seen.place, diff=diff)


if __name__ == "__main__":
    main()
