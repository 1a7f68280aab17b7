"""Claims about clocks that differ: only what is certain is said, and of the right machine."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_clock import (
    check_skew,
    describe,
    middle,
)

from tests.unit.plugins.system_nodes import brief, facts, inventory, node


def clocks(*bounds: object) -> list[tuple[str, str, str, str]]:
    """Return the findings about nodes n1, n2, ... with these bounds of their offsets."""
    hosts = [
        node(f"n{number}", facts=facts(number, system={"clock_offset": each}))
        for number, each in enumerate(bounds, start=1)
    ]
    return brief(check_skew, *hosts)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        pytest.param([[-0.5, 0.4], [-0.2, 0.9]], [], id="alike"),
        pytest.param([[-3.0, 3.0], [0.0, 4.0]], [], id="slow-answers-prove-nothing"),
        pytest.param(
            [[0.0, 0.1], [0.0, 0.1], [3.0, 3.4]],
            [("warning", "n3", "clock-skewed", "2.9 s or more ahead of the others")],
            id="one-ahead",
        ),
        pytest.param(
            [[0.0, 0.1], [-70.0, -69.0]],
            [("error", "n2", "clock-skewed", "69.0 s or more behind the others")],
            id="one-of-two-behind",
        ),
        pytest.param(
            [[7200.0, 7201.0], [0.0, 0.1], [0.1, 0.2]],
            [("error", "n1", "clock-skewed", "119 min or more ahead of the others")],
            id="two-hours",
        ),
        pytest.param(
            [[100.0, 100.5], [100.1, 100.6], [99.9, 100.4]],
            [("warning", "control node", "clock-skewed", "99.9 s or more behind the others")],
            id="the-control-node-alone-is-wrong",
        ),
        pytest.param(
            [[0.0, 0.1], [0.0, 0.1], [50.0, 50.1], [50.0, 50.1]],
            [
                ("warning", "n3", "clock-skewed", "49.9 s or more ahead of the others"),
                ("warning", "n4", "clock-skewed", "49.9 s or more ahead of the others"),
            ],
            id="the-control-node-decides-between-halves",
        ),
        pytest.param([None, "12", [1.0], [None, 3], [2.0, 1.0], ["a", 9]], [], id="garbage"),
    ],
)
def test_a_clock_apart_from_the_others_is_told(
    bounds: list[object], expected: list[tuple[str, str, str, str]]
) -> None:
    assert clocks(*bounds) == expected


def test_no_node_no_finding() -> None:
    assert check_skew(inventory()) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([5.0], 5.0, id="one"),
        pytest.param([9.0, 1.0, 5.0], 5.0, id="odd"),
        pytest.param([3.0, 8.0], 3.0, id="even-above"),
        pytest.param([-3.0, -8.0], -3.0, id="even-below"),
        pytest.param([-3.0, 8.0], 0.0, id="even-around-zero"),
    ],
)
def test_middle_of_an_even_number_leans_to_the_control_node(
    values: list[float], expected: float
) -> None:
    assert middle(values) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(2.04, "2.0 s", id="seconds"),
        pytest.param(119.0, "119.0 s", id="below-two-minutes"),
        pytest.param(120.0, "2 min", id="minutes"),
        pytest.param(7300.0, "2 h", id="hours"),
        pytest.param(400_000.0, "4 days", id="days"),
    ],
)
def test_a_time_is_written_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert describe(seconds) == text
