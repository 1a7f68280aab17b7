# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the alerts about GPUs. Node b has the fault, node a or another GPU has none."""

from __future__ import annotations

from tests.testinfra.alert_cases import (
    FAULT,
    FINE,
    GPU,
    OTHER,
    SLOT,
    Case,
    Labels,
    Row,
    at_once,
    on,
    row,
    usual,
)

NODE: Labels = {"node": "b"}
AMD: Labels = {
    "gpu": "0",
    "pci_bus_id": "0000:c1:00.0",
    "UUID": "a1ff74b5-0000-1000-80d4-e5d5a5a5a5a5",
    "modelName": "AMD Instinct MI300X",
}
BAD: Labels = {"node": "b", **GPU}
PREFLIGHT = "ansible-playbook -i inv.ini playbooks/preflight.yml"
XID_TEXTS = {
    "summary": "Xid 79 of the GPU at 00000000:1B:00.0 of b",
    "description": "The driver on b logged an error of the GPU at 00000000:1B:00.0. Expected: none."
    " NVIDIA's Xid catalogue and the preflight report say what the number means.",
    "command": PREFLIGHT,
}


def of(metric: str, gpu: Labels, values: str) -> Row:
    """Return a value of a GPU of node b, as our collector gives it."""
    return row(metric, {**on("b"), **gpu}, values)


def own(metric: str, values: str, node: str = "b", **labels: str) -> Row:
    """Return a value of our collector about a node."""
    return row(f"gpu_cluster_{metric}", {**on(node), **labels}, values)


def state(gpu: Labels, name: str, values: str) -> Row:
    """Return the state of a GPU."""
    return of("gpu_cluster_gpu_state", {**gpu, "state": name}, values)


def xid(number: str, values: str) -> Row:
    """Return how often the log has a number."""
    return of("gpu_cluster_gpu_xid_count", {**SLOT, "xid": number}, values)


def dcgm(node: str, metric: str, values: str, gpu: Labels = GPU) -> Row:
    """Return a value as dcgm-exporter gives it."""
    return row(metric, {**on(node, "gpu"), **gpu}, values)


def throttled(gpu: Labels, reason: str, values: str) -> Row:
    """Return whether a GPU lowers its clocks for a reason."""
    return of("gpu_cluster_gpu_throttled", {**gpu, "reason": reason}, values)


_COUNTS = [
    Case(
        "a GPU that is gone",
        (
            own("gpus_expected", "2x80", "a"),
            own("gpus_usable", "2x80", "a"),
            own("gpus_expected", "2x80"),
            own("gpus_usable", "2x9 1x29 2x40"),
            own("gpus_usable", "1x80", "c"),
        ),
        usual(("GpuMissing", NODE)),
        (
            "GpuMissing",
            NODE,
            {
                "summary": "1 GPU(s) of b are missing",
                "description": "The driver on b lists 1 GPU(s) fewer than provisioning recorded."
                " Expected: all of them.",
                "command": PREFLIGHT,
            },
        ),
    ),
    Case(
        "all GPUs of a driver that matches are missing",
        (own("gpus_expected", "2x80"), own("gpus_usable", "2x9 0x29 2x40")),
        usual(("GpuMissing", NODE)),
    ),
    Case(
        "a GPU that failed is named, and not missing besides",
        (
            own("gpus_expected", "2x80"),
            own("gpus_usable", "2x9 1x29 2x40"),
            state(GPU, "failed", "_x10 1x29 _x40"),
            state(OTHER, "ok", FINE),
        ),
        ((9, ()), (11, ()), (13, (("GpuFailed", BAD),)), (39, (("GpuFailed", BAD),)), (48, ())),
    ),
    Case(
        "a GPU that failed hides none that is missing",
        (
            own("gpus_expected", "3x80"),
            own("gpus_usable", "3x9 1x70"),
            state(GPU, "failed", "_x10 1x70"),
        ),
        ((13, (("GpuFailed", BAD), ("GpuMissing", NODE))),),
    ),
    Case(
        "a driver that does not match is the cause, not missing GPUs or a reboot",
        (
            own("gpus_expected", "2x80"),
            own("gpus_usable", "2x9 0x29 2x40"),
            own("driver_mismatch", FAULT, vendor="nvidia"),
            own("reboot_required", FAULT),
            own("driver_mismatch", "0x80", "a", vendor="nvidia"),
        ),
        usual(("DriverMismatch", {**on("b"), "vendor": "nvidia"})),
    ),
    Case(
        "a driver that does not match while GPUs work hides no missing one",
        (
            own("gpus_expected", "2x80"),
            own("gpus_usable", FINE),
            own("driver_mismatch", FINE, vendor="amd"),
        ),
        ((13, (("DriverMismatch", {**on("b"), "vendor": "amd"}), ("GpuMissing", NODE))),),
    ),
]

