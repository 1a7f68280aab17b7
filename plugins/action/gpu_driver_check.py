# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of gpu_driver_check: knows what the inventory has."""

from __future__ import annotations

from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import leads

MODULE = "rackforge.gpu_cluster.gpu_driver_check"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Tell the module which groups its commands must name."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = {"leads": leads(variables.get("groups") or {}), **self._task.args}
        result.update(
            self._execute_module(module_name=MODULE, module_args=arguments, task_vars=variables)
        )
        return result
