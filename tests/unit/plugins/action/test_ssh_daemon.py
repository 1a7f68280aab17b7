"""Claims about the control node's half of ssh_daemon."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.action import ssh_daemon
from ansible_collections.rackforge.gpu_cluster.plugins.action.ssh_daemon import ActionModule
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import Route
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_trial import TrialError

DIFF = {"before": "a", "after": "b"}
TRIED = {"changed": True, "restarted": True, "ports": [22, 22332], "proof": 22332, "diff": DIFF}
KEPT = {"changed": True, "restarted": True, "ports": [22332], "proof": 0, "diff": DIFF}
UNDONE = {"changed": True, "restarted": True, "ports": [22], "proof": 0, "diff": DIFF}
QUIET = {"changed": False, "restarted": False, "ports": [22332], "proof": 0, "diff": DIFF}
REFUSED = "ssh: connect to host 192.0.2.1 port 22332: Connection refused"


class Action(ActionModule):
    """The action with a module that answers as the test says, by its step."""

    def __init__(self, answers: dict[str, Any], transport: str = "ssh") -> None:
        options: dict[str, Any] = {"port": None}
        self._connection = SimpleNamespace(
            transport=transport,
            options=options,
            get_option=options.get,
            set_option=options.__setitem__,
            reset=lambda: self.closed.append(options["port"]),
        )
        self._task = SimpleNamespace(args={"port": 22332})
        self._loader = None
        self._variables: dict[str, Any] = {}
        self.answers = answers
        self.calls: list[tuple[str, Any]] = []
        self.arguments: dict[str, Any] = {}
        self.closed: list[Any] = []

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.arguments = call["module_args"]
        step = self.arguments.get("step", "try")
        self.calls.append((step, self._connection.options["port"]))
        answer = self.answers[step]
        if isinstance(answer, Exception):
            raise answer
        return {**answer, "nonce": "word"}


@pytest.fixture(autouse=True)
def control_node(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A control node whose trial ends as ``proof`` says, without an ssh of its own."""
    given: dict[str, Any] = {"proof": None, "extra": {}}

    def prove(*_arguments: object) -> None:
        if given["proof"]:
            raise TrialError(given["proof"])

    route = Route(destination="192.0.2.1", words=(), host="192.0.2.1", user="ops", port=22)
    monkeypatch.setattr(ActionBase, "run", lambda *_a, **_k: {})
    monkeypatch.setattr(ssh_daemon, "prove", prove)
    monkeypatch.setattr(ssh_daemon, "route_at", lambda *_a: route)
    monkeypatch.setattr(ssh_daemon, "load_extra_vars", lambda _loader: given["extra"])
    return given


def test_a_proven_port_is_kept_over_the_new_connection() -> None:
    action = Action({"try": TRIED, "keep": KEPT})
    result = action.run()
    assert (result["moved_to"], result["ports"], result["changed"]) == (22332, [22332], True)
    assert action.calls == [("try", None), ("keep", 22332)]
    assert action.closed == [None]
    assert action._connection.options["port"] == 22332


def test_what_the_plugin_and_the_module_say_to_each_other_stays_inside() -> None:
    result = Action({"try": TRIED, "keep": KEPT}).run()
    assert {"proof", "nonce"} & result.keys() == set()


def test_an_unproven_port_is_undone_over_the_old_connection(control_node: dict[str, Any]) -> None:
    control_node["proof"] = REFUSED
    action = Action({"try": TRIED, "undo": UNDONE})
    result = action.run()
    assert result["failed"] is True
    assert result["msg"].startswith(
        "os_base_ssh_port: sshd listened on 22332, but a login from this machine at 192.0.2.1 port"
        " 22332 did not work: ssh: connect to host 192.0.2.1 port 22332: Connection refused."
    )
    assert action.calls == [("try", None), ("undo", None)]
    assert "moved_to" not in result


def test_a_second_step_that_fails_is_undone_over_the_old_connection() -> None:
    lost = AnsibleConnectionFailure("Connection reset by peer")
    action = Action({"try": TRIED, "keep": lost, "undo": UNDONE})
    result = action.run()
    assert result["failed"] is True
    assert result["msg"].endswith("sshd listens as before, on 22")
    assert action.calls == [("try", None), ("keep", 22332), ("undo", None)]


def test_a_way_back_that_fails_too_is_told(control_node: dict[str, Any]) -> None:
    control_node["proof"] = REFUSED
    action = Action({"try": TRIED, "undo": {"failed": True, "msg": "no space left"}})
    assert action.run()["msg"].endswith(
        "Going back failed too: no space left. Both ports are open; run this again"
    )


def test_a_node_that_is_as_it_shall_be_is_asked_once() -> None:
    action = Action({"try": QUIET})
    assert action.run() == {
        "changed": False,
        "restarted": False,
        "ports": [22332],
        "diff": DIFF,
    }
    assert action.calls == [("try", None)]


def test_without_ssh_the_module_is_told_that_nothing_can_be_proven() -> None:
    action = Action({"try": QUIET}, transport="local")
    action.run()
    assert action.arguments["no_proof"].startswith("Ansible reaches this node by 'local'")


def test_a_port_from_the_command_line_cannot_be_changed_during_the_run(
    control_node: dict[str, Any],
) -> None:
    control_node["extra"] = {"ansible_port": 22}
    action = Action({"try": QUIET})
    action.run()
    assert action.arguments["no_proof"].startswith("ansible_port was given on the command line")
