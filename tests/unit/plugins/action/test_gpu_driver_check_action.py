"""Claims about the control node's half of gpu_driver_check."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.action.gpu_driver_check import ActionModule

RAY = {"ray_head": ["h1"], "ray_worker": ["w1"]}
K3S = {"k3s_server": ["s1"], "k3s_agent": ["a1"]}


class Check(ActionModule):
    """The action beside a module that gives back what it was handed."""

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        return {"changed": False, "handed": call["module_args"]}


def handed(groups: dict[str, list[str]], **args: Any) -> dict[str, Any]:
    """Return the module's arguments."""
    task = SimpleNamespace(args=args, async_val=0, environment={}, check_mode=False, diff=False)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"))
    context = SimpleNamespace(check_mode=False, diff=False)
    result = Check(task, connection, context, None, None, None).run(task_vars={"groups": groups})
    arguments: dict[str, Any] = result["handed"]
    return arguments


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        pytest.param(RAY, ["ray_head"], id="ray"),
        pytest.param(K3S, ["k3s_server"], id="k3s"),
        pytest.param({**RAY, **K3S}, ["ray_head", "k3s_server"], id="both"),
        pytest.param({**K3S, "ray_head": []}, ["k3s_server"], id="a-group-without-hosts"),
        pytest.param({"all": ["n1"]}, [], id="neither"),
    ],
)
def test_the_module_learns_which_groups_its_commands_must_name(
    groups: dict[str, list[str]], expected: list[str]
) -> None:
    assert handed(groups, host="n1") == {"host": "n1", "leads": expected}


def test_whoever_names_others_is_heard() -> None:
    assert handed(RAY, leads=["s1"]) == {"leads": ["s1"]}
