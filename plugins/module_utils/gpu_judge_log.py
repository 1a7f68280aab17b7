# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what the kernel log of this boot says of GPUs and NVSwitches.

Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_case import (
    Case,
    Code,
    name_gpu,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Vendor
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import (
    OFF_THE_BUS,
    Remedy,
    XidEvent,
    parse_switch_events,
    parse_xids,
    ras_line,
    ring_line,
)

#: What the state of the memory says already, so that the same Xid is not told again.
REMAP_XIDS = frozenset({63, 64})

#: How much an event matters, what it means for the GPU, and what helps.
_REMEDIES: dict[Remedy, tuple[Severity, str, str]] = {
    Remedy.APPLICATION: (
        Severity.NOTE,
        "That is mostly a fault of the program that used the GPU.",
        "compute-sanitizer PROGRAM   (nothing is to be done to the node unless several programs "
        "have it)",
    ),
    Remedy.RESET: (
        Severity.WARNING,
        "The GPU needs a reset before more work goes to it.",
        "nvidia-smi --gpu-reset --id={address}   (on the node, once no program uses the GPU; or "
        "boot: {boot})",
    ),
    Remedy.HARDWARE: (
        Severity.ERROR,
        "That points at the hardware: card, slot, link or power.",
        "dcgmi diag --run 3   (on the node, without other work; reseat the card; send the file of "
        "nvidia-bug-report.sh to the maker)",
    ),
    Remedy.WATCH: (
        Severity.WARNING,
        "Look it up before more work goes to the GPU.",
        "dmesg | grep -i 'NVRM: Xid'   (on the node; the numbers are explained at "
        "docs.nvidia.com/deploy/xid-errors)",
    ),
}


def judge_log(case: Case, vendor: Vendor) -> Iterator[Finding]:
    """Yield what the kernel log says of a vendor's GPUs, without what other findings say."""
    if vendor is Vendor.NVIDIA:
        yield from _xids(case)
        yield from _switches(case)
    else:
        yield from _amdgpu_log(case)


def _xids(case: Case) -> Iterator[Finding]:
    gpus = {gpu.pci_address: gpu for gpu in case.gpus(Vendor.NVIDIA)}
    for event in parse_xids(case.node.kernel_log):
        gpu = gpus.get(event.address)
        if event.number == OFF_THE_BUS and gpu is not None and case.is_lost(gpu):
            continue  # gpu-lost says so.
        waits = gpu is not None and (gpu.remapping.pending or gpu.remapping.failed)
        if waits and event.number in REMAP_XIDS:
            continue
        yield _xid(case, event, gpu.model if gpu else None)


def _xid(case: Case, event: XidEvent, model: Optional[str]) -> Finding:
    severity, text, fix = _REMEDIES[event.meaning.remedy]
    if "nonfatal" in event.line.lower():  # NVLink 5 says so itself.
        severity, text, fix = _REMEDIES[Remedy.WATCH]
    times = "" if event.count == 1 else f" {event.count} times"
    name = f"{event.address} ({model})" if model else event.address
    return case.finding(
        severity,
        Code.XID,
        f"GPU {name} has reported Xid {event.number}{times} since the boot: {event.meaning.text}. "
        f"{text}",
        seen=event.line,
        expected="no Xid in the kernel log",
        fix=fix.format(address=event.address, boot=case.boot()),
    )


def _switches(case: Case) -> Iterator[Finding]:
    for event in parse_switch_events(case.node.kernel_log):
        yield case.finding(
            Severity.ERROR if event.fatal else Severity.WARNING,
            Code.NVSWITCH_ERROR,
            f"NVSwitch {event.address} has reported SXid {event.number} since the boot"
            + (": fatal, jobs on several GPUs fail." if event.fatal else ", not fatal."),
            seen=event.line,
            expected="no SXid in the kernel log",
            fix="systemctl stop nvidia-fabricmanager && nvidia-smi --gpu-reset && systemctl start "
            f"nvidia-fabricmanager   (on the node; or boot: {case.boot()})",
        )


def _amdgpu_log(case: Case) -> Iterator[Finding]:
    for gpu in case.gpus(Vendor.AMD):
        ring = ring_line(case.node.kernel_log, gpu.pci_address)
        if ring:
            yield case.finding(
                Severity.WARNING,
                Code.AMDGPU_HANG,
                f"GPU {name_gpu(gpu)} did not finish work in time since the boot, and the driver "
                "reset it or a part of it.",
                seen=ring,
                expected="no such line in the kernel log",
                fix=f"dmesg | grep amdgpu | grep {gpu.pci_address}   (on the node: the lines name "
                f"the program; if several have it: {case.boot()})",
            )
        ras = ras_line(case.node.kernel_log, gpu.pci_address)
        if ras and not gpu.ecc.volatile_uncorrected:
            yield case.finding(
                Severity.WARNING,
                Code.AMDGPU_RAS,
                f"GPU {name_gpu(gpu)} has had hardware errors since the boot that it could not "
                "correct.",
                seen=ras,
                expected="no such line in the kernel log",
                fix=f"amd-smi bad-pages --gpu {gpu.pci_address}   (on the node; then boot it, and "
                "have the card tested if that happens again)",
            )
