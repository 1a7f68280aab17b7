# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says of GPUs that fail, and of a driver that does not answer.

Each test breaks the simulated machine, reads all that is said, and mends it. The node has two
H100 at 0000:3b:00.0 and 0000:43:00.0 with driver 580.105.08.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.testinfra.gpu_faults import BOOT, NO_RAY, PROVISION, GpuNode, finding

SMI = "/usr/bin/nvidia-smi"
FIRST, SECOND = "0000:3b:00.0", "0000:43:00.0"
RESET = (
    "nvidia-smi --gpu-reset --id=0000:3b:00.0   (on the node, once no program uses the GPU; or "
    f"boot: {BOOT})"
)


def not_answering(seen: str) -> dict[str, str]:
    """Return the finding about a driver that lists no GPU."""
    return finding(
        "error",
        "driver-not-answering",
        "NVIDIA's driver is loaded and gives no list of its GPUs (0000:3b:00.0 and 0000:43:00.0 on "
        f"the PCI bus). {NO_RAY}",
        seen,
        "a list of GPUs from libnvidia-ml.so.1 or nvidia-smi",
        "nvidia-smi; dmesg | grep -iE 'nvrm|nvidia' | tail   (on the node; a driver that hangs "
        f"needs a boot: {BOOT})",
    )


def gpu_not_answering(gpu: str, seen: str) -> dict[str, str]:
    """Return the finding about a GPU that is listed and gives no answer."""
    return finding(
        "error",
        "gpu-not-answering",
        f"The driver lists GPU {gpu} and gets no answer from it. Programs that count GPUs may stop "
        f"here: {NO_RAY}",
        seen,
        "an answer from every GPU",
        f"nvidia-smi --gpu-reset --id=0000:43:00.0   (or boot: {BOOT})",
    )


def xid(severity: str, gpu: str, words: str, seen: str, fix: str) -> dict[str, str]:
    """Return the finding about an Xid in the kernel log."""
    message = f"GPU {gpu} (NVIDIA H100 80GB HBM3) has reported Xid {words}"
    return finding(severity, "xid", message, seen, "no Xid in the kernel log", fix)


LINES = (
    "NVRM: Xid (PCI:0000:43:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
    "NVRM: Xid (PCI:0000:3b:00): 48, pid=4711, name=python3, DBE (double bit error) in SRAM",
    "NVRM: Xid (PCI:0000:3b:00): 63, pid=4711, Row Remapper: a new row is marked",
    "NVRM: Xid (PCI:0000:3b:00): 94, pid=4711, Contained: SM (0x1)",
)
NEEDS_RESET = "The GPU needs a reset before more work goes to it."