_XID = {**SLOT, **on("b"), "xid": "79"}
_DCGM_XID = {**GPU, **on("b", "gpu")}
_XIDS = [
    Case(
        "a new Xid speaks for half an hour",
        (xid("79", "_x10 1x80"),),
        at_once(("GpuXidError", _XID)),
        ("GpuXidError", _XID, XID_TEXTS),
    ),
    Case(
        "an Xid of before a boot does not hide the same one after it",
        (xid("79", "3x49 _x4 1x60"),),
        ((45, ()), (56, (("GpuXidError", _XID),))),
    ),
    Case(
        "an Xid that a program caused alarms nobody",
        (xid("31", "_x10 1x80"), xid("13", "_x10 1x80")),
        ((10, ()), (20, ())),
    ),
    Case(
        "dcgm-exporter's last Xid counts where no collector runs",
        (
            dcgm("a", "DCGM_FI_DEV_XID_ERRORS", "0x9 31x80"),
            dcgm("b", "DCGM_FI_DEV_XID_ERRORS", "0x9 79x80"),
            dcgm("c", "DCGM_FI_DEV_XID_ERRORS", "0x9 79x80"),
            own("collector_last_run_timestamp_seconds", "0x90", "c"),
        ),
        at_once(("GpuXidError", _DCGM_XID)),
        ("GpuXidError", _DCGM_XID, XID_TEXTS),
    ),
]

_VALUES = [
    Case(
        "uncorrected memory errors stay until the driver is loaded anew",
        (
            of("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", GPU, "0x9 2x29 0x40"),
            of("DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", GPU, "5x9 7x70"),
            of("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", OTHER, "0x80"),
            of("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", OTHER, "0+9x80"),
        ),
        at_once(("GpuEccUncorrected", BAD)),
    ),
    Case(
        "a row that waits to be replaced",
        (
            of("DCGM_FI_DEV_ROW_REMAP_PENDING", GPU, FAULT),
            of("DCGM_FI_DEV_ROW_REMAP_PENDING", OTHER, "0x80"),
        ),
        at_once(("GpuEccUncorrected", BAD)),
    ),
    Case(
        "a row that could not be replaced is not a failed GPU besides",
        (
            of("DCGM_FI_DEV_ROW_REMAP_FAILURE", GPU, FAULT),
            of("DCGM_FI_DEV_ROW_REMAP_FAILURE", OTHER, "0x80"),
            # Its state is not given after the fault, so that it is not stale beyond it.
            state(GPU, "failed", "_x10 1x20"),
            own("gpus_expected", "2x80"),
            own("gpus_usable", "2x80"),
        ),
        ((9, ()), (20, (("GpuRowRemapFailure", BAD),)), (40, ())),
    ),
    Case(
        "a hot GPU that two exporters tell of is one alert",
        (
            of("DCGM_FI_DEV_GPU_TEMP", GPU, "84x9 85x29 84x40"),
            dcgm("b", "DCGM_FI_DEV_GPU_TEMP", "84x9 86x29 84x40"),
            of("DCGM_FI_DEV_GPU_TEMP", OTHER, "84x80"),
        ),
        usual(("GpuHot", BAD)),
        (
            "GpuHot",
            BAD,
            {
                "summary": "GPU 0 (NVIDIA H100, 00000000:1B:00.0) of b is at 86 degrees Celsius",
                "description": "GPU 0 (NVIDIA H100, 00000000:1B:00.0) of b is at 86 degrees"
                " Celsius, expected less than 85. Look at its fans, the air around it and its"
                " neighbours.",
                "command": "ansible -i inv.ini -b -m ansible.builtin.command"
                ' -a "nvidia-smi -q -d TEMPERATURE,PERFORMANCE" b',
            },
        ),
    ),
    Case(
        "of a hot AMD GPU AMD's program is asked",
        (of("DCGM_FI_DEV_GPU_TEMP", AMD, "84x9 91x29 84x40"),),
        usual(("GpuHot", {"node": "b", **AMD})),
        (
            "GpuHot",
            {"node": "b", **AMD},
            {
                "summary": "GPU 0 (AMD Instinct MI300X, 0000:c1:00.0) of b is at 91 degrees"
                " Celsius",
                "description": "GPU 0 (AMD Instinct MI300X, 0000:c1:00.0) of b is at 91 degrees"
                " Celsius, expected less than 85. Look at its fans, the air around it and its"
                " neighbours.",
                "command": "ansible -i inv.ini -b -m ansible.builtin.command"
                ' -a "amd-smi metric --temperature" b',
            },
        ),
    ),
    Case(
        "heat throttles, a power limit does not alarm",
        (
            throttled(GPU, "thermal", FAULT),
            throttled(GPU, "hardware", FAULT),
            throttled(OTHER, "power", FINE),
            throttled(OTHER, "thermal", "0x80"),
        ),
        usual(("GpuThrottled", BAD)),
    ),
    Case(
        "the memory of a GPU",
        (
            of("DCGM_FI_DEV_FB_USED", GPU, "76000x9 78000x29 76000x40"),
            of("DCGM_FI_DEV_FB_FREE", GPU, "5000x9 3000x29 5000x40"),
            of("DCGM_FI_DEV_FB_USED", OTHER, "76000x80"),
            of("DCGM_FI_DEV_FB_FREE", OTHER, "5000x80"),
        ),
        usual(("GpuMemoryFull", BAD)),
    ),
]

GPU_CASES = [*_COUNTS, *_XIDS, *_VALUES]
