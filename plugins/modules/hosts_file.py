#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have the cluster's names in /etc/hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hosts_file
short_description: Have the cluster's names in the hosts file
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Keeps one marked block in C(/etc/hosts) and leaves every other line alone.
attributes:
  check_mode:
    support: full
    description: Says whether the file would change.
  diff_mode:
    support: full
    description: Shows the file before and after.
  idempotent:
    support: full
    description: An equal block is left alone.
options:
  owner:
    description: Whose block it is; it stands in the block's marks.
    type: str
    required: true
  entries:
    description: Addresses and the names of each.
    type: dict
    required: true
  keep:
    description: Names whose present line in the block stays when they are not among O(entries).
    type: list
    elements: str
    default: []
  path:
    description: The file.
    type: path
    default: /etc/hosts
"""

EXAMPLES = r"""
- name: Name the members of the cluster
  rackforge.gpu_cluster.hosts_file:
    owner: os_base
    entries:
      192.0.2.10: [head]
      192.0.2.11: [worker1]
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /etc/hosts
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.hosts_file import with_block
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "required": True},
            "entries": {"type": "dict", "required": True},
            "keep": {"type": "list", "elements": "str", "default": []},
            "path": {"type": "path", "default": "/etc/hosts"},
        },
        supports_check_mode=True,
    )
    params, path = module.params, module.params["path"]
    before = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            before = file.read()
    after = with_block(before, params["owner"], params["entries"], params["keep"])
    if after != before and not module.check_mode:
        write_text(module, path, after)
    diff = {"before_header": path, "after_header": path, "before": before, "after": after}
    module.exit_json(changed=after != before, path=path, diff=diff)


if __name__ == "__main__":
    main()
