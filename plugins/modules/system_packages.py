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
  - Takes no package away for another, unless O(replace) names it.
attributes:
  check_mode:
    support: full
    description: Says which packages would be installed and which files written.
  diff_mode:
    support: full
    description: Lists the packages that come, and shows O(files).
  idempotent:
    support: full
    description: Without a missing package no index is fetched.
options:
  names:
    description: Packages to have.
    type: list
    elements: str
    required: true
  newest:
    description:
      - Whether packages that are there get the newest version that the node's repositories have, for upgrades. The index is fetched anew for
        it; check mode asks the one that is there.
      - An older version than the one that is there is never installed. Not together with O(source_dir).
    type: bool
    default: false
  index_age:
    description: Seconds for which a fetched package index is taken as fresh.
    type: int
    default: 86400
  lock_timeout:
    description: Seconds to wait for another package manager to finish.
    type: int
    default: 300
  files:
    description:
      - Files that name repositories to the package manager, by their path. They are written first; where one changed, the index
        is fetched anew before an installation.
      - When the installation fails they are put back.
    type: dict
    default: {}
  remove_on_failure:
    description: Files that go when the installation fails, such as a key that an earlier task of this play has brought.
    type: list
    elements: path
    default: []
  replace:
    description: Installed packages that may be taken away where they conflict with the new ones.
    type: list
    elements: str
    default: []
  replace_input:
    description: Name of the input that fills O(replace), for messages.
    type: str
    default: ""
  hold_units:
    description:
      - Units that the packages must not start while they are installed, since their settings come later. They are masked until the next
        boot at most, and no longer than the installation takes.
    type: list
    elements: str
    default: []
  source_dir:
    description:
      - Folder on the control node with packages (.deb or .rpm) to install instead of asking repositories, which are left alone
        then. Everything that these packages need must be in it or on the node.
      - It is brought to the node only when something is missing.
    type: path
  source_input:
    description: Name of the input that fills O(source_dir), for messages.
    type: str
    default: source_dir
  source_file:
    description: The folder as an archive on the node; filled in by the control node's half.
    type: path
"""

EXAMPLES = r"""
- name: Have what a node needs
  rackforge.gpu_cluster.system_packages:
    names: [rsync, pciutils]

- name: Have a package from a repository of its own
  rackforge.gpu_cluster.system_packages:
    names: [docker-ce]
    files:
      /etc/apt/sources.list.d/docker.sources: "{{ repository }}"
    hold_units: [docker.service]
"""

RETURN = r"""
missing:
  description: Packages that were missing.
  returned: success
  type: list
  elements: str
  sample: [rsync]
outdated:
  description: Packages of which a newer version came, or would come, with O(newest).
  returned: success
  type: list
  elements: str
  sample: [prometheus]
files_changed:
  description: Those of O(files) that were written, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/apt/sources.list.d/docker.sources]
"""

import os
import shutil
import tarfile
import tempfile
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.package_managers import (
    Apt,
    Dnf,
    Manager,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import place_text


def read(path: str) -> Optional[str]:
    """Return a file's text, None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return None


class Installation:
    """One installation, of which nothing stays when it fails."""

    def __init__(self, module: AnsibleModule, command: Command, manager: Manager) -> None:
        self._module = module
        self._command = command
        self._manager = manager

    def run(self, missing: list[str], differing: dict[str, Optional[str]]) -> list[str]:
        """Write the files and install what is missing, and newer versions where they are wanted.

        The names of these are returned. CommandError is raised after taking everything back.
        """
        params = self._module.params
        outdated: list[str] = []
        try:
            for path in differing:
                place_text(self._module, path, params["files"][path])
            # Only now, since the files may name another release.
            outdated = newer(self._module, self._manager, missing)
            if missing or outdated:
                self._install([*missing, *outdated], stale=bool(differing))
        except (CommandError, OSError) as error:
            for path, text in differing.items():
                place_text(self._module, path, text)
            for path in params["remove_on_failure"]:
                place_text(self._module, path, None)
            raise CommandError(str(error)) from error
        return outdated

    def _install(self, missing: list[str], stale: bool) -> None:
        units = self._module.params["hold_units"]
        if units:
            self._command.need(["systemctl", "mask", "--runtime", *units])
        try:
            if self._module.params["source_file"]:
                self._install_archive()
            else:
                self._manager.install(missing, stale)
        finally:
            if units:
                self._command.run(["systemctl", "unmask", "--runtime", *units])

    def _install_archive(self) -> None:
        folder = tempfile.mkdtemp(dir=self._module.tmpdir)
        try:
            with tarfile.open(self._module.params["source_file"]) as archive:
                names = [m for m in archive.getmembers() if m.isfile() and "/" not in m.name]
                for member in names:
                    archive.extract(member, folder)
            paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
            wanted = [path for path in paths if path.endswith(self._manager.ending)]
            if not wanted:
                raise CommandError(f"the folder holds no file that ends in {self._manager.ending}")
            self._manager.install_files(wanted)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    return {
        "names": {"type": "list", "elements": "str", "required": True},
        "newest": {"type": "bool", "default": False},
        "index_age": {"type": "int", "default": 86400},
        "lock_timeout": {"type": "int", "default": 300},
        "files": {"type": "dict", "default": {}},
        "remove_on_failure": {"type": "list", "elements": "path", "default": []},
        "replace": {"type": "list", "elements": "str", "default": []},
        "replace_input": {"type": "str", "default": ""},
        "hold_units": {"type": "list", "elements": "str", "default": []},
        "source_dir": {"type": "path"},
        "source_input": {"type": "str", "default": "source_dir"},
        "source_file": {"type": "path"},
    }


def newer(module: AnsibleModule, manager: Manager, missing: list[str]) -> list[str]:
    """Return the packages that are there and of which a newer version is wanted."""
    names = [name for name in module.params["names"] if name not in missing]
    if not module.params["newest"] or not names:
        return []
    try:
        return manager.outdated(names, module.check_mode)
    except CommandError as error:
        raise CommandError(f"could not look for newer versions: {error}") from error


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    params, command = module.params, Command(module)
    if command.find("apt-get"):
        manager: Manager = Apt(command, params)
    elif command.find("dnf"):
        manager = Dnf(command, params)
    else:
        module.fail_json(
            msg="This node has neither apt-get nor dnf; see the README's support table"
        )
    missing = manager.missing(params["names"])
    outdated: list[str] = []
    present = {path: read(path) for path in params["files"]}
    differing = {path: text for path, text in present.items() if text != params["files"][path]}
    needs_source = bool(missing and params["source_dir"] and not params["source_file"])
    try:
        if module.check_mode:
            outdated = newer(module, manager, missing)
        elif not needs_source:
            outdated = Installation(module, command, manager).run(missing, differing)
    except CommandError as error:
        names = ", ".join(missing or params["names"])
        module.fail_json(msg=f"Could not install {names}: {error}")
    diff = [
        {
            "before_header": path,
            "after_header": path,
            "before": text or "",
            "after": params["files"][path],
        }
        for path, text in differing.items()
    ]
    diff.append(
        {
            "before": "".join(f"{name}\n" for name in outdated),
            "after": "".join(f"{name}\n" for name in missing)
            + "".join(f"{name} (newer)\n" for name in outdated),
        }
    )
    module.exit_json(
        changed=bool(missing or outdated or differing),
        missing=missing,
        outdated=outdated,
        files_changed=sorted(differing),
        needs_source=needs_source,
        diff=diff if differing else diff[-1],
    )


if __name__ == "__main__":
    main()
