# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node does with the settings of its simulated GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.gpu.machine import MODELS, machine_settings
from tests.lab.gpu.node import modules, settings, tree
from tests.lab.gpu.node.settings import Card, cards, effective, is_cold, parse


def card(model: str, **more: str) -> Card:
    whole = machine_settings("lab-n1", [MODELS[model]])
    values = {key.split(".", 2)[2]: value for key, value in whole.items() if key[:4] == "gpu."}
    return Card(0, {**values, **more})


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param("gpu.0.bar1_mib", True, id="room-given-by-the-bios"),
        pytest.param("gpu.0.model", True, id="card"),
        pytest.param("nvswitches", True, id="bridges"),
        pytest.param("secure_boot", True, id="firmware"),
        pytest.param("gpu.0.fault", False, id="fault"),
        pytest.param("gpu.0.link_width", False, id="link"),
        pytest.param("gpu.0.ecc_volatile_corrected", False, id="counter"),
        pytest.param("kernel.headers", False, id="files"),
        pytest.param("nvml.fault", False, id="library"),
    ],
)
def test_only_what_sits_in_the_machine_waits_for_power_on(key: str, expected: bool) -> None:
    assert is_cold(key) is expected


def test_cold_settings_hold_as_they_were_at_power_on_and_others_as_they_are_now() -> None:
    booted = {"gpu.0.bar1_mib": "256", "gpu.0.fault": "lost", "smi": "hang"}
    wished = {"gpu.0.bar1_mib": "0", "gpu.0.temperature_c": "90", "gpu.1.model": "new"}
    assert effective(booted, wished) == {"gpu.0.bar1_mib": "256", "gpu.0.temperature_c": "90"}


def test_cards_come_by_number_and_those_without_address_are_left_out() -> None:
    found = cards(parse("gpu.10.pci=a\ngpu.2.pci=b\ngpu.3.model=c\n# gpu.4.pci=d\nsmi=hang\n"))
    assert [(each.number, each.pci) for each in found] == [(2, "b"), (10, "a")]


def test_window_of_a_card_has_the_size_that_is_set() -> None:
    lines, bars = tree.regions(card("a100"))
    start, end, flags = lines[1]
    assert (end - start + 1, flags) == (131072 << 20, 0x14220C)
    assert bars[1] & 0xF == 0xC


def test_card_with_a_64_bit_first_region_has_its_window_in_the_third_register() -> None:
    lines, _ = tree.regions(card("h100"))
    assert lines[1] == (0, 0, 0)
    assert lines[2][1] - lines[2][0] + 1 == 131072 << 20


def test_window_without_room_is_wiped_but_its_register_stays() -> None:
    lines, bars = tree.regions(card("a100", bar1_mib="0"))
    assert lines[1] == (0, 0, 0)
    assert bars[1] == 0xC


def test_card_that_needs_realloc_has_no_window_until_the_boot_loader_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "has_realloc", lambda: False)
    assert card("a100", needs_realloc="yes").window_mib == 0
    monkeypatch.setattr(settings, "has_realloc", lambda: True)
    assert card("a100", needs_realloc="yes").window_mib == 131072


def test_module_on_disk_says_what_modinfo_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "MODULES", tmp_path)
    assert modules.on_disk("nvidia") == {}
    folder = tmp_path / "updates/dkms"
    folder.mkdir(parents=True)
    content = b"\x7fELF\0license=Dual MIT/GPL\0version=580.95.05\0\xff\xfe\0"
    (folder / "nvidia.ko").write_bytes(content)
    assert modules.on_disk("nvidia") == {"license": "Dual MIT/GPL", "version": "580.95.05"}


OPEN = {"license": "Dual MIT/GPL", "version": "580.95.05"}
CLOSED = {"license": "NVIDIA", "version": "580.95.05"}


@pytest.mark.parametrize(
    ("model", "module", "more", "expected"),
    [
        pytest.param("h100", OPEN, {}, True, id="hopper-open"),
        pytest.param("t4", CLOSED, {}, True, id="turing-closed"),
        pytest.param("v100", OPEN, {}, False, id="volta-open"),
        pytest.param("v100", CLOSED, {}, True, id="volta-closed-580"),
        pytest.param("v100", {**CLOSED, "version": "590.48.01"}, {}, False, id="volta-too-new"),
        pytest.param("b200", CLOSED, {}, False, id="blackwell-closed"),
        pytest.param("a100", OPEN, {"bar1_mib": "0"}, False, id="no-room"),
        pytest.param("a100", OPEN, {"fault": "missing"}, False, id="missing"),
    ],
)
def test_driver_takes_a_card_or_says_in_the_log_why_not(
    model: str,
    module: dict[str, str],
    more: dict[str, str],
    expected: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = tmp_path / "kernel.log"
    monkeypatch.setattr(settings, "KERNEL_LOG", log)
    assert modules._takes(card(model, **more), module) is expected
    assert log.exists() is not expected
