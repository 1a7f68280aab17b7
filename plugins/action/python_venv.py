# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of python_venv: packs the wheel folder and brings it where it is needed."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.delivery import (
    DeliveringAction,
)

MODULE = "rackforge.gpu_cluster.python_venv"


class ActionModule(DeliveringAction):
    """Read the lock file and the wheel folder on the control node."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        lock = arguments.pop("lock_file", None)
        wheels = os.path.expanduser(arguments.get("wheel_dir") or "")
        if lock:
            with open(self._find_needle("files", lock), encoding="utf-8") as file:
                arguments["lock"] = file.read()
        if not wheels:
            result.update(
                self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
            )
            return result
        names = wheel_names(wheels)
        if not names:
            message = f"{wheels}: no wheel inside; fill it with 'pip download --dest {wheels} ...'"
            return {**result, "failed": True, "msg": f"ray_venv_wheel_dir: {message}"}
        result.update(
            self.deliver(MODULE, arguments, lambda: packed(wheels, names), task_vars or {})
        )
        return result


def wheel_names(directory: str) -> list[str]:
    """Return the names of the wheels in ``directory``, sorted; none when it does not exist."""
    if not os.path.isdir(directory):
        return []
    return sorted(name for name in os.listdir(directory) if name.endswith(".whl"))


@contextmanager
def packed(directory: str, names: list[str]) -> Iterator[str]:
    """Give the path of one archive with the wheels: one transfer instead of dozens."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as target:
        with tarfile.open(target.name, "w") as archive:
            for name in names:
                archive.add(os.path.join(directory, name), arcname=name)
        yield target.name
