# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and ports of a lab's nodes."""

from __future__ import annotations

import itertools

import pytest

from tests.lab.cli import parser
from tests.lab.topology import Node, first_port, plan_nodes, subnet_candidates


@pytest.mark.parametrize(
    ("lab", "name", "container"),
    [
        pytest.param("lab", "node2", "lab-n2", id="the-lab-called-lab-has-short-names"),
        pytest.param("mol-ray", "mol-ray-n2", "mol-ray-n2", id="other-labs-have-unique-names"),
    ],
)
def test_node_names(lab: str, name: str, container: str) -> None:
    node = Node(lab, 2, 7)
    assert (node.name, node.container, node.hostname) == (name, container, "node2")


def test_a_node_has_one_address_on_each_network() -> None:
    nodes = plan_nodes("lab", 3, 7)
    assert [(node.management_address, node.cluster_address) for node in nodes] == [
        ("198.18.7.11", "198.19.7.11"),
        ("198.18.7.12", "198.19.7.12"),
        ("198.18.7.13", "198.19.7.13"),
    ]


def test_the_lab_called_lab_prefers_the_first_subnet() -> None:
    assert next(subnet_candidates("lab", ())) == 1


def test_another_lab_never_takes_the_first_subnet() -> None:
    assert 1 not in list(subnet_candidates("other", ()))


def test_a_lab_asks_for_the_same_subnet_each_time() -> None:
    assert next(subnet_candidates("mol-ray", ())) == next(subnet_candidates("mol-ray", {300}))


def test_a_subnet_in_use_is_passed_over() -> None:
    favourite, second = itertools.islice(subnet_candidates("mol-ray", ()), 2)
    assert next(subnet_candidates("mol-ray", {favourite})) == second


def test_every_free_subnet_is_offered_once() -> None:
    assert sorted(subnet_candidates("other", {5, 9})) == [
        number for number in range(2, 255) if number not in (5, 9)
    ]


@pytest.mark.parametrize(
    ("lab", "subnet", "port"),
    [
        pytest.param("lab", 1, 2201, id="as-in-the-ConvectHub-sample"),
        pytest.param("other", 2, 3301, id="elsewhere-for-others"),
    ],
)
def test_loopback_ports_start_at(lab: str, subnet: int, port: int) -> None:
    assert first_port(lab, subnet) == port


def test_nodes_take_the_platforms_in_turn() -> None:
    planned = plan_nodes("mixed", 3, 7, ("debian13", "debian12"))
    assert [node.platform for node in planned] == ["debian13", "debian12", "debian13"]


def test_an_unknown_platform_is_named_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["up", "--os", "debian13,amiga"])
    assert "amiga is none of debian12, debian13" in capsys.readouterr().err
