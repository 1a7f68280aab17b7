"""Claims about sets of ports as spans."""

from __future__ import annotations

from itertools import pairwise

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_spans import (
    common,
    count,
    holds,
    parsed,
    sample,
    united,
)
from hypothesis import given
from hypothesis import strategies as st

PORTS = st.sets(st.one_of(st.integers(1, 40), st.integers(65500, 65535)))


def text_of(ports: set[int]) -> str:
    return ",".join(str(port) for port in sorted(ports))


def ports_of(text: str) -> set[int]:
    return {port for first, last in parsed(text) for port in range(first, last + 1)}


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param("", "", "", id="nothing"),
        pytest.param("1-65535", "8076-8077,10002-20000", "8076-8077,10002-20000", id="all"),
        pytest.param("10-20", "15-30", "15-20", id="overlap"),
        pytest.param("10-20", "20-30", "20", id="one"),
        pytest.param("10-20", "21-30", "", id="neighbours"),
        pytest.param("1-3,4-9", "1-3,4-9", "1-9", id="equal-and-not-merged"),
    ],
)
def test_common_ports_are_found(left: str, right: str, expected: str) -> None:
    assert common(left, right) == expected


@given(PORTS, PORTS)
def test_sets_of_ports_behave_like_sets(left: set[int], right: set[int]) -> None:
    one, other = text_of(left), text_of(right)
    assert ports_of(common(one, other)) == left & right
    assert ports_of(united((one, other))) == left | right
    assert count(one) == len(left)
    assert all(holds(one, port) is (port in left) for port in left | right)


@pytest.mark.parametrize("wrong", ["http", "20-10", "65536", "99999-99999", "1-"])
def test_what_is_no_port_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match=f"saw '{wrong}', expected a port or a range"):
        parsed(f"9,{wrong}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", (), id="none"),
        pytest.param("5,7-9", ((5, 5), (7, 9)), id="in-order"),
        pytest.param("5,6,7-9", ((5, 9),), id="neighbours"),
        pytest.param("7-9,5", ((5, 5), (7, 9)), id="out-of-order"),
        pytest.param("7-9,8-12", ((7, 12),), id="overlapping"),
        pytest.param(" 5 , 7 ", ((5, 5), (7, 7)), id="spaces"),
    ],
)
def test_lists_become_spans(text: str, expected: tuple[tuple[int, int], ...]) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        pytest.param(5, 5, "5", id="one-port"),
        pytest.param(5, 8, "5-8", id="as-many-as-wanted"),
        pytest.param(1, 101, "1,34,83,101", id="ends-and-an-even-rest"),
    ],
)
def test_a_sample_has_both_ends(first: int, last: int, expected: str) -> None:
    assert sample(first, last, 4, "seed") == expected


@given(
    st.integers(1, 65535),
    st.integers(0, 65534),
    st.sampled_from([3, 64, 1024]),
    st.text(max_size=4),
)
def test_a_sample_has_as_many_ports_as_wanted_all_within(
    first: int, more: int, most: int, seed: str
) -> None:
    last = min(first + more, 65535)
    text = sample(first, last, most, seed)
    found = ports_of(text)
    assert len(found) == min(last - first + 1, most)
    assert {first, last} <= found <= set(range(first, last + 1))
    assert text == sample(first, last, most, seed)


def test_the_widest_gap_of_a_sample_is_small() -> None:
    ports = sorted(ports_of(sample(10002, 20000, 64, "7")))
    assert max(right - left for left, right in pairwise(ports)) <= 2 * (20000 - 10002) // 62


def test_other_seeds_give_other_ports_until_all_had_their_turn() -> None:
    seen: set[int] = set()
    for seed in range(2000):
        seen |= ports_of(sample(1, 1000, 12, str(seed)))
    assert seen == set(range(1, 1001))
