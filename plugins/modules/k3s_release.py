#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a release of k3s on a node: the binary, its links and archives of images."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_release
short_description: Have a release of k3s on a node
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - "With O(directory): brings from the control node what differs on the node by its SHA-256 digest, and nothing else."
  - "Without: the node downloads the binary from O(url). Its digest is O(checksums)'s or this collection's, else that of the release's
    checksum
    file, which is then taken over https only."
  - Every file is checked before it takes its place, and takes it in one step. A k3s that runs keeps the binary that it was started from;
    nothing
    is restarted here.
  - Where the node has C(restorecon), the binary gets the SELinux label that the node's policy has for it; a failure of that is no error.
  - C(kubectl), C(crictl) and C(ctr) become links to the binary beside it, unless a file of that name is there or such a program lies
    elsewhere.
  - Archives of images that were brought before and are not wanted any more are removed. k3s imports new ones at its start, and a running
    one
    some seconds after they came (releases from January 2025 on).
  - Nothing is changed when there is not room for all of it.
attributes:
  check_mode:
    support: full
    description: Says what would come and go. Nothing is downloaded for it, and so a download whose digest only the release knows is told
      as due.
  diff_mode:
    support: full
    description: Shows versions and digests before and after.
  idempotent:
    support: full
    description: Equal files are left alone, and nothing is downloaded for them.
options:
  version:
    description: The version, as releases of k3s are tagged.
    type: str
    required: true
  architecture:
    description: The node's architecture, V(amd64) or V(arm64), or as Linux calls it V(x86_64) or V(aarch64).
    type: str
    required: true
  directory:
    description: Directory on the control node that holds the release. Empty for a download by the node.
    type: str
    default: ""
  planned:
    description: What M(rackforge.gpu_cluster.k3s_artifacts) found in this run; without it, or if it is about something else, the directory
      is read again.
    type: dict
    default: {}
  images:
    description: Whether the release's archive of images is brought from O(directory).
    type: bool
    default: true
  archives:
    description: Further archives of images on the control node.
    type: list
    elements: str
    default: []
  checksums:
    description: SHA-256 digests by version, architecture and file name. They count more than those that come with this collection.
    type: dict
    default: {}
  url:
    description: Where releases are downloaded from.
    type: str
    default: https://github.com/k3s-io/k3s/releases/download
  timeout:
    description: Seconds after which a download is given up. A server counts as silent after 60 s. Both are this collection's choice.
    type: int
    default: 1800
  environment:
    description: Variables that name a proxy (C(HTTP_PROXY), C(HTTPS_PROXY), C(NO_PROXY)); others are not looked at.
    type: dict
    default: {}
  replace:
    description: Whether another version takes the place of the one with which the node has joined a cluster. V(false) refuses that, since
      k3s and every pod's network restart with it.
    type: bool
    default: true
  files:
    description: What the node is to have; filled in by the control node's half.
    type: dict
  sources:
    description: Files that were brought, by name; filled in by the control node's half.
    type: dict
"""

EXAMPLES = r"""
- name: Have the release that lies on the control node
  rackforge.gpu_cluster.k3s_release:
    version: v1.34.2+k3s1
    architecture: x86_64
    directory: /srv/k3s

- name: Have a release that the node downloads
  rackforge.gpu_cluster.k3s_release:
    version: v1.34.2+k3s1
    architecture: x86_64
"""

RETURN = r"""
version:
  description: The version that is on the node afterwards.
  returned: success
  type: str
  sample: v1.34.2+k3s1
version_before:
  description: The version that was there; empty for none, or when the binary does not tell.
  returned: success
  type: str
  sample: v1.33.6+k3s1
files:
  description: Digests of the files of the release by path.
  returned: success
  type: dict
  sample:
    /usr/local/bin/k3s: 15811d34187e03fe29d0e46108c42cc33e62cec1b3d9d80f50944536ebcad40a
placed:
  description: Files that came, or would come.
  returned: success
  type: list
  elements: str
  sample: [/usr/local/bin/k3s]
left:
  description: Files that are somebody else's, in the place of a link or instead of it.
  returned: success
  type: list
  elements: str
  sample: [/usr/bin/kubectl]
