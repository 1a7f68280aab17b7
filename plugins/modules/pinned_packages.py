#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have packages that belong together in one version, and keep them there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pinned_packages
short_description: Have packages that belong together in one version, and keep them there
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Installs packages of a vendor's repository in one version, as drivers need it. What is there in another version is brought to the
    right one, upwards or downwards, together with what is missing, in one transaction of C(apt-get) or C(dnf).
  - Once they are installed, exactly this version is held. With apt by O(pin_file), of priority 1001; with dnf by C(includepkgs) in the
    C(.repo) files of O(files). C(apt upgrade) and C(dnf upgrade) leave them alone then, while a new O(version) moves them.
  - A package that is added to O(names) later gets the version of those that are there.
  - Takes no package away for another, unless O(replace) names it. What of O(replace) is left in another version afterwards goes too.
attributes:
  check_mode:
    support: full
    description: Says which packages would come or change their version, and which files would be written.
  diff_mode:
    support: full
    description: Lists the packages and shows the files. The version that will be held is known only after the installation, so a first
      run in check mode shows the one that is asked for.
  idempotent:
    support: full
    description: Packages that have the version are left alone, and no index is fetched.
options:
  names:
    description: Packages that must have the same version.
    type: list
    elements: str
    required: true
  version:
    description:
      - The version, or the beginning of it. V(580) is any version of that branch, V(580.95.05) this one only.
      - "When not set: what is installed, or the newest."
    type: str
  lowest:
    description: The lowest version that will do, whatever O(version) says.
    type: str
  companions:
    description: Packages that must be there too, in whatever version.
    type: list
    elements: str
    default: []
  pin_file:
    description: File below C(/etc/apt/preferences.d) that holds the packages. Read with apt only.
    type: path
  pin_packages:
    description:
      - Names to hold, with V(*) and V(?). Others of the repository are not held with apt.
      - With dnf others are not to be had from it, but for dkms, dnf-plugin-nvidia, nvlsm and egl-*.
    type: list
    elements: str
    default: []
  files:
    description: Files that name repositories to the package manager, by their path. They are put back when the installation fails.
    type: dict
    default: {}
  remove_on_failure:
    description: Files that go when the installation fails, such as a key that an earlier task of this play has brought.
    type: list
    elements: path
    default: []
  replace:
    description: Installed packages that may be taken away.
    type: list
    elements: str
    default: []
  may_go:
    description: Installed packages that the package manager may take away where they conflict; unlike O(replace), they stay where they do not.
    type: list
    elements: str
    default: []
  replace_input:
    description: Name of the input that allows it, for messages.
    type: str
    default: ""
  lock_timeout:
    description: Seconds to wait for another package manager to finish.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Have the driver of branch 580, and keep the version that came
  rackforge.gpu_cluster.pinned_packages:
    names: [nvidia-driver-cuda, nvidia-kernel-open-dkms]
    version: "580"
    pin_file: /etc/apt/preferences.d/60-rackforge-nvidia
    pin_packages: ["*nvidia*", "libcuda*"]
    files:
      /etc/apt/sources.list.d/rackforge-nvidia.sources: "{{ repository }}"
"""

RETURN = r"""
wrong:
  description: Packages that were missing or had another version.
  returned: success
  type: list
  elements: str
  sample: [nvidia-driver-cuda (missing)]
replaced:
  description: Packages of O(replace) that were there in another version than the one asked for, and went or got it.
  returned: success
  type: list
  elements: str
  sample: [libnvidia-ml1, nvidia-driver]
version:
  description: The version that all of them have now; null before the first installation in check mode.
  returned: success
  type: str
  sample: 580.95.05
