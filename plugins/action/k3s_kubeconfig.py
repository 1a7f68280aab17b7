# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action k3s_kubeconfig: see plugins/modules/k3s_kubeconfig.py for what it promises."""

from __future__ import annotations

import base64
import os
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import KUBECONFIG
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.kubeconfig import (
    Config,
    KubeconfigError,
    back_up,
    check_own,
    for_cluster,
    is_private,
    merged,
    parse_kubeconfig,
    read_config,
    write_config,
)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Read the server's kubeconfig and keep it on the control node."""

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return where the kubeconfig is and whether it changed; never its content."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._task.args
        host = (task_vars or {}).get("inventory_hostname", "the server")
        dest = os.path.abspath(os.path.expanduser(arguments["dest"]))
        merge = arguments.get("merge_into")
        source = arguments.get("source") or KUBECONFIG
        result.update(changed=False, dest=dest, backup="")
        answer = self._slurp(source, task_vars)
        if answer.get("failed"):
            return self._unread(result, f"{host}: {source}", answer)
        try:
            text = base64.b64decode(answer["content"]).decode("utf-8", "replace")
            server = server_url(str(arguments["address"]), int(arguments["port"]))
            there = parse_kubeconfig(text, f"{source} on {host}")
            config = for_cluster(there, str(arguments["cluster"]), server, f"{source} on {host}")
            result["changed"] = self._keep(dest, config)
            if merge:
                target = os.path.realpath(os.path.expanduser(merge))
                result["backup"], changed = self._merge(target, config)
                result["changed"] = result["changed"] or changed
        except (KubeconfigError, OSError) as error:
            return {**result, "failed": True, "msg": f"Could not keep the kubeconfig: {error}"}
        return result

    def _slurp(self, path: str, task_vars: Optional[dict[str, Any]]) -> dict[str, Any]:
        """Return slurp's answer; with -vvv the connection would print the administrator's key."""
        before = self._play_context.no_log
        self._play_context.no_log = True
        try:
            answer: dict[str, Any] = self._execute_module(
                module_name="ansible.legacy.slurp", module_args={"src": path}, task_vars=task_vars
            )
        finally:
            self._play_context.no_log = before
        return answer

    def _unread(self, result: dict[str, Any], where: str, answer: dict[str, Any]) -> dict[str, Any]:
        if self._play_context.check_mode:
            return {**result, "changed": True, "msg": f"{where} is not there yet"}
        said = answer.get("msg") or "no reason given"
        fix = "a server writes it at its first start: run provision.yml"
        return {**result, "failed": True, "msg": f"{where} cannot be read ({said}); {fix}"}

    def _keep(self, path: str, config: Config) -> bool:
        """Bring the cluster's own file up to date; return whether it changed.

        It is written whole or not at all, so one that is no kubeconfig is somebody else's.
        """
        existing = read_config(path)
        check_own(existing or {}, config, path)
        same = existing == config and is_private(path)
        if not same and not self._play_context.check_mode:
            write_config(path, config)
        return not same

    def _merge(self, path: str, config: Config) -> tuple[str, bool]:
        """Bring the cluster's entries into somebody's file; return its backup, and whether."""
        existing = read_config(path)
        wanted = merged(existing or {}, config)
        if existing == wanted and is_private(path):
            return "", False
        if self._play_context.check_mode:
            return "", True
        backup = back_up(path) if existing is not None else ""
        write_config(path, wanted)
        return backup, True


def server_url(address: str, port: int) -> str:
    """Return the address of an API, with brackets around one of IPv6."""
    return f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}"
