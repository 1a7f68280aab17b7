# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ray that runs on this node, read from its processes. Reads only."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_process import (
    flag_value,
    python_of,
    raylet_package_dir,
    version_in,
)


@dataclass(frozen=True)
class Raylet:
    """A Ray node process: its version, its node address and its interpreter."""

    version: Optional[str]
    address: Optional[str]
    python: Optional[str]


def read_raylets(proc: str) -> list[Raylet]:
    """Return the raylets that run here, inside containers or not; ``proc`` is /proc."""
    processes = map(os.path.dirname, sorted(glob.glob(f"{proc}/[0-9]*/exe")))
    return [raylet for process in processes for raylet in _read_raylet(process)]


def _read_raylet(process: str) -> list[Raylet]:
    """Return what a process tells if it is a raylet, nothing for another one."""
    try:
        package = raylet_package_dir(os.readlink(f"{process}/exe"))
        if not package:
            return []
        with open(f"{process}/root{package}/_version.py", encoding="utf-8") as file:
            version = version_in(file.read())
        with open(f"{process}/cmdline", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")
    except OSError:
        return []  # The process ended while it was being looked at.
    return [Raylet(version, flag_value(words, "--node_ip_address"), python_of(package))]
