#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have kernel modules loaded, now and at every boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_modules
short_description: Have kernel modules loaded, now and at every boot
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes one file below C(/etc/modules-load.d) and loads those modules that are neither loaded nor part of the kernel itself.
  - A module that this kernel does not have is an error, and the file is not written.
  - Nothing is ever unloaded, since others may use it by then. A module that is no longer wanted is gone after the next boot.
attributes:
  check_mode:
    support: full
    description: Says what would be written and loaded.
  diff_mode:
    support: full
    description: Shows the file, and the modules that are loaded now.
  idempotent:
    support: full
    description: Compares with the running kernel, so an interrupted run is made good by the next.
options:
  names:
    description: The modules.
    type: list
    elements: str
    required: true
  path:
    description: The file.
    type: path
    default: /etc/modules-load.d/60-rackforge.conf
"""

EXAMPLES = r"""
- name: Have RDMA in user space
  rackforge.gpu_cluster.kernel_modules:
    names: [ib_uverbs, rdma_ucm]
"""

RETURN = r"""
loaded:
  description: Modules that were loaded, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [rdma_ucm]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.kernel_module_list import (
    KernelModuleError,
    absent,
    check_names,
    parse_builtin,
    render,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
)

LOADED = "/sys/module"
BUILTIN = "/lib/modules/{}/modules.builtin"


def to_load(command: Command, names: list[str]) -> list[str]:
    """Return the modules that must be loaded; raise KernelModuleError for what the kernel lacks."""
    release = os.uname().release
    present = {*os.listdir(LOADED), *parse_builtin(read_text(BUILTIN.format(release)) or "")}
    wanted = absent(names, present)
    if wanted and not command.find("modprobe"):
        raise KernelModuleError(
            f"os_base_kernel_modules has {', '.join(wanted)}, but this node has no modprobe; expected the "
            f"package kmod. Add it to os_base_packages; nothing was changed"
        )
    lacking = [n for n in wanted if command.run(["modprobe", "--dry-run", "--quiet", n]).rc != 0]
    if lacking:
        raise KernelModuleError(
            f"os_base_kernel_modules has {', '.join(lacking)}, which kernel {release} of this node does "
            f"not have; expected modules that 'modprobe --dry-run' finds (on Ubuntu, is "
            f"linux-modules-extra-{release} missing? after a new kernel, is a boot?). Nothing was changed"
        )
    return wanted


def load(command: Command, names: list[str]) -> None:
    """Load the modules."""
    for name in names:
        result = command.run(["modprobe", name])
        if result.rc != 0:
            raise CommandError(f"{result.explain()}; see 'dmesg' on the node")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "path": {"type": "path", "default": "/etc/modules-load.d/60-rackforge.conf"},
        },
        supports_check_mode=True,
    )
    names, path, command = module.params["names"], module.params["path"], Command(module)
    before, text = read_text(path), render(names)
    try:
        check_names(names)
        wanted = to_load(command, names)
        if not module.check_mode:
            load(command, wanted)
            if before != text:
                place_text(module, path, text)
    except (KernelModuleError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not have the kernel's modules: {error}")
    module.exit_json(
        changed=before != text or bool(wanted),
        loaded=wanted,
        diff={
            "before_header": path,
            "after_header": path,
            "before": before or "",
            "after": (text or "") + "".join(f"(kernel) {name} loaded\n" for name in wanted),
        },
    )


if __name__ == "__main__":
    main()
