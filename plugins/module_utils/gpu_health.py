# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a GPU is, from what its bus, its driver and the kernel's log say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Gpu,
    Health,
    Link,
    Vendor,
)

#: What NVIDIA's driver writes of a card that answers no more (Xid 79).
_GONE = "fallen off the bus"


def health_of(gpu: Gpu, driver_answered: bool, kernel_log: Sequence[str] = ()) -> Optional[Health]:
    """Return how a GPU is; None where nothing bad is known, but nothing good either.

    ``driver_answered`` says that an interface of its driver gave a list of GPUs.
    """
    if _is_failed(gpu, driver_answered, kernel_log):
        return Health.FAILED
    if _is_degraded(gpu):
        return Health.DEGRADED
    return Health.OK if _answers_well(gpu) else None


def _is_failed(gpu: Gpu, driver_answered: bool, kernel_log: Sequence[str]) -> bool:
    if gpu.error or gpu.remapping.failed:
        return True
    if gpu.index is not None:
        return False
    return _is_left_out(gpu, driver_answered) or _fell_off(gpu, kernel_log)


def _is_left_out(gpu: Gpu, driver_answered: bool) -> bool:
    """Return whether NVIDIA's driver lists GPUs, but not this one, which nobody else holds.

    Of an AMD GPU this says little: amdgpu drives many that cannot compute.
    """
    is_free = gpu.kernel_driver in (None, "nvidia")
    return driver_answered and gpu.vendor is Vendor.NVIDIA and is_free


def _fell_off(gpu: Gpu, kernel_log: Sequence[str]) -> bool:
    """Return whether the kernel lost the GPU in this boot; it names the slot without function."""
    slot = gpu.pci_address.rpartition(".")[0]
    return bool(slot) and any(_GONE in line and slot in line.lower() for line in kernel_log)


def _is_degraded(gpu: Gpu) -> bool:
    return bool(
        gpu.remapping.pending or (gpu.ecc.volatile_uncorrected or 0) > 0 or is_narrow(gpu.link)
    )


def is_narrow(link: Link) -> bool:
    """Return whether a link has fewer lanes than card and slot both have.

    Its generation is no sign: an idle card lowers it to save power. The lanes stay.
    """
    most = [width for width in (link.max_width, link.slot_width) if width is not None]
    return link.width is not None and len(most) == 2 and link.width < min(most)


def _answers_well(gpu: Gpu) -> bool:
    """Return whether the driver has live values of the GPU, and no bad ones (checked before)."""
    return gpu.index is not None and (
        gpu.temperature_c is not None or gpu.ecc.volatile_uncorrected == 0
    )