# Settings, options of the module, and all that is said.
FAULTS = [
    pytest.param(
        {},
        {"min_version": "585"},
        [
            finding(
                "error",
                "driver-below-range",
                "NVIDIA's driver 580.105.08 is older than what this cluster supports.",
                "580.105.08",
                "585 to 590, all of 590 included",
                f"{PROVISION} -e nvidia_driver_branch=580 -e nvidia_replace_driver=true   (or, if "
                "your software runs with this driver: nvidia_driver_min_version=580)",
                "nvidia_driver_min_version",
            )
        ],
        id="driver-below-the-range",
    ),
    pytest.param(
        {},
        {"max_version": "570"},
        [
            finding(
                "error",
                "driver-above-range",
                "NVIDIA's driver 580.105.08 is newer than what this cluster supports.",
                "580.105.08",
                "530 to 570, all of 570 included",
                f"{PROVISION} -e nvidia_driver_branch=580 -e nvidia_replace_driver=true   (or, if "
                "your software runs with this driver: nvidia_driver_max_version=580)",
                "nvidia_driver_max_version",
            )
        ],
        id="driver-above-the-range",
    ),
    pytest.param(
        {
            "gpu.0.ecc_volatile_uncorrected": "2",
            "gpu.0.ecc_aggregate_uncorrected": "5",
            "gpu.0.remap_pending": "yes",
            "gpu.1.ecc_aggregate_uncorrected": "1",
            "gpu.1.remap_failed": "yes",
        },
        {},
        [
            finding(
                "error",
                "remap-failed",
                "GPU 0000:43:00.0 (NVIDIA H100 80GB HBM3) has a bad row of memory and no spare one "
                "left for it. The card has to be replaced.",
                "row remapping failed",
                "no failure",
                "nvidia-bug-report.sh   (on the node; send its file with the request for a new "
                "card)",
            ),
            finding(
                "warning",
                "ecc-uncorrected",
                "GPU 0000:3b:00.0 (NVIDIA H100 80GB HBM3) has had memory errors that ECC could not "
                "correct since its driver was loaded.",
                "2 since the driver was loaded, 5 in its life",
                "0",
                RESET,
            ),
            finding(
                "warning",
                "remap-pending",
                "GPU 0000:3b:00.0 (NVIDIA H100 80GB HBM3) replaces a row of bad memory with its "
                "next reset. Until then programs may still get it.",
                "row remapping pending",
                "nothing pending",
                RESET,
            ),
            finding(
                "note",
                "ecc-uncorrected",
                "GPU 0000:43:00.0 (NVIDIA H100 80GB HBM3) has had memory errors that ECC could not "
                "correct, all before its driver was loaded.",
                "0 since the driver was loaded, 1 in its life",
                "0",
                "nvidia-smi --query --display=ECC,ROW_REMAPPER --id=0000:43:00.0   (if the number "
                "grows, have the card tested: dcgmi diag --run 3)",
            ),
        ],
        id="worn-memory",
    ),
    pytest.param(
        {
            "gpu.0.link_width": "8",
            "gpu.1.link_generation": "1",
            "gpu.1.utilization_percent": "97",
        },
        {},
        [
            finding(
                "warning",
                "link-narrow",
                "GPU 0000:3b:00.0 (NVIDIA H100 80GB HBM3) runs on fewer PCI Express lanes than "
                "card and slot have. Lanes do not go to sleep: this is a bad contact, a riser or a "
                "setting of the BIOS.",
                "x8",
                "x16 (card x16, slot x16)",
                "lspci -vv -s 0000:3b:00.0 | grep -E 'LnkCap|LnkSta'   (power off, reseat the card "
                "and its riser)",
            ),
            finding(
                "warning",
                "link-slow",
                "1 GPU under load runs on a slower PCI Express link than card and slot can. "
                "Transfers to and from the GPU take longer.",
                "0000:43:00.0 at generation 1 of 5",
                "the generation that both ends can",
                "lspci -vv -s 0000:43:00.0 | grep -E 'LnkCap|LnkSta'   (reseat the card; look for "
                "a limit in the BIOS)",
            ),
        ],
        id="links-narrower-and-slower",
    ),
    pytest.param(
        {f"kernel_log.{number}": line for number, line in enumerate(LINES)},
        {},
        [
            xid(
                "error",
                SECOND,
                "79 since the boot: the GPU has fallen off the bus. That points at the hardware: "
                "card, slot, link or power.",
                LINES[0],
                "dcgmi diag --run 3   (on the node, without other work; reseat the card; send the "
                "file of nvidia-bug-report.sh to the maker)",
            ),
            xid(
                "warning",
                FIRST,
                f"48 since the boot: a memory error that ECC could not correct. {NEEDS_RESET}",
                LINES[1],
                RESET,
            ),
            xid(
                "warning",
                FIRST,
                "63 since the boot: a memory row was marked for replacement, or a page for "
                f"retirement. {NEEDS_RESET}",
                LINES[2],
                RESET,
            ),
            xid(
                "warning",
                FIRST,
                f"94 since the boot: a memory error that was contained to one program. "
                f"{NEEDS_RESET}",
                LINES[3],
                RESET,
            ),
        ],
        id="xids-in-the-kernel-log",
    ),
    pytest.param(
        {"gpu.1.fault": "lost", "kernel_log.0": LINES[0]},
        {"container": "docker"},
        [
            finding(
                "error",
                "gpu-lost",
                "GPU 0000:43:00.0 has fallen off the PCI bus. Only a power cycle brings it back; "
                "if that happens again, look at its power supply, its temperature and its seat.",
                LINES[0],
                "a GPU that answers",
                "ipmitool chassis power cycle   (through the machine's BMC; a reboot does not cut "
                "the power)",
            )
        ],
        id="gpu-lost",
    ),
    pytest.param(
        {"gpu.1.fault": "unknown"},
        {"container": "docker"},
        [gpu_not_answering("0000:43:00.0", "Unknown Error")],
        id="gpu-with-an-unknown-error",
    ),
    pytest.param(
        {"gpu.1.fault": "reset"},
        {},
        [gpu_not_answering("0000:43:00.0 (NVIDIA H100 80GB HBM3)", "GPU requires reset")],
        id="gpu-that-waits-for-a-reset",
    ),
    pytest.param(
        {"nvml.fault": "999"},
        {"container": "docker"},
        [
            not_answering(
                "nvidia-smi: Failed to initialize NVML: Unknown Error; nvml: nvmlInit_v2 answered "
                "999: Unknown Error"
            )
        ],
        id="nvml-fails-and-no-zero-is-reported",
    ),
    pytest.param(
        {"nvml.fault": "hang"},
        {"container": "docker"},
        [not_answering("nvml: no answer within 8 s (a cold start takes 1 to 3 s for each GPU)")],
        id="nvml-hangs",
    ),
    pytest.param(
        {"nvml.fault": "999", "smi": "hang"},
        {},
        [
            not_answering(
                "nvidia-smi: no answer within 8 s (a cold start takes 1 to 3 s for each GPU); "
                "nvml: nvmlInit_v2 answered 999: Unknown Error"
            )
        ],
        id="nvidia-smi-hangs",
    ),
    pytest.param(
        {"nvml.fault": "999", "smi": "garbage"},
        {},
        [
            not_answering(
                "nvidia-smi: nvidia-smi printed no report but: \ufffd\ufffd?\ufffd<?xml\ufffd(; "
                "nvml: nvmlInit_v2 answered 999: Unknown Error"
            )
        ],
        id="nvidia-smi-prints-garbage",
    ),
]


