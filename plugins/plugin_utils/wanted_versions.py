# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions that an inventory asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_variables import (
    COLLECTION_ROOT,
)

#: Groups whose first host speaks for an engine, the variable, and the role with its default.
_ENGINES = {
    "ray": (("ray_head", "ray_worker"), "ray_version", "ray"),
    "k3s": (("k3s_server", "k3s_agent"), "k3s_version", "k3s"),
}


def wanted_versions(
    hostvars: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return the version of each engine that the inventory has nodes for."""
    found = {}
    for engine, (names, variable, role) in _ENGINES.items():
        hosts = [host for name in names for host in groups.get(name) or ()]
        if hosts:
            said = hostvars[hosts[0]].get(variable)
            found[engine] = str(said or role_default(role, variable))
    return found


@cache
def role_default(role: str, name: str) -> str:
    """Return a literal default of a role, empty where it has none."""
    path = COLLECTION_ROOT / "roles" / role / "defaults" / "main.yml"
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return str(values.get(name) or "")
