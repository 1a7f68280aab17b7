# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what an upgrade does to Ray."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_ray import (
    RayHost,
    plan_ray,
    version_key,
    wait_limit,
)

OLD, NEW = "2.59.0", "2.60.0"


def host(name: str, found: str, wanted: str = NEW, previous: str = "") -> RayHost:
    """Return a host; n1 is the head."""
    place = f"/opt/ray/{previous}" if previous else ""
    return RayHost(name, name == "n1", found, wanted, f"/opt/ray/{wanted}", previous, place)


def test_all_nodes_change_the_head_first() -> None:
    ray = plan_ray([host("n1", OLD), host("n2", OLD)])
    rows = [(row.host, row.found, row.wanted, row.order) for row in ray.plan.rows]
    assert rows == [("n1", OLD, NEW, 300), ("n2", OLD, NEW, 301)]
    assert (ray.stops, ray.version) == (True, NEW)
    assert ray.places == {"n1": "/opt/ray/2.60.0", "n2": "/opt/ray/2.60.0"}


def test_a_node_that_was_left_behind_is_brought_without_stopping_the_head() -> None:
    ray = plan_ray([host("n1", NEW), host("n2", OLD)])
    assert (ray.plan.hosts("Ray"), ray.stops) == (["n2"], False)


def test_equal_versions_are_nothing_to_do() -> None:
    ray = plan_ray([host("n1", NEW), host("n2", NEW)])
    assert (ray.plan.rows, ray.plan.refusals, ray.plan.notes) == ((), (), ())


def seen(now: str, previous: str | None, left: int) -> dict[str, Any]:
    """Return what ray_release tells of a node that wants and runs the new release."""
    rows = [
        {"version": each, "runtime": "venv", "place": f"/opt/ray/{each}"}
        for each in (now, NEW, previous or "", "2.58.1")
    ]
    kept = rows[2] if previous else None
    return {"current": rows[0], "wanted": rows[1], "previous": kept, "left": rows[3:][:left]}


@pytest.mark.parametrize(
    ("state", "pruned"),
    [
        pytest.param(seen(OLD, None, 0), True, id="is-upgraded"),
        pytest.param(seen(NEW, OLD, 1), True, id="was-cut-off-before-it-removed-them"),
        pytest.param(seen(NEW, OLD, 0), False, id="nothing-left"),
        pytest.param(seen(NEW, NEW, 1), False, id="went-back-and-keeps-the-newer"),
        pytest.param(seen(NEW, None, 1), False, id="no-way-back"),
    ],
)
def test_releases_are_removed_at_the_end_also_when_nothing_else_is_to_do(
    state: dict[str, Any], pruned: bool
) -> None:
    ray = plan_ray([RayHost.from_seen("n1", True, state)])
    assert ray.to_dict()["prunes"] == (["n1"] if pruned else [])
    is_told = any("are removed from n1" in note for note in ray.plan.notes)
    assert is_told is (pruned and not ray.plan.rows)


def test_a_rollback_removes_nothing() -> None:
    state = {**seen(NEW, OLD, 1), "running": NEW}
    assert plan_ray([RayHost.from_seen("n1", True, state)], back=True).to_dict()["prunes"] == []


def test_a_host_without_ray_is_left_to_provision() -> None:
    ray = plan_ray([host("n1", OLD), host("n2", "")])
    assert ray.plan.hosts("Ray") == ["n1"]
    assert ray.plan.notes == ("no Ray is installed on n2; provision.yml does that",)


@pytest.mark.parametrize("back", [False, True], ids=["forward", "back"])
def test_without_a_head_nothing_is_planned(back: bool) -> None:
    assert plan_ray([host("n1", ""), host("n2", OLD)], back).plan.rows == ()
    assert plan_ray([], back).plan.rows == ()


def test_a_downgrade_is_refused_for_each_host_that_is_newer() -> None:
    plan = plan_ray([host("n1", NEW, OLD), host("n2", OLD, OLD)]).plan
    assert [(each.host, each.found, each.wanted) for each in plan.refusals] == [("n1", NEW, OLD)]
    assert "-e upgrade_rollback=true" in str(plan.refusals[0])
    assert "Set ray_version to 2.60.0 or newer" in str(plan.refusals[0])


