#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep track of the releases of Ray on a node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_release
short_description: Know which releases of Ray a node has
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - A release is a version with the virtual environment or the container image that it runs from. The one that C(ray.service) starts is
    read from the unit, the version that runs from its process.
  - The release that another one takes the place of stays on the node, so that it can come back. Which one that is stands in O(record).
attributes:
  check_mode:
    support: full
    description: Says what would be remembered or removed.
  diff_mode:
    support: full
    description: Shows the record before and after.
  idempotent:
    support: full
    description: A node that has the release is left alone.
options:
  name:
    description: The node's name in messages.
    type: str
    required: true
  state:
    description:
      - V(read) only looks.
      - V(current) remembers the release that O(version) takes the place of, before that is done.
      - V(pruned) removes the releases that neither run nor are the one to go back to. An image that was on the node before this collection
        came stays, and so does one that a container still uses.
    type: str
    choices: [read, current, pruned]
    default: read
  version:
    description: The version that is wanted.
    type: str
    required: true
  runtime:
    description: How Ray is to run.
    type: str
    choices: [container, venv]
    required: true
  place:
    description: Directory of the wanted version's virtual environment, or its image.
    type: str
    required: true
  address:
    description: Node address of the Ray that counts, where several run.
    type: str
    default: ""
  replace:
    description: Whether O(version) may take the place of another one that runs. V(false) refuses that with O(state=current).
    type: bool
    default: false
  head_version:
    description: The version that the head runs; a node that joins must have the same. Empty where it is not known.
    type: str
    default: ""
  back:
    description: Whether O(version) is the release that the node kept.
    type: bool
    default: false
  record:
    description: File on the node that says which releases are kept.
    type: path
    default: /etc/ray/releases.json
  unit_file:
    description: File of C(ray.service).
    type: path
    default: /etc/systemd/system/ray.service
"""

EXAMPLES = r"""
- name: Look which releases of Ray are here
  rackforge.gpu_cluster.ray_release:
    name: "{{ inventory_hostname }}"
    version: 2.60.0
    runtime: venv
    place: /opt/ray/2.60.0
"""

RETURN = r"""
running:
  description: Version of the Ray that runs with O(address); empty for none.
  returned: success
  type: str
  sample: 2.59.0
current:
  description: The release that C(ray.service) starts; null where there is none of this collection's make.
  returned: success
  type: dict
  sample: {version: 2.59.0, runtime: venv, place: /opt/ray/2.59.0}
previous:
  description: The release to go back to; null where none is kept. After a rollback it is the one that runs.
  returned: success
  type: dict
  sample: {version: 2.58.1, runtime: venv, place: /opt/ray/2.58.1}
left:
  description: Other releases that are kept until the next upgrade.
  returned: success
  type: list
  elements: dict
  sample: []
wanted:
  description: The release that was asked for.
  returned: success
  type: dict
  sample: {version: 2.60.0, runtime: venv, place: /opt/ray/2.60.0}
kept:
  description: Whether the wanted release is one of those that are kept or run, so that nothing has to be fetched for it.
  returned: success
  type: bool
  sample: false
removed:
  description: Places of the releases that O(state=pruned) removed.
  returned: success
  type: list
  elements: str
  sample: [/opt/ray/2.57.0]
"""

from dataclasses import asdict, replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger_store import Store
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_lock import alone_on_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_release import (
    VENV,
    Kept,
    Release,
    parse_kept,
    refusal,
    release_in_unit,
    switched,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_running import (
    read_raylets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.venv_mark import (
    is_ours,
    marked_digest,
    remove_marked,
)

PROC = "/proc"
RECORD_MODE = 0o644


class Releases:
    """What is known of this node's releases when the module begins."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.wanted = Release(params["version"], params["runtime"], params["place"])
        self.text = read_text(params["record"])
        self.kept = parse_kept(self.text)
        unit = read_text(params["unit_file"]) or ""
        raylets = [each for each in read_raylets(PROC) if each.address == params["address"]]
        self.running = (raylets[0].version or "") if raylets and unit else ""
        self.current = release_in_unit(unit, self.running)

    def has_wanted(self) -> bool:
        """Return whether the wanted release is on the node already, and whole."""
        known = [*self.kept.left, *filter(None, (self.kept.previous, self.current))]
        if self.wanted.place not in [each.place for each in known]:
            return False
        return self.wanted.runtime != VENV or bool(marked_digest(self.wanted.place))

    def result(self, kept: Kept) -> dict[str, Any]:
        """Return what the module says of the node."""
        return {
            "running": self.running,
            "current": asdict(self.current) if self.current else None,
            "previous": asdict(kept.previous) if kept.previous else None,
            "left": [asdict(each) for each in kept.left],
            "wanted": asdict(self.wanted),
            "kept": self.has_wanted(),
        }


def prune(module: AnsibleModule, releases: Releases) -> tuple[Kept, list[str]]:
    """Return what is still kept, and the places that were, or would be, removed."""
    needed = [releases.wanted, *filter(None, (releases.current, releases.kept.previous))]
    places = {each.place for each in needed}
    gone = [
        each
        for each in releases.kept.left
        if each.place not in places and (module.check_mode or remove(module, each))
    ]
    left = tuple(each for each in releases.kept.left if each not in gone)
    return replace(releases.kept, left=left), [each.place for each in gone]


def remove(module: AnsibleModule, release: Release) -> bool:
    """Remove a release of ours; return whether it need not be kept in mind any longer."""
    if release.runtime == VENV:
        if is_ours(release.place):
            remove_marked(release.place)
        return True
    known = Store().load().get("ray")
    if known is None or known.before.images.get(release.place) is not False:
        return True
    result = Command(module).run(["docker", "image", "rm", release.place])
    return result.rc == 0 or "no such image" in result.err.lower()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {
                "type": "str",
                "choices": ["read", "current", "pruned"],
                "default": "read",
            },
            "version": {"type": "str", "required": True},
            "runtime": {"type": "str", "choices": ["container", "venv"], "required": True},
            "place": {"type": "str", "required": True},
            "address": {"type": "str", "default": ""},
            "replace": {"type": "bool", "default": False},
            "head_version": {"type": "str", "default": ""},
            "back": {"type": "bool", "default": False},
            "record": {"type": "path", "default": "/etc/ray/releases.json"},
            "unit_file": {"type": "path", "default": "/etc/systemd/system/ray.service"},
        },
        supports_check_mode=True,
    )
    params = module.params
    releases = Releases(params)
    removed: list[str] = []
    kept = releases.kept
    if params["state"] == "current":
        why = refusal(params["name"], releases.running, params["version"], params["head_version"])
        if why and not params["replace"]:
            module.fail_json(msg=why, running=releases.running)
        kept = switched(kept, releases.current, releases.wanted, params["back"])
    elif params["state"] == "pruned":
        with alone_on_node():
            kept, removed = prune(module, releases)
    changed = kept != releases.kept or bool(removed)
    text = kept.text() if changed else releases.text
    if changed and not module.check_mode:
        place_text(module, params["record"], text, RECORD_MODE)
    diff = shown(params["record"], releases.text, text)
    module.exit_json(changed=changed, removed=removed, diff=diff, **releases.result(kept))


if __name__ == "__main__":
    main()
