"""Claims about what rocm-smi prints in ROCm 4, 5 and 6."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Link,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_smi import parse_rocm_smi
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.amd_fixtures import names, text


@pytest.mark.parametrize(
    ("name", "driver", "gpus"),
    [
        pytest.param(
            "rocm-smi-4-mi100",
            None,
            [
                DriverGpu(
                    index=0,
                    pci_address="0000:23:00.0",
                    model="AMD Instinct MI100",
                    memory_mib=32752,
                    architecture="cdna1",
                ),
                DriverGpu(
                    index=1,
                    pci_address="0000:83:00.0",
                    model="AMD Instinct MI100",
                    memory_mib=32752,
                    architecture="cdna1",
                ),
            ],
            id="4-device-id-for-a-name-and-a-warning",
        ),
        pytest.param(
            "rocm-smi-5-mi210",
            "5.16.9.22.20",
            [
                DriverGpu(
                    index=0,
                    pci_address="0000:e7:00.0",
                    model="Instinct MI210",
                    uuid="GPU-1901e1dd99c0a226",
                    memory_mib=65520,
                )
            ],
            id="5-lower-case-series",
        ),
        pytest.param(
            "rocm-smi-6-mi250x",
            "6.3.6",
            [
                DriverGpu(
                    index=0,
                    pci_address="0000:c1:00.0",
                    model="AMD INSTINCT MI200 (MCM) OAM LC MBA HPE C2",
                    uuid="GPU-25017d5f9cb8a470",
                    memory_mib=65520,
                    architecture="cdna2",
                    temperature_c=44,
                    power_w=91.0,
                    power_limit_w=560.0,
                    utilization_percent=0,
                ),
                DriverGpu(
                    index=1,
                    pci_address="0000:c6:00.0",
                    model="AMD INSTINCT MI200 (MCM) OAM LC MBA HPE C2",
                    uuid="GPU-25017d5f9cb8a471",
                    memory_mib=65520,
                    architecture="cdna2",
                    temperature_c=44,
                    utilization_percent=0,
                ),
            ],
            id="6-two-dies-the-second-without-power",
        ),
        pytest.param(
            "rocm-smi-6-rx7900gre",
            "6.11.0",
            [
                DriverGpu(
                    index=0,
                    pci_address="0000:03:00.0",
                    model="Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]",
                    uuid="GPU-3d4595974090853c",
                    memory_mib=16368,
                    link=Link(generation=4, width=16),
                    architecture="rdna3",
                    temperature_c=52,
                    power_w=17.0,
                    power_limit_w=220.0,
                    utilization_percent=1,
                )
            ],
            id="6-device-name",
        ),
        pytest.param("rocm-smi-6-apu", None, [], id="6-graphics-of-a-processor"),
    ],
)
def test_each_card_is_read(name: str, driver: Optional[str], gpus: list[DriverGpu]) -> None:
    assert parse_rocm_smi(text(name, "rocm-smi.json")) == DriverView(
        source="rocm-smi", gpus=tuple(gpus), driver_version=driver
    )


@pytest.mark.parametrize(
    ("output", "error"),
    [
        pytest.param(
            text("rocm-smi-not-loaded", "rocm-smi.json"),
            "Driver not initialized (amdgpu not found in modules)",
            id="driver-not-loaded",
        ),
        pytest.param(
            text("rocm-smi-no-gpu", "rocm-smi.json"), "WARNING: No AMD GPUs specified", id="no-gpu"
        ),
        pytest.param("", "rocm-smi --json printed nothing", id="nothing"),
        pytest.param(
            '{"card0": {"PCI Bus": "00',
            "rocm-smi --json printed no complete list of GPUs:"
            ' it starts with \'{"card0": {"PCI Bus": "00\'',
            id="truncated",
        ),
        pytest.param(
            '{"system": {"Driver version": "6.3.6"}}',
            "rocm-smi --json printed no complete list of GPUs:"
            ' it starts with \'{"system": {"Driver version": "6.3.6"}}\'',
            id="system-without-cards",
        ),
    ],
)
def test_a_failure_is_told_in_the_words_of_the_tool(output: str, error: str) -> None:
    assert parse_rocm_smi(output) == DriverView(source="rocm-smi", error=error)


def test_parts_of_one_card_are_one_gpu_of_unknown_memory() -> None:
    cards = {
        f"card{part}": {
            "PCI Bus": f"0000:05:00.{part}",
            "Unique ID": "0xe3aa12df35e8a151",
            "GFX Version": "gfx942",
            "VRAM Total Memory (B)": "206141652992",
        }
        for part in range(8)
    }
    assert parse_rocm_smi(json.dumps(cards)).gpus == (
        DriverGpu(
            index=0,
            pci_address="0000:05:00.0",
            uuid="GPU-e3aa12df35e8a151",
            architecture="cdna3",
            partitions=8,
        ),
    )


def test_cards_are_sorted_by_number() -> None:
    cards = {f"card{n}": {"PCI Bus": f"0000:{n:02x}:00.0"} for n in (10, 2, 0)}
    assert [gpu.index for gpu in parse_rocm_smi(json.dumps(cards)).gpus] == [0, 2, 10]


@pytest.mark.parametrize("name", names("rocm-smi"))
def test_no_cut_of_an_output_raises(name: str) -> None:
    whole = text(name, "rocm-smi.json").rstrip()
    for end in range(len(whole)):
        assert parse_rocm_smi(whole[:end]).error


@given(st.text())
def test_any_text_makes_a_view(output: str) -> None:
    assert parse_rocm_smi(output).error


FIELDS = ["PCI Bus", "Unique ID", "Card Series", "Device ID", "GFX Version", "pcie clock level"]
FIELDS += ["VRAM Total Memory (B)", "Temperature (Sensor edge) (C)", "GPU use (%)"]


@given(
    st.dictionaries(
        st.sampled_from(FIELDS),
        st.none() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2),
    )
)
def test_any_fields_make_one_gpu(fields: dict[str, Any]) -> None:
    assert len(parse_rocm_smi(json.dumps({"card0": fields})).gpus) == 1
