"""Claims about what an AMD device id or gfx target says."""

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import amd_generation as amd


@pytest.mark.parametrize(
    ("device_id", "model", "architecture"),
    [
        pytest.param("0x66a1", "AMD Radeon Pro VII / Radeon Instinct MI50", "gcn5", id="mi50"),
        pytest.param("0x738c", "AMD Instinct MI100", "cdna1", id="mi100"),
        pytest.param("0x740f", "AMD Instinct MI210", "cdna2", id="mi210"),
        pytest.param("0x7408", "AMD Instinct MI250X", "cdna2", id="mi250x"),
        pytest.param("0x740c", "AMD Instinct MI250X / MI250", "cdna2", id="mi250"),
        pytest.param("0x74a0", "AMD Instinct MI300A", "cdna3", id="mi300a"),
        pytest.param("0x74a1", "AMD Instinct MI300X", "cdna3", id="mi300x"),
        pytest.param("0x74a2", "AMD Instinct MI308X", "cdna3", id="mi308x"),
        pytest.param("0x74a5", "AMD Instinct MI325X", "cdna3", id="mi325x"),
        pytest.param("0x74b5", "AMD Instinct MI300X VF", "cdna3", id="mi300x-vf"),
        pytest.param("0x75a0", "AMD Instinct MI350X", "cdna4", id="mi350x"),
        pytest.param("0x75a3", "AMD Instinct MI355X", "cdna4", id="mi355x"),
        pytest.param("0x7448", "AMD Radeon PRO W7900", "rdna3", id="w7900"),
        pytest.param(
            "0x744c", "AMD Radeon RX 7900 XT / 7900 XTX / 7900 GRE / 7900M", "rdna3", id="rx7900"
        ),
        pytest.param("0x73f0", None, "rdna3", id="navi-33-among-navi-2x"),
        pytest.param("0x73ff", None, "rdna2", id="navi-23"),
        pytest.param("0x7551", "AMD Radeon AI PRO R9700", "rdna4", id="r9700"),
        pytest.param("74A1", "AMD Instinct MI300X", "cdna3", id="without-0x-upper-case"),
        pytest.param("0xffff", None, None, id="unknown-id"),
        pytest.param("", None, None, id="empty"),
        pytest.param("0x", None, None, id="no-digits"),
        pytest.param("0x74a1f", None, None, id="too-long"),
        pytest.param("MI300X", None, None, id="a-name"),
    ],
)
def test_model_and_generation_of_a_device_id(
    device_id: str, model: Optional[str], architecture: Optional[str]
) -> None:
    assert (amd.model_name(device_id), amd.architecture(device_id)) == (model, architecture)


def test_an_id_that_several_cards_share_has_no_exact_name() -> None:
    assert amd.exact_model_name("0x744c") is None
    assert amd.exact_model_name("0x74a1") == "AMD Instinct MI300X"
    assert amd.exact_model_name("0xffff") is None


@pytest.mark.parametrize(
    ("device_id", "expected"),
    [
        pytest.param("0x164e", True, id="raphael"),
        pytest.param("0x13c0", True, id="granite-ridge"),
        pytest.param("0x15bf", True, id="phoenix"),
        pytest.param("0x1900", True, id="hawk-point"),
        pytest.param("0x1586", True, id="strix-halo"),
        pytest.param("0x1309", True, id="kaveri"),
        pytest.param("0x9874", True, id="carrizo"),
        pytest.param("0x74a0", False, id="mi300a-computes"),
        pytest.param("0x74a1", False, id="mi300x"),
        pytest.param("0x744c", False, id="rx-7900"),
        pytest.param("0x66a1", False, id="mi50"),
        pytest.param("0x515e", False, id="es1000-is-a-chip-of-its-own"),
        pytest.param("", False, id="unknown"),
    ],
)
def test_the_graphics_part_of_a_processor_is_told_by_its_id(device_id: str, expected: bool) -> None:
    assert amd.is_apu(device_id) is expected


def test_the_console_chip_of_a_server_board_is_told_from_a_gpu() -> None:
    assert amd.is_board_console("0x515e")
    assert not amd.is_board_console("0x740f")
    assert not amd.is_board_console("")


def test_a_share_of_a_card_is_told_from_the_card() -> None:
    assert amd.is_virtual_function("0x74b5")
    assert amd.is_virtual_function("0x7410")
    assert not amd.is_virtual_function("0x74a1")
    assert not amd.is_virtual_function("nothing")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("gfx906", "gcn5", id="mi50"),
        pytest.param("gfx908", "cdna1", id="mi100"),
        pytest.param("gfx90a", "cdna2", id="mi250"),
        pytest.param("gfx942", "cdna3", id="mi300"),
        pytest.param("gfx950", "cdna4", id="mi350"),
        pytest.param("gfx1030", "rdna2", id="navi-21"),
        pytest.param("gfx1100", "rdna3", id="navi-31"),
        pytest.param("gfx1201", "rdna4", id="navi-48"),
        pytest.param("gfx9010", None, id="as-rocm-smi-misspells-gfx90a"),
        pytest.param("gfx1300", None, id="not-yet-known"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
def test_generation_of_a_gfx_target(target: Optional[str], expected: Optional[str]) -> None:
    assert amd.target_architecture(target) == expected
