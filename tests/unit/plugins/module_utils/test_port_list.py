"""Claims about lists of ports in the kernel's notation."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_list import joined
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        pytest.param((), "", id="none"),
        pytest.param(("", "\n"), "", id="empty-kernel-value"),
        pytest.param(("8080,22",), "22,8080", id="sorted"),
        pytest.param(("8076,8077",), "8076-8077", id="neighbours"),
        pytest.param(("10-20", "15-30"), "10-30", id="overlapping"),
        pytest.param(("10-30", "15-20"), "10-30", id="one-within-the-other"),
        pytest.param(("6379-6379",), "6379", id="range-of-one"),
        pytest.param((" 1 , 3 ", "5-6"), "1,3,5-6", id="spaces"),
    ],
)
def test_lists_are_joined(lists: tuple[str, ...], expected: str) -> None:
    assert joined(*lists) == expected


@pytest.mark.parametrize("text", ["http", "1-", "-1", "20-10", "65536", "1-2-3", "1.5"])
def test_what_is_no_port_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"saw '{text}', expected a port or a range"):
        joined("22", text)


@given(st.lists(st.integers(0, 65535)), st.lists(st.integers(0, 65535)))
def test_joining_keeps_exactly_the_ports_given(first: list[int], second: list[int]) -> None:
    text = joined(",".join(map(str, first)), ",".join(map(str, second)))
    kept = set()
    for part in text.split(",") if text else []:
        low, _, high = part.partition("-")
        kept |= set(range(int(low), int(high or low) + 1))
    assert kept == {*first, *second}
    assert joined(text) == text
