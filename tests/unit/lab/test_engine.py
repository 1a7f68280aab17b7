# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab installs before its first node boots."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from tests.lab import engine, faults


@pytest.mark.parametrize(
    ("program", "package"),
    [("nft", "nftables"), ("iptables", "iptables"), ("ip", "iproute2"), ("ss", "iproute2")],
)
def test_a_program_that_is_missing_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, package: str
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else f"/bin/{name}")
    monkeypatch.setattr(engine, "install", installed.extend)
    monkeypatch.setattr(engine, "engine_answers", lambda: True)
    monkeypatch.setattr(engine, "ENGINE_LOCK", tmp_path / "lock")
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


def test_labs_that_boot_together_install_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    busy = threading.Lock()
    met: list[bool] = []

    def install(*_: object) -> None:
        met.append(not busy.acquire(blocking=False))
        threading.Event().wait(0.2)
        busy.release()

    monkeypatch.setattr(engine, "APT_LOCK", tmp_path / "lock")
    monkeypatch.setattr(engine, "stream", install)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    threads = [threading.Thread(target=engine.install, args=(["nftables"],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert met == [False] * 4
