# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs that name a file on the control node, and where it is looked for."""

from __future__ import annotations

import os.path
from collections.abc import Sequence

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    INVENTORY,
    Finding,
    Severity,
)


def places(value: str, folders: Sequence[str]) -> list[str]:
    """Return the paths at which a file may lie: itself, or below each folder, in this order."""
    path = os.path.expanduser(value.strip())
    if os.path.isabs(path):
        return [path]
    return list(dict.fromkeys(os.path.normpath(os.path.join(each, path)) for each in folders))


def missing_file(variable: str, value: str, looked_at: Sequence[str]) -> Finding:
    """Return the error about a file that lies at none of the places."""
    return Finding(
        Severity.ERROR,
        "file-missing",
        INVENTORY,
        f"{variable} names a file that is not on this machine.",
        seen=f"{variable}={value}; no file at {', '.join(looked_at)}",
        expected="a file that can be read; a relative path begins beside the inventory, beside"
        " the playbook, or where you run the command",
        fix=f"{variable}=PATH, or without it where nothing of it is wanted",
        variable=variable,
    )
