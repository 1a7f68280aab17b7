# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What amdgpu writes of a GPU in sysfs: cheap enough for every few seconds.

amd-smi says the same, but each of its starts takes about a second of a processor. The files are
those of the kernel's documentation "GPU Power/Thermal Controls and Monitoring" and "AMDGPU RAS
Support". Nothing here reads anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import DriverGpu

#: In the folder of the PCI device.
FILES = (
    "mem_info_vram_total",
    "mem_info_vram_used",
    "gpu_busy_percent",
    "pp_dpm_sclk",
    "pp_dpm_mclk",
    "ras/umc_err_count",
)
#: In the folder of its sensors, hwmon/hwmon<n>. The second temperature is that of the hottest spot,
#: which the limits are about; small cards have the edge's only.
SENSORS = (
    "temp2_input",
    "temp1_input",
    "power1_average",
    "power1_input",
    "power1_cap",
)
_MIB = 1 << 20
_CLOCK = re.compile(r"^\d+:\s*(\d+)\s*MHz\s*\*", re.IGNORECASE | re.MULTILINE)
_ERRORS = re.compile(r"^(ue|ce):\s*(\d+)", re.MULTILINE)


def with_sysfs(gpu: DriverGpu, texts: Mapping[str, str]) -> DriverGpu:
    """Return a GPU with the values of ``FILES`` and ``SENSORS``; a missing text is unknown.

    A card that is split into parts shows all of its memory in these files.
    """
    total, used = _mebibytes(texts, "mem_info_vram_total"), _mebibytes(texts, "mem_info_vram_used")
    errors = {kind: int(count) for kind, count in _ERRORS.findall(texts.get(FILES[-1], ""))}
    return replace(
        gpu,
        memory_mib=gpu.memory_mib if gpu.memory_mib is not None else total,
        memory_used_mib=used,
        memory_free_mib=total - used if total is not None and used is not None else None,
        utilization_percent=_number(texts, "gpu_busy_percent"),
        sm_clock_mhz=_clock(texts.get("pp_dpm_sclk", "")),
        memory_clock_mhz=_clock(texts.get("pp_dpm_mclk", "")),
        temperature_c=_scaled(texts, 1000, "temp2_input", "temp1_input"),
        power_w=_watts(texts, "power1_average", "power1_input"),
        power_limit_w=_watts(texts, "power1_cap"),
        ecc=replace(
            gpu.ecc,
            volatile_corrected=errors.get("ce"),
            volatile_uncorrected=errors.get("ue"),
        ),
    )


def _clock(text: str) -> Optional[int]:
    """Return the clock that is marked as the present one."""
    found = _CLOCK.search(text)
    return int(found.group(1)) if found else None


def _mebibytes(texts: Mapping[str, str], name: str) -> Optional[int]:
    found = _number(texts, name)
    return None if found is None else found // _MIB


def _scaled(texts: Mapping[str, str], parts: int, *names: str) -> Optional[int]:
    found = next((each for each in (_number(texts, name) for name in names) if each), None)
    return None if found is None else found // parts


def _watts(texts: Mapping[str, str], *names: str) -> Optional[float]:
    found = next(
        (each for each in (_number(texts, name) for name in names) if each is not None), None
    )
    return None if found is None else found / 1_000_000


def _number(texts: Mapping[str, str], name: str) -> Optional[int]:
    text = texts.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
