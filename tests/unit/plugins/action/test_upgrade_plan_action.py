# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about how the plan reads what was registered for the hosts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.rackforge.gpu_cluster.plugins.action import upgrade_plan
from ansible_collections.rackforge.gpu_cluster.plugins.action.upgrade_plan import ActionModule

OLD, NEW = "v1.33.5+k3s1", "v1.34.1+k3s1"


def ray(found: str, wanted: str = "2.60.0") -> dict[str, Any]:
    """Return what ray_release has registered."""
    return {
        "running": found,
        "current": None,
        "previous": None,
        "wanted": {"version": wanted, "runtime": "venv", "place": f"/opt/ray/{wanted}"},
    }


def act(
    monkeypatch: pytest.MonkeyPatch,
    hostvars: dict[str, dict[str, Any]],
    check: bool = False,
    outside: Any = None,
    **arguments: Any,
) -> tuple[dict[str, Any], str]:
    """Return the action's result and what it shows."""
    shown: list[str] = []
    action = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(args={"cluster": "lab", **arguments})
    action._play_context = SimpleNamespace(check_mode=check)
    monkeypatch.setattr(ActionBase, "run", lambda *_a, **_k: {})
    monkeypatch.setattr(upgrade_plan, "Display", lambda: SimpleNamespace(display=shown.append))
    variables = {"hostvars": hostvars, **({"__outside_k3s": outside} if outside else {})}
    return action.run(None, variables), "".join(shown)


HOSTS: dict[str, dict[str, Any]] = {
    "n1": {
        "__ray_release_seen": ray("2.59.0"),
        "__upgrade_k3s": {
            "reachable": True,
            "nodes": [{"name": "n1", "version": OLD, "roles": ["control-plane"]}],
        },
        "__upgrade_rows": [{"host": "n1", "component": "docker", "found": "27", "wanted": "28"}],
    },
    "n2": {"__ray_release_seen": ray("2.59.0")},
}
GROUPS: dict[str, Any] = {"heads": ["n1"], "workers": ["n1", "n2"], "servers": ["n1"]}


def test_all_parts_stand_in_one_plan_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    result, shown = act(monkeypatch, HOSTS, **GROUPS, k3s_version=NEW)
    assert result["components"] == ["docker", "k3s", "Ray"]
    assert (result["go"], result["changed"]) == (True, False)
    assert result["ray"]["hosts"] == ["n1", "n2"]
    assert [line.split()[1] for line in shown.strip().splitlines()[2:]] == [
        "docker",
        "k3s",
        "Ray",
        "Ray",
    ]


@pytest.mark.parametrize(
    ("check", "only"), [(True, False), (False, True)], ids=["check-mode", "plan-only"]
)
def test_a_plan_that_is_only_shown_does_not_go(
    monkeypatch: pytest.MonkeyPatch, check: bool, only: bool
) -> None:
    result, shown = act(monkeypatch, HOSTS, check, **GROUPS, only=only)
    assert (result["go"], result["only"]) == (False, True)
    assert "2.59.0" in shown


def test_one_reason_keeps_all_of_it_from_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = {
        "host": "n2",
        "component": "nvidia driver",
        "found": "580",
        "wanted": "570",
        "reason": "it is older",
    }
    hosts = {**HOSTS, "n2": {**HOSTS["n2"], "__upgrade_refusals": [refusal]}}
    result, _shown = act(monkeypatch, hosts, **GROUPS)
    assert result["failed"] is True
    assert "n2: nvidia driver 580, expected 570: it is older" in result["msg"]


def test_hosts_that_were_not_looked_at_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    result, shown = act(monkeypatch, {"n1": {}, "n2": {}}, **GROUPS, k3s_version=NEW)
    assert (result["rows"], result["go"]) == ((), False)
    assert "Nothing to do" in shown


def test_a_row_of_another_form_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleActionFail, match="a row of the plan is"):
        act(monkeypatch, {"n1": {"__upgrade_rows": [{"host": "n1"}]}})


def test_a_wait_that_is_no_time_is_refused_before_any_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(AnsibleActionFail, match="upgrade_wait_for_jobs is 'soon'"):
        act(monkeypatch, HOSTS, **GROUPS, wait_for_jobs="soon")


def test_a_run_with_a_limit_does_not_replace_a_part_of_the_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result, _shown = act(monkeypatch, {"n1": HOSTS["n1"], "n2": {}}, **GROUPS, hosts=["n1"])
    assert "n2 would stay behind" in result["msg"]


AGENTS: dict[str, Any] = {"servers": ["s1"], "agents": ["a1", "a2"], "k3s_version": NEW}


def told(server: str) -> dict[str, Any]:
    """Return what the server s1 tells when it has this version, and its agents the old one."""
    nodes: list[dict[str, Any]] = [
        {"name": name, "version": OLD, "roles": []} for name in ("a1", "a2")
    ]
    first = {"name": "s1", "version": server, "roles": ["control-plane"]}
    return {"reachable": True, "nodes": [first, *nodes]}


def test_a_server_outside_the_limit_tells_of_an_agent_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts: dict[str, Any] = {"s1": {}, "a1": {}, "a2": {}}
    result, shown = act(monkeypatch, hosts, outside=told(NEW), **AGENTS, hosts=["a1"])
    assert [(row["host"], row["found"], row["wanted"]) for row in result["rows"]] == [
        ("a1", OLD, NEW)
    ]
    assert (result["go"], result["components"]) == (True, ["k3s"])
    assert "a2" not in shown


def test_an_agent_in_the_limit_does_not_overtake_the_servers_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts: dict[str, Any] = {"s1": {}, "a1": {}, "a2": {}}
    result, _shown = act(monkeypatch, hosts, outside=told(OLD), **AGENTS, hosts=["a1"])
    assert "upgrade the servers first" in result["msg"]


def test_without_any_server_the_plan_says_that_k3s_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts: dict[str, Any] = {"s1": {}, "a1": {}, "a2": {}}
    skipped = {"skipped": True, "changed": False}
    result, shown = act(monkeypatch, hosts, outside=skipped, **AGENTS, hosts=["a1"])
    assert result["go"] is False
    assert "Note: k3s is left alone: no server is in this run" in shown
    assert "every node has what is wanted" not in shown
