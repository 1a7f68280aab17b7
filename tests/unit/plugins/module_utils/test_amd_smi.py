"""Claims about what amd-smi prints in ROCm 6.0, 6.2, 6.4 and 7.0."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_smi import parse_amd_smi
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Ecc,
    Link,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.amd_fixtures import text


def view_of(name: str) -> DriverView:
    files = ("list.json", "static.json", "metric.json", "version.json")
    return parse_amd_smi(*(text(name, file) for file in files))


@pytest.mark.parametrize(
    ("name", "driver", "runtime", "count", "last"),
    [
        pytest.param(
            "amd-smi-6.0-mi210",
            "6.3.6",
            None,
            1,
            DriverGpu(
                index=0,
                pci_address="0000:63:00.0",
                model="AMD Instinct MI210",
                uuid="GPU-1901e1dd99c0a226",
                memory_mib=65520,
                link=Link(generation=4, width=16, max_generation=4, max_width=16),
                ecc=Ecc(enabled=True, volatile_corrected=2, volatile_uncorrected=0),
                architecture="cdna2",
                temperature_c=38,
                power_w=41.0,
                power_limit_w=300.0,
            ),
            id="6.0-error-texts-in-place-of-sections",
        ),
        pytest.param(
            "amd-smi-6.2-mi300a",
            "6.9.0-rc5+",
            "6.2.1",
            4,
            DriverGpu(
                index=3,
                pci_address="0003:01:00.0",
                model="MI300A",
                uuid="GPU-7e8f7e20764e2717",
                memory_mib=64289,
                link=Link(generation=5, width=16, max_generation=5, max_width=16),
                ecc=Ecc(enabled=False, volatile_corrected=0, volatile_uncorrected=0),
                numa_node=3,
                architecture="cdna3",
                temperature_c=36,
                power_w=122.0,
                power_limit_w=550.0,
                utilization_percent=0,
                memory_used_mib=22,
                partition="SPX",
                partitions=1,
            ),
            id="6.2-processors-in-the-list",
        ),
        pytest.param(
            "amd-smi-6.4-mi300x-cpx",
            "6.12.12",
            None,
            2,
            DriverGpu(
                index=8,
                pci_address="0000:27:00.0",
                model="AMD Instinct MI300X",
                uuid="GPU-2250f7d6a85c4dda",
                link=Link(generation=5, width=16, max_generation=5, max_width=16),
                ecc=Ecc(enabled=True, volatile_corrected=7, volatile_uncorrected=1),
                numa_node=1,
                architecture="cdna3",
                temperature_c=41,
                power_w=141.0,
                power_limit_w=750.0,
                utilization_percent=3,
                partition="CPX",
                partitions=8,
            ),
            id="6.4-sixteen-parts-of-two-cards",
        ),
        pytest.param(
            "amd-smi-7.0-mi355x",
            "6.16.6",
            "7.0.0",
            1,
            DriverGpu(
                index=0,
                pci_address="0000:05:00.0",
                model="AMD Instinct MI355X",
                uuid="GPU-1505750123456789",
                memory_mib=294896,
                link=Link(generation=4, width=8, max_generation=5, max_width=16),
                ecc=Ecc(enabled=True, volatile_corrected=12, volatile_uncorrected=0),
                numa_node=0,
                architecture="cdna4",
                temperature_c=76,
                power_w=1239.0,
                power_limit_w=1400.0,
                utilization_percent=98,
                partition="SPX",
                partitions=1,
            ),
            id="7.0-gpu-data-and-ppt0",
        ),
        pytest.param(
            "amd-smi-warning-before-json",
            None,
            None,
            1,
            DriverGpu(
                index=0,
                pci_address="0000:03:00.0",
                model="AMD Radeon RX 7900 XTX",
                uuid="GPU-7cf529dea4b33bad",
                memory_mib=24560,
                link=Link(max_generation=4, max_width=16),
                architecture="rdna3",
            ),
            id="warnings-and-an-apu",
        ),
    ],
)
def test_each_card_is_read(
    name: str, driver: str, runtime: str, count: int, last: DriverGpu
) -> None:
    view = view_of(name)
    assert (view.source, view.error) == ("amd-smi", None)
    assert (view.driver_version, view.runtime_version) == (driver, runtime)
    assert len(view.gpus) == count
    assert view.gpus[-1] == last


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param(
            "amd-smi-not-loaded",
            "Unable to get devices, driver not initialized (amdgpu not found in modules)",
            id="driver-not-loaded",
        ),
        pytest.param(
            "amd-smi-error-as-json",
            "Command 'list' is not allowed without root",
            id="error-as-json",
        ),
        pytest.param(
            "amd-smi-truncated",
            "amd-smi --json printed no complete list of GPUs: it starts with '{'",
            id="truncated",
        ),
    ],
)
def test_a_failure_is_told_in_the_words_of_the_tool(name: str, error: str) -> None:
    assert view_of(name) == DriverView(source="amd-smi", error=error)


def test_silence_is_a_failure_too() -> None:
    assert parse_amd_smi("", "", "") == DriverView(
        source="amd-smi", error="amd-smi --json printed nothing"
    )


def test_an_error_without_words_is_a_failure_too() -> None:
    assert parse_amd_smi('{"error": ""}') == DriverView(
        source="amd-smi",
        error="""amd-smi --json printed no complete list of GPUs: it starts with '{"error": ""}'""",
    )


def test_an_empty_list_is_an_answer() -> None:
    assert view_of("amd-smi-no-gpu") == DriverView(source="amd-smi")
    assert parse_amd_smi('{"gpu_data": []}\n') == DriverView(source="amd-smi")


def test_the_list_alone_is_enough() -> None:
    listing = '[{"gpu": 0, "bdf": "0000:C1:00.0", "uuid": "19ff740f-0000-1000-8001-e1dd99c0a226"}]'
    assert parse_amd_smi(listing, "Traceback (most recent call last):", "\x00").gpus == (
        DriverGpu(index=0, pci_address="0000:c1:00.0", uuid="19ff740f-0000-1000-8001-e1dd99c0a226"),
    )


def test_static_alone_is_enough() -> None:
    view = parse_amd_smi("", text("amd-smi-7.0-mi355x", "static.json"))
    assert [gpu.pci_address for gpu in view.gpus] == ["0000:05:00.0"]


def test_a_gpu_whose_address_is_an_error_has_that_error() -> None:
    view = parse_amd_smi('[{"gpu": 2, "bdf": "AMDSMI_STATUS_BUSY - Device busy"}]')
    assert view.gpus == (DriverGpu(index=2, error="AMDSMI_STATUS_BUSY - Device busy"),)


def static(**sections: Any) -> str:
    return json.dumps([{"gpu": 0, "bus": {"bdf": "0000:01:00.0"}, **sections}])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param({"value": 196592, "unit": "MB"}, 196592, id="object"),
        pytest.param({"value": 192, "unit": "GB"}, 196608, id="gigabytes"),
        pytest.param("65520 MB", 65520, id="text-with-unit"),
        pytest.param(65520, 65520, id="number"),
        pytest.param({"value": "N/A", "unit": "MB"}, None, id="not-available"),
        pytest.param("N/A", None, id="not-available-text"),
        pytest.param(0, None, id="zero-is-unknown"),
        pytest.param(-5, None, id="negative"),
        pytest.param(True, None, id="boolean"),
        pytest.param([196592], None, id="list"),
        pytest.param(0xFFFFFFFF, None, id="greatest-number"),
        pytest.param(10**400, None, id="huge"),
        pytest.param(float("nan"), None, id="nan"),
        pytest.param(float("inf"), None, id="infinity"),
    ],
)
def test_memory_in_every_form(size: Any, expected: Any) -> None:
    view = parse_amd_smi("", static(vram={"size": size}))
    assert [gpu.memory_mib for gpu in view.gpus] == [expected]


def test_two_shares_of_a_card_in_a_guest_are_two_gpus() -> None:
    rows = [{"gpu": n, "bdf": f"0000:05:02.{n}", "partition_id": 0} for n in (0, 1)]
    assert len(parse_amd_smi(json.dumps(rows)).gpus) == 2


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param("amd-smi-6.2-mi300a", 4, id="list-of-objects"),
        pytest.param("amd-smi-6.4-mi300x-cpx", 2, id="list-of-parts"),
        pytest.param("amd-smi-7.0-mi355x", 1, id="gpu-data"),
    ],
)
def test_a_cut_output_is_an_error_and_never_some_of_the_gpus(name: str, count: int) -> None:
    whole = text(name, "static.json").rstrip()
    for end in range(0, len(whole), max(1, len(whole) // 200)):
        view = parse_amd_smi("", whole[:end], whole[:end])
        assert view.error
        assert view.gpus == ()
    assert len(parse_amd_smi("", whole).gpus) == count


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["gpu", "gpu_data", "bdf", "value", "unit", "error"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
SECTIONS = "asic bus partition vram driver ras limit power temperature pcie ecc usage board numa"


@given(st.text())
def test_any_text_makes_a_view(output: str) -> None:
    assert parse_amd_smi(output, output, output, output).source == "amd-smi"


@given(JSON)
def test_any_json_makes_a_view(document: Any) -> None:
    output = json.dumps(document)
    assert parse_amd_smi(output, output, output, output).source == "amd-smi"


@given(st.dictionaries(st.sampled_from(SECTIONS.split()), JSON), JSON)
def test_any_section_makes_one_gpu(sections: dict[str, Any], leaf: Any) -> None:
    fields = ("market_name", "asic_serial", "device_id", "partition_id", "size", "version")
    row = {"gpu": 0, **sections, "asic": dict.fromkeys(fields, leaf)}
    output = json.dumps([row])
    assert len(parse_amd_smi(output, output, output).gpus) == 1


def test_nesting_without_end_is_no_crash() -> None:
    view = parse_amd_smi("[" * 100_000)
    assert view.error == (
        "amd-smi --json printed no complete list of GPUs: it starts with " + repr("[" * 60)
    )
