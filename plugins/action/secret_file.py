# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret of the control node, delivered to a node as a file of its own."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import (
    SecretError,
    check_secret,
    ensure_secret,
    holds_other,
    read_secret,
    replace_secret,
)

SIZE = 32  # bytes: 256 bits, 64 hexadecimal digits


def basic(user: str, password: str) -> str:
    """Return the value of the header Authorization for a user (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Make the secret if it is not there yet, then copy it."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the result of the copy."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        source = os.path.abspath(os.path.expanduser(self._task.args["secret"]))
        try:
            if not self._have(source):
                return {**result, "changed": True, "msg": f"{source} would be written"}
            with self._framed(source) as path:
                result.update(self._copy(path, task_vars or {}))
        except (SecretError, OSError) as error:
            return {**result, "failed": True, "msg": f"Could not use the secret: {error}"}
        return result

    def _have(self, source: str) -> bool:
        """Have the secret on the control node; False when check mode left it as it is."""
        value = self._task.args.get("value")
        if value:
            if self._play_context.check_mode:
                return not holds_other(source, str(value))
            replace_secret(source, str(value))
        elif os.path.exists(source):
            check_secret(source)
        elif self._play_context.check_mode:
            return False
        else:
            ensure_secret(source, SIZE)
        return True

    @contextmanager
    def _framed(self, source: str) -> Iterator[str]:
        """Give the path of a file with what the node gets, while it is there."""
        prefix, suffix, user = (self._task.args.get(n) or "" for n in ("prefix", "suffix", "user"))
        if not (prefix or suffix or user):
            yield source
            return
        secret = read_secret(source)
        # Only its owner can read what mkstemp makes.
        handle, draft = tempfile.mkstemp(dir=constants.DEFAULT_LOCAL_TMP)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(f"{prefix}{basic(user, secret) if user else secret}{suffix}")
            yield draft
        finally:
            os.unlink(draft)

    def _copy(self, source: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        task = self._task.copy()
        task.args = {
            "src": source,
            "dest": self._task.args["dest"],
            "owner": "root",
            "group": self._task.args.get("group") or "root",
            "mode": self._task.args.get("mode") or "0600",
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
