# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files that inputs name are on the control node, and whether they are there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_files import (
    missing_file,
    places,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import Kind
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import Inventory


def folders_of(variables: Mapping[str, Any]) -> list[str]:
    """Return the folders that a relative path of a host's variables may begin in, in this order.

    They are the inventory's, the playbook's and the one in which the command is run.
    """
    known = [str(variables[key]) for key in ("inventory_dir", "playbook_dir") if variables.get(key)]
    return [*known, os.getcwd()]


def locate(value: str, folders: Sequence[str]) -> tuple[Optional[str], list[str]]:
    """Return the first path that is there, None when none is, and all that were looked at."""
    looked_at = places(value, folders)
    return next((path for path in looked_at if os.path.exists(path)), None), looked_at


def check_files(inventory: Inventory, nodes: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Return an error for each file that an input names and that is not there.

    ``nodes`` are the variables of the inventory's nodes, which say where the inventory lies.
    """
    found: list[Finding] = []
    for host in inventory.nodes:
        folders = folders_of(nodes.get(host.name, {}))
        for name, value in sorted(host.values.items()):
            known = inventory.inputs.get(name)
            if known is None or known.kind is not Kind.FILE or not str(value or "").strip():
                continue
            path, looked_at = locate(str(value), folders)
            if path is None:
                found.append(missing_file(name, str(value), looked_at))
            elif not (os.path.isfile(path) and os.access(path, os.R_OK)):
                found.append(missing_file(name, str(value), [path]))
    return list(dict.fromkeys(found))
