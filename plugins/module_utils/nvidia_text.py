# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How NVIDIA's interfaces write generations and failures of GPUs."""

from __future__ import annotations

from typing import Optional

#: NVML's words (nvmlErrorString) for a GPU that no longer computes: codes 15 and 16.
LOST = "GPU is lost"
RESET_REQUIRED = "GPU requires reset"
UNKNOWN_ERROR = "Unknown Error"
#: What brings back a GPU that does not compute, by NVML's number and nvidia-smi's word. The other
#: actions (drain) are about GPUs that still do.
RECOVERIES = {1: "Reset", 2: "Reboot"}

#: What keeps clocks low: the bits of NVML's mask (nvmlClocksEventReasons) by the last part of
#: the names in nvidia-smi's report.
THROTTLE_BITS = {
    "gpu_idle": 0x1,
    "applications_clocks_setting": 0x2,
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sync_boost": 0x10,
    "sw_thermal_slowdown": 0x20,
    "hw_thermal_slowdown": 0x40,
    "hw_power_brake_slowdown": 0x80,
    "display_clocks_setting": 0x100,
}

_GENERATIONS = (
    "kepler",
    "maxwell",
    "pascal",
    "volta",
    "turing",
    "ampere",
    "ada",
    "hopper",
    "blackwell",
    "rubin",
)


def generation(text: Optional[str]) -> Optional[str]:
    """Return "ada" for "Ada Lovelace", None for a generation that has no name here."""
    words = (text or "").lower().split()
    return words[0] if words and words[0] in _GENERATIONS else None


def recovery(action: Optional[str]) -> Optional[str]:
    """Return the error of a GPU for which the driver asks for a reset or a reboot."""
    return f"GPU recovery action: {action}" if action in RECOVERIES.values() else None
