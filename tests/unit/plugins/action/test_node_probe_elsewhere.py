"""Claims about a first look at a node whose sshd has moved, or has not moved yet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action import node_probe
from ansible_collections.rackforge.gpu_cluster.plugins.action.node_probe import (
    ActionModule,
    Answer,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import Target
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.ssh_route import Route

REFUSED = Answer(
    failure="ssh: connect to host 192.0.2.1 port 22: Connection refused", lost_connection=True
)
DENIED = Answer(failure="ops@192.0.2.1: Permission denied (publickey).", lost_connection=True)
UNKNOWN = Answer(failure="Host key verification failed.", lost_connection=True)
ROOT = Answer(node={"gpu_cluster": {"uid": 0, "user": "root"}})


class Probe(ActionModule):
    """A probe of a node that answers as the test says, by the port at which it is asked."""

    def __init__(self, answers: dict[Any, list[Answer]], ssh_port: int = 22332) -> None:
        options: dict[str, Any] = {"port": None, "ssh_args": ""}
        self._connection = SimpleNamespace(
            transport="ssh",
            become=None,
            options=options,
            get_option=options.get,
            set_option=options.__setitem__,
        )
        self._ssh_port = ssh_port
        self._loader = None
        self.answers = answers

    def _ask(self, task_vars: dict[str, Any]) -> Answer:
        assert task_vars == {}
        return self.answers[self._connection.options["port"]].pop(0)

    def look(self) -> dict[str, Any]:
        """Return the probe's result."""
        return self._probe(Target("n1", address="192.0.2.1"), {}).to_result()


@pytest.fixture(autouse=True)
def carried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A control node that knows the key; the list has the ports that it was repeated for."""
    ports: list[int] = []

    def route_at(connection: Any, port: int | None) -> Route:
        number = port or connection.get_option("port") or 22
        return Route("192.0.2.1", (), host="192.0.2.1", user="ops", port=number)

    monkeypatch.setattr(node_probe, "route_at", route_at)
    monkeypatch.setattr(node_probe, "load_extra_vars", lambda _loader: {})
    monkeypatch.setattr(node_probe, "carry_over", lambda _old, new: ports.append(new.port))
    return ports


def test_a_node_that_answers_where_it_shall_is_asked_once() -> None:
    assert "port" not in Probe({None: [ROOT]}).look()


def test_a_node_that_has_moved_is_found(carried: list[int]) -> None:
    result = Probe({None: [REFUSED], 22332: [ROOT]}).look()
    assert (result["reachable"], result["sudo"], result["port"]) == (True, True, 22332)
    assert carried == []


def test_a_key_that_is_known_for_the_old_port_opens_the_new_one(carried: list[int]) -> None:
    result = Probe({None: [REFUSED], 22332: [UNKNOWN, ROOT]}).look()
    assert (result["port"], carried) == (22332, [22332])


@pytest.mark.parametrize(
    ("answers", "ssh_port", "code"),
    [
        pytest.param({None: [REFUSED]}, 0, "unreachable", id="no-other-port"),
        pytest.param({None: [DENIED]}, 22332, "login-refused", id="somebody-answers"),
        pytest.param({None: [REFUSED], 22332: [REFUSED]}, 22332, "unreachable", id="off"),
        pytest.param(
            {None: [REFUSED], 22332: [UNKNOWN, UNKNOWN]}, 22332, "unreachable", id="another-key"
        ),
    ],
)
def test_a_node_that_is_not_found_is_told_with_the_inventorys_port(
    answers: dict[Any, list[Answer]], ssh_port: int, code: str
) -> None:
    result = Probe(answers, ssh_port).look()
    assert [finding["code"] for finding in result["findings"]] == [code]
    assert "port" not in result


def test_a_port_from_the_command_line_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_probe, "load_extra_vars", lambda _loader: {"ansible_port": 22})
    assert Probe({None: [REFUSED]}).look()["reachable"] is False