def test_hosts_that_want_different_versions_are_refused() -> None:
    plan = plan_ray([host("n1", OLD), host("n2", OLD, "2.59.1")]).plan
    assert [each.host for each in plan.refusals] == ["n2"]
    assert "the head n1 is to have 2.60.0" in str(plan.refusals[0])


def test_going_back_goes_to_what_the_nodes_kept() -> None:
    ray = plan_ray([host("n1", NEW, previous=OLD), host("n2", NEW, previous=OLD)], back=True)
    assert [(row.host, row.wanted) for row in ray.plan.rows] == [("n1", OLD), ("n2", OLD)]
    assert ray.places == {"n1": "/opt/ray/2.59.0", "n2": "/opt/ray/2.59.0"}
    assert "set ray_version to 2.59.0 in the inventory too" in ray.plan.notes[0]


def test_an_interrupted_way_back_goes_on_with_the_rest() -> None:
    ray = plan_ray([host("n1", OLD, previous=OLD), host("n2", NEW, previous=OLD)], back=True)
    assert (ray.plan.hosts("Ray"), ray.stops, ray.version) == (["n2"], False, OLD)


def test_a_node_that_kept_nothing_gets_the_release_of_the_others() -> None:
    ray = plan_ray([host("n1", NEW, previous=OLD), host("n2", NEW)], back=True)
    assert ray.places == {"n1": "/opt/ray/2.59.0", "n2": "/opt/ray/2.59.0"}


def test_without_a_kept_release_there_is_no_way_back() -> None:
    plan = plan_ray([host("n1", NEW), host("n2", NEW)], back=True).plan
    assert plan.rows == ()
    assert plan.notes == ("Ray cannot go back: no node keeps an earlier release",)


def test_nodes_that_kept_different_releases_are_refused() -> None:
    plan = plan_ray([host("n1", NEW, previous=OLD), host("n2", NEW, previous="2.58.0")], True).plan
    assert [each.host for each in plan.refusals] == ["n1", "n2"]
    assert "it keeps 2.58.0, and others keep 2.58.0, 2.59.0" in str(plan.refusals[1])


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        pytest.param(
            {"running": OLD, "current": {"version": NEW, "place": "x"}}, OLD, id="what-runs-counts"
        ),
        pytest.param({"running": "", "current": {"version": NEW}}, NEW, id="else-its-unit"),
        pytest.param({"running": "", "current": None, "previous": None}, "", id="nothing"),
    ],
)
def test_what_a_host_has_is_what_runs_there(seen: dict[str, Any], found: str) -> None:
    assert RayHost.from_seen("n1", True, seen).found == found


def test_nodes_outside_the_run_keep_the_head_from_being_replaced() -> None:
    plan = plan_ray([host("n1", OLD)], outside=["n2"]).plan
    assert "n2 would stay behind; run without --limit" in str(plan.refusals[0])
    assert plan_ray([host("n1", NEW)], outside=["n2"]).plan.refusals == ()


def test_a_run_without_the_head_leaves_ray_alone_and_says_so() -> None:
    plan = plan_ray([host("n2", OLD)]).plan
    assert plan.rows == ()
    assert plan.notes == ("Ray is left alone: its head is not in this run, or has none",)


def test_versions_are_compared_as_numbers() -> None:
    assert version_key("2.9.3") < version_key("2.10.0") <= version_key("2.10.0rc1")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (False, 0),
        ("false", 0),
        (None, 0),
        (True, float("inf")),
        ("true", float("inf")),
        ("90", 90),
        (3600, 3600),
        ("0", 0),
    ],
)
def test_waiting_is_a_number_of_seconds_or_a_word(value: Any, seconds: float) -> None:
    assert wait_limit(value) == seconds


@pytest.mark.parametrize("value", ["soon", "-1", "10m", [5]])
def test_another_word_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a number of seconds, true or false"):
        wait_limit(value)
