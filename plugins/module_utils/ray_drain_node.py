# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of Ray that run on this node. Reads only."""

from __future__ import annotations

import glob
import os
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_drain import (
    Raylet,
    working,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_process import (
    flag_value,
    python_of,
    raylet_package_dir,
)

PROC = "/proc"
#: What Ray's own programs need to show the cluster's token.
_TOKEN = ("RAY_AUTH_TOKEN_PATH", "/run/ray/auth_token")
_AUTH = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH")


def _words(path: str) -> list[str]:
    """Return the words of a file of /proc that are ended by zeros; none of a process that left."""
    try:
        with open(path, "rb") as file:
            return [word for word in file.read().decode(errors="replace").split("\0") if word]
    except OSError:
        return []


def read_raylet() -> Optional[Raylet]:
    """Return the raylet that runs on this node, the one with Ray's token where several do."""
    found = [each for each in map(_raylet, _processes()) if each]
    ours = [each for each in found if _TOKEN in each.environment]
    return next(iter(ours or found), None)


def _processes() -> list[str]:
    return [os.path.dirname(path) for path in sorted(glob.glob(f"{PROC}/[0-9]*/exe"))]


def _raylet(process: str) -> Optional[Raylet]:
    try:
        package = raylet_package_dir(os.readlink(f"{process}/exe"))
    except OSError:
        return None
    words = _words(f"{process}/cmdline") if package else []
    node_id = flag_value(words, "--node_id")
    gcs_address = flag_value(words, "--gcs-address")
    if not node_id or not gcs_address:
        return None
    settings = (word.partition("=") for word in _words(f"{process}/environ"))
    return Raylet(
        pid=int(os.path.basename(process)),
        node_id=node_id,
        address=flag_value(words, "--node_ip_address") or "",
        gcs_address=gcs_address,
        python=python_of(package),
        is_head="--head" in words,
        environment=tuple((name, value) for name, _equals, value in settings if name in _AUTH),
    )


def read_work() -> list[str]:
    """Return the tasks and actors that run on this node."""
    pairs = ((int(os.path.basename(each)), _words(f"{each}/cmdline")) for each in _processes())
    return working((pid, words[0]) for pid, words in pairs if words)
