"""Claims about which ports get a listener."""

from __future__ import annotations

import errno

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_listen import (
    choose_ports,
    leave_ephemeral,
    reason,
)


def test_all_ports_are_chosen_where_nothing_runs() -> None:
    assert choose_ports("100-199", frozenset(), False, 1000) == (list(range(100, 200)), "")


def test_of_a_wide_range_few_free_ports_are_chosen_and_all_of_the_narrow_ones() -> None:
    chosen, left = choose_ports("22,100-299", frozenset({100}), True, 1000)
    assert 22 in chosen
    assert len(chosen) == 1 + 32 + 1
    assert left.startswith("102-")


def test_where_files_are_short_a_spread_of_the_ports_is_chosen() -> None:
    assert choose_ports("1-9", frozenset(), False, 3) == ([1, 5, 9], "2-4,6-8")


def test_outgoing_connections_keep_half_of_their_ports() -> None:
    assert leave_ephemeral([1, 50, 51, 52, 53], range(50, 54)) == [1, 51, 53]
    assert leave_ephemeral([1, 50, 51], range(50, 54)) == [1, 50, 51]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param(errno.EACCES, "needs root", id="privileged"),
        pytest.param(errno.EMFILE, "too many open files", id="files"),
        pytest.param(errno.EADDRINUSE, "in use by an outgoing connection", id="in-use"),
    ],
)
def test_the_reason_is_told(number: int, expected: str) -> None:
    assert reason(OSError(number, "kernel's words")) == expected
