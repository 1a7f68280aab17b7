# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of signing_key: reads the key from a file where one is given."""

from __future__ import annotations

from typing import Any, Optional

from ansible.plugins.action import ActionBase

MODULE = "rackforge.gpu_cluster.signing_key"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Hand the key's text to the module."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        path = arguments.get("key_file")
        if path:
            try:
                with open(self._find_needle("files", path), encoding="utf-8") as file:
                    arguments["key"] = file.read()
            except (OSError, UnicodeDecodeError) as error:
                message = f"{path}: saw no text ({error}), expected a key in ASCII armour"
                fix = "make one with 'gpg --armor --export'"
                return {
                    **result,
                    "failed": True,
                    "msg": f"{arguments.get('key_input') or 'key_file'}: {message}; {fix}",
                }
        result.update(
            self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        )
        return result
