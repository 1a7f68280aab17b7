#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have arguments on the kernel's command line from the next boot on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_command_line
short_description: Have arguments on the kernel's command line from the next boot on
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Tells the boot loader. The boot itself is asked for with RV(reboot_required) and never made.
  - Where there is C(update-grub) (Debian's family), writes C(/etc/default/grub.d/60-rackforge.cfg), which appends to
    C(GRUB_CMDLINE_LINUX_DEFAULT), and makes grub's menu anew. Files of cloud images sort before it. When no entry of the new menu has the arguments,
    all is put back.
  - Where there is C(grubby) (Red Hat's family), changes all boot entries with it, and C(/etc/kernel/cmdline), from which later kernels start, if it is there.
    What was added, and was not there before, is remembered in C(/etc/default/rackforge-kernel-arguments).
  - Other boot loaders, and containers, which have none, get an error that says what was seen.
attributes:
  check_mode:
    support: full
    description: Says what would be written, and whether a boot would be needed.
  diff_mode:
    support: full
    description: Shows the file before and after.
  idempotent:
    support: full
    description: Compares with the menu and the boot entries, so an interrupted run is made good by the next.
options:
  arguments:
    description:
      - The arguments, such as V(pci=realloc) for GPUs that are missing with "BAR1 is 0M" in the kernel's log.
      - When empty, what an earlier call added is taken out, and a node without a boot loader is no error.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Let the kernel give GPUs the address space that the firmware did not
  rackforge.gpu_cluster.kernel_command_line:
    arguments: [pci=realloc]

- name: Take out what was added
  rackforge.gpu_cluster.kernel_command_line:
    arguments: []
"""

RETURN = r"""
reboot_required:
  description: Whether the running kernel was started without some of the arguments.
  returned: success
  type: bool
  sample: true
missing:
  description: Arguments that the running kernel was started without.
  returned: success
  type: list
  elements: str
  sample: [pci=realloc]
"""

import os
from typing import Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
    Result,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.kernel_arguments import (
    KernelArgumentError,
    check_arguments,
    menu_lacks,
    missing_from,
    parse_grubby,
    parse_record,
    plan_grubby,
    render_dropin,
    render_record,
    with_arguments,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    HEADER,
    place_text,
    read_text,
    shown,
)

RUNNING = "/proc/cmdline"
DROPIN = "/etc/default/grub.d/60-rackforge.cfg"
MENU = "/boot/grub/grub.cfg"
RECORD = "/etc/default/rackforge-kernel-arguments"
LATER = "/etc/kernel/cmdline"
#: What other boot loaders leave, for the error message.
OTHERS = {
    "/etc/kernel/cmdline": "/etc/kernel/cmdline (systemd-boot)",
    "/boot/loader/loader.conf": "/boot/loader/loader.conf (systemd-boot)",
    "/boot/extlinux/extlinux.conf": "/boot/extlinux/extlinux.conf (extlinux)",
    "/boot/firmware/cmdline.txt": "/boot/firmware/cmdline.txt (Raspberry Pi)",
    "/run/.containerenv": "a container",
    "/.dockerenv": "a container",
    "/run/systemd/container": "a container",
}

Change = tuple[bool, dict[str, str]]


class Grub:
    """Debian's family: a drop-in and a menu that is made anew."""

    def __init__(self, module: AnsibleModule, command: Command) -> None:
        self._module = module
        self._command = command

    def have(self, arguments: list[str]) -> Change:
        """Bring the drop-in and the menu to ``arguments``; return whether anything changed."""
        before, text = read_text(DROPIN), render_dropin(arguments)
        if before is None and text is None:
            return False, shown(DROPIN, None, None)
        changed = before != text or self._menu_is_old(arguments)
        if changed and not self._module.check_mode:
            self._write(before, text, arguments)
        return changed, shown(DROPIN, before, text)

    def _menu_is_old(self, arguments: list[str]) -> bool:
        menu = read_text(MENU)
        if menu is None:
            return True
        return os.stat(MENU).st_mtime < os.stat(DROPIN).st_mtime or bool(
            menu_lacks(menu, arguments)
        )

    def _make(self, text: Optional[str]) -> Result:
        """Return how the menu was made with ``text`` in the drop-in.

        A drop-in that is to go says nothing meanwhile, so a removal that is killed is seen.
        """
        place_text(self._module, DROPIN, HEADER if text is None else text)
        return self._command.run(["update-grub"])

    def _write(self, before: Optional[str], text: Optional[str], arguments: list[str]) -> None:
        result = self._make(text)
        lacking = menu_lacks(read_text(MENU) or "", arguments)
        if result.rc == 0 and not lacking:
            if text is None:
                place_text(self._module, DROPIN, None)
            return
        self._make(before)
        if before is None:
            place_text(self._module, DROPIN, None)
        if result.rc != 0:
            raise CommandError(f"{result.explain()}; the file was put back as it was")
        raise CommandError(
            f"after update-grub no entry of {MENU} has {' '.join(lacking)}, so the file was put back as "
            f"it was; a file that is read later sets GRUB_CMDLINE_LINUX_DEFAULT anew. See 'grep -r "
            f"GRUB_CMDLINE_LINUX /etc/default/grub.d' on the node"
        )


class Grubby:
    """Red Hat's family: boot entries that are changed one by one."""

    def __init__(self, module: AnsibleModule, command: Command) -> None:
        self._module = module
        self._command = command

    def have(self, arguments: list[str]) -> Change:
        """Bring all boot entries to ``arguments``; return whether anything changed."""
        before = read_text(RECORD)
        recorded, later = parse_record(before), read_text(LATER)
        if not arguments and not recorded:
            return False, shown(RECORD, before, before)
        plan = plan_grubby(self._entries(), later, recorded, arguments)
        final = render_record(plan.final)
        changed = bool(plan.add or plan.remove) or (before or None) != final
        if changed and not self._module.check_mode:
            place_text(self._module, RECORD, render_record(plan.record))
            if plan.add or plan.remove:
                self._command.need(plan.argv())
                self._later(later, plan.add, plan.remove)
                self._confirm(arguments)
            place_text(self._module, RECORD, final)
        return changed, shown(RECORD, before, final)

    def _entries(self) -> list[str]:
        return parse_grubby(self._command.need(["grubby", "--info=ALL"]))

    def _later(self, later: Optional[str], add: tuple[str, ...], remove: tuple[str, ...]) -> None:
        now = read_text(LATER)
        if later is not None and now is not None:
            text = with_arguments(now, add, remove)
            if text != now:
                place_text(self._module, LATER, text)

    def _confirm(self, arguments: list[str]) -> None:
        lacking = [line for line in self._entries() if missing_from(line, arguments)]
        if lacking:
            raise CommandError(
                f"after grubby a boot entry still lacks {' '.join(missing_from(lacking[0], arguments))}; "
                f"see 'grubby --info=ALL' on the node"
            )


def boot_loader(module: AnsibleModule, command: Command, arguments: list[str]) -> Change:
    """Bring the node's boot loader to ``arguments``."""
    if command.find("grubby"):
        return Grubby(module, command).have(arguments)
    if command.find("update-grub") and (not arguments or os.path.isdir(os.path.dirname(MENU))):
        return Grub(module, command).have(arguments)
    if not arguments:
        return False, shown(DROPIN, None, None)
    seen = sorted({words for path, words in OTHERS.items() if os.path.exists(path)})
    raise KernelArgumentError(
        f"os_base_kernel_arguments is {' '.join(arguments)}, but this node does not boot with grub; seen: "
        f"{', '.join(seen) or 'no boot loader that is known here'}; expected update-grub and "
        f"{os.path.dirname(MENU)}, or grubby. Give the arguments to its boot loader yourself and empty "
        f"os_base_kernel_arguments for this node; nothing was changed"
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"arguments": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    arguments = list(dict.fromkeys(module.params["arguments"]))
    try:
        check_arguments(arguments)
        changed, diff = boot_loader(module, Command(module), arguments)
    except (KernelArgumentError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not change the kernel's command line: {error}")
    missing = missing_from(read_text(RUNNING) or "", arguments)
    module.exit_json(changed=changed, reboot_required=bool(missing), missing=missing, diff=diff)


if __name__ == "__main__":
    main()
