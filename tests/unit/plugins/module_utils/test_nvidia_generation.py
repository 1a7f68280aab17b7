"""Claims about which driver and which kernel module an NVIDIA GPU runs with."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_generation import (
    architecture,
    branches,
    choose_kernel_module,
    kernel_modules,
)

GTX_1080_TI, V100, T4, A100, RTX_4090 = "0x1b06", "0x1db5", "0x1eb8", "0x20b0", "0x2684"
H100, H200, GH200, B200, B300 = "0x2330", "0x2335", "0x2342", "0x2901", "0x3182"
NEWER_THAN_THIS_TABLE = "0x3fff"


@pytest.mark.parametrize(
    ("device_id", "expected"),
    [
        pytest.param("0x102d", "kepler", id="tesla-k80"),
        pytest.param("0x13f2", "maxwell", id="tesla-m60"),
        pytest.param("0x17fd", "maxwell", id="tesla-m40-behind-pascal-ids"),
        pytest.param("0x15f8", "pascal", id="tesla-p100-between-maxwell-ids"),
        pytest.param("0x1b38", "pascal", id="tesla-p40"),
        pytest.param("0x1db4", "volta", id="tesla-v100"),
        pytest.param("0x1eb8", "turing", id="tesla-t4"),
        pytest.param("0x2182", "turing", id="gtx-1660-ti-behind-ampere-ids"),
        pytest.param("0x20b5", "ampere", id="a100-pcie-80gb"),
        pytest.param("0x2204", "ampere", id="rtx-3090"),
        pytest.param("0x2236", "ampere", id="a10"),
        pytest.param("0x2571", "ampere", id="rtx-a2000-behind-hopper-ids"),
        pytest.param("0x2330", "hopper", id="h100"),
        pytest.param("0x2342", "hopper", id="gh200"),
        pytest.param("0x2684", "ada", id="rtx-4090"),
        pytest.param("0x26b9", "ada", id="l40s"),
        pytest.param("0x2901", "blackwell", id="b200"),
        pytest.param("0x2b85", "blackwell", id="rtx-5090"),
        pytest.param("0x31c2", "blackwell", id="gb300"),
        pytest.param("26B9", "ada", id="without-0x-upper-case"),
        pytest.param("0x06c0", None, id="fermi"),
        pytest.param("0x1af1", None, id="nvswitch"),
        pytest.param("0x22ce", None, id="bridge"),
        pytest.param("0x3000", None, id="rubin-is-not-in-the-table"),
        pytest.param("", None, id="empty"),
        pytest.param("0x", None, id="no-digits"),
        pytest.param("nvidia", None, id="words"),
        pytest.param("0x123456", None, id="too-long"),
    ],
)
def test_a_device_id_tells_the_generation(device_id: str, expected: str | None) -> None:
    assert architecture(device_id) == expected


@pytest.mark.parametrize(
    ("device_ids", "expected"),
    [
        pytest.param([T4, A100, H100, RTX_4090], ("open", "proprietary"), id="turing-to-ada"),
        pytest.param([V100], ("proprietary",), id="volta"),
        pytest.param([B200], ("open",), id="blackwell"),
        pytest.param([GH200], ("open",), id="grace-hopper"),
        pytest.param([V100, B200], (), id="volta-beside-blackwell"),
        pytest.param([NEWER_THAN_THIS_TABLE], (), id="unknown"),
        pytest.param([], (), id="no-gpu"),
    ],
)
def test_the_kernel_modules_that_drive_all_gpus(
    device_ids: list[str], expected: tuple[str, ...]
) -> None:
    assert kernel_modules(device_ids).fitting == expected


@pytest.mark.parametrize(
    ("device_ids", "lowest", "last"),
    [
        pytest.param([GTX_1080_TI], 375, 580, id="pascal-ends-at-580"),
        pytest.param([V100, H100], 525, 580, id="the-oldest-gpu-sets-the-end"),
        pytest.param([H100], 525, None, id="hopper"),
        pytest.param([H100, H200], 550, None, id="h200-came-later"),
        pytest.param(["0x26b9"], 535, None, id="l40s-came-later"),
        pytest.param([B200], 570, None, id="blackwell"),
        pytest.param([B300, T4], 580, None, id="b300-came-later"),
        pytest.param([V100, B200], 570, 580, id="one-branch-for-volta-and-blackwell"),
    ],
)
def test_the_branches_that_know_all_gpus(
    device_ids: list[str], lowest: int, last: int | None
) -> None:
    found = branches(device_ids)
    assert (found.lowest, found.last, found.problem) == (lowest, last, "")


def test_no_branch_knows_kepler_and_hopper() -> None:
    assert branches(["0x102d", H100]).problem == (
        "no driver branch knows all GPUs: GPU 0x2330 (Hopper) needs branch 525 or later, "
        "GPU 0x102d (Kepler) ends at 470"
    )


@pytest.mark.parametrize(
    ("device_ids", "wanted", "branch", "expected"),
    [
        pytest.param([H100], "auto", "580", "open", id="open-is-recommended-now"),
        pytest.param([T4, RTX_4090], "auto", "560", "open", id="open-from-560-on"),
        pytest.param([RTX_4090], "auto", "535", "proprietary", id="proprietary-before-560"),
        pytest.param([GTX_1080_TI, T4], "auto", "580", "proprietary", id="pascal-beside-turing"),
        pytest.param([B200, H100], "auto", "580", "open", id="blackwell"),
        pytest.param([GH200], "auto", "550", "open", id="grace-hopper-before-560"),
        pytest.param([H100], "proprietary", "580", "proprietary", id="as-asked"),
        pytest.param([H100], "open", "535", "open", id="as-asked-before-560"),
        pytest.param([H100], "auto", None, "open", id="branch-not-decided"),
        pytest.param([H100], "auto", "580-open", "open", id="branch-as-a-module-stream"),
        pytest.param([H100], "auto", "580.95.05", "open", id="branch-as-a-version"),
        pytest.param([NEWER_THAN_THIS_TABLE], "open", "580", "open", id="unknown-but-named"),
    ],
)
def test_the_kernel_module_that_is_chosen(
    device_ids: list[str], wanted: str, branch: str | None, expected: str
) -> None:
    assert choose_kernel_module(device_ids, wanted, branch) == (expected, "")


@pytest.mark.parametrize(
    ("device_ids", "wanted", "branch", "problem"),
    [
        pytest.param(
            [V100],
            "open",
            "580",
            "nvidia_kernel_module=open: GPU 0x1db5 (Volta): the open kernel module needs Turing "
            "or newer",
            id="open-on-volta",
        ),
        pytest.param(
            [B200],
            "proprietary",
            "580",
            "nvidia_kernel_module=proprietary: GPU 0x2901 (Blackwell): the proprietary kernel "
            "module does not drive it",
            id="proprietary-on-blackwell",
        ),
        pytest.param(
            [V100, B200],
            "auto",
            "580",
            "no kernel module drives all GPUs: GPU 0x1db5 (Volta): the open kernel module needs "
            "Turing or newer; GPU 0x2901 (Blackwell): the proprietary kernel module does not "
            "drive it",
            id="volta-beside-blackwell",
        ),
        pytest.param(
            [GTX_1080_TI],
            "auto",
            "590",
            "driver branch 590 does not know GPU 0x1b06 (Pascal): its last is 580",
            id="pascal-after-its-end",
        ),
        pytest.param(
            [T4, "0x2b85"],
            "auto",
            "550",
            "driver branch 550 does not know GPU 0x2b85 (Blackwell): it needs 570",
            id="blackwell-before-its-start",
        ),
        pytest.param(
            [NEWER_THAN_THIS_TABLE],
            "auto",
            "580",
            "the generation of GPU 0x3fff is not known; set nvidia_kernel_module to open or "
            "proprietary",
            id="unknown",
        ),
        pytest.param([], "auto", "580", "no NVIDIA GPU was found on the PCI bus", id="no-gpu"),
    ],
)
def test_what_cannot_be_has_a_reason(
    device_ids: list[str], wanted: str, branch: str, problem: str
) -> None:
    assert choose_kernel_module(device_ids, wanted, branch) == (None, problem)
