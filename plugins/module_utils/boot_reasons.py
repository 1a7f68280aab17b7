# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a node waits for a boot, from what its roles have registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Variables that roles register, and what waits where they say no reason of their own.
REGISTERED: tuple[tuple[str, str], ...] = (
    ("__os_base_kernel_command_line", "kernel arguments"),
    ("__os_base_selinux_mode", "SELinux's mode"),
    ("__nvidia_boot", "NVIDIA's driver"),
    ("__rocm_boot", "AMD's driver"),
    ("__os_base_offer", "packages"),
)


def boot_reasons(variables: Mapping[str, Any]) -> list[str]:
    """Return why a node waits for a boot, nothing where it does not."""
    found: list[str] = []
    for name, what in REGISTERED:
        result = variables.get(name)
        if isinstance(result, Mapping) and result.get("reboot_required") is True:
            found += _words(result, what)
    return found


def _words(result: Mapping[str, Any], what: str) -> list[str]:
    reasons = [str(reason) for reason in result.get("reboot_reasons") or ()]
    if reasons:
        return reasons
    missing = [str(argument) for argument in result.get("missing") or ()]
    return [f"{what} {' '.join(missing)}"] if missing else [what]
