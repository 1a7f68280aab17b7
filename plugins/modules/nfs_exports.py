#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have directories offered over NFS."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nfs_exports
short_description: Have directories offered over NFS
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes one file below C(/etc/exports.d), has the server running and started at boot, and lets it read the file. The owner's C(/etc/exports) is left alone.
  - When the server does not start, for want of NFS in the kernel for example, file and unit are put back as they were.
  - Needs the server's package (C(nfs-kernel-server) or C(nfs-utils)).
attributes:
  check_mode:
    support: full
    description: Says what would be written and started.
  diff_mode:
    support: full
    description: Shows the file and the unit's state before and after.
  idempotent:
    support: full
    description: Compares the file's time with that of the server's table, so an interrupted run is made good by the next.
options:
  path:
    description: The file. Its name must end with C(.exports).
    type: path
    default: /etc/exports.d/rackforge.exports
  exports:
    description: What to offer.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The directory. It must be there.
        type: path
        required: true
      clients:
        description:
          - Addresses, networks such as C(10.1.0.0/24), host names, or C(@netgroup).
          - C(*), which is everybody, is refused unless the options let clients only read. NFS without Kerberos believes each client who it says it is.
        type: list
        elements: str
        required: true
      options:
        description: Export options. When not set, C(rw,sync,no_subtree_check). Root of a client is nobody here, unless the options have C(no_root_squash).
        type: str
  unit:
    description: The server's unit.
    type: str
    default: nfs-server.service
"""

EXAMPLES = r"""
- name: Offer the datasets to the cluster's network
  rackforge.gpu_cluster.nfs_exports:
    exports:
      - path: /srv/datasets
        clients: [10.1.0.0/24]
        options: ro,no_subtree_check
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [write /etc/exports.d/rackforge.exports, enable nfs-server.service, export]
"""

import os
from dataclasses import dataclass
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nfs_exports import (
    Export,
    problems,
    text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
)

TABLE = "/var/lib/nfs/etab"
FILESYSTEMS = "/proc/filesystems"


@dataclass(frozen=True)
class Unit:
    """The server's unit as systemctl shows it."""

    active: bool
    enabled: bool


@dataclass(frozen=True)
class Work:
    """What differs: the file, the unit's two states, and the server's table."""

    write: bool
    start: bool
    enable: bool
    export: bool

    def actions(self, path: str, unit: str) -> list[str]:
        """Return the sentences."""
        rows = (
            (self.write, f"write {path}"),
            (self.enable, f"enable {unit}"),
            (self.start, f"start {unit}"),
            (self.export, "export"),
        )
        return [sentence for due, sentence in rows if due]


class Server:
    """The node's NFS server."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._command = Command(module)
        self._path: str = module.params["path"]
        self._unit: str = module.params["unit"]

    def unit(self) -> Unit:
        """Return how the unit stands; one that is not there yet neither runs nor is enabled."""
        argv = ["systemctl", "show", "--property=ActiveState,UnitFileState", "--", self._unit]
        lines = self._command.need(argv).splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        return Unit(found.get("ActiveState") == "active", found.get("UnitFileState") == "enabled")

    def work(self, before: Optional[str], after: str, unit: Unit) -> Work:
        """Return what differs from what is wanted."""
        write = before != after
        stale = not write and unit.active and not _is_older(self._path, TABLE)
        return Work(write, not unit.active, not unit.enabled, (write and unit.active) or stale)

    def apply(self, work: Work, before: Optional[str], after: str) -> None:
        """Carry out the work; put everything back when the server does not take it."""
        if work.write:
            place_text(self._module, self._path, after, 0o644)
        try:
            if work.start or work.enable:
                self._command.need(["systemctl", "enable", "--now", "--", self._unit])
            if work.export:
                self._command.need(["exportfs", "-ra"])
        except CommandError as error:
            self._put_back(work, before)
            raise CommandError(f"{error}{_hint()}") from error

    def _put_back(self, work: Work, before: Optional[str]) -> None:
        if work.write:
            place_text(self._module, self._path, before)
        if work.enable:
            self._command.run(["systemctl", "disable", "--", self._unit])
        if work.start:
            self._command.run(["systemctl", "stop", "--", self._unit])
            self._command.run(["systemctl", "reset-failed", "--", self._unit])
        elif work.export:
            self._command.run(["exportfs", "-ra"])


def _is_older(path: str, other: str) -> bool:
    """Return whether ``path`` was last written before ``other`` was."""
    try:
        return os.stat(path).st_mtime_ns <= os.stat(other).st_mtime_ns
    except OSError:
        return False


def _hint() -> str:
    if "nfsd" in (read_text(FILESYSTEMS) or ""):
        return "; see 'journalctl --unit nfs-server.service' on the node"
    return "; this node's kernel has no NFS server, see 'modprobe nfsd'"


def as_exports(entries: list[dict[str, Any]]) -> list[Export]:
    """Return the exports that the task lists."""
    return [Export(e["path"], tuple(e["clients"]), e["options"] or "") for e in entries]


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    export = {
        "path": {"type": "path", "required": True},
        "clients": {"type": "list", "elements": "str", "required": True},
        "options": {"type": "str"},
    }
    return {
        "path": {"type": "path", "default": "/etc/exports.d/rackforge.exports"},
        "exports": {"type": "list", "elements": "dict", "required": True, "options": export},
        "unit": {"type": "str", "default": "nfs-server.service"},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    path, name = module.params["path"], module.params["unit"]
    exports = as_exports(module.params["exports"])
    wrong = problems(exports)
    wrong += [
        f"{e.path}: is no directory on this node" for e in exports if not os.path.isdir(e.path)
    ]
    if wrong:
        module.fail_json(msg=f"Nothing was exported: {'; '.join(wrong)}")
    server, before, after = Server(module), read_text(path), text(exports)
    try:
        unit = server.unit()
        work = server.work(before, after, unit)
        if not module.check_mode:
            server.apply(work, before, after)
    except (CommandError, OSError) as error:
        module.fail_json(msg=f"Could not offer what os_base_nfs_exports lists: {error}")
        return
    actions = work.actions(path, name)
    diff = {
        "before": (before or "") + ("" if unit.active else f"({name}) stopped\n"),
        "after": after + ("" if unit.active else f"({name}) running\n"),
    }
    module.exit_json(changed=bool(actions), actions=actions, diff=diff)


if __name__ == "__main__":
    main()
