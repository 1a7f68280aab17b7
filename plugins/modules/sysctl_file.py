#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have kernel settings, now and after the next boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sysctl_file
short_description: Have kernel settings, now and after the next boot
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes one file below C(/etc/sysctl.d) and sets those of its keys whose present value differs.
attributes:
  check_mode:
    support: full
    description: Says what would be set.
  diff_mode:
    support: full
    description: Shows the file, and the values that the kernel has, before and after.
  idempotent:
    support: full
    description: Compares with the kernel's values, so an interrupted run is made good by the next.
options:
  path:
    description: The file.
    type: path
    required: true
  values:
    description: Keys and their values.
    type: dict
    default: {}
  port_lists:
    description: Keys whose values are lists of ports. What the node's owner has there already is kept.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Keep Ray's ports out of the hands of others
  rackforge.gpu_cluster.sysctl_file:
    path: /etc/sysctl.d/60-rackforge.conf
    port_lists:
      net.ipv4.ip_local_reserved_ports: 6379,8076-8078
"""

RETURN = r"""
values:
  description: Keys and values as the file has them.
  returned: success
  type: dict
  sample: {net.ipv4.ip_local_reserved_ports: "6379,8076-8078"}
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import joined
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text

HEADER = "# Managed by rackforge.gpu_cluster\n"


def kernel_path(key: str) -> str:
    """Return the file below /proc/sys that is ``key``."""
    return "/proc/sys/" + key.replace(".", "/")


def as_kernel(value: Any) -> str:
    """Return a value as the kernel shows it: one space between words, 1 and 0 for booleans."""
    return str(int(value)) if isinstance(value, bool) else " ".join(str(value).split())


def read(path: str) -> str:
    """Return a file's text, empty when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def set_value(module: AnsibleModule, key: str, value: str) -> None:
    """Set one key now."""
    try:
        with open(kernel_path(key), "w", encoding="utf-8") as file:
            file.write(value)
    except OSError as error:
        module.fail_json(
            msg=f"Could not set {key} to {value}: {error}; is the setting known to this node's kernel? "
            f"Try 'sysctl {key}'"
        )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "values": {"type": "dict", "default": {}},
            "port_lists": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    params, path = module.params, module.params["path"]
    wanted = {key: as_kernel(value) for key, value in params["values"].items()}
    port_lists = params["port_lists"]
    keys = [*wanted, *port_lists]
    live = {key: " ".join(read(kernel_path(key)).split()) for key in keys}
    try:
        wanted.update({key: joined(str(ports), live[key]) for key, ports in port_lists.items()})
    except ValueError as error:
        module.fail_json(msg=f"{path}: {error} in port_lists; nothing was changed")
    text = HEADER + "".join(f"{key} = {wanted[key]}\n" for key in sorted(wanted))
    before = read(path)
    differing = [key for key in sorted(wanted) if live[key] != wanted[key]]
    if not module.check_mode:
        if before != text:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write_text(module, path, text)
        for key in differing:
            set_value(module, key, wanted[key])
    diff = {
        "before": before + "".join(f"(kernel) {key} = {live[key]}\n" for key in differing),
        "after": text + "".join(f"(kernel) {key} = {wanted[key]}\n" for key in differing),
    }
    module.exit_json(changed=before != text or bool(differing), values=wanted, diff=diff)


if __name__ == "__main__":
    main()
