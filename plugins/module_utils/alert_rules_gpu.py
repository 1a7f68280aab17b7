# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alerts about GPUs and their driver.

They read the names of dcgm-exporter and those of our collector. One alert for one GPU, whatever
exporters tell of it: the rules take the worst sample of each GPU.
"""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_model import (
    NODE,
    WHOLE,
    Alert,
    Severity,
    Thresholds,
    plain_number,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import XIDS, Remedy
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_facts import command_on

_GPU = "cluster, node, gpu, UUID, pci_bus_id, modelName"
_NAME = "GPU {{ $labels.gpu }} ({{ $labels.modelName }}, {{ $labels.pci_bus_id }}) of " + NODE
_PREFLIGHT = "ansible-playbook -i inv.ini playbooks/preflight.yml"
_AMD = '{{ if match "AMD|Instinct|Radeon" $labels.modelName }}'
#: Errors of programs, not of the GPU: their owners see them in their own output.
OF_PROGRAMS = tuple(
    number for number, meaning in XIDS.items() if meaning.remedy is Remedy.APPLICATION
)
_REMAP_FAILED = "on (cluster, node, pci_bus_id) (DCGM_FI_DEV_ROW_REMAP_FAILURE > 0)"
_FAILED = f'(gpu_cluster_gpu_state{{state="failed"}} == 1 unless {_REMAP_FAILED})'
_NO_COLLECTOR = "unless on (cluster, node) gpu_cluster_collector_last_run_timestamp_seconds"


def gpu_alerts(numbers: Thresholds) -> list[Alert]:
    """Return the alerts about GPUs, the gravest first."""
    return [
        _missing(),
        _failed(),
        _row_remap_failure(),
        _ecc(),
        _xid(numbers),
        _hot(numbers),
        _throttled(),
        _memory(numbers),
        _driver(),
    ]


def _ask(nvidia: str, amd: str) -> str:
    """Return what to type: the vendor's own program, with arguments for each."""
    return command_on(NODE, f"{_AMD}amd-smi {amd}{{{{ else }}}}nvidia-smi{nvidia}{{{{ end }}}}")


def _worst(metric: str) -> str:
    return f"max by ({_GPU}) ({metric})"


def _missing() -> Alert:
    # A GPU whose state says failed has an alert of its own, which names it. A driver that does not
    # match hides all of them at once, and has one too.
    explained = (
        f"(count by (cluster, node) {_FAILED} or on (cluster, node) "
        "max by (cluster, node) (gpu_cluster_gpus_expected) * 0)"
    )
    hidden = (
        "on (cluster, node) (gpu_cluster_gpus_usable == 0 and on (cluster, node) "
        "gpu_cluster_driver_mismatch == 1)"
    )
    return Alert(
        name="GpuMissing",
        severity=Severity.CRITICAL,
        expression=(
            "(max by (cluster, node) (gpu_cluster_gpus_expected - gpu_cluster_gpus_usable)"
            f" - on (cluster, node) {explained}) > 0 unless {hidden}"
        ),
        when="A node has fewer usable GPUs than provisioning recorded, and no GPU that says failed"
        " explains it.",
        summary=f"{WHOLE} GPU(s) of {NODE} are missing",
        description=f"The driver on {NODE} lists {WHOLE} GPU(s) fewer than provisioning recorded."
        " Expected: all of them.",
        command=_PREFLIGHT,
    )


def _failed() -> Alert:
    return Alert(
        name="GpuFailed",
        severity=Severity.CRITICAL,
        expression=f"max by ({_GPU}) {_FAILED}",
        when="A GPU is on the bus, but the driver left it out, lost it or says it is in error.",
        summary=f"{_NAME} has failed",
        description=f"{_NAME} is on the bus and does not work. Expected: state ok.",
        command=_PREFLIGHT,
    )


def _row_remap_failure() -> Alert:
    return Alert(
        name="GpuRowRemapFailure",
        severity=Severity.CRITICAL,
        expression=f"{_worst('DCGM_FI_DEV_ROW_REMAP_FAILURE')} > 0",
        when="A GPU has a bad row of memory that it could not replace.",
        summary=f"{_NAME} could not replace a bad row of memory",
        description=f"{_NAME} has no spare row left for a bad one. Expected: no failed remapping."
        " NVIDIA exchanges such cards under warranty.",
        command=_ask(" -q -d ROW_REMAPPER", "bad-pages"),
        hold=False,
    )


