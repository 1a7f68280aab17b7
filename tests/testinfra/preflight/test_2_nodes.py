# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are not what they should be, and firewalls that provision.yml opens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests import lab
from tests.lab.faults import (
    Fault,
    clock,
    file_changed,
    on_node,
    planted,
    port_taken,
    second_interface,
)
from tests.testinfra.preflight.support import Desk, Report

QUICK = "preflight_ports=sample"


@contextmanager
def wrong_clocks(desk: Desk, **seconds: int) -> Iterator[None]:
    """Have other clocks on nodes (``n2=90``), which preflight's modules see."""
    folder = desk.inventory.parent / "host_vars"
    folder.mkdir(exist_ok=True)
    files = [folder / f"{desk.lab}-{name}.yml" for name in seconds]
    try:
        for file in files:
            file.write_text("ansible_python_interpreter: /run/lab-python\n")
        with planted(desk.lab, *(clock(int(name[1:]), by) for name, by in seconds.items())):
            yield
    finally:
        for file in files:
            file.unlink()
        folder.rmdir()


def test_clocks_that_differ_are_named_by_how_much(desk: Desk, healthy: Report) -> None:
    with wrong_clocks(desk, n2=90, n3=-20):
        report = desk.preflight(QUICK)
    assert report.beyond(healthy) == [
        ("error", "clock-skewed", 2),
        ("warning", "clock-skewed", 3),
    ]


def test_what_is_wrong_with_single_nodes_is_said_of_them_alone(desk: Desk, healthy: Report) -> None:
    overlap = desk.address(1).rpartition(".")[0]
    with planted(
        desk.lab,
        file_changed(1, "/etc/docker/daemon.json", json.dumps({"bip": f"{overlap}.193/27"})),
        file_changed(2, "/run/reboot-required", "*** System restart required ***"),
        second_interface(3, "eth0", f"{overlap}.213"),
        port_taken(4, 8076),
    ):
        report = desk.preflight(QUICK)
    assert report.beyond(healthy) == [
        ("error", "port-taken", 4),
        ("error", "subnet-doubled", 3),
        ("warning", "docker-network-overlap", 1),
        ("warning", "reboot-pending", 2),
    ]
    assert "lab-taken-8076" in report.texts("port-taken")[f"{desk.lab}-n4"]


def test_a_copied_machine_id_is_found(desk: Desk, healthy: Report) -> None:
    copied = on_node(desk.lab, 3, "cat /etc/machine-id").strip()
    with planted(desk.lab, file_changed(4, "/etc/machine-id", copied)):
        said = desk.preflight(QUICK).beyond(healthy)
    assert {code for _severity, code, _node in said} == {"machine-id-doubled"}
    assert {severity for severity, _code, _node in said} == {"error"}
    assert {node for _severity, _code, node in said} <= {0, 3, 4}


def test_a_firewall_that_provision_opens_is_a_warning(desk: Desk, healthy: Report) -> None:
    ufw = Fault(
        3,
        "ufw allow 22/tcp >&2; ufw --force enable >&2",
        "ufw --force disable >&2; ufw --force reset >&2; rm -f /etc/ufw/*.rules.2*",
        inside=True,
    )
    closed = (
        "nft -f - <<'END'\ntable inet owner {\n  chain input {\n"
        "    type filter hook input priority filter; policy drop;\n"
        '    ct state established,related accept\n    iifname "lo" accept\n'
        "    tcp dport 22 accept\n    meta l4proto icmp accept\n  }\n}\nEND"
    )
    nftables = Fault(4, closed, "nft delete table inet owner", inside=True)
    with planted(desk.lab, ufw, nftables):
        report = desk.preflight(QUICK)
    assert report.rc == 0
    assert report.beyond(healthy) == [
        ("warning", "port-closed-by-firewall", 3),
        ("warning", "port-closed-by-firewall", 4),
    ]


def test_a_frozen_node_is_the_one_thing_that_is_said(desk: Desk, healthy: Report) -> None:
    lab.pause("node4", lab=desk.lab)
    try:
        report = desk.preflight(QUICK, "preflight_timeout_seconds=20")
    finally:
        lab.unpause("node4", lab=desk.lab)
    assert report.beyond(healthy) == [("error", "no-answer", 4)]
