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
