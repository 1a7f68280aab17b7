# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a large file to a node only when a module says that it is needed there."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ansible.plugins.action import ActionBase

Result = dict[str, Any]
Source = Callable[[], AbstractContextManager[str]]


class DeliveringAction(ActionBase):  # type: ignore[misc]
    """An action whose module may ask for a file of the control node.

    The module is called without the file first. When it answers ``needs_source: true`` the file is
    transferred and the module called once more with ``source_file``.
    """

    def deliver(self, module: str, arguments: Result, source: Source, task_vars: Result) -> Result:
        """Return the module's last answer; the transferred file is gone afterwards.

        ``source`` is called only when the file is needed, and gives its path while it is there.
        """
        result: Result = self._execute_module(
            module_name=module, module_args=arguments, task_vars=task_vars
        )
        if not result.pop("needs_source", False) or self._play_context.check_mode:
            return result
        directory = self._make_tmp_path()
        try:
            with source() as local:
                remote = self._connection._shell.join_path(directory, os.path.basename(local))
                self._transfer_file(local, remote)
            self._fixup_perms2((directory, remote))
            answer: Result = self._execute_module(
                module_name=module,
                module_args={**arguments, "source_file": remote},
                task_vars=task_vars,
            )
        finally:
            self._remove_tmp_path(directory)
        answer.pop("needs_source", None)
        return answer
