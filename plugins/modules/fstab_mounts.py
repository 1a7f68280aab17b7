#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have file systems mounted, now and at every boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fstab_mounts
short_description: Have file systems mounted, now and at every boot
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Mounts what is not mounted and keeps one marked block in C(/etc/fstab). A line stands there only for what could be mounted.
  - Every line gets C(nofail) and C(x-systemd.mount-timeout=30), and network file systems get C(_netdev), unless the options have their own value. So a
    server that is away never holds up the boot.
  - What the block has and the list does not, or has in another form, is unmounted first. When something uses it, that is an error, and its line stays.
  - When the new form cannot be mounted, the old one is mounted again.
  - A mount point with files in it, one that another line of C(/etc/fstab) has, and one where something else is mounted are errors, and then nothing
    at all is changed.
attributes:
  check_mode:
    support: full
    description: Says what would be mounted and unmounted; asks no server.
  diff_mode:
    support: full
    description: Shows the file before and after, and what is mounted.
  idempotent:
    support: full
    description: Compares with what the kernel has mounted, so an interrupted run is made good by the next.
options:
  owner:
    description: Whose block it is; it stands in the block's marks.
    type: str
    required: true
  mounts:
    description: What to have. An empty list unmounts what the block has, and takes the block out.
    type: list
    elements: dict
    required: true
    suboptions:
      source:
        description: What is mounted, such as C(nas.example:/datasets), a device, or for V(bind) a directory.
        type: str
        required: true
      path:
        description: Where, as an absolute path. It is made where it is missing (mode 0755).
        type: path
        required: true
      type:
        description: Type of the file system, such as V(nfs), V(nfs4), V(lustre), V(cifs), V(xfs), V(tmpfs), or V(bind).
        type: str
        default: nfs
      options:
        description:
          - Mount options, with commas between them.
          - When not set, V(nfs) gets C(vers=3,async,noatime,soft,rsize=1048576,wsize=1048576), the CVGL document's options for datasets. With C(soft), reading
            from a dead server fails after some minutes instead of hanging for ever; what was written meanwhile is lost, so C(soft) is for what is read.
          - When not set, V(nfs4) gets C(hard,noatime), after that document's options for services. Writers wait for their server and lose nothing.
          - When not set, others get C(defaults).
          - With C(noauto) there is a line but nothing is mounted.
        type: str
  timeout:
    description: Seconds for one mount.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Have datasets to read and checkpoints to write
  rackforge.gpu_cluster.fstab_mounts:
    owner: os_base
    mounts:
      - source: nas.example:/datasets
        path: /mnt/datasets
      - source: nas.example:/checkpoints
        path: /mnt/checkpoints
        type: nfs4
"""

RETURN = r"""
mounted:
  description: Mount points at which something was mounted, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/mnt/datasets]
unmounted:
  description: Mount points at which something was unmounted, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
