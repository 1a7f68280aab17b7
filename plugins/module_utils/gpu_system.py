# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files and programs of a node say of its GPU software: text in, values out."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

# Seconds. NVIDIA documents 1 to 3 s of initialisation for each GPU whose driver state is not kept
# (Driver Persistence documentation); starting the program and one second of luck come on top.
_COLD_START_PER_GPU = 3
_COLD_START_EXTRA = 2

_NVRM = re.compile(
    r"^NVRM version:\s*NVIDIA UNIX (?P<open>Open )?(?:\S+ )?Kernel Module(?: for \S+)?"
    r"\s+(?P<version>\d+(?:\.\d+)+)",
    re.MULTILINE,
)
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_LIBRARY = re.compile(r"libnvidia-ml\.so\.(\d+(?:\.\d+)+)")
_SIGNATURE = re.compile(r"^(?:sig_id|signer|sig_key|signature):", re.MULTILINE)

#: An EFI variable begins with four bytes of attributes (kernel: Documentation on efivarfs).
_EFI_ATTRIBUTES = 4


class LoadedModule(NamedTuple):
    """The NVIDIA kernel module that runs now."""

    version: Optional[str] = None
    is_open: Optional[bool] = None


def answer_limit_seconds(gpus: int) -> int:
    """Return how long a driver's interface may take for its answer about so many GPUs.

    Without persistence the driver starts each GPU anew: 1 to 3 s of each.
    """
    return _COLD_START_PER_GPU * max(1, gpus) + _COLD_START_EXTRA


def parse_nvidia_version(text: str) -> LoadedModule:
    """Return what /proc/driver/nvidia/version says.

    The open module calls itself "NVIDIA UNIX Open Kernel Module for x86_64", the proprietary one
    "NVIDIA UNIX x86_64 Kernel Module".
    """
    found = _NVRM.search(text)
    if not found:
        return LoadedModule()
    return LoadedModule(found["version"], found["open"] is not None)


def first_version(text: str) -> Optional[str]:
    """Return the first dotted number of a text, None without one.

    For /sys/module/*/version, for /opt/rocm/.info/version (7.0.2-56) and for the programs
    nvidia-ctk and amd-ctk with --version.
    """
    found = _VERSION.search(text)
    return found.group() if found else None


def library_version(file_name: str) -> Optional[str]:
    """Return the version in the name of the file that libnvidia-ml.so.1 points to."""
    found = _LIBRARY.fullmatch(file_name)
    return found.group(1) if found else None


def secure_boot(variable: Optional[bytes], booted_with_efi: Optional[bool]) -> Optional[bool]:
    """Return whether Secure Boot is on.

    ``variable`` is the EFI variable SecureBoot, None when it cannot be read. A machine that did not
    boot with EFI cannot have it; one whose variables are out of sight may.
    """
    if variable is not None and len(variable) > _EFI_ATTRIBUTES:
        return variable[_EFI_ATTRIBUTES] == 1
    return False if booted_with_efi is False else None


def is_signed(modinfo: str) -> bool:
    """Return whether the output of modinfo shows a signature of the module.

    Old versions of it leave the signer empty and name the signature's kind only.
    """
    return bool(_SIGNATURE.search(modinfo))


def parse_active(properties: str) -> Optional[bool]:
    """Return whether ``systemctl show`` says that a unit runs; None when there is no such unit."""
    values = dict(line.split("=", 1) for line in properties.splitlines() if "=" in line)
    if values.get("LoadState", "not-found") == "not-found":
        return None
    return values.get("ActiveState") == "active"
