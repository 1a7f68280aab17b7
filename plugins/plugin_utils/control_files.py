# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the files that inputs name are on the control node."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_files import (
    missing_file,
    places,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import Kind
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import Inventory


def check_files(inventory: Inventory, nodes: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Return an error for each file that an input names and that is not there.

    ``nodes`` are the variables of the inventory's nodes, which say where the inventory lies.
    """
    found: list[Finding] = []
    for host in inventory.nodes:
        variables = nodes.get(host.name, {})
        folders = [str(variables.get("inventory_dir") or "."), os.getcwd()]
        for name, value in sorted(host.values.items()):
            known = inventory.inputs.get(name)
            if known is None or known.kind is not Kind.FILE or not str(value or "").strip():
                continue
            looked_at = places(str(value), folders)
            if not any(os.path.isfile(path) and os.access(path, os.R_OK) for path in looked_at):
                found.append(missing_file(name, str(value), looked_at))
    return list(dict.fromkeys(found))
