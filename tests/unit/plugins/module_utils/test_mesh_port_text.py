"""Claims about lists of ports as texts and as numbers."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_port_text import (
    compress,
    expand,
    spread,
)


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        pytest.param("", [], id="none"),
        pytest.param("22", [22], id="one"),
        pytest.param("30-32,7", [7, 30, 31, 32], id="range-and-one-out-of-order"),
    ],
)
def test_a_list_becomes_its_ports_in_order(text: str, ports: list[int]) -> None:
    assert expand(text) == ports


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        pytest.param([], "", id="none"),
        pytest.param([9, 7, 8, 7], "7-9", id="neighbours-out-of-order-and-twice"),
        pytest.param([1, 3], "1,3", id="gap"),
    ],
)
def test_ports_become_the_shortest_list(ports: list[int], text: str) -> None:
    assert compress(ports) == text


def test_a_spread_has_both_ends_and_no_more_than_wished() -> None:
    assert spread(list(range(100)), 4) == [0, 33, 66, 99]
    assert spread([1, 2], 4) == [1, 2]
    assert spread([1, 2, 3], 1) == [1]
