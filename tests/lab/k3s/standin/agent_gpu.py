# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs that a device plugin offers: what NVML and the kernel's KFD say on this node."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lab.k3s.standin import agent_pods

TOPOLOGY = Path("/sys/class/kfd/kfd/topology/nodes")
#: NVML may hang or crash; it is asked in a process of its own.
_COUNT = """
import ctypes
library = ctypes.CDLL("libnvidia-ml.so.1")
number = ctypes.c_uint()
bad = library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(number))
print(0 if bad else number.value)
"""


def offered(pods: Sequence[Mapping[str, Any]], runtimes: Sequence[str]) -> dict[str, str]:
    """Return the amounts by resource, for the device plugins among these running pods."""
    found = {}
    for pod in pods:
        names = " ".join(agent_pods.all_images(pod))
        if "nvidia" in names and "device-plugin" in names:
            seen = nvidia() if pod["spec"].get("runtimeClassName") in runtimes else 0
            found["nvidia.com/gpu"] = str(seen)
        elif "rocm/" in names and "device-plugin" in names:
            found["amd.com/gpu"] = str(amd())
    return found


def nvidia() -> int:
    """Return how many GPUs NVML counts; 0 when it is not there or fails."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _COUNT], capture_output=True, text=True, timeout=20, check=False
        )
        return int(done.stdout.strip() or 0)
    except (subprocess.TimeoutExpired, ValueError, OSError):
        return 0


def amd(topology: Path = TOPOLOGY) -> int:
    """Return how many nodes of KFD's topology are GPUs: those with SIMD units."""
    found = 0
    for path in topology.glob("*/properties"):
        rows = dict(row.split(None, 1) for row in path.read_text().splitlines() if " " in row)
        found += int(rows.get("simd_count", "0")) > 0
    return found
