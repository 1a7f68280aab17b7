"""Claims about nodes that others see at another address than their node address."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_judge_translated import (
    is_translated,
    judge_translated,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import PairResult

from tests.unit.plugins.module_utils.mesh_scene import Scene

TCP = {"translated": "8076"}
NONE: dict[str, str] = {}


def pair(seen_as: str, tcp: Mapping[str, str] = NONE, udp: Mapping[str, str] = NONE) -> PairResult:
    """Return what 10.0.0.1 saw of 10.0.0.2, which sees it at an address."""
    return PairResult("n2", "10.0.0.2", tcp=tcp, udp=udp, seen_as=seen_as)


@pytest.mark.parametrize(
    ("seen", "address", "expected"),
    [
        pytest.param(pair("10.0.0.1", tcp={"open": "8076"}), "10.0.0.1", False, id="as-it-is"),
        pytest.param(pair("10.0.0.99"), "10.0.0.1", True, id="at-another-address"),
        pytest.param(pair("10.0.0.1", tcp=TCP), "10.0.0.1", True, id="single-ports-only"),
        pytest.param(pair("", tcp=TCP), "10.0.0.1", True, id="no-talk-but-a-port"),
        pytest.param(pair("", udp={"translated": "8472"}), "10.0.0.1", True, id="a-udp-port"),
        pytest.param(pair(""), "10.0.0.1", False, id="no-talk"),
        pytest.param(pair("10.0.0.99"), "", False, id="own-address-unknown"),
        pytest.param(pair("10.0.0.2"), "10.0.0.1", False, id="by-a-program-on-the-other-node"),
        pytest.param(pair("10.0.0.2", tcp=TCP), "10.0.0.1", False, id="by-it-with-ports"),
    ],
)
def test_a_node_is_translated_when_another_sees_it_elsewhere(
    seen: PairResult, address: str, expected: bool
) -> None:
    assert is_translated(seen, address) is expected


def test_a_program_that_hands_on_what_a_node_gets_is_no_translation() -> None:
    scene = Scene(3)
    for other in ("node1", "node3"):
        scene.seen_as[(other, "node2")] = scene.address["node2"]
    assert judge_translated(scene.reports, frozenset()) == []


def test_a_node_behind_another_address_is_an_error_of_that_node() -> None:
    scene = Scene(3)
    for other in ("node1", "node3"):
        scene.seen_as[("node2", other)] = "198.19.1.77"
    (finding,) = judge_translated(scene.reports, frozenset())
    assert (finding.severity.value, finding.code, finding.host) == (
        "error",
        "address-translated",
        "node2",
    )
    assert "198.19.1.77" in finding.seen


def test_what_is_known_of_a_node_is_not_told_again() -> None:
    scene = Scene(3)
    for other in ("node1", "node3"):
        scene.seen_as[("node2", other)] = "198.19.1.77"
    assert judge_translated(scene.reports, {"node2"}) == []