@pytest.mark.parametrize(("settings", "options", "said"), FAULTS)
def test_the_fault_is_named_with_what_to_type(
    broken: GpuNode,
    settings: Mapping[str, str],
    options: Mapping[str, Any],
    said: list[dict[str, str]],
) -> None:
    broken.set(settings)
    assert broken.judge(**options).findings == said


# A script in the place of nvidia-smi, and all that is said while NVML fails.
PROGRAMS = [
    pytest.param(
        None,
        [
            not_answering(
                "nvidia-smi: the node has no such program; nvml: nvmlInit_v2 answered 999: Unknown "
                "Error"
            )
        ],
        id="no-nvidia-smi",
    ),
    pytest.param(
        "#!/bin/sh\nsed '/<gpu id=.*:43:00.0/,$d' /root/report.xml\n",
        [
            not_answering(
                "nvidia-smi: the report of nvidia-smi ends early, after 1 GPU; nvml: nvmlInit_v2 "
                "answered 999: Unknown Error"
            )
        ],
        id="half-a-report",
    ),
    pytest.param(
        "#!/bin/sh\nsed 's/NVIDIA H100/NVIDIA\\xae H100/' /root/report.xml\n",
        [
            finding(
                "warning",
                "driver-interface-failed",
                "nvidia-smi lists the GPUs, and the library NVML does not. Ray asks NVML. "
                f"{NO_RAY}",
                "nvml: nvmlInit_v2 answered 999: Unknown Error",
                "a list of GPUs from libnvidia-ml.so.1",
                "ldconfig -p | grep libnvidia-ml.so.1   (on the node; it belongs to the driver's "
                "packages)",
            )
        ],
        id="a-report-that-is-not-utf-8",
    ),
]


@pytest.fixture(scope="module")
def report(node: GpuNode) -> Iterator[None]:
    """A report of the healthy node, in a file there."""
    node.run(f"{SMI} -q -x >/root/report.xml")
    yield
    node.run("rm /root/report.xml")


@pytest.mark.usefixtures("report")
@pytest.mark.parametrize(("script", "said"), PROGRAMS)
def test_whatever_nvidia_smi_prints_is_named(
    broken: GpuNode, script: str | None, said: list[dict[str, str]]
) -> None:
    broken.set({"nvml.fault": "999"})
    with broken.program(SMI, script):
        assert broken.judge().findings == said
