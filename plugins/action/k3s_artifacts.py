# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action k3s_artifacts: see plugins/modules/k3s_artifacts.py for what it promises."""

from __future__ import annotations

from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_directory import (
    ARGUMENTS,
    look,
    request_of,
)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Reads the directory in this process; no node is asked."""

    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the artifacts and what is wrong with them."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(
            argument_spec={
                **ARGUMENTS,
                "architectures": {"type": "list", "elements": "str", "required": True},
            }
        )
        return {"changed": False, **look(request_of(args, args["architectures"]))}
