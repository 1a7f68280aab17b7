#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have the key of a package repository on a node, after checking its fingerprint."""

from __future__ import annotations

DOCUMENTATION = r"""
module: signing_key
short_description: Have a package repository's signing key, its fingerprint checked
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Fetches an OpenPGP public key, or takes it from a file of the control node, and writes it only when it has the expected
    fingerprint. Needs no gpg on the node.
  - A file that has the fingerprint already is left alone and nothing is fetched.
attributes:
  check_mode:
    support: full
    description: Fetches nothing and says whether the key would be written.
  diff_mode:
    support: none
    description: A key is no text for reading.
  idempotent:
    support: full
    description: Compares the fingerprint of the file that is there.
options:
  url:
    description: Where the key is fetched from.
    type: str
  key_file:
    description: File on the control node with the key in ASCII armour, instead of O(url).
    type: path
  key_input:
    description: Name of the input that fills O(key_file), for messages.
    type: str
    default: key_file
  key:
    description: The key's text; filled in by the control node's half.
    type: str
  fingerprint:
    description: The fingerprint of the key, 40 hexadecimal digits. A file with more than one key is refused.
    type: str
    required: true
  dest:
    description: The file on the node.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Trust Docker's key
  rackforge.gpu_cluster.signing_key:
    url: https://download.docker.com/linux/debian/gpg
    fingerprint: 9DC858229FC7DD38854AE2D88D81803C0EBFCD88
    dest: /etc/apt/keyrings/docker.asc
"""

RETURN = r"""
fingerprint:
  description: The fingerprint.
  returned: success
  type: str
  sample: 9DC858229FC7DD38854AE2D88D81803C0EBFCD88
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.openpgp import (
    OpenPgpError,
    fingerprint,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text


def has_key(path: str, wanted: str) -> bool:
    """Return whether the file holds the key already."""
    try:
        with open(path, "rb") as file:
            return fingerprint(file.read()) == wanted
    except (OSError, OpenPgpError):
        return False


def obtain(module: AnsibleModule) -> bytes:
    """Return the key as given or as fetched."""
    if module.params["key"]:
        return str(module.params["key"]).encode()
    url = module.params["url"]
    try:
        return bytes(open_url(url, timeout=30).read())
    except Exception as error:  # open_url lets the errors of several libraries through
        module.fail_json(
            msg=f"Could not fetch the signing key from {url}: {error}; check the node's way there "
            f"(DNS, proxy, CA), or hand the key in as {module.params['key_input']}"
        )
    raise AssertionError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str"},
            "key_file": {"type": "path", "no_log": False},
            "key_input": {"type": "str", "default": "key_file", "no_log": False},
            "key": {"type": "str", "no_log": False},
            "fingerprint": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
        },
        required_one_of=[("url", "key_file")],
        supports_check_mode=True,
    )
    path = module.params["dest"]
    wanted = module.params["fingerprint"].replace(" ", "").upper()
    changed = not has_key(path, wanted)
    if changed and not module.check_mode:
        key = obtain(module)
        try:
            seen = fingerprint(key)
        except OpenPgpError as error:
            module.fail_json(msg=f"What came as signing key is none: {error}; nothing was written")
        if seen != wanted:
            module.fail_json(
                msg=f"The signing key has the fingerprint {seen}, expected {wanted}; nothing was written. "
                "Do not go on before you know why: a proxy, a wrong mirror, or an attack"
            )
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        write_text(module, path, key.decode("utf-8", "surrogateescape"))
        module.set_mode_if_different(path, "0644", False)
    module.exit_json(changed=changed, fingerprint=wanted)


if __name__ == "__main__":
    main()
