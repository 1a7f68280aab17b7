#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep unattended upgrades away from packages that work depends on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unattended_upgrades
short_description: Keep unattended upgrades away from packages that work depends on
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - A kernel, driver or container engine that is replaced under running work breaks it. This module keeps the tools that upgrade by
    themselves away from such packages, or removes the tools.
  - V(hold) is the safer way. Security fixes of everything else go on, and the owner can still upgrade the held packages by hand when
    the node is idle.
  - For C(unattended-upgrades), V(hold) writes C(/etc/apt/apt.conf.d/52rackforge-held). It counts whether the tool is there now or comes
    later, and adds to the owner's own list. For C(dnf-automatic) it keeps a marked block in the section C([base]) of
    C(/etc/dnf/automatic.conf) where that file is. What the owner's C(excludepkgs) of that section names is in the block too,
    since of two such lines the last one counts.
  - V(remove) removes the tool's package and leaves its settings where they are.
attributes:
  check_mode:
    support: full
    description: Says what would be written or removed.
  diff_mode:
    support: full
    description: Shows the file, or the package, before and after.
  idempotent:
    support: full
    description: An equal file, and a missing package, are left alone.
options:
  mode:
    description: Hold the packages, or remove the tool.
    type: str
    choices: [hold, remove]
    required: true
  held:
    description:
      - Packages for V(hold). In Debian's family regular expressions for the beginning of a package's name, in Red Hat's names with
        V(*) and V(?).
    type: list
    elements: str
    default: []
  owner:
    description: Whose block it is; it stands in the block's marks.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Upgrade kernel and driver by hand only
  rackforge.gpu_cluster.unattended_upgrades:
    owner: os_base
    mode: hold
    held: [linux-image, nvidia-, libnvidia-]
"""

RETURN = r"""
path:
  description: The file that holds the packages; empty with V(mode=remove) and where no tool has a file.
  returned: success
  type: str
  sample: /etc/apt/apt.conf.d/52rackforge-held
"""

import os
import re
from collections.abc import Sequence
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.held_packages import (
    apt_text,
    dnf_excluded,
    dnf_lines,
    ignored_by_apt,
    others_removed,
    wrong_pattern,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ini_text import with_block
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.packages import (
    cause_of_failure,
    installed_dpkg,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import place_text

APT_FILE = "/etc/apt/apt.conf.d/52rackforge-held"
DNF_FILE = "/etc/dnf/automatic.conf"
Diff = dict[str, str]


def read(path: str) -> Optional[str]:
    """Return a file's text, None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


class Apt:
    """Debian's family."""

    path = APT_FILE
    regular = True
    package = "unattended-upgrades"

    def __init__(self, command: Command) -> None:
        self._command = command

    def wanted(self, _before: Optional[str], held: Sequence[str], _owner: str) -> str:
        """Return the file's text."""
        return apt_text(held)

    def ignored(self, held: Sequence[str]) -> list[str]:
        """Return the patterns that the tool would not see."""
        return ignored_by_apt(held, self._command.run(["apt-config", "dump"]).out)

    def installed(self) -> bool:
        """Return whether the tool is there."""
        form = "${Package}\\t${db:Status-Status}\\n"
        query = ["dpkg-query", "--show", "--showformat", form, self.package]
        return self.package in installed_dpkg(self._command.run(query).out)

    def remove(self) -> None:
        """Remove the tool and nothing else."""
        argv = ["apt-get", "--yes", "-o", "DPkg::Lock::Timeout=300", "remove", self.package]
        others = others_removed(self._command.need([*argv, "--simulate"]), self.package)
        if others:
            raise CommandError(
                f"{', '.join(others)} would go with it; expected it to go alone. Set "
                "os_base_unattended_upgrades to hold, or remove those packages yourself first"
            )
        result = self._command.run(argv)
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, [self.package]))


class Dnf:
    """Red Hat's family."""

    path = DNF_FILE
    regular = False
    package = "dnf-automatic"

    def __init__(self, command: Command) -> None:
        self._command = command

    def wanted(self, before: Optional[str], held: Sequence[str], owner: str) -> Optional[str]:
        """Return the file's text; none is made, since the package would not replace it."""
        if before is None:
            return None
        owners = dnf_excluded(with_block(before, owner, [], "base"))
        return with_block(before, owner, dnf_lines(held, owners), "base")

    def ignored(self, _held: Sequence[str]) -> list[str]:
        """Return nothing: dnf adds the lists of its files up."""
        return []

    def installed(self) -> bool:
        """Return whether the tool is there."""
        return self._command.run(["rpm", "--query", self.package]).rc == 0

    def remove(self) -> None:
        """Remove the tool; what came with it stays."""
        option = "--setopt=clean_requirements_on_remove=False"
        result = self._command.run(["dnf", "--assumeyes", option, "remove", self.package])
        if result.rc != 0:
            raise CommandError(cause_of_failure(result.err, [self.package]))


def hold(module: AnsibleModule, tool: Any) -> tuple[bool, Diff]:
    """Have the file; return whether it differed, and how."""
    held, owner = module.params["held"], module.params["owner"]
    wrong = wrong_pattern(held, regular=tool.regular)
    if wrong:
        raise CommandError(f"os_base_held_packages: {wrong}; nothing was changed")
    before = read(tool.path)
    after = tool.wanted(before, held, owner)
    if after is not None and after != before and not module.check_mode:
        place_text(module, tool.path, after)
    ignored = [] if module.check_mode else tool.ignored(held)
    if ignored:
        if after != before:
            place_text(module, tool.path, before)
        raise CommandError(
            f"{tool.path} holds {', '.join(ignored)}, yet apt does not see that: a file below /etc/apt clears "
            "the list; find it with 'grep -r clear.*Blacklist /etc/apt'; nothing was changed"
        )
    headers = {"before_header": tool.path, "after_header": tool.path}
    return after != before, {**headers, "before": before or "", "after": after or ""}


def remove(module: AnsibleModule, tool: Any) -> tuple[bool, Diff]:
    """Have the tool removed; return whether it was there."""
    there = tool.installed()
    if there and not module.check_mode:
        tool.remove()
    return there, {"before": f"{tool.package}\n" if there else "", "after": ""}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "mode": {"type": "str", "choices": ["hold", "remove"], "required": True},
            "held": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    command, mode = Command(module), module.params["mode"]
    if not command.find("apt-get") and not command.find("dnf"):
        module.fail_json(
            msg="This node has neither apt-get nor dnf; see the README's support table"
        )
    tool = Apt(command) if command.find("apt-get") else Dnf(command)
    try:
        changed, diff = (hold if mode == "hold" else remove)(module, tool)
    except (CommandError, OSError) as error:
        doing = "hold packages back" if mode == "hold" else f"remove {tool.package}"
        module.fail_json(msg=re.sub(r"\s+", " ", f"Could not {doing}: {error}"))
    path = tool.path if mode == "hold" and os.path.exists(tool.path) else ""
    module.exit_json(changed=changed, path=path, diff=diff)


if __name__ == "__main__":
    main()
