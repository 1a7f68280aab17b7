# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of web_config: the password stays here, only its hash travels."""

from __future__ import annotations

import os
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import (
    SecretError,
    check_secret,
    ensure_secret,
    read_secret,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.web_password import (
    PasswordError,
    hash_password,
)

MODULE = "rackforge.gpu_cluster.web_config"
#: bytes: 256 random bits, 64 hexadecimal digits, within what bcrypt looks at.
SIZE = 32


class ActionModule(ActionBase):  # type: ignore[misc]
    """Make the passwords that are not there yet, then have the node write their hashes."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {k: v for k, v in self._task.args.items() if v is not None}
        user, secret = str(arguments.get("user")), str(arguments.pop("secret"))
        secrets = {user: secret, **(arguments.pop("other_users", None) or {})}
        hashes: dict[str, str] = {}
        for name, file in secrets.items():
            path = os.path.abspath(os.path.expanduser(str(file)))
            try:
                password = self._password(path)
                if password is None:
                    return {**result, "changed": True, "msg": f"{path} would be made"}
                hashes[name] = hash_password(name, password)
            except (SecretError, PasswordError, OSError) as error:
                return {**result, "failed": True, "msg": f"Could not use {path}: {error}"}
        arguments["hash"] = hashes.pop(user)
        if hashes:
            arguments["other_hashes"] = hashes
        result.update(
            self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        )
        return result

    def _password(self, path: str) -> Optional[str]:
        """Return the password, None when check mode leaves it unmade."""
        if os.path.exists(path):
            check_secret(path)
        elif self._play_context.check_mode:
            return None
        else:
            ensure_secret(path, SIZE)
        return read_secret(path)
