# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ray offers of a node's GPUs, what it can reach of them, and what to think of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_cluster import ALIVE

#: The label that Ray gives itself where its own look finds GPUs whose model it has a name for.
GPU_LABEL = "ray.io/accelerator-type"

#: Asks NVIDIA's library as Ray does, and says what Ray keeps to itself: why it found none.
GPU_SCRIPT = """\
import json
import ray._private.thirdparty.pynvml as nvml
try:
    nvml.nvmlInit()
    said = {"count": nvml.nvmlDeviceGetCount()}
except Exception as error:
    said = {"error": "%s: %s" % (type(error).__name__, error)}
print(json.dumps(said))
"""


@dataclass(frozen=True)
class RayGpuView:
    """How many GPUs Ray's own Python finds, or why it finds none; both empty where not asked."""

    count: Optional[int] = None
    error: str = ""

    @property
    def words(self) -> str:
        """Return what it finds as a sentence, nothing where it was not asked."""
        if self.error:
            return f" Ray's own look at the driver ended with: {self.error}."
        return "" if self.count is None else f" Ray's own look at the driver finds {self.count}."


def parse_gpu_view(rc: int, out: str, err: str) -> RayGpuView:
    """Return the view in the output of GPU_SCRIPT, whatever else was printed."""
    for line in reversed(out.strip().splitlines()):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and isinstance(said.get("count"), int):
            return RayGpuView(count=said["count"])
        if isinstance(said, dict) and said.get("error"):
            return RayGpuView(error=str(said["error"]))
    last = (err.strip() or out.strip() or "no output").splitlines()[-1]
    return RayGpuView(error=f"exit status {rc}, {last}")


def _alive(address: str, nodes: Iterable[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    rows = [row for row in nodes if row["address"] == address and row["state"] == ALIVE]
    return rows[0] if rows else None


def offered_gpus(row: Mapping[str, Any]) -> int:
    """Return how many GPUs a node of the cluster offers."""
    return int((row.get("resources") or {}).get("GPU") or 0)


def needs_a_look(wanted: Mapping[str, Any], nodes: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether Ray must be asked itself what it finds.

    Ray believes the number that it is told. Only the label that it gives itself shows that it
    reaches the driver. For AMD the label proves nothing: Ray finds the model through a library
    that its own images do not have.
    """
    row = _alive(wanted["address"], nodes)
    gpus = wanted.get("gpus")
    if gpus is None or row is None:
        return False
    unnamed = wanted.get("gpu_vendor") == "nvidia" and GPU_LABEL not in (row.get("labels") or {})
    return offered_gpus(row) != gpus or (gpus > 0 and unnamed)


def judge_gpus(
    name: str, wanted: Mapping[str, Any], nodes: Iterable[Mapping[str, Any]], view: RayGpuView
) -> list[str]:
    """Return what is wrong with the GPUs that Ray offers, a sentence; nothing when all is well."""
    row = _alive(wanted["address"], nodes)
    gpus = wanted.get("gpus")
    if gpus is None or row is None:
        return []
    offered = offered_gpus(row)
    if offered != gpus:
        return [
            f"{name}: Ray offers {offered} GPUs, expected {gpus} (those that answer their driver, "
            f"unless ray_num_gpus says otherwise)."
            f"{view.words} Run provision.yml again: it starts Ray with the GPUs that are there"
        ]
    if view.error or (view.count is not None and view.count < gpus):
        return [
            f"{name}: Ray offers {offered} GPUs as it was told, but tasks would not find them."
            f"{view.words} See 'docker exec ray nvidia-smi -L' (ray_runtime=container) or "
            "'nvidia-smi -L' on the node, then run provision.yml again"
        ]
    return []
