# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the driver's library on a node says of its GPUs, asked as nvidia-ml-py and Ray ask it.

Independent of the collection's own reader on purpose: it shows that the simulated GPUs are there
for any program. ``run`` is a callable that runs a shell command on the node and returns what it
printed::

    assert models(host.check_output) == ["NVIDIA H100 80GB HBM3"] * 2
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

Run = Callable[[str], str]

PROGRAM = """
import ctypes, json
nvml = ctypes.CDLL("libnvidia-ml.so.1")
code, rows, count = nvml.nvmlInit_v2(), [], ctypes.c_uint()
if code == 0:
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    for index in range(count.value):
        handle, text = ctypes.c_void_p(), ctypes.create_string_buffer(96)
        row = {"code": nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))}
        if row["code"] == 0:
            for name in ("Name", "UUID"):
                getattr(nvml, "nvmlDeviceGet" + name)(handle, text, 96)
                row[name] = text.value.decode()
            memory = (ctypes.c_ulonglong * 3)()
            nvml.nvmlDeviceGetMemoryInfo(handle, memory)
            row["MiB"] = memory[0] >> 20
        rows.append(row)
    nvml.nvmlShutdown()
print(json.dumps({"code": code, "gpus": rows}))
"""


def ask(run: Run) -> tuple[int, list[dict[str, object]]]:
    """Return what nvmlInit returned, and a row for each GPU with the code of its handle."""
    answer = json.loads(run(f"python3 -c {shlex.quote(PROGRAM)}"))
    return answer["code"], answer["gpus"]


def models(run: Run) -> list[object]:
    """Return the models of the GPUs that answer."""
    return [row["Name"] for row in ask(run)[1] if row["code"] == 0]


def listed(run: Run) -> list[str]:
    """Return the lines of `nvidia-smi -L` that are about whole GPUs."""
    return [line for line in run("nvidia-smi -L").splitlines() if line.startswith("GPU ")]
