#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have SELinux in a mode, now and after the next boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: selinux_mode
short_description: Have SELinux in a mode, now and after the next boot
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Changes the key C(SELINUX) in C(/etc/selinux/config), every other line stays, and the running kernel's mode with C(setenforce).
  - Does nothing on a node without SELinux.
attributes:
  check_mode:
    support: full
    description: Says what would be changed.
  diff_mode:
    support: full
    description: Shows the file, and the kernel's mode, before and after.
  idempotent:
    support: full
    description: Compares with the file and with the kernel, so an interrupted run is made good by the next.
options:
  mode:
    description:
      - V(permissive) loosens only. What SELinux would have refused is logged and allowed. Where the owner has disabled SELinux, it stays disabled.
      - V(enforcing) needs a kernel that runs SELinux; files that were written while it was disabled have no labels.
      - V(disabled) makes the kernel permissive now, and disables SELinux with the next boot, which is asked for with RV(reboot_required). On EL 9 and
        newer the kernel must be told too, with C(selinux=0) on its command line (M(rackforge.gpu_cluster.kernel_command_line)).
    type: str
    choices: [permissive, enforcing, disabled]
    required: true
"""

EXAMPLES = r"""
- name: Let containers read data on paths that the policy does not know
  rackforge.gpu_cluster.selinux_mode:
    mode: permissive
"""

RETURN = r"""
mode:
  description: The kernel's mode before this call, in lower case; empty without SELinux.
  returned: success
  type: str
  sample: enforcing
reboot_required:
  description: Whether the mode holds only after a boot.
  returned: success
  type: bool
  sample: false
skipped:
  description: Why nothing was done, empty otherwise.
  returned: success
  type: str
  sample: this node has no SELinux
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.selinux import (
    SelinuxError,
    SelinuxPlan,
    plan_selinux,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)

CONFIG = "/etc/selinux/config"


def apply(module: AnsibleModule, command: Command, before: str, plan: SelinuxPlan) -> None:
    """Change the kernel's mode, which may be refused, and then the file."""
    if plan.setenforce:
        command.need(["setenforce", plan.setenforce])
    if plan.text != before:
        place_text(module, CONFIG, plan.text)


def main() -> None:
    """Run the module."""
    choices = ["permissive", "enforcing", "disabled"]
    module = AnsibleModule(
        argument_spec={"mode": {"type": "str", "choices": choices, "required": True}},
        supports_check_mode=True,
    )
    command, before = Command(module), read_text(CONFIG)
    try:
        running = command.need(["getenforce"]) if command.find("getenforce") else ""
        plan = plan_selinux(before, running, module.params["mode"])
        if not module.check_mode:
            apply(module, command, before or "", plan)
    except (SelinuxError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not set SELinux's mode: {error}")
    diff = shown(CONFIG, before, plan.text)
    if plan.setenforce:
        diff["before"] += f"(kernel) {running.strip()}\n"
        diff["after"] += f"(kernel) {'Enforcing' if plan.setenforce == '1' else 'Permissive'}\n"
    module.exit_json(
        changed=plan.text != (before or "") or bool(plan.setenforce),
        mode=running.strip().lower(),
        reboot_required=plan.reboot_required,
        skipped=plan.skipped,
        diff=diff,
    )


if __name__ == "__main__":
    main()
