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
"""

import glob
import os
import shutil
import tarfile
import tempfile
import time
from typing import Any, Optional, Union

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
    Result,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.packages import (
    INTERRUPTED,
    cause_of_failure,
    explain_removal,
    going_with_apt,
    going_with_dnf,
    installed_dpkg,
    is_locked,
    lacking,
    needs_removal,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import place_text

POLL_SECONDS = 1.0
#: Lets apt see no repository, and leave its record of what repositories have alone.
NO_SOURCES = (
    *("-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/dev/null"),
    *("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="),
)


def cause_with_files(said: str, paths: list[str]) -> str:
    """Return why packages that lie on the node could not be installed."""
    needed = lacking(said)
    if needed:
        return f"the folder and the node lack what they need: {', '.join(needed)}; add these to it"
    return cause_of_failure(said, [os.path.basename(path) for path in paths])


class Apt:
    """Debian's family."""

    ending = ".deb"

    def __init__(self, command: Command, params: dict[str, Any]) -> None:
        self._command = command
        self._params = params
        self._lock = f"DPkg::Lock::Timeout={params['lock_timeout']}"
        self._deadline = time.monotonic() + params["lock_timeout"]

    def missing(self, names: list[str]) -> list[str]:
        """Return the packages that are not installed completely."""
        form = "${Package}\\t${db:Status-Status}\\n"
        out = self._command.run(["dpkg-query", "--show", "--showformat", form, *names]).out
        present = installed_dpkg(out)
        return [name for name in names if name not in present]

    def install(self, names: list[str], stale: bool) -> None:
        """Install the packages, with a new index when the present one is old or not enough."""
        fresh = not stale and self._index_is_fresh()
        incomplete = "" if fresh else self._update()
        result = self._get(names)
        if result.rc != 0 and fresh and not needs_removal(result.err):
            incomplete = self._update()  # The index is young, yet what it names may be gone.
            result = self._get(names)
        if result.rc != 0:
            raise CommandError(cause_of_failure(incomplete + result.err, names))

    def install_files(self, paths: list[str]) -> None:
        """Install packages that lie on the node, without asking a repository."""
        result = self._get(paths, *NO_SOURCES)
        if result.rc != 0:
            raise CommandError(cause_with_files(f"{result.out}\n{result.err}", paths))

    def _get(self, names: list[str], *more: str) -> Result:
        """Return how the installation ended; one that would take packages away is not made."""
        result = self._try(names, "--no-remove", *more)
        if result.rc != 0 and INTERRUPTED in result.err:
            self._wait_for_lock(["dpkg", "--configure", "-a"])
            result = self._try(names, "--no-remove", *more)
        if result.rc == 0 or not needs_removal(result.err):
            return result
        going, allowed = going_with_apt(result.out), self._params["replace"]
        if not set(going) <= set(allowed):
            raise CommandError(explain_removal(going, allowed, self._params["replace_input"]))
        return self._try(names, *more)

    def _try(self, names: list[str], *more: str) -> Result:
        keep = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
        options = ["--yes", "--no-install-recommends", *more, "-o", self._lock, *keep]
        return self._wait_for_lock(["apt-get", "install", *options, *names])

    def _update(self) -> str:
        """Fetch the index; return what was said about parts that could not be had."""
        first = self._wait_for_lock(["apt-get", "update", "--error-on=any"])
        if first.rc == 0:
            return ""
        result = self._wait_for_lock(["apt-get", "update"])
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, []))
        return first.err

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
        return bool(stamp) and time.time() - max(stamp) < self._params["index_age"]


class Dnf:
    """Red Hat's family."""

    ending = ".rpm"

    def __init__(self, command: Command, params: dict[str, Any]) -> None:
        self._command = command
        self._params = params

    def missing(self, names: list[str]) -> list[str]:
        """Return the packages that are not installed, under this or another package's name."""
        query = ["rpm", "--query", "--whatprovides"]
        return [name for name in names if self._command.run([*query, name]).rc != 0]

    def install(self, names: list[str], stale: bool) -> None:
        """Install the packages; dnf sees for itself that a repository is new (``stale``)."""
        del stale
        result = self._try(names)
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, names))

    def install_files(self, paths: list[str]) -> None:
        """Install packages that lie on the node, without asking a repository."""
        result = self._try(paths, "--disablerepo=*")
        if result.rc != 0:
            raise CommandError(cause_with_files(f"{result.out}\n{result.err}", paths))

    def _try(self, names: list[str], *more: str) -> Result:
        result = self._command.run(["dnf", "--assumeyes", *more, "install", *names])
        if result.rc != 0 and needs_removal(result.out + result.err):
            erasing = [*more, "--allowerasing", "install", *names]
            table = self._command.run(["dnf", "--assumeno", *erasing])
            going, allowed = going_with_dnf(table.out), self._params["replace"]
            if not set(going) <= set(allowed):
                raise CommandError(explain_removal(going, allowed, self._params["replace_input"]))
            if going:
                result = self._command.run(["dnf", "--assumeyes", *erasing])
        return result


Manager = Union[Apt, Dnf]


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

    def run(self, missing: list[str], differing: dict[str, Optional[str]]) -> None:
        """Write the files and install what is missing; raise CommandError after taking it back."""
        params = self._module.params
        try:
            for path in differing:
                place_text(self._module, path, params["files"][path])
            if missing:
                self._install(missing, stale=bool(differing))
        except (CommandError, OSError) as error:
            for path, text in differing.items():
                place_text(self._module, path, text)
            for path in params["remove_on_failure"]:
                place_text(self._module, path, None)
            raise CommandError(str(error)) from error

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
    present = {path: read(path) for path in params["files"]}
    differing = {path: text for path, text in present.items() if text != params["files"][path]}
    needs_source = bool(missing and params["source_dir"] and not params["source_file"])
    if not module.check_mode and not needs_source:
        try:
            Installation(module, command, manager).run(missing, differing)
        except CommandError as error:
            module.fail_json(msg=f"Could not install {', '.join(missing)}: {error}")
    diff = [
        {
            "before_header": path,
            "after_header": path,
            "before": text or "",
            "after": params["files"][path],
        }
        for path, text in differing.items()
    ]
    diff.append({"before": "", "after": "".join(f"{name}\n" for name in missing)})
    module.exit_json(
        changed=bool(missing or differing),
        missing=missing,
        needs_source=needs_source,
        diff=diff if differing else diff[-1],
    )


if __name__ == "__main__":
    main()
