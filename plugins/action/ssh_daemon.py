# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control node's half of ssh_daemon: proves a port before the module closes the old one."""

from __future__ import annotations

from typing import Any, Optional

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import RouteError
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_trial import (
    TrialError,
    prove,
    refusal,
    route_at,
)

MODULE = "rackforge.gpu_cluster.ssh_daemon"
NONCE = "/run/rackforge.gpu_cluster.ssh-trial"
#: The answers of the module that are meant for this plugin.
INTERNAL = ("proof", "nonce")

Result = dict[str, Any]


class ActionModule(ActionBase):  # type: ignore[misc]
    """Call the module, prove the port that it opened, and call it again."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Result] = None) -> Result:
        """Return the module's last result, with ``moved_to`` when the connection has moved."""
        result: Result = super().run(tmp, task_vars)
        self._variables = task_vars or {}
        first = self._call(no_proof=self._no_proof())
        if not first.get("failed") and first.get("proof"):
            first = self._move(first)
        for name in INTERNAL:
            first.pop(name, None)
        result.update(first)
        return result

    def _call(self, **more: Any) -> Result:
        """Return what the module answers; a lost connection is an answer too."""
        try:
            answer: Result = self._execute_module(
                module_name=MODULE,
                module_args={**self._task.args, **more},
                task_vars=self._variables,
            )
        except AnsibleError as error:
            return {"failed": True, "msg": str(error)}
        return answer

    def _no_proof(self) -> str:
        """Return why a port cannot be tried from here, empty when it can."""
        if str(self._connection.transport).rpartition(".")[2] != "ssh":
            return (
                f"Ansible reaches this node by '{self._connection.transport}', so that a login at the"
                " port cannot be proven, expected ssh; leave os_base_ssh_port out for this host"
            )
        given = load_extra_vars(self._loader)
        pinned = [name for name in ("ansible_port", "ansible_ssh_port") if name in given]
        if pinned:
            return (
                f"{pinned[0]} was given on the command line, which holds it for the whole run; put it"
                " into the inventory and run again without it"
            )
        return ""

    def _move(self, first: Result) -> Result:
        """Prove the port of the module's first answer; keep it, or undo what was done."""
        port = int(first["proof"])
        connection = self._connection
        before = connection.get_option("port")
        try:
            present = route_at(connection, None)
        except RouteError as error:
            return self._undo(f"ssh does not say how it reaches this node: {error}")
        try:
            prove(connection, port, NONCE, str(first["nonce"]))
        except TrialError as error:
            undone = self._call(step="undo")
            if undone.get("failed"):
                return self._undo(f"No login at port {port}: {error}", undone)
            return {"failed": True, "msg": refusal(str(error), present, port, undone["ports"])}
        # From here on through the new door: the old one closes now.
        connection.set_option("port", port)
        last = self._call(step="keep")
        if last.get("failed"):
            connection.set_option("port", before)
            return self._undo(str(last.get("msg")))
        if present.port != port:
            connection.set_option("port", before)
            connection.reset()
            connection.set_option("port", port)
            last["moved_to"] = port
        last["changed"] = bool(first.get("changed") or last.get("changed"))
        last["restarted"] = bool(first.get("restarted") or last.get("restarted"))
        last["diff"] = {"before": first["diff"]["before"], "after": last["diff"]["after"]}
        return last

    def _undo(self, message: str, undone: Optional[Result] = None) -> Result:
        """Return the failure with what became of the attempt to go back."""
        undone = undone or self._call(step="undo")
        if undone.get("failed"):
            end = f"Going back failed too: {undone.get('msg')}. Both ports are open; run this again"
        else:
            end = f"sshd listens as before, on {', '.join(map(str, undone['ports']))}"
        return {"failed": True, "msg": f"os_base_ssh_port: {message}. {end}"}
