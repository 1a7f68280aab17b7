# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action node_probe: see plugins/modules/node_probe.py for what it promises."""

from __future__ import annotations

import contextlib
import shlex
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import (
    Target,
    explain_privilege,
    explain_python,
    explain_unreachable,
    is_privilege_failure,
    no_answer,
    not_root,
    probe_failed,
    root_without_become,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import (
    Route,
    RouteError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_trial import (
    Elsewhere,
    TrialError,
    at_port,
    carry_over,
    elsewhere,
    is_elsewhere,
    is_unknown_key,
    route_at,
)

MODULE = "rackforge.gpu_cluster.node_info"


class ProbeTimeoutError(BaseException):
    """The node took too long; no Exception, so that nobody's retry swallows it."""


@dataclass(frozen=True)
class Answer:
    """What one call of node_info brought: its values, or the text of its failure."""

    node: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    lost_connection: bool = False


@dataclass(frozen=True)
class Outcome:
    """What the probe learnt."""

    reachable: bool
    sudo: bool = False
    findings: tuple[Finding, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    #: The port that answered in place of the inventory's, 0 when that one did.
    port: int = 0

    def to_result(self) -> dict[str, Any]:
        """Return the result of the action; it never counts as failed."""
        return {
            "changed": False,
            "failed": False,
            "reachable": self.reachable,
            "sudo": self.sudo,
            "findings": [finding.to_dict() for finding in self.findings],
            "ansible_facts": self.facts,
            **({"port": self.port} if self.port else {}),
        }


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise ProbeTimeoutError in the block when it takes longer than ``seconds``."""

    def give_up(_signal: int, _frame: object) -> None:
        raise ProbeTimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Probes one node, and tells failures as data."""

    _supports_check_mode = True
    _supports_diff = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Return what the node answered, or why it did not."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(
            argument_spec={
                "my_iface": {"type": "str", "default": ""},
                "cluster_subnet": {"type": "str", "default": ""},
                "timeout": {"type": "int", "default": 60},
                "leave_out": {"type": "str", "default": ""},
                "ssh_port": {"type": "int", "default": 0},
                "survey": {"type": "bool", "default": False},
            }
        )
        if args["leave_out"]:
            return {"changed": False, "unreachable": True, "msg": args["leave_out"]}
        variables = task_vars or {}
        target = self._target(variables)
        self._ssh_port = int(args["ssh_port"])
        self._module_args = {name: args[name] for name in ("my_iface", "cluster_subnet", "survey")}
        try:
            with time_limit(args["timeout"]):
                outcome = self._probe(target, variables)
        except ProbeTimeoutError:
            finding = no_answer(args["timeout"], target)
            outcome = Outcome(reachable=False, findings=(finding,))
        return outcome.to_result()

    def _probe(self, target: Target, task_vars: dict[str, Any]) -> Outcome:
        """Ask the node as the play would, and without become only to explain a failure."""
        answer = self._ask(task_vars)
        if answer.lost_connection and is_elsewhere(answer.failure):
            found = self._ask_elsewhere(target.name, task_vars)
            if found is not None:
                port, answer = found
                moved = self._judge(answer, replace(target, port=port), task_vars)
                return replace(moved, port=port) if moved.reachable else moved
        return self._judge(answer, target, task_vars)

    def _judge(self, answer: Answer, target: Target, task_vars: dict[str, Any]) -> Outcome:
        """Return what the first answer means."""
        if answer.failure and self._connection.become and is_privilege_failure(answer.failure):
            return self._explain_become(answer.failure, target, task_vars)
        if answer.failure:
            return _explain(answer, target)
        is_root = answer.node["gpu_cluster"].get("uid") == 0
        user = str(answer.node["gpu_cluster"].get("user", ""))
        findings = () if is_root else (not_root(target, user),)
        return Outcome(reachable=True, sudo=is_root, findings=findings, facts=answer.node)

    def _ask_elsewhere(self, name: str, task_vars: dict[str, Any]) -> Optional[tuple[int, Answer]]:
        """Return port and answer where sshd listens on the other port that it may have, else None."""
        connection = self._connection
        if str(connection.transport).rpartition(".")[2] != "ssh" or not self._ssh_port:
            return None
        if {"ansible_port", "ansible_ssh_port"} & load_extra_vars(self._loader).keys():
            return None  # The rest of the run could not be told.
        try:
            old = route_at(connection, None)
        except RouteError:
            return None
        other = elsewhere(old, self._ssh_port)
        answer = self._ask_at(other, old, task_vars) if other else None
        if other is None or answer is None:
            return None
        connection.set_option("port", other.port)
        Display().warning(other.remark(name, old.port, self._ssh_port))
        return other.port, answer

    def _ask_at(self, other: Elsewhere, old: Route, task_vars: dict[str, Any]) -> Optional[Answer]:
        """Return the node's answer at another port, None when it is not the node that answers."""
        for words in other.attempts:
            with at_port(self._connection, other.port, words):
                answer = self._ask(task_vars)
            if not answer.lost_connection:
                try:
                    if words == other.alias:
                        carry_over(old, route_at(self._connection, other.port))
                except (TrialError, RouteError):
                    return None
                return answer
            if not is_unknown_key(answer.failure):
                return None
        return None

    def _explain_become(self, failure: str, target: Target, task_vars: dict[str, Any]) -> Outcome:
        """Ask again without become: is the node away, or does it only refuse us root?"""
        method = str(getattr(self._connection.become, "name", "sudo"))
        with self._without_become():
            answer = self._ask(task_vars)
        if answer.failure:
            return _explain(answer, target)
        user = str(answer.node["gpu_cluster"].get("user", ""))
        if answer.node["gpu_cluster"].get("uid") == 0:
            finding = root_without_become(failure, target, method)
        else:
            finding = explain_privilege(failure, target, user, method)
        return Outcome(reachable=True, findings=(finding,), facts=answer.node)

    def _ask(self, task_vars: dict[str, Any]) -> Answer:
        """Call node_info once; a failure of whatever kind becomes text."""
        before = time.time()
        try:
            result = self._execute_module(
                module_name=MODULE, module_args=dict(self._module_args), task_vars=task_vars
            )
        except AnsibleConnectionFailure as exc:
            return Answer(failure=str(exc) or "connection failed", lost_connection=True)
        except AnsibleError as exc:
            return Answer(failure=str(exc) or "module could not be run")
        facts = dict(result.get("ansible_facts") or {})
        if result.get("failed") or "gpu_cluster" not in facts:
            texts = [result.get(key) for key in ("msg", "module_stdout", "module_stderr")]
            failure = "\n".join(str(text) for text in texts if text) or "no result"
            return Answer(failure=failure, lost_connection=bool(result.get("unreachable")))
        return Answer(node=with_clock_offset(facts, before, time.time()))

    @contextlib.contextmanager
    def _without_become(self) -> Iterator[None]:
        """Run the block as the login user."""
        become = self._connection.become
        self._connection.set_become_plugin(None)
        try:
            yield
        finally:
            self._connection.set_become_plugin(become)

    def _target(self, task_vars: dict[str, Any]) -> Target:
        """Return how the connection reaches the node, as far as its plugin tells."""
        arguments = [
            str(self.get_connection_option(name) or "")
            for name in ("ssh_common_args", "ssh_extra_args")
        ]
        return Target(
            name=str(self._task.delegate_to or task_vars.get("inventory_hostname", "")),
            transport=str(self._connection.transport),
            address=str(self.get_connection_option("host") or ""),
            user=str(self.get_connection_option("remote_user") or ""),
            port=int(self.get_connection_option("port") or 0),
            key_file=str(self.get_connection_option("private_key_file") or ""),
            options=tuple(word for text in arguments for word in split_words(text)),
        )


def with_clock_offset(facts: dict[str, Any], before: float, after: float) -> dict[str, Any]:
    """Return the facts with bounds of how far the node's clock is ahead of this one, in seconds.

    The node looked at its clock when its module began and when it ended, both between ``before`` and
    ``after`` of this one. What it did in between makes the bounds no wider.
    """
    node = facts["gpu_cluster"]
    system = node.get("system") or {}
    begun, ended = system.get("clock"), system.get("clock_end")
    if not isinstance(begun, (int, float)) or not isinstance(ended, (int, float)):
        return facts
    bounds = [round(ended - after, 3), round(begun - before, 3)]
    return {**facts, "gpu_cluster": {**node, "system": {**system, "clock_offset": bounds}}}


def split_words(text: str) -> list[str]:
    """Return the words of a command line, or the line whole when its quotes do not match."""
    try:
        return shlex.split(text)
    except ValueError:
        return [text]


def _explain(answer: Answer, target: Target) -> Outcome:
    """Return the outcome of a probe that got no answer out of the node."""
    if answer.lost_connection:
        finding = explain_unreachable(answer.failure, target)
        return Outcome(reachable=False, findings=(finding,))
    found = explain_python(answer.failure, target) or probe_failed(answer.failure, target)
    return Outcome(reachable=True, findings=(found,))
