# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action node_firewall: confirms a closing table over a fresh connection.

See plugins/modules/node_firewall.py for what it promises.
"""

from __future__ import annotations

import time
from typing import Any, Optional

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

MODULE = "rackforge.gpu_cluster.node_firewall"

#: Seconds beyond the roll-back in which a node is expected to answer again.
MARGIN = 30
#: Seconds between two tries to reach a node.
PAUSE = 2.0


class ActionModule(ActionBase):  # type: ignore[misc]
    """Calls the module, and once more over a fresh connection when it asks for that."""

    _supports_check_mode = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return the module's answer."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables, arguments = task_vars or {}, dict(self._task.args)
        answer = self._execute_module(
            module_name=MODULE, module_args=arguments, task_vars=variables
        )
        trial = bool(answer.pop("needs_confirmation", False))
        if trial:
            seconds = int(arguments.get("rollback_after") or 60)
            said = self._confirm({**arguments, "confirm": True}, variables, seconds)
            if said.get("failed") or said.get("unreachable"):
                return {**result, **said, "changed": True}
        return {**result, **answer, "trial": trial}

    def _confirm(
        self, arguments: dict[str, Any], variables: dict[str, Any], seconds: int
    ) -> dict[str, Any]:
        """Return what the node says over a fresh connection, as soon as one comes up."""
        deadline = time.monotonic() + seconds + MARGIN
        while True:
            reset = getattr(self._connection, "reset", None)
            if reset:
                reset()
            failure = ""
            try:
                said: dict[str, Any] = self._execute_module(
                    module_name=MODULE, module_args=arguments, task_vars=variables
                )
                if not said.get("unreachable"):
                    return said
                failure = str(said.get("msg", ""))
            except AnsibleConnectionFailure as error:
                failure = str(error)
            if time.monotonic() > deadline:
                return unanswered(failure, seconds)
            time.sleep(PAUSE)


def unanswered(failure: str, seconds: int) -> dict[str, Any]:
    """Return the result for a node that answers no more."""
    return {
        "unreachable": True,
        "msg": (
            "os_base_firewall=enforce: no fresh SSH connection came up, not even after the node"
            f" must have taken the closing rules back by itself ({seconds} s): {failure}"
        ),
    }