def _ecc() -> Alert:
    # The count since the driver was loaded, not an increase: the remedy (reset or reboot) is what
    # sets it to zero, so the alert stays until it was done and clears by it.
    return Alert(
        name="GpuEccUncorrected",
        severity=Severity.CRITICAL,
        expression=(
            f"{_worst('DCGM_FI_DEV_ECC_DBE_VOL_TOTAL')} > 0"
            f" or {_worst('DCGM_FI_DEV_ROW_REMAP_PENDING')} > 0"
        ),
        when="A GPU had memory errors that ECC could not correct since its driver was loaded, or a"
        " row that waits to be replaced at the next reset.",
        summary=f"{_NAME} had uncorrected memory errors",
        description=f"{_NAME} counts {WHOLE} uncorrected memory error(s) or rows that wait to be"
        " replaced. Expected: 0. Drain the node, then reset the GPU or reboot.",
        command=_ask(" -q -d ECC,ROW_REMAPPER", "metric --ecc"),
        hold=False,
    )


def _xid(numbers: Thresholds) -> Alert:
    # A difference to earlier, not increase(): a series that appears with 1 has no increase, and
    # after a reboot the count begins again, which is a difference as well.
    past = f"offset {numbers.gpu_xid_minutes}m"
    programs = "|".join(map(str, OF_PROGRAMS))
    ours = f'gpu_cluster_gpu_xid_count{{xid!~"{programs}"}} > 0'
    theirs = " ".join(["(DCGM_FI_DEV_XID_ERRORS > 0)", *(f"!= {number}" for number in OF_PROGRAMS)])
    return Alert(
        name="GpuXidError",
        severity=Severity.WARNING,
        expression=(
            f"({ours} unless gpu_cluster_gpu_xid_count == gpu_cluster_gpu_xid_count {past})"
            f" or ({theirs} unless DCGM_FI_DEV_XID_ERRORS == DCGM_FI_DEV_XID_ERRORS {past}"
            f" {_NO_COLLECTOR})"
        ),
        when="The driver logged an error (Xid) of the GPU, not of a program, in the last"
        " `monitoring_alert_gpu_xid_minutes`.",
        summary="{{ with $labels.xid }}Xid {{ . }}{{ else }}Xid "
        + WHOLE
        + "{{ end }} of the GPU at {{ $labels.pci_bus_id }} of "
        + NODE,
        description=f"The driver on {NODE} logged an error of the GPU at"
        " {{ $labels.pci_bus_id }}. Expected: none. NVIDIA's Xid catalogue and the preflight"
        " report say what the number means.",
        command=_PREFLIGHT,
        hold=False,
    )


def _hot(numbers: Thresholds) -> Alert:
    most = plain_number(numbers.gpu_temperature_celsius)
    return Alert(
        name="GpuHot",
        severity=Severity.WARNING,
        expression=f"{_worst('DCGM_FI_DEV_GPU_TEMP')} >= {most}",
        when="A GPU is as hot as `monitoring_alert_gpu_temperature_celsius` or hotter.",
        summary=f"{_NAME} is at {WHOLE} degrees Celsius",
        description=f"{_NAME} is at {WHOLE} degrees Celsius, expected less than {most}."
        " Look at its fans, the air around it and its neighbours.",
        command=_ask(" -q -d TEMPERATURE,PERFORMANCE", "metric --temperature"),
    )


def _throttled() -> Alert:
    # A power limit is no fault: a busy GPU runs into it all day. Two reasons are one alert.
    return Alert(
        name="GpuThrottled",
        severity=Severity.WARNING,
        expression=_worst('gpu_cluster_gpu_throttled{reason=~"thermal|hardware"}') + " == 1",
        when="A GPU lowers its clocks because of heat or a signal of the hardware (not: because of"
        " its power limit).",
        summary=f"{_NAME} lowers its clocks",
        description=f"{_NAME} runs slower because of heat or a signal of the hardware, such as a"
        " power supply's. Expected: no throttling but by the power limit.",
        command=_ask(" -q -d PERFORMANCE,TEMPERATURE,POWER", "metric --power --temperature"),
    )


def _memory(numbers: Thresholds) -> Alert:
    used = _worst("DCGM_FI_DEV_FB_USED")
    most = plain_number(numbers.gpu_memory_percent)
    return Alert(
        name="GpuMemoryFull",
        severity=Severity.INFO,
        expression=f"100 * {used} / ({used} + {_worst('DCGM_FI_DEV_FB_FREE')}) > {most}",
        when="More of a GPU's memory is in use than `monitoring_alert_gpu_memory_percent`.",
        summary=f"The memory of {_NAME} is {WHOLE} % full",
        description=f"{WHOLE} % of the memory of {_NAME} is in use, expected at most {most} %."
        " The next allocation may fail.",
        command=_ask("", "process"),
    )


def _driver() -> Alert:
    return Alert(
        name="DriverMismatch",
        severity=Severity.WARNING,
        expression="gpu_cluster_driver_mismatch == 1",
        when="The loaded GPU driver and the installed one have different versions.",
        summary=f"The {{{{ $labels.vendor }}}} driver of {NODE} is not the installed one",
        description=f"{NODE} runs another version of the {{{{ $labels.vendor }}}} driver than its"
        " packages hold. Expected: the same. New programs may not find a GPU until a reboot.",
        command="ansible-playbook -i inv.ini playbooks/provision.yml",
    )
