# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the plan of an upgrade, whatever its parts are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_plan import (
    Plan,
    Refusal,
    Row,
    joined,
    named,
    refused,
    render,
)

RAY = Row("n1", "Ray", "2.59.0", "2.60.0", order=300, note="head: all jobs end with it")
DRIVER = Row("gpu-node-2", "nvidia driver", "570.1", "580.2", reboot=True, order=110)
DOWN = Refusal("n1", "Ray", "2.60.0", "2.59.0", "it is older")


def test_the_plan_is_a_table_in_the_order_of_the_work() -> None:
    shown = render("lab", joined([Plan((RAY,)), Plan((DRIVER,))]))
    assert shown.splitlines() == [
        "Upgrade of cluster lab",
        "HOST        COMPONENT      FROM    TO      REBOOT  NOTE",
        "gpu-node-2  nvidia driver  570.1   580.2   yes",
        "n1          Ray            2.59.0  2.60.0  no      head: all jobs end with it",
    ]


def test_nothing_to_do_is_said() -> None:
    assert render("lab", Plan()).splitlines() == [
        "Upgrade of cluster lab",
        "Nothing to do: every node has what is wanted.",
    ]


def test_what_is_left_alone_is_not_said_to_have_what_is_wanted() -> None:
    assert render("lab", Plan(notes=("k3s is left alone",))).splitlines() == [
        "Upgrade of cluster lab",
        "Nothing to do: read the notes.",
        "Note: k3s is left alone",
    ]


def test_a_refused_plan_does_not_say_that_there_is_nothing_to_do() -> None:
    assert "Nothing to do" not in render("lab", Plan(refusals=(DOWN,)))


def test_a_refusal_names_host_found_wanted_and_reason() -> None:
    assert refused(Plan((RAY,), (DOWN,))) == (
        "Nothing was changed, because:\n- n1: Ray 2.60.0, expected 2.59.0: it is older"
    )
    assert refused(Plan((RAY,))) is None


def test_components_stand_once_and_in_order() -> None:
    plan = joined([Plan((RAY, Row("n2", "Ray", "2.59.0", "2.60.0", order=301))), Plan((DRIVER,))])
    assert plan.components == ["nvidia driver", "Ray"]
    assert plan.hosts("Ray") == ["n1", "n2"]


def test_a_row_of_a_task_needs_little() -> None:
    row = Row.from_data({"host": "n1", "component": "docker", "found": None, "wanted": "28.1"})
    assert row == Row("n1", "docker", "-", "28.1", order=100)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"host": "n1"}, id="parts-missing"),
        pytest.param("n1", id="no-mapping"),
        pytest.param(
            {"host": "n1", "component": "x", "found": "1", "wanted": "2", "order": "soon"},
            id="no-order",
        ),
    ],
)
def test_a_row_of_another_form_is_named(data: Any) -> None:
    with pytest.raises(ValueError, match="a row of the plan is"):
        Row.from_data(data)


def test_many_names_are_counted() -> None:
    assert named(["a", "b", "c"], most=2) == "a, b and 1 more"
    assert named(["a", "b"], most=2) == "a, b"
