# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What brings an installed NVIDIA driver to run: nothing, loading its module, or a boot."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

PERSISTENCE = "nvidia-persistenced.service"
FABRIC = "nvidia-fabricmanager.service"


class Move(enum.Enum):
    """What is done to the kernel module."""

    NOTHING = "nothing"
    LOAD = "load nvidia"
    RELOAD = "load nvidia anew"
    BOOT = "boot"


@dataclass(frozen=True)
class Module:
    """The kernel module as it runs and as it lies on the disk.

    ``on_disk`` is the version that the running kernel would load, ``other_kernels`` are installed
    kernels for which there is a module although there is none for the running one.
    """

    kernel: str
    loaded: Optional[str] = None
    on_disk: Optional[str] = None
    nouveau: bool = False
    other_kernels: Sequence[str] = ()


def move_for(module: Module) -> tuple[Move, str]:
    """Return what brings the driver to run, and why."""
    if module.loaded and module.loaded == module.on_disk:
        return Move.NOTHING, ""
    if module.nouveau and not module.loaded:
        return Move.BOOT, "nouveau holds the GPUs until the next boot"
    if module.on_disk is None:
        if module.other_kernels:
            kernels = ", ".join(module.other_kernels)
            return Move.BOOT, f"the driver is built for kernel {kernels}, and {module.kernel} runs"
        return Move.NOTHING, ""
    if module.loaded:
        why = f"driver {module.loaded} is loaded and {module.on_disk} is installed"
        return Move.RELOAD, why
    return Move.LOAD, f"driver {module.on_disk} is installed and not loaded"


def missing_module(module: Module) -> str:
    """Return why no kernel can load the driver, an empty text when one can."""
    if module.on_disk is not None or module.other_kernels or module.loaded:
        return ""
    return (
        f"the driver's packages are here, but no kernel module was built for {module.kernel}; "
        "'dkms status' and 'cat /var/lib/dkms/nvidia/*/build/make.log' on this node tell why "
        f"(mostly the headers of {module.kernel} are missing), and 'dkms autoinstall' tries again"
    )


def refused_load(said: str, kernel: str) -> str:
    """Return what a failed modprobe means, and what to type."""
    if "Key was rejected" in said or "Required key not available" in said:
        return (
            "Secure Boot is on and the module's key is not enrolled: 'mokutil --import "
            "/var/lib/dkms/mok.pub', boot, and say yes on the console, or switch it off in the "
            "firmware"
        )
    if "No such device" in said:
        return (
            "the module finds no GPU that it drives: 'dmesg | grep NVRM' on this node names the "
            "GPU and the driver that it needs"
        )
    if "Exec format error" in said or "Invalid argument" in said:
        return f"it was not built for kernel {kernel}: 'dkms autoinstall' builds it anew"
    return "'dmesg | grep -i -e nvrm -e nvidia' on this node tells more"