"""

import os
import stat
from collections.abc import Iterator
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import k3s_paths
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release import (
    PROGRAM_DIRS,
    RECORD,
    LinkSeen,
    Plan,
    Record,
    Wanted,
    difference,
    link_seen,
    needs_by_directory,
    not_replaced,
    parse_record,
    plan_release,
    too_large,
    wanted_files,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_fetch import (
    Web,
    fetch_digests,
    is_https,
    shown,
    trusted_digest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    Content,
    FetchError,
    ReleaseError,
    blocks_of,
    drop_drafts,
    free_bytes,
    label,
    put,
    read_content,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_releases import (
    BINARIES,
    file_url,
    known_digests,
    release_architecture,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import read_text

ELSEWHERE = (
    "; or fetch the release where there is internet (playbooks/k3s_download.yml) and set "
    "k3s_artifact_dir to the directory"
)


class Node:
    """The files of the node, each read once."""

    def __init__(self) -> None:
        self.contents: dict[str, Optional[Content]] = {}

    def content(self, path: str) -> Optional[Content]:
        """Return what a regular file holds, None where there is none."""
        if path not in self.contents:
            there = os.path.isfile(path) and not os.path.islink(path)
            self.contents[path] = read_content(path) if there else None
        return self.contents[path]

    def seen(self, path: str) -> tuple[Optional[str], int]:
        """Return digest and mode."""
        content = self.content(path)
        if content is None:
            return None, 0
        return content.sha256, stat.S_IMODE(os.stat(path).st_mode)

    def version(self, record: Record) -> str:
        """Return the version of the binary: as it was brought, else as it tells itself."""
        content = self.content(k3s_paths.BINARY)
        if content is None:
            return ""
        if record.files.get(k3s_paths.BINARY) == content.sha256:
            return record.version
        return next(iter(content.versions)) if len(content.versions) == 1 else ""


def read_links() -> list[LinkSeen]:
    """Return the names by which k3s can be called, as they are."""
    found = []
    for path in k3s_paths.LINKS:
        target = os.readlink(path) if os.path.islink(path) else None
        name = os.path.basename(path)
        others = (os.path.join(each, name) for each in PROGRAM_DIRS)
        elsewhere = next((each for each in others if os.path.lexists(each)), "")
        found.append(link_seen(path, target, os.path.lexists(path), elsewhere))
    return found


def downloaded(params: dict[str, Any], web: Web, node: Node, record: Record) -> Wanted:
    """Return the binary that the node is to download."""
    architecture = release_architecture(params["architecture"])
    if architecture is None:
        raise ReleaseError(
            f"this machine is {params['architecture']}, expected x86_64 or aarch64: k3s has no "
            "release for others that is known here"
        )
    name, version, url = BINARIES[architecture], params["version"], params["url"]
    digest = known_digests(version, architecture, params["checksums"]).get(name, "")
    present = node.content(k3s_paths.BINARY)
    as_brought = present is not None and record.files.get(k3s_paths.BINARY) == present.sha256
    if not digest and present is not None and as_brought and record.version == version:
        digest = present.sha256
    if not digest and not params["check"]:
        listed = fetch_digests(web, url, version, architecture) if is_https(url) else {}
        digest = trusted_digest(name, {}, listed, url, version)
    there = present is not None and present.sha256 == digest
    size = None if there or params["check"] else web.size(file_url(url, version, name))
    return Wanted(name, k3s_paths.BINARY, digest, size, 0o755)


def room(plan: Plan) -> None:
    """Raise ReleaseError when a file system cannot take what is to come."""
    needs: dict[int, tuple[str, int, int]] = {}
    for directory, size in needs_by_directory(plan).items():
        nearest, free = free_bytes(directory)
        device = os.stat(nearest).st_dev
        needs[device] = (nearest, needs.get(device, ("", 0, 0))[1] + size, free)
    for nearest, needed, free in needs.values():
        refuse(too_large(needed, nearest, free))


def refuse(reason: str) -> None:
    """Raise ReleaseError where there is a reason."""
    if reason:
        raise ReleaseError(reason)


def place(params: dict[str, Any], wanted: Wanted, web: Web) -> None:
    """Put one file in its place."""
    source = (params["sources"] or {}).get(wanted.name)
    blocks: Iterator[bytes]
    if source:
        blocks, origin = blocks_of(source), "what came from the control node"
    else:
        address = file_url(params["url"], params["version"], wanted.name)
        blocks, origin = web.blocks(address, lambda _seen, _all: None), shown(address)

    def accepted(content: Content) -> str:
        if content.sha256 == wanted.sha256:
            return ""
        return (
            f"{origin} has the SHA-256 digest {content.sha256}, expected {wanted.sha256}; "
            f"{wanted.path} was left as it is"
        )

    try:
        put(blocks, wanted.path, wanted.mode, accepted)
    except OSError as error:
        raise ReleaseError(f"{wanted.path}: {error.strerror or error}; is there room?") from error


def apply(params: dict[str, Any], plan: Plan, web: Web, command: Command) -> None:
    """Do what is planned; the record is the last, so that an interrupted run begins anew."""
    for each in plan.place:
        place(params, each, web)
        if each.path == k3s_paths.BINARY:
            label(command, each.path)
    for each in plan.modes:
        os.chmod(each.path, each.mode)
    for path in plan.remove:
        os.unlink(path)
    for path in plan.link:
        os.symlink(os.path.basename(k3s_paths.BINARY), path)
    text = plan.record.text().encode()
    put([text], RECORD, 0o600, lambda _content: "")


def release(module: AnsibleModule) -> dict[str, Any]:
    """Have the release on the node and return the result."""
    params, node = {**module.params, "check": module.check_mode}, Node()
    environment = {k: str(v) for k, v in params["environment"].items()}
    web = Web(float(params["timeout"]), environment, "k3s_download_timeout_seconds")
    record = parse_record(read_text(RECORD))
    try:
        wanted = (
            wanted_files(params["files"])
            if params["files"]
            else [downloaded(params, web, node, record)]
        )
        paths = {*record.files, *(each.path for each in wanted)}
        seen = {path: node.seen(path) for path in paths}
        plan = plan_release(params["version"], wanted, seen, read_links(), record)
        if not params["replace"]:
            joined = os.path.exists(k3s_paths.NODE_PASSWORD)
            refuse(not_replaced(params["version"], node.version(record), joined))
        needs = [each.name for each in plan.place] if params["files"] else []
        if not module.check_mode:
            for path in {os.path.dirname(path) for path in (*paths, RECORD)}:
                drop_drafts(path)
        room(plan)
        brought = not needs or params["sources"] is not None
        if plan.changed and brought and not module.check_mode:
            apply(params, plan, web, Command(module))
    except ReleaseError as error:
        hint = ELSEWHERE if isinstance(error, FetchError) else ""
        module.fail_json(msg=f"k3s {params['version']}: {error}{hint}")
    version_before = node.version(record)
    return {
        "changed": plan.changed,
        "needs_sources": needs if not brought else [],
        "version": params["version"],
        "version_before": version_before,
        "files": dict(plan.record.files),
        "placed": [each.path for each in plan.place],
        "left": list(plan.left),
        "diff": difference(plan, version_before),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "architecture": {"type": "str", "required": True},
            "directory": {"type": "str", "default": ""},
            "planned": {"type": "dict", "default": {}},
            "images": {"type": "bool", "default": True},
            "archives": {"type": "list", "elements": "str", "default": []},
            "checksums": {"type": "dict", "default": {}},
            "url": {
                "type": "str",
                "default": "https://github.com/k3s-io/k3s/releases/download",
            },
            "timeout": {"type": "int", "default": 1800},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "replace": {"type": "bool", "default": True},
            "files": {"type": "dict"},
            "sources": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**release(module))
    except OSError as error:
        module.fail_json(
            msg=f"k3s {module.params['version']}: {error.filename or 'a file'}: "
            f"{error.strerror or error}; look at the file system on this node (df -h, mount)"
        )


if __name__ == "__main__":
    main()
