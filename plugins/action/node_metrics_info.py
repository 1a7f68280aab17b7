# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of node_metrics_info: reads the password that the module asks with."""

from __future__ import annotations

import os
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import (
    SecretError,
    check_secret,
    read_secret,
)

MODULE = "rackforge.gpu_cluster.node_metrics_info"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Hand the password to the module in an argument that nobody sees."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {k: v for k, v in self._task.args.items() if v is not None}
        secret = arguments.pop("secret", None)
        if secret:
            path = os.path.abspath(os.path.expanduser(str(secret)))
            try:
                check_secret(path)
                arguments["password"] = read_secret(path)
            except (SecretError, OSError) as error:
                return {**result, "failed": True, "msg": f"Could not use {path}: {error}"}
        result.update(
            self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        )
        return result
