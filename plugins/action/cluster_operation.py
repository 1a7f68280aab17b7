# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action cluster_operation: see plugins/modules/cluster_operation.py for what it promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rackforge.gpu_cluster.plugins.filter.cluster_nodes import cluster_nodes
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import (
    LockedError,
    Operation,
    Record,
    begin,
    end,
    fate,
    reach,
    stamp,
    unfinished,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.membership import named
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.record_file import (
    change_record,
    look_at,
    main_process,
    record_path,
    state_directory,
    who_runs_this,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.shown_command import (
    arguments_of_this_run,
    shown_command,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.wanted_versions import (
    wanted_versions,
)

display = Display()

#: Processes that listen where a node works in a cluster already.
SERVICES = frozenset({"gcs_server", "raylet", "k3s-server", "k3s-agent"})


class ActionModule(ActionBase):  # type: ignore[misc]
    """Writes into the record once for all hosts of the play."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Begin, go on with or end an operation; fail while somebody else's runs."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(
            argument_spec={
                "operation": {"type": "str", "required": True},
                "state": {
                    "type": "str",
                    "choices": ["begun", "reached", "ended"],
                    "required": True,
                },
                "phase": {"type": "str", "default": ""},
                "nodes": {"type": "list", "elements": "str", "default": []},
                "cluster": {"type": "str", "required": True},
                "directory": {"type": "path"},
                "take_lock": {"type": "bool", "default": False},
            }
        )
        variables = task_vars or {}
        path = record_path(state_directory(variables, args["directory"]), args["cluster"])
        if self._task.check_mode:
            return {"changed": False, "record": str(path)}
        now = stamp(datetime.now(timezone.utc))
        change = getattr(self, f"_{args['state']}")(args, variables, now)
        try:
            found = change_record(path, args["cluster"], change)
        except LockedError as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail(
                f"The record of the cluster cannot be written: {error}. Expected a directory that"
                " you can write in; name one in cluster_state_dir. Nothing was changed."
            ) from error
        if found.problem:
            display.warning(f"{found.problem} The nodes are asked instead.")
        return {"changed": False, "record": str(path)}

    def _begun(
        self, args: Mapping[str, Any], variables: Mapping[str, Any], now: str
    ) -> Callable[[Record], Record]:
        new = Operation(
            name=args["operation"],
            user=who_runs_this(),
            process=main_process(),
            begun=now,
            command=shown_command(arguments_of_this_run()),
            nodes=_about(args["nodes"], variables),
            phase=args["phase"],
            wanted=wanted_versions(variables["hostvars"], variables["groups"]),
        )

        def change(record: Record) -> Record:
            changed = begin(record, new, look_at, args["take_lock"])
            _tell_of_the_former(changed, new)
            return changed

        return change

    def _reached(
        self, args: Mapping[str, Any], variables: Mapping[str, Any], now: str
    ) -> Callable[[Record], Record]:
        stands = now if _stands_already(variables) else None
        return lambda record: reach(record, main_process(), args["phase"], stands)

    def _ended(
        self, args: Mapping[str, Any], variables: Mapping[str, Any], now: str
    ) -> Callable[[Record], Record]:
        everybody = [str(name) for name in variables["ansible_play_hosts_all"]]
        well = set(variables["ansible_play_hosts"])
        failed = tuple(name for name in everybody if name not in well)
        whole = _about([], variables) == ()
        return lambda record: end(record, main_process(), args["operation"], now, failed, whole)


def _about(nodes: Sequence[str], variables: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the nodes that are named, else those of the run; empty for all of the cluster."""
    if nodes:
        return named(nodes)
    played = tuple(str(name) for name in variables["ansible_play_hosts_all"])
    return () if set(cluster_nodes(variables["groups"])) <= set(played) else played


def _stands_already(variables: Mapping[str, Any]) -> bool:
    """Return whether preflight saw services of a cluster on a node of this run."""
    for name in variables["ansible_play_hosts"]:
        facts = (variables["hostvars"][name].get("ansible_facts") or {}).get("gpu_cluster") or {}
        listeners = (facts.get("links") or {}).get("listeners") or ()
        if SERVICES.intersection(each.get("process") for each in listeners):
            return True
    return False


def _tell_of_the_former(record: Record, new: Operation) -> None:
    """Say which operation did not reach its end, where this one is another."""
    left = unfinished(record)
    if left is None or left.process == new.process:
        return
    display.display(f"The last {left.name} ({left.begun}, {left.who}) {fate(left)}.")
