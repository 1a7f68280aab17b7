"""Claims about what a drain of Ray decides."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_drain import (
    Driver,
    Mark,
    explain_timeout,
    parse_mark,
    parse_view,
    working,
)

HERE, THERE = "ccbe14e6", "a5381d6d"


def job(node_id: str = HERE, namespace: str = "user") -> dict[str, Any]:
    """Return a driver as the script prints it."""
    return {
        "job_id": "02000000",
        "node_id": node_id,
        "pid": 77,
        "entrypoint": "python train.py",
        "namespace": namespace,
    }


def told(*jobs: dict[str, Any]) -> str:
    """Return the script's output, after a warning of Ray's."""
    rows = [
        {"node_id": HERE, "address": "198.19.1.13", "state": "ALIVE"},
        {"node_id": THERE, "address": "198.19.1.12", "state": "DEAD"},
    ]
    return "a warning\n" + json.dumps({"nodes": rows, "jobs": list(jobs)}) + "\n"


@pytest.mark.parametrize(
    ("rows", "pids"),
    [
        pytest.param([], [], id="none"),
        pytest.param([job()], [77], id="here"),
        pytest.param([job(THERE)], [], id="elsewhere"),
        pytest.param([job(namespace="_ray_internal_dashboard")], [], id="ray-itself"),
    ],
)
def test_drivers_are_those_of_the_owner_on_this_node(
    rows: list[dict[str, Any]], pids: list[int]
) -> None:
    assert [driver.pid for driver in parse_view(told(*rows), HERE).drivers] == pids


def test_a_node_is_alive_by_its_own_id() -> None:
    view = parse_view(told(), HERE)
    assert (view.is_alive(HERE), view.is_alive(THERE), view.is_alive("other")) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize("text", ["", "Traceback", "{}", "[]"])
def test_an_answer_without_nodes_is_no_answer(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_view(text, HERE)


def test_a_mark_survives_its_file() -> None:
    mark = Mark("2026-11-23T06:55:00Z", "a new fan", "ops")
    assert parse_mark(mark.text()) == mark


@pytest.mark.parametrize(
    ("text", "drained"),
    [
        pytest.param(None, False, id="no-file"),
        pytest.param("", True, id="empty"),
        pytest.param("[]", True, id="strange"),
    ],
)
def test_a_mark_counts_whatever_is_in_it(text: str | None, drained: bool) -> None:
    assert (parse_mark(text) is not None) is drained


def test_work_is_named_without_ray_s_own_processes() -> None:
    titles = [
        (1, "/opt/ray/raylet"),
        (2, "ray::IDLE"),
        (3, "ray::work"),
        (4, "ray::Holder.ping"),
        (5, "ray::DashboardAgent"),
        (6, "ray::RuntimeEnvAgent"),
        (7, "ray::IDLE_SpillWorker"),
    ]
    assert working(titles) == ["work (pid 3)", "Holder.ping (pid 4)"]


def test_a_time_out_before_ray_drains_leaves_the_node_as_it_was() -> None:
    text = explain_timeout("n3", 5, [Driver("02", 77, "python\n train.py")], [])
    assert "still there: driver python train.py (pid 77). The node goes on as before." in text


def test_a_time_out_while_ray_drains_says_what_becomes_of_the_node() -> None:
    text = explain_timeout("n3", 5, [], ["Holder (pid 4)"])
    assert text.startswith("n3 is not drained within 5 s: still there: Holder (pid 4). ")
    assert "Nothing was stopped." in text
    assert "starts anew by itself" in text


def test_a_time_out_without_processes_names_the_objects() -> None:
    assert "objects that jobs still hold" in explain_timeout("n3", 5, [], [])


def test_a_long_list_is_cut() -> None:
    text = explain_timeout("n3", 5, [], [f"work (pid {pid})" for pid in range(14)])
    assert "work (pid 9) and 4 more" in text
