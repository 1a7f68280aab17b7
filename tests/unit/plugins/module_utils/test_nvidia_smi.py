"""Claims about reading ``nvidia-smi -q -x``: each report lies in tests/fixtures/gpu/nvidia."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Ecc,
    Link,
    Mig,
    MigDevice,
    Remapping,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_smi import parse_smi_xml

from tests.unit.plugins.module_utils.nvidia_reports import (
    FIXTURES,
    fixtures,
    only,
    report,
    text_of,
)

ORIGINS = ("recorded", "documentation", "public-dump", "invented")
H100_LINK = Link(generation=5, width=16, max_generation=5, max_width=16)


def shown(view: DriverView) -> tuple[str, str]:
    """Return what a report shows of its first GPU, for the table below."""
    gpu = view.gpus[0]
    link = gpu.link
    return (
        f"{len(view.gpus)} x {gpu.model}, {gpu.architecture}, {gpu.memory_mib} MiB, "
        f"BAR1 {gpu.bar1_mib} MiB",
        f"{view.driver_version}, CUDA {view.runtime_version}, "
        f"{link.generation}x{link.width} of {link.max_generation}x{link.max_width}, "
        f"{gpu.power_w} W of {gpu.power_limit_w} W, persistence {gpu.persistence}",
    )


HEALTHY = {
    "rtx-3090": (
        "1 x NVIDIA GeForce RTX 3090, None, 24268 MiB, BAR1 256 MiB",
        "470.256.02, CUDA 11.4, 1x16 of 3x16, 28.14 W of 350.0 W, persistence False",
    ),
    "rtx-4090": (
        "1 x NVIDIA GeForce RTX 4090, ada, 24564 MiB, BAR1 32768 MiB",
        "535.183.01, CUDA 12.2, 1x16 of 4x16, 21.65 W of 450.0 W, persistence False",
    ),
    "rtx-5090": (
        "1 x NVIDIA GeForce RTX 5090, blackwell, 32607 MiB, BAR1 32768 MiB",
        "570.169, CUDA 12.8, 1x16 of 5x16, 14.02 W of 575.0 W, persistence False",
    ),
    "tesla-t4": (
        "1 x Tesla T4, turing, 15360 MiB, BAR1 256 MiB",
        "595.91.07, CUDA 13.2, 3x8 of 3x16, 33.51 W of 70.0 W, persistence True",
    ),
    "tesla-v100": (
        "1 x Tesla V100-SXM2-32GB, None, 32510 MiB, BAR1 32768 MiB",
        "470.199.02, CUDA 11.4, 3x16 of 3x16, 42.11 W of 300.0 W, persistence True",
    ),
    "a100-40gb": (
        "1 x NVIDIA A100-SXM4-40GB, ampere, 40960 MiB, BAR1 65536 MiB",
        "570.148.08, CUDA 12.8, 4x16 of 4x16, 49.68 W of 400.0 W, persistence True",
    ),
    "a100-80gb-mig": (
        "1 x NVIDIA A100 80GB PCIe, ampere, 81920 MiB, BAR1 131072 MiB",
        "550.90.07, CUDA 12.4, 4x16 of 4x16, 62.35 W of 300.0 W, persistence True",
    ),
    "a100-mig-pending": (
        "1 x NVIDIA A100 80GB PCIe, ampere, 81920 MiB, BAR1 131072 MiB",
        "550.90.07, CUDA 12.4, 4x16 of 4x16, 62.35 W of 300.0 W, persistence True",
    ),
    "h100-mig": (
        "1 x NVIDIA H100 80GB HBM3, hopper, 81559 MiB, BAR1 131072 MiB",
        "575.57.08, CUDA 12.9, 5x16 of 5x16, 68.57 W of 700.0 W, persistence True",
    ),
    "h100-x8": (
        "8 x NVIDIA H100 80GB HBM3, hopper, 81559 MiB, BAR1 131072 MiB",
        "580.105.08, CUDA 13.0, 5x16 of 5x16, 68.57 W of 700.0 W, persistence True",
    ),
    "h200": (
        "1 x NVIDIA H200, hopper, 143771 MiB, BAR1 262144 MiB",
        "550.127.05, CUDA 12.4, 5x16 of 5x16, 76.95 W of 700.0 W, persistence True",
    ),
    "b200": (
        "2 x NVIDIA B200, blackwell, 183359 MiB, BAR1 262144 MiB",
        "580.105.08, CUDA 13.0, 5x16 of 5x16, 195.68 W of 1000.0 W, persistence False",
    ),
    "gb200": (
        "1 x NVIDIA GB200, blackwell, 189471 MiB, BAR1 262144 MiB",
        "580.173.02, CUDA 13.0, 5x16 of 6x16, 165.93 W of 1200.0 W, persistence True",
    ),
    "gh200": (
        "1 x NVIDIA GH200 480GB, hopper, 97871 MiB, BAR1 131072 MiB",
        "550.54.15, CUDA 12.4, 4x1 of 5x16, 84.2 W of 900.0 W, persistence True",
    ),
    "l40s": (
        "1 x NVIDIA L40S, ada, 46068 MiB, BAR1 65536 MiB",
        "595.91.07, CUDA 13.2, 4x8 of 4x16, 65.64 W of 350.0 W, persistence True",
    ),
    "a10": (
        "1 x NVIDIA A10, ampere, 23028 MiB, BAR1 32768 MiB",
        "525.147.05, CUDA 12.0, 1x16 of 4x16, 15.8 W of 150.0 W, persistence True",
    ),
    "gtx-1080-ti": (
        "1 x NVIDIA GeForce GTX 1080 Ti, pascal, 11264 MiB, BAR1 256 MiB",
        "580.95.05, CUDA 13.0, 1x16 of 3x16, 9.1 W of 250.0 W, persistence False",
    ),
    "vgpu-guest": (
        "1 x GRID A100D-16C, ampere, 16384 MiB, BAR1 4096 MiB",
        "535.161.07, CUDA 12.2, NonexNone of NonexNone, None W of None W, persistence True",
    ),
    "v100-x16": (
        "16 x Tesla V100-SXM3-32GB, None, 32480 MiB, BAR1 32768 MiB",
        "450.80.02, CUDA 11.0, 3x16 of 3x16, 50.2 W of 350.0 W, persistence True",
    ),
    "legacy-brackets": (
        "1 x NVIDIA RTX A4000, None, 16117 MiB, BAR1 256 MiB",
        "470.82.01, CUDA 11.4, 4x16 of 4x16, None W of 140.0 W, persistence True",
    ),
    "new-version-elements": (
        "1 x NVIDIA Graphics Device, rubin, 294912 MiB, BAR1 524288 MiB",
        "615.23, CUDA 13.4, 6x16 of 6x16, 200.0 W of 1800.0 W, persistence True",
    ),
    "hidden-in-noise": (
        "1 x NVIDIA RTX 6000 Ada Generation, ada, 49140 MiB, BAR1 65536 MiB",
        "570.148.08, CUDA 12.8, 4x16 of 4x16, 24.0 W of 300.0 W, persistence True",
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_report_is_read(name: str) -> None:
    assert shown(report(name)) == HEALTHY[name]


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_gpu_has_no_error(name: str) -> None:
    view = report(name)
    assert (view.error, [gpu.error for gpu in view.gpus]) == (None, [None] * len(view.gpus))


def test_every_value_of_a_gpu_is_read() -> None:
    assert report("h100-x8").gpus[7] == DriverGpu(
        index=7,
        pci_address="0000:ca:00.0",
        model="NVIDIA H100 80GB HBM3",
        uuid="GPU-00000002-0000-4000-8000-000000000007",
        memory_mib=81559,
        link=H100_LINK,
        bar1_mib=131072,
        mig=Mig(enabled=False, pending=False),
        ecc=Ecc(True, True, 0, 0, 0, 0),
        remapping=Remapping(corrected=0, uncorrected=0, pending=False, failed=False),
        persistence=True,
        architecture="hopper",
        temperature_c=29,
        power_w=68.57,
        power_limit_w=700.0,
        utilization_percent=0,
        memory_used_mib=0,
        memory_free_mib=81079,
    )


def test_a_share_of_a_card_has_what_its_hypervisor_shows_and_nothing_else() -> None:
    assert only("vgpu-guest") == DriverGpu(
        index=0,
        pci_address="0000:02:00.0",
        model="GRID A100D-16C",
        uuid="GPU-00000001-0000-4000-8000-000000000000",
        memory_mib=16384,
        bar1_mib=4096,
        persistence=True,
        architecture="ampere",
        utilization_percent=0,
        memory_used_mib=0,
        memory_free_mib=15114,
    )


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        pytest.param("", None, id="no-list"),
        pytest.param(
            "<clocks_event_reasons><clocks_event_reason_gpu_idle>Active</clocks_event_reason_gpu_idle>"
            "<clocks_event_reason_sw_power_cap>Not Active</clocks_event_reason_sw_power_cap>"
            "</clocks_event_reasons>",
            0x1,
            id="idle",
        ),
        pytest.param(
            "<clocks_throttle_reasons>"
            "<clocks_throttle_reason_hw_slowdown>Active</clocks_throttle_reason_hw_slowdown>"
            "<clocks_throttle_reason_hw_thermal_slowdown>Active"
            "</clocks_throttle_reason_hw_thermal_slowdown></clocks_throttle_reasons>",
            0x48,
            id="hot-before-535",
        ),
        pytest.param(
            "<clocks_event_reasons><clocks_event_reason_gpu_idle>N/A</clocks_event_reason_gpu_idle>"
            "</clocks_event_reasons>",
            None,
            id="not-available",
        ),
    ],
)
def test_reasons_for_low_clocks_become_the_mask_of_nvml(reasons: str, expected: int | None) -> None:
    text = text_of("rtx-4090").replace("</gpu>", f"{reasons}</gpu>", 1)
    assert parse_smi_xml(text).gpus[0].throttle_reasons == expected


def test_clocks_are_read_in_megahertz() -> None:
    clocks = "<clocks><sm_clock>1980 MHz</sm_clock><mem_clock>2619 MHz</mem_clock></clocks></gpu>"
    gpu = parse_smi_xml(text_of("rtx-4090").replace("</gpu>", clocks, 1)).gpus[0]
    assert (gpu.sm_clock_mhz, gpu.memory_clock_mhz) == (1980, 2619)


def test_sixteen_gpus_are_numbered_as_the_driver_numbers_them() -> None:
    gpus = report("v100-x16").gpus
    assert [(gpu.index, gpu.pci_address) for gpu in gpus][:2] == [
        (0, "0000:34:00.0"),
        (1, "0000:36:00.0"),
    ]
    assert [gpu.index for gpu in gpus] == list(range(16))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "a100-80gb-mig",
            Mig(
                True,
                True,
                (
                    MigDevice(memory_mib=40192),
                    MigDevice(memory_mib=19968),
                    MigDevice(memory_mib=9728),
                ),
            ),
            id="three-parts-of-an-a100",
        ),
        pytest.param(
            "h100-mig",
            Mig(True, True, (MigDevice(memory_mib=40448), MigDevice(memory_mib=9984))),
            id="two-parts-of-an-h100",
        ),
        pytest.param("a100-mig-pending", Mig(False, True), id="on-after-the-next-reset"),
        pytest.param("l40s", Mig(), id="cannot-be-partitioned"),
    ],
)
def test_partitions_are_read(name: str, expected: Mig) -> None:
    assert only(name).mig == expected


def test_a_partition_keeps_the_uuid_that_some_drivers_print() -> None:
    text = text_of("h100-mig")
    text = text.replace("<mig_device>", "<mig_device><uuid>MIG-1</uuid>", 1)
    assert parse_smi_xml(text).gpus[0].mig.devices[0] == MigDevice("MIG-1", None, 40448)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("tesla-v100", Ecc(True, True, 0, 0, 2, 0), id="single-and-double-bit"),
        pytest.param("tesla-t4", Ecc(True, True, 0, 0, 1, 0), id="one-kind-of-sram-errors"),
        pytest.param("a10", Ecc(True, True, 0, 0, 0, 0), id="driver-525"),
        pytest.param(
            "fault-ecc-uncorrected", Ecc(True, True, 12, 6, 32, 36), id="sums-of-all-kinds"
        ),
        pytest.param("fault-pages-pending", Ecc(True, True, 0, 1, 5, 2), id="double-bit-errors"),
        pytest.param("rtx-4090", Ecc(False, False), id="switched-off"),
        pytest.param("rtx-3090", Ecc(), id="not-there"),
        pytest.param("legacy-brackets", Ecc(), id="not-there-in-brackets"),
    ],
)
def test_memory_errors_are_counted(name: str, expected: Ecc) -> None:
    assert only(name).ecc == expected


def test_an_unknown_count_is_no_zero_but_hides_no_error() -> None:
    text = text_of("fault-ecc-uncorrected")
    hidden = text.replace("<dram_uncorrectable>3<", "<dram_uncorrectable>N/A<")
    assert parse_smi_xml(hidden).gpus[0].ecc.volatile_uncorrected == 3
    clean = text_of("h200")
    hidden = clean.replace("<dram_uncorrectable>0<", "<dram_uncorrectable>N/A<")
    assert parse_smi_xml(hidden).gpus[0].ecc.volatile_uncorrected is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("fault-remap-pending", Remapping(0, 1, True, False), id="waits-for-a-reset"),
        pytest.param("fault-remap-failed", Remapping(0, 9, False, True), id="no-spare-row-left"),
        pytest.param(
            "fault-pages-pending", Remapping(pending=True, retired_pages=5), id="retired-pages"
        ),
        pytest.param("tesla-t4", Remapping(pending=False, retired_pages=0), id="no-retired-page"),
        pytest.param("gtx-1080-ti", Remapping(), id="neither"),
    ],
)
def test_replaced_memory_is_read(name: str, expected: Remapping) -> None:
    assert only(name).remapping == expected


def test_a_link_of_zero_is_unknown() -> None:
    zero = text_of("h200").replace("_link_gen>5<", "_link_gen>0<")
    zero = zero.replace("_link_width>16x<", "_link_width>0x<")
    assert parse_smi_xml(zero).gpus[0].link == Link()


def test_a_region_without_room_is_zero_and_not_unknown() -> None:
    text = text_of("h200")
    zero = text.replace("<total>262144 MiB<", "<total>0 MiB<")
    assert parse_smi_xml(zero).gpus[0].bar1_mib == 0


@pytest.mark.parametrize("name", fixtures())
def test_every_fixture_says_where_it_comes_from(name: str) -> None:
    origin = json.loads((FIXTURES / name / "origin.json").read_text(encoding="utf-8"))
    assert sorted(origin) == ["note", "origin", "source"]
    assert origin["origin"] in ORIGINS


def test_every_fixture_is_the_subject_of_a_claim() -> None:
    claims = [each.read_text(encoding="utf-8") for each in Path(__file__).parent.glob("test_n*.py")]
    assert [name for name in fixtures() if not any(f'"{name}"' in text for text in claims)] == []
