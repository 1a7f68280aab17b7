# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths between nodes that are closed, bent or too narrow: each is named, and nothing else is."""

from __future__ import annotations

import pytest

from tests.lab.faults import (
    Fault,
    black_hole,
    dropped,
    intercepted,
    interface_down,
    mtu,
    mtu_of,
    planted,
    rejected,
    translated,
)
from tests.testinfra.preflight.support import Desk, Report, Said

QUICK = "preflight_ports=sample"
WHOLE = "preflight_ports=required"


def test_healthy_nodes_have_no_error_and_every_path_is_proven(healthy: Report) -> None:
    assert healthy.rc == 0
    assert not [each for each in healthy.said if each[0] == "error"]
    cells = healthy.document["mesh"]["cells"]
    between = [cell for cell in cells if cell["source"] in healthy.document["mesh"]["destinations"]]
    assert len(between) == 12
    assert {cell["state"] for cell in between} == {"good"}


def said_with(desk: Desk, healthy: Report, *faults: Fault, mode: str = QUICK) -> list[Said]:
    """Return what preflight says beyond the healthy state while faults are planted."""
    with planted(desk.lab, *faults):
        report = desk.preflight(mode)
    assert report.rc == (2 if report.document["counts"]["error"] else 0)
    return report.beyond(healthy)


def test_each_kind_of_refusal_is_told_from_the_others(desk: Desk, healthy: Report) -> None:
    said = said_with(
        desk,
        healthy,
        rejected(1, "6379", "icmp host-unreachable"),
        dropped(2, "8076"),
        rejected(3, "8077", "tcp reset"),
        rejected(4, "56999", "icmp admin-prohibited"),
    )
    assert said == [
        ("error", "port-filtered", 2),
        ("error", "port-prohibited", 4),
        ("error", "port-refused", 3),
        ("error", "port-unreachable", 1),
    ]


def test_one_port_of_a_range_and_one_direction_are_found(desk: Desk, healthy: Report) -> None:
    one_way = dropped(2, "8076", source=desk.address(3))
    with planted(desk.lab, one_way, dropped(4, "15000")):
        report = desk.preflight(WHOLE)
    assert report.beyond(healthy) == [("error", "port-filtered", 2), ("error", "port-filtered", 4)]
    said = report.texts("port-filtered")
    assert f"{desk.lab}-n3" in said[f"{desk.lab}-n2"]
    assert f"{desk.lab}-n4" not in said[f"{desk.lab}-n2"]
    assert "1 of 9,999 ports: 15000" in said[f"{desk.lab}-n4"]


@pytest.mark.parametrize(
    ("manner", "code"),
    [
        pytest.param("accept", "port-wrong-answerer", id="says-nothing"),
        # The node has the connections, and has them from itself.
        pytest.param("forward", "port-wrong-answerer", id="passes-on-faithfully"),
    ],
)
def test_a_proxy_that_answers_for_everything_is_no_open_path(
    desk: Desk, healthy: Report, manner: str, code: str
) -> None:
    said = said_with(desk, healthy, *intercepted(2, manner))
    assert said == [("error", code, 2)]


@pytest.mark.parametrize("manner", ["accept", "forward"])
def test_a_proxy_on_the_way_out_is_no_open_path(desk: Desk, healthy: Report, manner: str) -> None:
    on_the_way_out = intercepted(3, manner, "output", desk.address(4))
    said = said_with(desk, healthy, *on_the_way_out)
    assert said == [("error", "port-wrong-answerer", 4)]


def test_a_node_behind_address_translation_is_named(desk: Desk, healthy: Report) -> None:
    other = desk.address(3).rpartition(".")[0] + ".203"
    with planted(desk.lab, *translated(3, other)):
        report = desk.preflight(QUICK)
    assert report.beyond(healthy) == [("error", "address-translated", 3)]
    assert other in report.texts("address-translated")[f"{desk.lab}-n3"]


def test_large_packets_that_vanish_are_measured(desk: Desk, healthy: Report) -> None:
    passes = mtu_of(desk.lab, 2) - 100
    with planted(desk.lab, *black_hole(2, passes)):
        report = desk.preflight(QUICK)
    assert report.beyond(healthy) == [("error", "mtu-black-hole", 2)]
    assert f"above {passes} bytes" in report.texts("mtu-black-hole")[f"{desk.lab}-n2"]


def test_an_interface_with_another_mtu_is_named(desk: Desk, healthy: Report) -> None:
    before = mtu_of(desk.lab, 4)
    said = said_with(desk, healthy, mtu(4, "eth1", before - 100, before))
    assert said == [("warning", "mtu-differs", 4)]


def test_a_stopped_interface_is_the_one_thing_that_is_said(desk: Desk, healthy: Report) -> None:
    said = said_with(desk, healthy, interface_down(3, "eth1"))
    assert said == [("error", "interface-down", 3)]


def test_udp_alone_is_found(desk: Desk) -> None:
    lines = [desk.host_line(number) for number in (1, 2, 3, 4)]
    text = "\n".join(["[k3s_server]", lines[0], "", "[k3s_agent]", *lines[1:]])
    inventory = desk.other_inventory("k3s.ini", text)
    words = (QUICK, "preflight_profiles=management")
    healthy = desk.preflight(*words, inventory=inventory)
    with planted(desk.lab, dropped(2, "8472", "udp"), dropped(3, "30000-32767", "udp")):
        report = desk.preflight(*words, inventory=inventory)
    assert report.beyond(healthy) == [("error", "port-filtered", 2), ("error", "port-filtered", 3)]
    inventory.unlink()
