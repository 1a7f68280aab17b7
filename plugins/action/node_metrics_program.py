# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of node_metrics_program: makes the program and brings it where it is due."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.program_file import (
    source_digest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.delivery import (
    DeliveringAction,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.program_archive import program

MODULE = "rackforge.gpu_cluster.node_metrics_program"
ENTRY = "node_metrics_read"


class ActionModule(DeliveringAction):
    """Make the program of this collection's own code."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        made = program(ENTRY)
        arguments = {k: v for k, v in self._task.args.items() if v is not None}
        arguments["digest"] = source_digest(made)
        result.update(self.deliver(MODULE, arguments, lambda: written(made), task_vars or {}))
        return result


@contextmanager
def written(made: bytes) -> Iterator[str]:
    """Give the path of a file with the program, while it is there."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "node-metrics.pyz")
        with open(path, "wb") as file:
            file.write(made)
        yield path
