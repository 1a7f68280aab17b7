#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Close a server of the Prometheus family with a password, and with TLS."""

from __future__ import annotations

DOCUMENTATION = r"""
module: web_config
short_description: Close a server of the Prometheus family with a password
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes the file that Prometheus, Alertmanager and their exporters take as C(--web.config.file). It has one user with the bcrypt hash of
    a password, and where O(certificate_file) is set the server's certificate (TLS 1.2 and newer).
  - When the file O(secret) does not exist on the control node it is made, with 256 random bits in hexadecimal, mode 0600. The password does
    not leave the control node; only its hash travels, of cost 10, which these servers check in about 50 ms.
  - The hash of the same user and password is the same in every run. Its salt comes from the password by scrypt, so that trying passwords
    on the salt costs no less than on the hash.
  - Needs the Python package bcrypt on the control node, which paramiko brings along.
  - These servers read the file anew at each connection; nothing is restarted for it.
attributes:
  check_mode:
    support: full
    description: Makes no secret and says whether the node's file would change.
  diff_mode:
    support: full
    description: Shows the file without the hash.
  idempotent:
    support: full
    description: An equal file is left alone.
options:
  secret:
    description: The file on the control node that holds the password, 1 to 72 bytes in one line.
    type: path
    required: true
  user:
    description: The user's name.
    type: str
    required: true
  dest:
    description: The file on the node. Directories that are missing are made with mode 0755.
    type: path
    required: true
  group:
    description: The group whose members may read the file; the owner is root, the mode 0640.
    type: str
    default: prometheus
  certificate_file:
    description: The server's certificate on the node, PEM. The server must be able to read it. Set together with O(key_file).
    type: path
  key_file:
    description: The key of O(certificate_file) on the node.
    type: path
  other_users:
    description:
      - More users, each with the file on the control node that holds the password. Such a file is made as O(secret) is. Take a user of
        its own for a program that cannot keep a secret.
    type: dict
    default: {}
  hash:
    description: The hash of the password; filled in by the control node's half.
    type: str
  other_hashes:
    description: The hashes of the passwords of O(other_users); filled in by the control node's half.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Let Prometheus answer only who knows the password
  rackforge.gpu_cluster.web_config:
    secret: "{{ inventory_dir }}/secrets/lab/monitoring_password"
    user: admin
    dest: /etc/rackforge-monitoring/web.yml
    other_users:
      ray: "{{ inventory_dir }}/secrets/lab/monitoring_ray_password"
  no_log: true
"""

RETURN = r"""
dest:
  description: The file on the node.
  returned: success
  type: str
  sample: /etc/rackforge-monitoring/web.yml
"""

import grp
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.owned_file import put_owned
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import read_text
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_files import (
    Seen,
    Wanted,
    differences,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.web_config import (
    WebConfigError,
    web_config_text,
    without_hashes,
)

MODE = 0o640


def group_number(name: str, check: bool) -> int:
    """Return the group's number; -1 in check mode for one that the packages have yet to bring."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if check:
            return -1
        raise WebConfigError(f"this node has no group '{name}', expected one") from None


def seen_file(path: str) -> Seen:
    """Return how the file is now."""
    content = read_text(path)
    if content is None:
        return Seen()
    status = os.stat(path)
    return Seen(content, status.st_mode & 0o7777, status.st_uid, status.st_gid)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "secret": {"type": "path", "no_log": False},
            "user": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "group": {"type": "str", "default": "prometheus"},
            "certificate_file": {"type": "path"},
            "key_file": {"type": "path", "no_log": False},
            "other_users": {"type": "dict", "default": {}},
            "hash": {"type": "str", "required": True, "no_log": True},
            "other_hashes": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    params, path = module.params, module.params["dest"]
    try:
        hashes = {params["user"]: params["hash"], **params["other_hashes"]}
        text = web_config_text(hashes, params["certificate_file"], params["key_file"])
        gid = group_number(params["group"], module.check_mode)
        wanted, seen = Wanted(path, text, MODE, 0, gid), seen_file(path)
        found = differences(wanted, seen)
        if found and not module.check_mode:
            put_owned(path, text, MODE, 0, gid)
    except (WebConfigError, OSError) as error:
        module.fail_json(msg=f"Could not write {path}: {error}")
        return
    before, after = without_hashes(seen.content, text)
    diff = {"before_header": path, "after_header": path, "before": before, "after": after}
    module.exit_json(changed=bool(found), dest=path, diff=diff)


if __name__ == "__main__":
    main()
