# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action secret_rotation: see plugins/modules/secret_rotation.py for what it promises."""

from __future__ import annotations

import os
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import (
    PREVIOUS,
    SecretError,
    begin_rotation,
    end_rotation,
)

SIZE = 32  # bytes, as secret_file makes them


class ActionModule(ActionBase):  # type: ignore[misc]
    """Replace secrets of the control node; nothing is sent to a node."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return which secrets were replaced, and which rotations were begun before."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._task.args
        paths = [os.path.abspath(os.path.expanduser(path)) for path in arguments["secrets"]]
        missing = [path for path in paths if not os.path.exists(path)]
        if missing:
            return {
                **result,
                "failed": True,
                "msg": f"There is no secret {', '.join(missing)} to replace; run provision.yml "
                "first, or run this where the cluster was built from",
            }
        begun = [path for path in paths if os.path.exists(path + PREVIOUS)]
        begins = arguments.get("state", "begun") == "begun"
        changed = len(begun) < len(paths) if begins else bool(begun)
        if not self._play_context.check_mode:
            try:
                done = [
                    begin_rotation(each, SIZE) if begins else end_rotation(each) for each in paths
                ]
            except (SecretError, OSError) as error:
                return {**result, "failed": True, "msg": f"Could not replace the secret: {error}"}
            changed = any(done)
        return {**result, "changed": changed, "unfinished": begun}
