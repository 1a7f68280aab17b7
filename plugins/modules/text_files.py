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
  - Each file is replaced whole or not at all. Directories that are missing are made with mode 0755, or as O(directories) says.
attributes:
  check_mode:
    support: full
    description:
      - Says which files would change. Drafts are validated all the same, unless the node does not have the program yet.
      - A user or group that the node does not have yet is taken as one that an earlier step would have made.
  diff_mode:
    support: full
    description: Shows each file that differs, before and after, and its mode and owner where those differ.
  idempotent:
    support: full
    description: A file with the wanted content, mode and owner is left alone.
options:
  directories:
    description: Directories to have before the files, parents first. What is in them is not touched.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the directory lies.
        type: path
        required: true
      mode:
        description: Its permissions, in octal digits.
        type: str
        default: "0755"
      owner:
        description: The user to whom it belongs.
        type: str
        default: root
      group:
        description: The group to which it belongs.
        type: str
        default: root
  files:
    description: The files.
    type: list
    elements: dict
    default: []
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
  description: Directories and files that were made or changed, or would be in check mode.
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
    make_parents,
    place_text,
    read_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_files import (
    TO_COME,
    Folder,
    Seen,
    TextFilesError,
    Wanted,
    check_files,
    describe,
    differences,
    folder_sides,
    parse_mode,
)

DIRECTORY = {
    "path": {"type": "path", "required": True},
    "mode": {"type": "str", "default": "0755"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}
FILE = {
    **DIRECTORY,
    "mode": {"type": "str", "default": "0644"},
    "content": {"type": "str", "required": True},
    "validate": {"type": "list", "elements": "str", "default": []},
}


def owner_of(params: dict[str, Any], check: bool) -> tuple[int, int]:
    """Return the numbers of user and group; in check mode they may yet have to come."""
    try:
        return pwd.getpwnam(params["owner"]).pw_uid, grp.getgrnam(params["group"]).gr_gid
    except KeyError as error:
        if check:
            return TO_COME, TO_COME
        raise TextFilesError(
            f"{params['path']}: this node has no such user or group: {error}"
        ) from None


def wanted_file(params: dict[str, Any], check: bool) -> Wanted:
    """Return one file of the list, with numbers in place of names."""
    path = params["path"]
    uid, gid = owner_of(params, check)
    mode = parse_mode(path, params["mode"])
    return Wanted(path, params["content"], mode, uid, gid, tuple(params["validate"]))


def wanted_folder(params: dict[str, Any], check: bool) -> Folder:
    """Return one directory of the list, with numbers in place of names."""
    path = params["path"]
    return Folder(path, parse_mode(path, params["mode"]), *owner_of(params, check))


def seen_folder(path: str) -> Folder:
    """Return how a directory is now."""
    if not os.path.isdir(path):
        return Folder(path, None)
    status = os.stat(path)
    return Folder(path, status.st_mode & 0o7777, status.st_uid, status.st_gid)


def have_folder(wanted: Folder, seen: Folder) -> None:
    """Make the directory, or set what differs."""
    if seen.mode is None:
        make_parents(wanted.path)
        os.mkdir(wanted.path, 0o700)
    os.chown(wanted.path, wanted.uid, wanted.gid)
    os.chmod(wanted.path, wanted.mode or 0)


def seen_file(path: str) -> Seen:
    """Return how a file is now."""
    content = read_text(path)
    if content is None:
        return Seen()
    status = os.stat(path)
    return Seen(content, status.st_mode & 0o7777, status.st_uid, status.st_gid)


def validate(module: AnsibleModule, command: Command, wanted: Wanted) -> None:
    """Raise TextFilesError when the reader of the file does not take its draft."""
    if module.check_mode and command.find(wanted.validate[0]) is None:
        return  # An earlier step would have brought the program.
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


def sides(path: str, before: str, after: str) -> dict[str, str]:
    """Return what is shown of one path."""
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def diff_of(wanted: Wanted, seen: Seen, found: list[str]) -> dict[str, str]:
    """Return what is shown of one file."""
    before = describe(seen.content, seen.mode, seen.uid, seen.gid, found)
    after = describe(wanted.content, wanted.mode, wanted.uid, wanted.gid, found)
    return sides(wanted.path, before, after)


def have_folders(module: AnsibleModule) -> list[dict[str, str]]:
    """Have the directories, and return what is shown of those that differ."""
    shown = []
    for params in module.params["directories"]:
        wanted = wanted_folder(params, module.check_mode)
        seen = seen_folder(wanted.path)
        before, after = folder_sides(wanted, seen)
        if before != after:
            shown.append(sides(wanted.path, before, after))
            if not module.check_mode:
                have_folder(wanted, seen)
    return shown


def have_files(module: AnsibleModule, command: Command) -> list[dict[str, str]]:
    """Have the files, and return what is shown of those that differ."""
    files = module.params["files"]
    pairs = [
        (one, seen_file(one.path)) for one in (wanted_file(x, module.check_mode) for x in files)
    ]
    todo = [(one, seen, differences(one, seen)) for one, seen in pairs]
    todo = [row for row in todo if row[2]]
    for one, _seen, found in todo:
        if one.validate and "content" in found:
            validate(module, command, one)
    if not module.check_mode:
        for one, _seen, found in todo:
            write(module, one, found)
    return [diff_of(*row) for row in todo]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": DIRECTORY,
            },
            "files": {"type": "list", "elements": "dict", "default": [], "options": FILE},
        },
        supports_check_mode=True,
    )
    files = module.params["files"]
    try:
        check_files([file["path"] for file in files], [tuple(file["validate"]) for file in files])
        shown = have_folders(module)
        shown += have_files(module, Command(module))
    except (TextFilesError, OSError) as error:
        module.fail_json(msg=f"Could not write the files: {error}")
        return
    module.exit_json(changed=bool(shown), paths=[x["after_header"] for x in shown], diff=shown)


if __name__ == "__main__":
    main()