"""

from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_managers import (
    Apt,
    Dnf,
    Manager,
    check_versions,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_packages import (
    Asked,
    Wrong,
    common_version,
    pinned_files,
    tightened,
    wrong_packages,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)


class Packages:
    """The packages of one call, and the files that hold them."""

    def __init__(self, module: AnsibleModule, manager: Manager) -> None:
        self._module = module
        self._params = module.params
        self._manager = manager
        self.before: dict[str, Optional[str]] = {}
        self.after: dict[str, Optional[str]] = {}
        self.version: Optional[str] = None
        self.replaced: list[str] = []

    def bring(self) -> list[Wrong]:
        """Have packages and files as asked; return what was wrong with the packages."""
        names, companions = self._params["names"], self._params["companions"]
        installed = self._manager.versions([*names, *companions])
        asked = tightened(names, installed, Asked(self._params["version"], self._params["lowest"]))
        wrong = wrong_packages(names, installed, asked)
        wrong += wrong_packages(companions, installed, Asked())
        self._plan_files(asked.version)
        self.version = common_version(names, installed) if not wrong else None
        self.replaced = self._leftovers(asked.version)
        if not self._module.check_mode:
            self._install(wrong, asked)
        return wrong

    def _leftovers(self, version: Optional[str]) -> list[str]:
        """Return what may go and is neither asked for nor of the right version."""
        found = self._manager.versions(self._params["replace"])
        asked = {*self._params["names"], *self._params["companions"]}
        return [
            name
            for name, seen in found.items()
            if name not in asked and not (version and Asked(version).fits(seen))
        ]

    def _plan_files(self, version: Optional[str]) -> None:
        params = self._params
        pin = params["pin_file"] if isinstance(self._manager, Apt) else None
        files = pinned_files(params["files"], pin, params["pin_packages"], version)
        for path, text in files.items():
            self.before.setdefault(path, read_text(path))
            self.after[path] = text

    def _write(self) -> None:
        for path, text in self.after.items():
            if read_text(path) != text:
                place_text(self._module, path, text)

    def _install(self, wrong: list[Wrong], asked: Asked) -> None:
        try:
            self._write()
            if wrong:
                self._manager.install(wrong, asked)
                self._confirm(asked)
                self._write()
            leftovers = self._leftovers(self.version)
            if leftovers:
                self._manager.remove(leftovers)
        except (CommandError, OSError) as error:
            for path, text in self.before.items():
                place_text(self._module, path, text)
            for path in self._params["remove_on_failure"]:
                place_text(self._module, path, None)
            raise CommandError(str(error)) from error

    def _confirm(self, asked: Asked) -> None:
        """Look at what came, and hold exactly this from now on."""
        names = self._params["names"]
        installed = self._manager.versions(names)
        check_versions(names, installed, asked)
        self.version = common_version(names, installed)
        self._plan_files(self.version)


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    lists = ("companions", "pin_packages", "replace", "may_go")
    spec: dict[str, Any] = {
        "names": {"type": "list", "elements": "str", "required": True},
        "version": {"type": "str"},
        "lowest": {"type": "str"},
        "pin_file": {"type": "path"},
        "files": {"type": "dict", "default": {}},
        "remove_on_failure": {"type": "list", "elements": "path", "default": []},
        "replace_input": {"type": "str", "default": ""},
        "lock_timeout": {"type": "int", "default": 300},
    }
    spec.update({name: {"type": "list", "elements": "str", "default": []} for name in lists})
    return spec


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    command = Command(module)
    going = [*module.params["replace"], *module.params["may_go"]]
    given = {**module.params, "replace": going}
    if command.find("apt-get"):
        manager: Manager = Apt(command, given)
    elif command.find("dnf"):
        manager = Dnf(command, given)
    else:
        module.fail_json(
            msg="This node has neither apt-get nor dnf; see the README's support table"
        )
    packages = Packages(module, manager)
    try:
        wrong = packages.bring()
    except (CommandError, OSError) as error:
        names = ", ".join(module.params["names"] or module.params["companions"])
        module.fail_json(msg=f"Could not have {names} in one version: {error}")
        return
    changes = [path for path, text in packages.after.items() if packages.before[path] != text]
    diff = [shown(path, packages.before[path], packages.after[path]) for path in changes]
    rows = [f"replaces {name}" for name in packages.replaced] + [str(each) for each in wrong]
    diff.append({"before": "", "after": "".join(f"{row}\n" for row in rows)})
    module.exit_json(
        changed=bool(rows or changes),
        wrong=[str(each) for each in wrong],
        replaced=packages.replaced,
        version=packages.version,
        diff=diff,
    )


if __name__ == "__main__":
    main()
