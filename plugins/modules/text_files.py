#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a list of text files, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: text_files
short_description: Have a list of text files
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes all files of a list in one call; a loop would cost one round trip to the node for each of them.
  - All drafts are validated before the first file is written, so a wrong one leaves every file as it was.
  - Each file is replaced whole or not at all. Directories that are missing are made with mode 0755.
attributes:
  check_mode:
    support: full
    description: Says which files would change. Drafts are validated all the same.
  diff_mode:
    support: full
    description: Shows each file that differs, before and after, and its mode and owner where those differ.
  idempotent:
    support: full
    description: A file with the wanted content, mode and owner is left alone.
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file lies.
        type: path
        required: true
      content:
        description: Its whole text.
        type: str
        required: true
      mode:
        description: Its permissions, in octal digits.
        type: str
        default: "0644"
      owner:
        description: The user to whom it belongs.
        type: str
        default: root
      group:
        description: The group to which it belongs.
        type: str
        default: root
      validate:
        description:
          - Command line, as a list, that must exit 0 for the draft of this file. C(%s) stands for the draft's path.
          - It runs only when the content differs.
        type: list
        elements: str
        default: []
"""

EXAMPLES = r"""
- name: Let operators restart Ray, and sessions open enough files
  rackforge.gpu_cluster.text_files:
    files:
      - path: /etc/sudoers.d/60-rackforge-ray
        content: "%operators ALL=(root) NOPASSWD: /usr/bin/systemctl restart ray.service\n"
        mode: "0440"
        validate: [visudo, -cf, "%s"]
      - path: /etc/security/limits.d/60-rackforge.conf
        content: "* soft nofile 65536\n* hard nofile 65536\n"
"""

RETURN = r"""
paths:
  description: Files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/security/limits.d/60-rackforge.conf]
"""

import grp
import os
import pwd
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_files import (
    Seen,
    TextFilesError,
    Wanted,
    check_files,
    describe,
    differences,
    parse_mode,
)

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "validate": {"type": "list", "elements": "str", "default": []},
}


def wanted_file(params: dict[str, Any]) -> Wanted:
    """Return one file of the list, with numbers in place of names."""
    path = params["path"]
    try:
        uid = pwd.getpwnam(params["owner"]).pw_uid
        gid = grp.getgrnam(params["group"]).gr_gid
    except KeyError as error:
        raise TextFilesError(f"{path}: this node has no such user or group: {error}") from None
    mode = parse_mode(path, params["mode"])
    return Wanted(path, params["content"], mode, uid, gid, tuple(params["validate"]))


def seen_file(path: str) -> Seen:
    """Return how a file is now."""
    content = read_text(path)
    if content is None:
        return Seen()
    status = os.stat(path)
    return Seen(content, status.st_mode & 0o7777, status.st_uid, status.st_gid)


def validate(module: AnsibleModule, command: Command, wanted: Wanted) -> None:
    """Raise TextFilesError when the reader of the file does not take its draft."""
    handle, draft = tempfile.mkstemp(dir=module.tmpdir)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(wanted.content)
        result = command.run([word.replace("%s", draft) for word in wanted.validate])
    finally:
        os.unlink(draft)
    if result.rc != 0:
        said = result.explain().replace(draft, wanted.path)
        raise TextFilesError(f"{wanted.path} would not be valid: {said}; no file was changed")


def write(module: AnsibleModule, wanted: Wanted, found: list[str]) -> None:
    """Change what differs."""
    if "content" in found:
        place_text(module, wanted.path, wanted.content, wanted.mode)
    os.chown(wanted.path, wanted.uid, wanted.gid)
    os.chmod(wanted.path, wanted.mode)


def diff_of(wanted: Wanted, seen: Seen, found: list[str]) -> dict[str, str]:
    """Return what is shown of one file."""
    return {
        "before_header": wanted.path,
        "after_header": wanted.path,
        "before": describe(seen.content, seen.mode, seen.uid, seen.gid, found),
        "after": describe(wanted.content, wanted.mode, wanted.uid, wanted.gid, found),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": FILE}
        },
        supports_check_mode=True,
    )
    command, files = Command(module), module.params["files"]
    try:
        check_files([file["path"] for file in files], [tuple(file["validate"]) for file in files])
        pairs = [(one, seen_file(one.path)) for one in map(wanted_file, files)]
        todo = [(one, seen, differences(one, seen)) for one, seen in pairs]
        todo = [row for row in todo if row[2]]
        for one, _seen, found in todo:
            if one.validate and "content" in found:
                validate(module, command, one)
        if not module.check_mode:
            for one, _seen, found in todo:
                write(module, one, found)
    except (TextFilesError, OSError) as error:
        module.fail_json(msg=f"Could not write the files: {error}")
    module.exit_json(
        changed=bool(todo),
        paths=[one.path for one, _seen, _found in todo],
        diff=[diff_of(*row) for row in todo],
    )


if __name__ == "__main__":
    main()
