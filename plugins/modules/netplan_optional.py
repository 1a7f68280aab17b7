#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have netplan's ethernets optional for the boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: netplan_optional
short_description: Have netplan's ethernets optional for the boot
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes one drop-in below C(/etc/netplan) that says C(optional) of ethernets, so that boot does not wait for them. No file of
    the owner's is touched.
  - netplan checks the drop-in together with all other files in a copy of the folder before it is put in place.
  - Takes effect with the next boot. The running network is left alone, C(netplan apply) is not called.
attributes:
  check_mode:
    support: full
    description: Says whether the file would change. netplan checks it all the same.
  diff_mode:
    support: full
    description: Shows the file before and after.
  idempotent:
    support: full
    description: An equal file is left alone.
options:
  interfaces:
    description:
      - Ethernets that boot need not wait for, by the name of the interface or of its definition in netplan.
      - When empty, all that netplan configures but O(cluster_interface).
      - One that netplan does not configure is refused, since naming it would make netplan take it over.
    type: list
    elements: str
    default: []
  cluster_interface:
    description: The interface on the cluster network, which boot does wait for.
    type: str
    required: true
  path:
    description: The drop-in. Its name sorts after the owner's files.
    type: path
    default: /etc/netplan/90-rackforge-optional.yaml
"""

EXAMPLES = r"""
- name: Wait for the cluster network only
  rackforge.gpu_cluster.netplan_optional:
    cluster_interface: ens114f0
"""

RETURN = r"""
optional:
  description: Definitions of netplan that are optional.
  returned: success
  type: list
  elements: str
  sample: [ens114f1, ens114f2]
"""

import glob
import os
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.netplan import (
    NetplanError,
    choose,
    parse_ethernets,
    render,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)

FOLDERS = ("/lib/netplan", "/etc/netplan", "/run/netplan")


def copy_without(path: str, root: str) -> None:
    """Copy netplan's files below ``root``, without our own; they may hold passwords."""
    for folder in FOLDERS:
        for file in glob.glob(f"{folder}/*.yaml"):
            if file != path:
                target = root + file
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(file, target)
                os.chmod(target, 0o600)


def settle(module: AnsibleModule, command: Command, path: str) -> tuple[list[str], str]:
    """Return the definitions to make optional and the file that does it, checked by netplan."""
    root = tempfile.mkdtemp(dir=module.tmpdir)
    try:
        copy_without(path, root)
        known = parse_ethernets(command.need(["netplan", "get", f"--root-dir={root}"]))
        chosen = choose(known, module.params["interfaces"], module.params["cluster_interface"])
        text = render(chosen)
        if text:
            place_text(module, root + path, text, 0o600)
            command.need(["netplan", "generate", f"--root-dir={root}"])
        return chosen, text
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "interfaces": {"type": "list", "elements": "str", "default": []},
            "cluster_interface": {"type": "str", "required": True},
            "path": {"type": "path", "default": "/etc/netplan/90-rackforge-optional.yaml"},
        },
        supports_check_mode=True,
    )
    path, command = module.params["path"], Command(module)
    if not command.find("netplan"):
        module.fail_json(
            msg="os_base_wait_online is optional, but this node has no netplan; expected Ubuntu's way to "
            "configure a network. Set os_base_wait_online to disable or keep"
        )
    try:
        chosen, text = settle(module, command, path)
        before = read_text(path)
        changed = (before or "") != text
        if changed and not module.check_mode:
            place_text(module, path, text or None, 0o600)
            command.need(["netplan", "generate"])
    except (NetplanError, CommandError, OSError) as error:
        module.fail_json(msg=f"Could not make ethernets optional: {error}")
    module.exit_json(changed=changed, optional=chosen, diff=shown(path, before, text))


if __name__ == "__main__":
    main()
