#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep the kernel's own driver nouveau away from NVIDIA GPUs, from the next boot on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nouveau_off
short_description: Keep nouveau away from NVIDIA GPUs, from the next boot on
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes a file for C(/etc/modprobe.d) that keeps C(nouveau) from being loaded, and makes the initramfs anew, which holds a copy of it.
  - Does not unload it where it is loaded; that takes a boot. M(rackforge.gpu_cluster.nvidia_driver) says so.
  - The initramfs is made with C(update-initramfs) or C(dracut), for all kernels, since the next boot may be into another one. It is
    made when the one of the running kernel is older than the file, so a run that was killed in between is made good by the next.
attributes:
  check_mode:
    support: full
    description: Says whether the file would be written and the initramfs made.
  diff_mode:
    support: full
    description: Shows the file before and after.
  idempotent:
    support: full
    description: A younger initramfs is left alone.
options:
  path:
    description: The file.
    type: path
    default: /etc/modprobe.d/60-rackforge-nouveau.conf
"""

EXAMPLES = r"""
- name: Keep nouveau away
  rackforge.gpu_cluster.nouveau_off:
"""

RETURN = r"""
rebuilt:
  description: Whether the initramfs was made anew, or would be.
  returned: success
  type: bool
  sample: true
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.early_image import (
    BUILDERS,
    images_of,
    is_stale,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    HEADER,
    place_text,
    read_text,
    shown,
)

#: The second line keeps it from driving a screen if it is loaded by name all the same.
TEXT = f"{HEADER}blacklist nouveau\noptions nouveau modeset=0\n"


def rebuild(command: Command) -> None:
    """Make the initramfs of all kernels anew."""
    for argv in BUILDERS:
        if command.find(argv[0]):
            command.need(argv)
            return
    raise CommandError(
        "this node boots with an initramfs, but has neither update-initramfs nor dracut to make it "
        "anew; make it yourself with what made it, and run this again"
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/modprobe.d/60-rackforge-nouveau.conf"}
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    images = images_of(os.uname().release)
    try:
        before = read_text(path)
        rebuilt = bool(images) and (before != TEXT or is_stale(images, path))
        if not module.check_mode:
            if before != TEXT:
                place_text(module, path, TEXT)
            if rebuilt:
                rebuild(Command(module))
    except (CommandError, OSError) as error:
        module.fail_json(msg=f"Could not keep nouveau away: {error}")
        return
    module.exit_json(
        changed=before != TEXT or rebuilt, rebuilt=rebuilt, diff=shown(path, before, TEXT)
    )


if __name__ == "__main__":
    main()