from contextlib import suppress
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.fstab_mounts import (
    Mount,
    Mounted,
    Plan,
    Seen,
    cause_of_failure,
    fields,
    former,
    lines_after,
    mount_command,
    parse_mountinfo,
    plan_mounts,
    problems,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.marked_block import (
    with_lines,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_lock import alone_on_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    make_parents,
    place_text,
    read_text,
)

FSTAB = "/etc/fstab"
MOUNTINFO = "/proc/self/mountinfo"
FILESYSTEMS = "/proc/filesystems"
SYSTEMD = "/run/systemd/system"


class MountError(Exception):
    """Something cannot be mounted as it is wanted, and why."""


def look(owner: str, text: str, mounts: list[Mount]) -> Seen:
    """Return how the node stands; what is mounted is not entered, since its server may be dead."""
    others = with_lines(text, owner, [])
    rest = others.splitlines()
    ours = []
    for line in text.splitlines():
        if line in rest:
            rest.remove(line)
        elif fields(line):
            ours.append(line)
    mounted = parse_mountinfo(read_text(MOUNTINFO) or "")
    free = [mount.path for mount in mounts if mount.path not in mounted]
    return Seen(
        others=others,
        ours=tuple(ours),
        mounted=mounted,
        filled={path: inside for path in free for inside in _first_inside(path)},
        odd=frozenset(path for path in free if os.path.lexists(path) and not os.path.isdir(path)),
        same=frozenset(mount.path for mount in mounts if _is_bound(mount, mounted)),
    )


def _first_inside(path: str) -> list[str]:
    if not os.path.isdir(path):
        return []
    return [os.path.join(path, name) for name in sorted(os.listdir(path))[:1]]


def _is_bound(mount: Mount, mounted: dict[str, Mounted]) -> bool:
    if mount.type != "bind" or mount.path not in mounted:
        return False
    with suppress(OSError):
        return os.path.samefile(mount.source, mount.path)
    return False


class Mounter:
    """Carries out a plan, one file system after the other."""

    def __init__(self, command: Command, seconds: int) -> None:
        self._command = command
        self._bound = ("timeout", "--kill-after=5", str(seconds))

    def unmount(self, path: str) -> None:
        """Unmount what is at ``path``; raise MountError when something uses it."""
        result = self._command.run([*self._bound, "umount", "--", path])
        if result.rc != 0:
            raise MountError(
                f"{path} is to be unmounted for its new settings, and cannot be "
                f"({result.explain()}); see who uses it with 'fuser --verbose --mount {path}'"
            )

    def mount(self, mount: Mount) -> Optional[str]:
        """Mount one file system; return why that failed, with its mount point as it was."""
        made = _make(mount.path)
        result = self._command.run([*self._bound, *mount_command(mount)])
        if result.rc == 0:
            return None
        for path in reversed(made):
            with suppress(OSError):
                os.rmdir(path)
        kernel = read_text(FILESYSTEMS) or ""
        return cause_of_failure(mount, result.rc, result.err or result.out, kernel)

    def reload(self) -> None:
        """Let systemd read fstab again."""
        if os.path.isdir(SYSTEMD):
            self._command.need(["systemctl", "daemon-reload"])


def _make(path: str) -> list[str]:
    """Make a mount point; return the directories that were missing, the outermost first."""
    missing: list[str] = []
    folder = path
    while not os.path.isdir(folder):
        missing.insert(0, folder)
        folder = os.path.dirname(folder)
    make_parents(f"{path}/")
    return missing


def carry_out(
    module: AnsibleModule, mounter: Mounter, mounts: list[Mount], seen: Seen, plan: Plan
) -> None:
    """Unmount, mount, and write down what is mounted; raise MountError for what failed."""
    for path in plan.unmount:
        mounter.unmount(path)
    failed = {m.path: why for m in plan.mount for why in (mounter.mount(m),) if why}
    for path in set(failed) & set(plan.unmount):  # better the old settings than nothing
        old = former(path, seen)
        if old is not None:
            mounter.mount(old)
    for mount in mounts:
        if mount.by_hand:
            _make(mount.path)
    before = read_text(FSTAB)
    lines = lines_after(mounts, failed, seen)
    after = with_lines(before or "", module.params["owner"], lines)
    if after != (before or ""):
        place_text(module, FSTAB, after)
        mounter.reload()
    if failed:
        raise MountError("; ".join(f"{path}: {why}" for path, why in failed.items()))


def difference(before: str, after: str, plan: Plan) -> dict[str, str]:
    """Return the diff: fstab, and what the kernel has mounted."""
    going = "".join(f"(mounted) {path}\n" for path in plan.unmount)
    coming = "".join(f"(mounted) {mount.source} at {mount.path}\n" for mount in plan.mount)
    return {
        "before_header": FSTAB,
        "after_header": FSTAB,
        "before": before + going,
        "after": after + coming,
    }


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    mount = {
        "source": {"type": "str", "required": True},
        "path": {"type": "path", "required": True},
        "type": {"type": "str", "default": "nfs"},
        "options": {"type": "str"},
    }
    return {
        "owner": {"type": "str", "required": True},
        "mounts": {"type": "list", "elements": "dict", "required": True, "options": mount},
        "timeout": {"type": "int", "default": 30},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    params = module.params
    mounts = [
        Mount(m["source"], m["path"], m["type"], m["options"] or "") for m in params["mounts"]
    ]
    before = read_text(FSTAB) or ""
    seen = look(params["owner"], before, mounts)
    wrong = problems(mounts, seen)
    if wrong:
        module.fail_json(msg=f"Nothing was mounted: {'; '.join(wrong)}")
    plan = plan_mounts(mounts, seen)
    after = with_lines(before, params["owner"], [mount.line() for mount in mounts])
    changed = after != before or bool(plan.unmount or plan.mount)
    try:
        if changed and not module.check_mode:
            with alone_on_node():
                carry_out(module, Mounter(Command(module), params["timeout"]), mounts, seen, plan)
    except (MountError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not mount all that os_base_mounts lists: {error}")
    module.exit_json(
        changed=changed,
        mounted=[mount.path for mount in plan.mount],
        unmounted=list(plan.unmount),
        diff=difference(before, after, plan),
    )


if __name__ == "__main__":
    main()
