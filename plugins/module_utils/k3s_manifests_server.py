# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes our manifests into a server's directory, and watches what k3s makes of them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import (
    MODE,
    Change,
    Manifest,
    ObjectRef,
    addon_name,
    check_names,
    checksum,
    file_text,
    ref_of,
    unpack,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_rollout import Progress
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_rollout_look import Rollout
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import Mover

POLL_SECONDS = 2.0
#: Seconds that deleting the objects of one manifest may take; charts are uninstalled by a job.
DELETE_SECONDS = 120


def wanted_manifests(files: Sequence[Mapping[str, Any]], contents: str) -> list[Manifest]:
    """Return the manifests that the control node described, with their packed texts."""
    texts = unpack(contents)
    check_names(file["name"] for file in files)
    return [
        Manifest(
            file["name"],
            texts[file["name"]],
            tuple(map(ref_of, file["objects"])),
            file.get("order") or 0,
        )
        for file in files
    ]


def read_folder(folder: str) -> dict[str, str]:
    """Return the texts of all files in the folder by path."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return {}
    paths = [os.path.join(folder, name) for name in names]
    return {path: read_text(path) or "" for path in paths if os.path.isfile(path)}


class ManifestServer:
    """The server whose manifest directory this is."""

    def __init__(self, mover: Mover, rollout: Rollout, folder: str, group: str) -> None:
        self._mover = mover
        self._rollout = rollout
        self._folder = folder
        self._group = group

    def apply(self, changes: list[Change]) -> None:
        """Write and remove the files; objects go before the file that tells of them."""
        if changes and not os.path.isdir(self._folder):
            os.makedirs(self._folder, mode=0o700)
        for change in changes:
            if change.after is None:
                self._rollout.delete(change.goes, DELETE_SECONDS)
                self._rollout.forget(addon_name(self._group, change.manifest.name))
                os.unlink(change.path)
            else:
                self._rollout.delete(change.goes, DELETE_SECONDS)
                place_text(self._mover, change.path, change.after, MODE)

    def look(
        self, manifests: list[Manifest], extra: list[ObjectRef], before: dict[str, Any]
    ) -> list[Progress]:
        """Return how far everything is; a file that k3s has not applied yet counts too."""
        applied = self._rollout.applied()
        waiting = []
        for manifest in manifests:
            addon = addon_name(self._group, manifest.name)
            if applied.get(addon) != checksum(file_text(self._group, manifest)):
                said = self._rollout.complaint(addon)
                reason = f"k3s has not applied it yet{': ' + said if said else ''}"
                waiting.append(Progress(ObjectRef("", "file", "", addon), False, reason))
        # What an old file left behind must not pass for what the new one asks for.
        late = {each.ref.name for each in waiting}
        refs = [
            each
            for manifest in manifests
            if addon_name(self._group, manifest.name) not in late
            for each in manifest.objects
        ]
        return [*waiting, *self._rollout.look([*refs, *([] if waiting else extra)], before)]

    def watch(
        self,
        manifests: list[Manifest],
        extra: list[ObjectRef],
        before: dict[str, Any],
        seconds: float,
    ) -> list[Progress]:
        """Return the first look at which all is ready, or the last one before the time is over."""
        started = time.monotonic()
        while True:
            seen = self.look(manifests, extra, before)
            if all(each.ready for each in seen) or time.monotonic() - started >= seconds:
                return seen
            time.sleep(POLL_SECONDS)
