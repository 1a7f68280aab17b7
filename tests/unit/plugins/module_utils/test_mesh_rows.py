"""Claims about what is known of a destination's ports."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import (
    Target,
    Verdict,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_rows import Destination
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_talk import Talk
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import Ends


def talk_seen_from(address: str) -> Talk:
    """Return a talk that the node sees come from an address."""
    ends = Ends((address, 40000), ("10.0.0.2", 7000))
    return cast(Talk, SimpleNamespace(ends=ends))


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        pytest.param(None, False, id="no-talk"),
        pytest.param(cast(Talk, SimpleNamespace(ends=None)), False, id="no-welcome-yet"),
        pytest.param(talk_seen_from("10.0.0.1"), False, id="from-our-address"),
        pytest.param(talk_seen_from("10.0.0.99"), False, id="from-a-translators-address"),
        pytest.param(talk_seen_from("10.0.0.2"), True, id="from-its-own-address"),
    ],
)
def test_a_program_on_the_node_hands_on_what_comes_from_its_own_address(
    talk: Talk | None, expected: bool
) -> None:
    assert Destination(Target("n2", "10.0.0.2"), talk=talk).is_handed_on is expected


def test_ports_of_services_are_tried_with_the_others_in_order() -> None:
    to = Destination(Target("n2", "10.0.0.2", tcp="7002,7000"), served=frozenset({7001, 7002}))
    assert to.ports == [7000, 7001, 7002]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        pytest.param({}, ["100-139"], id="all-silent"),
        pytest.param({120: Verdict.OPEN}, ["100-119", "121-139"], id="an-open-one-parts"),
        pytest.param({120: Verdict.REFUSED}, ["100-119,121-139"], id="a-refused-one-does-not"),
        pytest.param(
            dict.fromkeys(range(110, 116), Verdict.REFUSED), ["100-109,116-139"], id="six-do-not"
        ),
        pytest.param(
            dict.fromkeys(range(110, 117), Verdict.REFUSED), ["100-109", "117-139"], id="seven-do"
        ),
    ],
)
def test_silent_ports_form_rows(verdicts: dict[int, Verdict], expected: list[str]) -> None:
    silent = set(range(100, 140)) - set(verdicts)
    target = Target("n2", "10.0.0.2", tcp="100-139")
    rows = Destination(target, verdicts=dict(verdicts), silent=silent).rows()
    assert [spans(row.silent) for row in rows] == expected


def spans(ports: list[int]) -> str:
    """Return neighbours as ranges."""
    starts = [port for port in ports if port - 1 not in ports]
    ends = [port for port in ports if port + 1 not in ports]
    return ",".join(f"{first}-{last}" for first, last in zip(starts, ends, strict=True))


@pytest.mark.parametrize(
    ("count", "expected"),
    [pytest.param(63, 63, id="all-of-a-short-row"), pytest.param(64, 16, id="some-of-a-longer")],
)
def test_few_of_a_long_silent_row_are_tried_again(count: int, expected: int) -> None:
    silent = set(range(100, 100 + count))
    target = Target("n2", "10.0.0.2", tcp=f"100-{99 + count}")
    (row,) = Destination(target, silent=silent).rows()
    samples = row.samples()
    assert (len(samples), samples[0], samples[-1]) == (expected, 100, 99 + count)
