# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab installs before its first node boots."""

from __future__ import annotations

import shutil

import pytest

from tests.lab import engine, faults


@pytest.mark.parametrize(
    ("program", "package"),
    [("nft", "nftables"), ("iptables", "iptables"), ("ip", "iproute2"), ("ss", "iproute2")],
)
def test_a_program_that_is_missing_is_installed(
    monkeypatch: pytest.MonkeyPatch, program: str, package: str
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else f"/bin/{name}")
    monkeypatch.setattr(engine, "install", installed.extend)
    monkeypatch.setattr(engine, "engine_answers", lambda: True)
    engine.ensure_engine()
    assert installed == [package]


@pytest.mark.parametrize(
    "fault",
    [
        faults.dropped(1, "22"),
        *faults.translated(1, "198.18.0.9"),
        faults.interface_down(1, "eth1"),
    ],
    ids=lambda fault: fault.plant.split()[0],
)
def test_what_breaks_a_nodes_network_is_installed(fault: faults.Fault) -> None:
    assert fault.plant.split()[0] in dict(engine.PROGRAMS)
