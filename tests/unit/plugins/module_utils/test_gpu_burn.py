"""What a stress test makes of its readings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_burn import (
    Load,
    Readings,
    Target,
    choose_targets,
    judge,
    new_lines,
    render,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    Ecc,
    Gpu,
    Mig,
    MigDevice,
    Vendor,
)

TARGET = Target("0", Vendor.NVIDIA, 0, "GPU-aa", "NVIDIA L40S", "0000:3b:00.0")
GOOD = Load(passes=280, operations=1_200_000_000_000_000, seconds=60.0, memory_mib=40000)
COOL = DriverGpu(0, temperature_c=35, power_w=40.0, power_limit_w=350.0, ecc=Ecc(True, True, 2, 0))
WARM = replace(COOL, temperature_c=71, power_w=310.4, ecc=Ecc(True, True, 2, 0))


def test_a_gpu_that_computed_well_passes_with_its_figures() -> None:
    report = judge(TARGET, GOOD, Readings(COOL, (WARM, COOL)), (), 90)
    assert report.passed
    assert report.problems == ()
    assert (report.teraflops, report.wrong_numbers) == (20.0, 0)
    assert (report.temperature_c_start, report.temperature_c_max) == (35, 71)
    assert (report.power_w_max, report.power_w_limit) == (310.4, 350.0)
    assert (report.ecc_corrected, report.ecc_uncorrected) == (0, 0)


@pytest.mark.parametrize(
    ("load", "sample", "xids", "problem"),
    [
        pytest.param(
            replace(GOOD, error="cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED (719)"),
            WARM,
            (),
            "cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED (719)",
            id="driver-refuses",
        ),
        pytest.param(
            replace(GOOD, wrong=3),
            WARM,
            (),
            "3 numbers changed, expected none: its memory or its arithmetic fails",
            id="wrong-numbers",
        ),
        pytest.param(
            Load(), WARM, (), "no pass over its memory was finished", id="nothing-computed"
        ),
        pytest.param(
            GOOD,
            replace(WARM, temperature_c=97),
            (),
            "97 degrees C, expected at most 90 (gpu_burn_temperature_limit_c)",
            id="too-hot",
        ),
        pytest.param(
            GOOD,
            replace(WARM, ecc=Ecc(True, True, 2, 1)),
            (),
            "1 uncorrectable ECC errors came, expected none",
            id="ecc",
        ),
        pytest.param(GOOD, WARM, (79, 48, 79), "Xid 48, 79 in the kernel's log", id="xid"),
        pytest.param(
            GOOD, DriverGpu(0, error="GPU is lost"), (), "GPU is lost", id="lost-at-the-end"
        ),
    ],
)
def test_each_trouble_is_named(
    load: Load, sample: DriverGpu, xids: tuple[int, ...], problem: str
) -> None:
    report = judge(TARGET, load, Readings(COOL, (sample,)), xids, 90)
    assert report.problems == (problem,)
    assert not report.passed


def test_what_the_driver_does_not_count_stays_unknown() -> None:
    bare = DriverGpu(0)
    report = judge(TARGET, GOOD, Readings(bare, (bare,)), (), 90)
    assert (report.ecc_corrected, report.ecc_uncorrected) == (None, None)
    assert (report.temperature_c_max, report.power_w_max) == (None, None)
    assert report.passed


def test_whole_gpus_parts_and_lost_ones_are_told_apart() -> None:
    whole = Gpu(Vendor.NVIDIA, "0000:3b:00.0", index=0, uuid="GPU-a", model="NVIDIA A10")
    parts = Mig(True, True, (MigDevice("MIG-1"), MigDevice("MIG-2")))
    cut = Gpu(Vendor.NVIDIA, "0000:5e:00.0", index=1, uuid="GPU-b", model="A100", mig=parts)
    empty = Gpu(Vendor.NVIDIA, "0000:86:00.0", index=2, mig=Mig(True, True))
    lost = Gpu(Vendor.NVIDIA, "0000:af:00.0", index=3, error="GPU is lost")
    unseen = Gpu(Vendor.NVIDIA, "0000:d8:00.0")
    amd = Gpu(Vendor.AMD, "0000:c1:00.0", index=0, uuid="0x4d", model="MI300X")
    targets, left_out = choose_targets((whole, cut, empty, lost, unseen, amd))
    assert [(each.name, each.visible) for each in targets] == [
        ("0", "GPU-a"),
        ("1.0", "MIG-1"),
        ("1.1", "MIG-2"),
        ("0", "0"),
    ]
    assert left_out == [
        "GPU 2: MIG is on and it has no MIG device to compute on",
        "0000:af:00.0: GPU is lost",
        "0000:d8:00.0: its driver does not list it",
    ]


def test_the_table_names_each_gpu_and_its_problems() -> None:
    good = judge(TARGET, GOOD, Readings(COOL, (WARM,)), (), 90)
    second = replace(TARGET, name="1", pci_address="0000:5e:00.0")
    bad = judge(second, replace(GOOD, wrong=7), Readings(COOL, (WARM,)), (), 90)
    assert render(
        "gpu1", [good, bad], ["0000:d8:00.0: its driver does not list it"]
    ).splitlines() == [
        "gpu1: 1 of 3 GPUs passed",
        "GPU  MODEL        RESULT  TFLOP/S  ERRORS  TEMPERATURE  POWER         ECC C/U  XID",
        "0    NVIDIA L40S  passed  20       0       35 to 71 C   310 of 350 W  0/0      none",
        "1    NVIDIA L40S  FAILED  20       7       35 to 71 C   310 of 350 W  0/0      none",
        "  GPU 1: 7 numbers changed, expected none: its memory or its arithmetic fails",
        "  not loaded: 0000:d8:00.0: its driver does not list it",
    ]


def test_only_lines_that_came_meanwhile_are_new() -> None:
    assert new_lines(["a", "b", "b"], ["a", "b", "b", "b", "c"]) == ["b", "c"]
