#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have packages of the distribution installed, through its command line."""

from __future__ import annotations

DOCUMENTATION = r"""
module: system_packages
short_description: Have packages of the distribution installed
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Installs what is missing with C(apt-get) or C(dnf), and does nothing at all when nothing is.
  - Needs no Python bindings on the node. M(ansible.builtin.apt) would install python3-apt for its own use, and those of dnf
    exist on EL 8 only for a Python that current ansible-core does not support.
  - An installation that was cut in half before (C(dpkg --configure -a)) is finished first; another one that runs is waited for.
attributes:
  check_mode:
    support: full
    description: Says which packages would be installed.
  diff_mode:
    support: full
    description: Lists the packages that come.
  idempotent:
    support: full
    description: Without a missing package no index is fetched.
options:
  names:
    description: Packages to have.
    type: list
    elements: str
    required: true
  index_age:
    description: Seconds for which a fetched package index is taken as fresh.
    type: int
    default: 86400
  lock_timeout:
    description: Seconds to wait for another package manager to finish.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Have what a node needs
  rackforge.gpu_cluster.system_packages:
    names: [rsync, pciutils]
"""

RETURN = r"""
missing:
  description: Packages that were missing.
  returned: success
  type: list
  elements: str
  sample: [rsync]
"""

import glob
import os
import time
from typing import Union

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
    Result,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.packages import (
    INTERRUPTED,
    cause_of_failure,
    installed_dpkg,
    is_locked,
)

POLL_SECONDS = 1.0


class Apt:
    """Debian's family."""

    def __init__(self, command: Command, index_age: int, lock_timeout: int) -> None:
        self._command = command
        self._index_age = index_age
        self._lock = f"DPkg::Lock::Timeout={lock_timeout}"
        self._deadline = time.monotonic() + lock_timeout

    def missing(self, names: list[str]) -> list[str]:
        """Return the packages that are not installed completely."""
        form = "${Package}\\t${db:Status-Status}\\n"
        out = self._command.run(["dpkg-query", "--show", "--showformat", form, *names]).out
        present = installed_dpkg(out)
        return [name for name in names if name not in present]

    def install(self, names: list[str]) -> None:
        """Install the packages, with a new index when the present one is old or not enough."""
        fresh = self._index_is_fresh()
        if not fresh:
            self._update()
        result = self._get(names)
        if result.rc != 0 and INTERRUPTED in result.err:
            self._wait_for_lock(["dpkg", "--configure", "-a"])
            result = self._get(names)
        if result.rc != 0 and fresh:  # The index is young, yet what it names may be gone.
            self._update()
            result = self._get(names)
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, names))

    def _get(self, names: list[str]) -> Result:
        keep = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
        options = ["--yes", "--no-install-recommends", "-o", self._lock, *keep]
        return self._wait_for_lock(["apt-get", "install", *options, *names])

    def _update(self) -> None:
        result = self._wait_for_lock(["apt-get", "update", "--error-on=any"])
        if result.rc != 0:
            result = self._wait_for_lock(["apt-get", "update"])
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, []))

    def _wait_for_lock(self, argv: list[str]) -> Result:
        """Return how a command ended that does not wait for each of apt's locks by itself."""
        while True:
            result = self._command.run(argv)
            late = time.monotonic() >= self._deadline
            if result.rc == 0 or late or not is_locked(result.err):
                return result
            time.sleep(POLL_SECONDS)

    def _index_is_fresh(self) -> bool:
        lists = glob.glob("/var/lib/apt/lists/*_Packages*") + glob.glob(
            "/var/lib/apt/lists/*Release"
        )
        stamp = [os.path.getmtime("/var/lib/apt/lists")] if lists else []
        return bool(stamp) and time.time() - max(stamp) < self._index_age


class Dnf:
    """Red Hat's family."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def missing(self, names: list[str]) -> list[str]:
        """Return the packages that are not installed, under this or another package's name."""
        query = ["rpm", "--query", "--whatprovides"]
        return [name for name in names if self._command.run([*query, name]).rc != 0]

    def install(self, names: list[str]) -> None:
        """Install the packages."""
        result = self._command.run(["dnf", "--assumeyes", "install", *names])
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, names))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "index_age": {"type": "int", "default": 86400},
            "lock_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    params, command = module.params, Command(module)
    if command.find("apt-get"):
        manager: Union[Apt, Dnf] = Apt(command, params["index_age"], params["lock_timeout"])
    elif command.find("dnf"):
        manager = Dnf(command)
    else:
        module.fail_json(
            msg="This node has neither apt-get nor dnf; see the README's support table"
        )
    missing = manager.missing(params["names"])
    if missing and not module.check_mode:
        try:
            manager.install(missing)
        except CommandError as error:
            module.fail_json(msg=f"Could not install {', '.join(missing)}: {error}")
    diff = {"before": "", "after": "".join(f"{name}\n" for name in missing)}
    module.exit_json(changed=bool(missing), missing=missing, diff=diff)


if __name__ == "__main__":
    main()
