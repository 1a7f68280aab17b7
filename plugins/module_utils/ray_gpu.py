# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a node's GPUs, as the gpu facts have them, to what Ray is told about them.

Ray's own rules are those of Ray 2.60 (``python/ray/_private/accelerators`` in its wheel).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

#: How Ray names the AMD devices that it knows; tasks ask for them with accelerator_type.
AMD_ACCELERATOR_TYPES: Mapping[str, str] = {
    "0x66a1": "AMD-Instinct-MI50",
    "0x738c": "AMD-Instinct-MI100",
    "0x7408": "AMD-Instinct-MI250X",
    "0x740c": "AMD-Instinct-MI250X-MI250",
    "0x740f": "AMD-Instinct-MI210",
    "0x74a0": "AMD-Instinct-MI300A",
    "0x74a1": "AMD-Instinct-MI300X-OAM",
    "0x74a2": "AMD-Instinct-MI308X-OAM",
    "0x74a5": "AMD-Instinct-MI325X-OAM",
    "0x74a9": "AMD-Instinct-MI300X-HF",
    "0x75a0": "AMD-Instinct-MI350X-OAM",
    "0x75a3": "AMD-Instinct-MI355X-OAM",
}

#: The variable by which Ray and the vendor's library know what a process may see.
VISIBLE_DEVICES: Mapping[str, str] = {
    "nvidia": "CUDA_VISIBLE_DEVICES",
    "amd": "HIP_VISIBLE_DEVICES",
}

#: Options of docker run by the way in which a container gets GPUs.
CONTAINER_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "cdi": ("--device nvidia.com/gpu=all",),
    "legacy": (
        "--runtime nvidia",
        "--env NVIDIA_VISIBLE_DEVICES=all",
        "--env NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    ),
    "amd": ("--runtime amd", "--env AMD_VISIBLE_DEVICES=all"),
    "none": (),
}
_AUTO_MODE: Mapping[str, str] = {"nvidia": "cdi", "amd": "amd"}
MODES = ("auto", *CONTAINER_OPTIONS)

#: Groups of the device files where the vendor's driver does not open them to everybody.
DEVICE_GROUPS: Mapping[str, tuple[str, ...]] = {"nvidia": ("video",), "amd": ("render", "video")}

#: Units that make device files and container descriptions at boot, where they are there.
DRIVER_UNITS: Mapping[str, tuple[str, ...]] = {
    "nvidia": (
        "nvidia-persistenced.service",
        "nvidia-fabricmanager.service",
        "nvidia-cdi-refresh.service",
    ),
    "amd": (),
}

_CAPITALS = re.compile(r"[A-Z]+")
_NUMBERED = re.compile(r"[A-Z0-9]*[0-9][A-Z0-9]*")


class RayGpuError(ValueError):
    """Settings with which Ray would not see the GPUs that it is told to offer."""


@dataclass(frozen=True)
class RayGpus:
    """What Ray is told about a node's GPUs; everything is empty where they are left to Ray."""

    count: Optional[int] = None
    accelerator_type: Optional[str] = None
    environment: tuple[tuple[str, str], ...] = ()
    container_options: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


def nvidia_accelerator_type(model: str) -> Optional[str]:
    """Return how Ray names a model: H100 for "NVIDIA H100 80GB HBM3", GeForce-RTX-4090.

    The first word with a number counts, with the words in capitals before it. Names of another
    form are taken whole, without NVIDIA.
    """
    words = model.split()
    for index, word in enumerate(words[1:], start=1):
        found = _NUMBERED.match(word)
        if found:
            name = "-".join([*words[1:index], found.group()])
            return name if len(name) > 1 else "-".join(words[1:])
        if not _CAPITALS.fullmatch(word):
            break
    rest = words[1:] if words[:1] == ["NVIDIA"] else words
    return "-".join(rest) or None


def accelerator_type(gpu: Mapping[str, Any]) -> Optional[str]:
    """Return how Ray names a GPU of the facts; None where Ray has no name for it."""
    if gpu.get("vendor") == "amd":
        return AMD_ACCELERATOR_TYPES.get(str(gpu.get("device_id") or "").lower())
    model = gpu.get("model")
    return nvidia_accelerator_type(str(model)) if model else None


def is_usable(gpu: Mapping[str, Any]) -> bool:
    """Return whether the driver lists a GPU of the facts and it answers."""
    return gpu.get("index") is not None and not gpu.get("error")


def devices_of(gpu: Mapping[str, Any]) -> int:
    """Return as how many devices a GPU shows itself: an AMD card may be partitioned."""
    return max(int(gpu.get("partitions") or 1), 1)


