# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of system_packages: brings a folder of packages where some are missing."""

from __future__ import annotations

import os
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.action.python_venv import packed
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.delivery import (
    DeliveringAction,
)

MODULE = "rackforge.gpu_cluster.system_packages"
ENDINGS = (".deb", ".rpm")


class ActionModule(DeliveringAction):
    """Look at the folder, and pack it for the nodes that lack something."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        folder = arguments.get("source_dir")
        if not folder:
            result.update(self._execute_module(module_name=MODULE, task_vars=task_vars))
            return result
        packages = packages_in(folder)
        if not packages:
            seen = "no such folder" if not os.path.isdir(folder) else "no .deb and no .rpm in it"
            named = arguments.get("source_input") or "source_dir"
            fix = f"point {named} at a folder with the packages of this node's system"
            return {**result, "failed": True, "msg": f"{folder}: saw {seen}; {fix}"}
        result.update(
            self.deliver(MODULE, arguments, lambda: packed(folder, packages), task_vars or {})
        )
        return result


def packages_in(folder: str) -> list[str]:
    """Return the names of the packages in a folder of this machine."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(ENDINGS))
    except OSError:
        return []
