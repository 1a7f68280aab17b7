# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What brings an installed NVIDIA driver to run: nothing, loading its module, or a boot."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import HEADER

PERSISTENCE = "nvidia-persistenced.service"
FABRIC = "nvidia-fabricmanager.service"
#: Ubuntu's unit of the daemon switches off what the daemon is for.
PERSISTENCE_DROP_IN = f"/etc/systemd/system/{PERSISTENCE}.d/60-rackforge.conf"
_SWITCHED_OFF = "--no-persistence-mode"
#: ``systemctl show`` has the command line between semicolons.
_COMMAND_LINE = re.compile(r"^ExecStart=.*?argv\[\]=([\w./=:,@ -]+?) ;", re.MULTILINE)


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
    kernels for which there is a module although there is none for the running one. The sources are
    checksums of the code that each was built of, which tell the open module from the proprietary
    one of the same version; None where they are not known.
    """

    kernel: str
    loaded: Optional[str] = None
    on_disk: Optional[str] = None
    nouveau: bool = False
    other_kernels: Sequence[str] = ()
    loaded_source: Optional[str] = None
    on_disk_source: Optional[str] = None

    @property
    def is_other_build(self) -> bool:
        """Return whether loaded and installed module are known to be built of different code."""
        known = self.loaded_source and self.on_disk_source
        return bool(known) and self.loaded_source != self.on_disk_source


def move_for(module: Module) -> tuple[Move, str]:
    """Return what brings the driver to run, and why."""
    if module.loaded and module.loaded == module.on_disk:
        if not module.is_other_build:
            return Move.NOTHING, ""
        return Move.RELOAD, (
            f"another build of driver {module.loaded} is loaded than is installed (there is an "
            "open and a proprietary one)"
        )
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


def persistence_drop_in(shown: str) -> Optional[str]:
    """Return the file that has the daemon keep GPUs initialised; None where its unit lets it.

    ``shown`` is what ``systemctl show --property ExecStart`` prints of the unit.
    """
    found = _COMMAND_LINE.search(shown)
    words = found[1].split() if found else []
    if _SWITCHED_OFF not in words:
        return None
    kept = [word for word in words if word not in (_SWITCHED_OFF, "--persistence-mode")]
    line = " ".join([*kept, "--persistence-mode"])
    # Ubuntu's unit ends when nothing asks for it, and would be started anew by every run.
    unit = "[Unit]\nStopWhenUnneeded=no\n"
    return f"{HEADER}{unit}\n[Service]\nExecStart=\nExecStart={line}\n"