def count_devices(gpus: Sequence[Mapping[str, Any]]) -> int:
    """Return how many devices Ray counts; a partitioned NVIDIA GPU (MIG) is one for Ray."""
    return sum(map(devices_of, gpus))


def ray_gpus(
    facts: Optional[Mapping[str, Any]],
    environment: Mapping[str, Any],
    mode: str = "auto",
    vendor: Optional[str] = None,
    predicted: bool = False,
    device_gids: Sequence[Any] = (),
) -> RayGpus:
    """Return what Ray is told on a node with these gpu facts; nothing where there are none.

    ``vendor`` says which GPUs count on a node with both, ``environment`` is the owner's own.
    With ``predicted`` GPUs count that have no driver yet. ``device_gids`` are the numbers of
    groups that may open the devices, for a container, whose own groups have other numbers.
    """
    _refuse_rocr(environment)
    if mode not in MODES:
        raise RayGpuError(
            f"ray_gpu_container_mode: saw {mode!r}, expected one of {', '.join(MODES)}"
        )
    maker = str(vendor or (facts or {}).get("vendor"))
    if not facts or maker not in VISIBLE_DEVICES:
        return RayGpus(count=0 if facts else None)
    present = [gpu for gpu in facts.get("gpus") or () if gpu.get("vendor") == maker]
    usable = [gpu for gpu in present if is_usable(gpu)]
    offered = usable or (present if predicted else [])
    if not offered:
        return RayGpus(count=0)
    variable = VISIBLE_DEVICES[maker]
    listed = sum(gpu.get("index") is not None for gpu in present)
    # The numbers of AMD's devices are those of its GPUs only where none is partitioned.
    hides = 0 < len(usable) < listed and count_devices(present) == len(present)
    chosen = _AUTO_MODE[maker] if mode == "auto" else mode
    return RayGpus(
        count=_visible(environment.get(variable), count_devices(offered)),
        accelerator_type=next((name for name in map(accelerator_type, offered) if name), None),
        environment=((variable, _identifiers(maker, usable)),)
        if hides and variable not in environment
        else (),
        container_options=(
            *CONTAINER_OPTIONS[chosen],
            *(f"--group-add {gid}" for gid in device_gids),
        ),
        groups=DEVICE_GROUPS[maker],
        units=DRIVER_UNITS[maker],
    )


def _refuse_rocr(environment: Mapping[str, Any]) -> None:
    """Ray ends with an error where ROCR_VISIBLE_DEVICES stands alone."""
    if "ROCR_VISIBLE_DEVICES" in environment and "HIP_VISIBLE_DEVICES" not in environment:
        raise RayGpuError(
            "ray_environment: saw ROCR_VISIBLE_DEVICES without HIP_VISIBLE_DEVICES, with which "
            "Ray does not start; expected HIP_VISIBLE_DEVICES with the same value in its place"
        )


def _visible(value: Any, most: int) -> int:
    """Return how many devices a variable of the owner's lets processes see, as Ray counts."""
    if value is None:
        return most
    words = [word for word in str(value).split(",") if word.strip()]
    return 0 if words == ["NoDevFiles"] else min(len(words), most)


def _identifiers(maker: str, gpus: Sequence[Mapping[str, Any]]) -> str:
    """Return the GPUs for a variable of visible devices.

    CUDA numbers GPUs in an order of its own, so they go by their UUIDs.
    """
    key = "uuid" if maker == "nvidia" and all(gpu.get("uuid") for gpu in gpus) else "index"
    return ",".join(str(gpu[key]) for gpu in gpus)


def count_models(gpus: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many GPUs of the facts there are of each model; unknown ones as "GPU"."""
    counts: dict[str, int] = {}
    for gpu in gpus:
        model = str(gpu.get("model") or "GPU")
        counts[model] = counts.get(model, 0) + 1
    return counts


def short_models(gpus: Sequence[Mapping[str, Any]]) -> str:
    """Return "2 x H100", "1 x A100, 1 x T4": models as briefly as people say them."""
    counts: dict[str, int] = {}
    for gpu in gpus:
        name = _short_model(gpu)
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{count} x {name}" for name, count in counts.items())


def _short_model(gpu: Mapping[str, Any]) -> str:
    model = str(gpu.get("model") or "")
    if gpu.get("vendor") == "nvidia" and model:
        return (nvidia_accelerator_type(model) or model).replace("-", " ")
    words = [word for word in model.split() if word not in ("AMD", "AMD/ATI")]
    return " ".join(words) or "GPU"
