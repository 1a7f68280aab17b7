# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of nvidia_runfile: checks the file and brings it where it is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.delivery import (
    DeliveringAction,
)

MODULE = "rackforge.gpu_cluster.nvidia_runfile"


@lru_cache(maxsize=4)
def sum_of(path: str) -> str:
    """Return the SHA-256 sum of a file of this machine; once for all nodes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def sum_problem(path: str, seen: str, wanted: str) -> str:
    """Return what is wrong with a file's sum, an empty text when it is the right one."""
    if seen == wanted:
        return ""
    return (
        f"{path} has the sum {seen}, expected {wanted or 'one'} (nvidia_runfile_sha256). Nothing "
        "was changed; fetch the file anew, or correct the sum from NVIDIA's download page"
    )


class ActionModule(DeliveringAction):
    """Look at the file before any node is touched, and bring it to those that lack its driver."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.get("state") == "absent":
            result.update(
                self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
            )
            return result
        path, wanted = str(arguments.get("runfile")), str(arguments.get("sha256") or "").lower()
        try:
            found = self._find_needle("files", path)
            seen = sum_of(found)
        except (OSError, AnsibleError) as error:
            return {**result, "failed": True, "msg": f"nvidia_runfile: {path}: {error}"}
        problem = sum_problem(path, seen, wanted)
        if problem:
            return {**result, "failed": True, "msg": problem}

        @contextmanager
        def whole() -> Iterator[str]:
            yield found

        result.update(self.deliver(MODULE, arguments, whole, task_vars or {}))
        return result
