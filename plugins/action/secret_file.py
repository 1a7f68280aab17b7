# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret of the control node, delivered to a node as a file of its own."""

from __future__ import annotations

import os
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import (
    SecretError,
    check_secret,
    ensure_secret,
)

SIZE = 32  # bytes: 256 bits, 64 hexadecimal digits


class ActionModule(ActionBase):  # type: ignore[misc]
    """Make the secret if it is not there yet, then copy it."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the result of the copy."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        source = os.path.abspath(os.path.expanduser(self._task.args["secret"]))
        try:
            if os.path.exists(source):
                check_secret(source)
            elif self._play_context.check_mode:
                return {**result, "changed": True, "msg": f"{source} would be generated"}
            else:
                ensure_secret(source, SIZE)
        except (SecretError, OSError) as error:
            return {**result, "failed": True, "msg": f"Could not use the secret: {error}"}
        result.update(self._copy(source, task_vars or {}))
        return result

    def _copy(self, source: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        task = self._task.copy()
        task.args = {
            "src": source,
            "dest": self._task.args["dest"],
            "owner": "root",
            "group": "root",
            "mode": "0600",
        }
        copy = self._shared_loader_obj.action_loader.get(
            "ansible.legacy.copy",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        answer: dict[str, Any] = copy.run(task_vars=task_vars)
        return answer
