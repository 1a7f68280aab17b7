# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges how GPUs are: their memory, their partitions, whether the driver keeps them ready.

Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    plural,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_case import (
    Case,
    Code,
    addresses,
    count_gpus,
    name_gpu,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Gpu, Vendor


def judge_health(case: Case, vendor: Vendor) -> Iterator[Finding]:
    """Yield what is to be said about the state of a vendor's GPUs."""
    for gpu in case.gpus(vendor):
        if case.is_lost(gpu):
            continue  # Whatever is known of it is old.
        yield from _ecc(case, gpu)
        yield from _remapping(case, gpu)
        yield from _mig(case, gpu)
    yield from _persistence(case, vendor)
    if vendor is Vendor.NVIDIA:
        yield from _ecc_off(case)


def reset(case: Case, gpu: Gpu) -> str:
    """Return the command that resets a GPU."""
    if gpu.vendor is Vendor.AMD:
        return f"amd-smi reset --gpureset --gpu {gpu.index}   (or boot: {case.boot()})"
    return (
        f"nvidia-smi --gpu-reset --id={gpu.pci_address}   (on the node, once no program uses the "
        f"GPU; or boot: {case.boot()})"
    )


def _ecc(case: Case, gpu: Gpu) -> Iterator[Finding]:
    ecc = gpu.ecc
    now, ever = ecc.volatile_uncorrected or 0, ecc.aggregate_uncorrected or 0
    if now or ever:
        yield case.finding(
            Severity.WARNING if now else Severity.NOTE,
            Code.ECC_UNCORRECTED,
            f"GPU {name_gpu(gpu)} has had memory errors that ECC could not correct"
            + (" since its driver was loaded." if now else ", all before its driver was loaded."),
            seen=f"{now} since the driver was loaded, "
            f"{'unknown' if ecc.aggregate_uncorrected is None else ever} in its life",
            expected="0",
            fix=reset(case, gpu)
            if now
            else f"nvidia-smi --query --display=ECC,ROW_REMAPPER --id={gpu.pci_address}   (if the "
            "number grows, have the card tested: dcgmi diag --run 3)"
            if gpu.vendor is Vendor.NVIDIA
            else f"amd-smi metric --ecc --gpu {gpu.index}   (if the number grows, have the card "
            "tested)",
        )
    if ecc.enabled is not None and ecc.pending is not None and ecc.enabled != ecc.pending:
        yield case.finding(
            Severity.WARNING,
            Code.ECC_PENDING,
            f"ECC of GPU {name_gpu(gpu)} is {_on(ecc.enabled)} and will be {_on(ecc.pending)} "
            "after the next reset.",
            seen=f"{_on(ecc.enabled)}, pending {_on(ecc.pending)}",
            expected="one state",
            fix=reset(case, gpu),
        )


def _on(value: bool) -> str:
    return "on" if value else "off"


def _ecc_off(case: Case) -> Iterator[Finding]:
    """Yield that ECC is off where cards are sold with it on; GeForce cards are not."""
    off = [
        gpu
        for gpu in case.gpus(Vendor.NVIDIA)
        if gpu.ecc.enabled is False and not gpu.ecc.pending and not gpu.is_virtual
        if "geforce" not in (gpu.model or "geforce").lower()
    ]
    if off:
        yield case.finding(
            Severity.NOTE,
            Code.ECC_OFF,
            f"ECC is off on {count_gpus(len(off))}: errors of the memory change results unseen.",
            seen=f"off at {addresses(off)}",
            expected="on, unless you chose speed and memory over it",
            fix="nvidia-smi --ecc-config=1   (on the node; then boot it)",
        )


def _remapping(case: Case, gpu: Gpu) -> Iterator[Finding]:
    state = gpu.remapping
    if state.failed:
        yield case.finding(
            Severity.ERROR,
            Code.REMAP_FAILED,
            f"GPU {name_gpu(gpu)} has a bad row of memory and no spare one left for it. The card "
            "has to be replaced.",
            seen="row remapping failed",
            expected="no failure",
            fix="nvidia-bug-report.sh   (on the node; send its file with the request for a new "
            "card)",
        )
    elif state.pending and state.retired_pages is not None:
        yield case.finding(
            Severity.WARNING,
            Code.PAGES_PENDING,
            f"GPU {name_gpu(gpu)} takes pages of bad memory out of use with its next reset. Until "
            "then programs may still get them.",
            seen=f"retirement pending, {plural(state.retired_pages, 'page')} retired",
            expected="nothing pending",
            fix=reset(case, gpu),
        )
    elif state.pending:
        yield case.finding(
            Severity.WARNING,
            Code.REMAP_PENDING,
            f"GPU {name_gpu(gpu)} replaces a row of bad memory with its next reset. Until then "
            "programs may still get it.",
            seen="row remapping pending",
            expected="nothing pending",
            fix=reset(case, gpu),
        )


def _mig(case: Case, gpu: Gpu) -> Iterator[Finding]:
    mig = gpu.mig
    if mig.enabled is not None and mig.pending is not None and mig.enabled != mig.pending:
        yield case.finding(
            Severity.WARNING,
            Code.MIG_PENDING,
            f"MIG of GPU {name_gpu(gpu)} is {_on(mig.enabled)} and will be {_on(mig.pending)} "
            "after the next reset.",
            seen=f"{_on(mig.enabled)}, pending {_on(mig.pending)}",
            expected="one state",
            fix=reset(case, gpu),
        )
    elif mig.enabled and not mig.devices:
        yield case.finding(
            Severity.WARNING,
            Code.MIG_EMPTY,
            f"MIG is on for GPU {name_gpu(gpu)}, and it has no part. No program can compute on it.",
            seen="0 MIG devices",
            expected="at least one, or MIG off",
            fix=f"nvidia-smi mig --id {gpu.index} --list-gpu-instance-profiles   (on the node; "
            "then create parts with -cgi PROFILE -C, or switch it off: nvidia-smi --id="
            f"{gpu.pci_address} --multi-instance-gpu=0)",
        )


def _persistence(case: Case, vendor: Vendor) -> Iterator[Finding]:
    off = [gpu for gpu in case.gpus(vendor) if gpu.persistence is False and not gpu.is_virtual]
    if off:
        yield case.finding(
            Severity.NOTE,
            Code.PERSISTENCE_OFF,
            f"The driver lets go of {count_gpus(len(off))} when no program uses them. The next "
            "program waits 1 to 3 s for each GPU, and settings such as power limits are lost.",
            seen=f"persistence off at {addresses(off)}",
            expected="on",
            fix="systemctl enable --now nvidia-persistenced.service   (on the node; or "
            "nvidia_persistence=true in the inventory)",
            variable="nvidia_persistence",
        )
