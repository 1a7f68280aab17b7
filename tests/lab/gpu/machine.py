# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which GPUs a simulated machine can have, and the settings that describe it (pure).

Device ids and sizes are those of the real cards (pci.ids, vendors' data sheets); the rest of a card
that a test does not look at is left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.lab.shell import LabError

MAX_GPUS = 16
FIRST_BUS = 0x3B
BUS_STEP = 0x08


@dataclass(frozen=True)
class Model:
    """A kind of GPU. Sizes in MiB, ``link`` is the PCIe generation and width that it can do."""

    vendor: str
    name: str
    device_id: int
    subsystem_id: int
    architecture: str
    memory_mib: int
    bar1_mib: int
    link: tuple[int, int]
    power_limit_w: int
    kind: int = 0x030200
    more: Mapping[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """Return what all cards of this model have."""
        common = {
            "vendor": self.vendor,
            "model": self.name,
            "device_id": f"{self.device_id:#06x}",
            "subsystem_id": f"{self.subsystem_id:#010x}",
            "class": f"{self.kind:#08x}",
            "architecture": self.architecture,
            "memory_mib": str(self.memory_mib),
            "bar1_mib": str(self.bar1_mib),
            "link_generation": str(self.link[0]),
            "link_width": str(self.link[1]),
            "max_link_generation": str(self.link[0]),
            "max_link_width": str(self.link[1]),
            "power_limit_w": str(self.power_limit_w),
            "power_w": str(self.power_limit_w // 6),
            "temperature_c": "33",
            "utilization_percent": "0",
            "clock_mhz": "345",
            "memory_clock_mhz": "1593",
            "numa_node": "0",
        }
        return {**common, **self.more}


_ECC = {
    "ecc": "on",
    **{
        f"ecc_{span}_{kind}": "0"
        for span in ("volatile", "aggregate")
        for kind in ("corrected", "uncorrected")
    },
}
_ROWS = {"remapped_corrected": "0", "remapped_uncorrected": "0"}
_PAGES = {"retired_pages_single": "0", "retired_pages_double": "0"}
_DATACENTER = {**_ECC, **_ROWS}
_MIG = {**_DATACENTER, "mig": "off"}
_NEW = {"bar0_is_64_bit": "yes"}

MODELS: Mapping[str, Model] = {
    "h100": Model("nvidia", "NVIDIA H100 80GB HBM3", 0x2330, 0x10DE16C1, "hopper", 81559, 131072,
                  (5, 16), 700, more={**_MIG, **_NEW, "compute_capability": "9.0",
                                      "memory_reserved_mib": "551"}),
    "h200": Model("nvidia", "NVIDIA H200", 0x2335, 0x10DE18BE, "hopper", 143771, 262144, (5, 16),
                  700, more={**_MIG, **_NEW, "compute_capability": "9.0"}),
    "a100": Model("nvidia", "NVIDIA A100-SXM4-80GB", 0x20B2, 0x10DE1463, "ampere", 81920, 131072,
                  (4, 16), 400, more={**_MIG, "compute_capability": "8.0"}),
    "b200": Model("nvidia", "NVIDIA B200", 0x2901, 0x10DE1999, "blackwell", 183359, 262144, (5, 16),
                  1000, more={**_MIG, **_NEW, "compute_capability": "10.0"}),
    "l40s": Model("nvidia", "NVIDIA L40S", 0x26B9, 0x10DE1851, "ada", 46068, 65536, (4, 16), 350,
                  more={**_DATACENTER, "compute_capability": "8.9"}),
    "t4": Model("nvidia", "Tesla T4", 0x1EB8, 0x10DE12A2, "turing", 15360, 256, (3, 16), 70,
                more={**_ECC, **_PAGES, "compute_capability": "7.5"}),
    "v100": Model("nvidia", "Tesla V100-SXM2-32GB", 0x1DB5, 0x10DE1249, "volta", 32768, 32768,
                  (3, 16), 300, more={**_ECC, **_PAGES, "compute_capability": "7.0"}),
    "rtx3090": Model("nvidia", "NVIDIA GeForce RTX 3090", 0x2204, 0x10DE1454, "ampere", 24576, 256,
                     (4, 16), 350, 0x030000, {"compute_capability": "8.6", "fan_percent": "30"}),
    "rtx4090": Model("nvidia", "NVIDIA GeForce RTX 4090", 0x2684, 0x10DE16F3, "ada", 24564, 32768,
                     (4, 16), 450, 0x030000, {"ecc": "off", "compute_capability": "8.9",
                                              "fan_percent": "30"}),
    "rtx5090": Model("nvidia", "NVIDIA GeForce RTX 5090", 0x2B85, 0x10DE2057, "blackwell", 32607,
                     32768, (5, 16), 575, 0x030000, {**_NEW, "ecc": "off",
                                                     "compute_capability": "12.0",
                                                     "fan_percent": "30"}),
    "mi210": Model("amd", "AMD Instinct MI210", 0x740F, 0x10020C34, "cdna2", 65520, 65536, (4, 16),
                   300, 0x038000, {"gfx_target_version": "90010", "gfx_name": "aldebaran",
                                   "simd_count": "416"}),
    "mi300x": Model("amd", "AMD Instinct MI300X", 0x74A1, 0x100274A1, "cdna3", 196592, 262144,
                    (5, 16), 750, 0x120000, {"gfx_target_version": "90402", "num_xcc": "8",
                                             "gfx_name": "ip discovery", "simd_count": "1216"}),
    "rx7900xtx": Model("amd", "AMD Radeon RX 7900 XTX", 0x744C, 0x10020E3B, "rdna3", 24560, 32768,
                       (4, 16), 327, 0x030000, {"gfx_target_version": "110000",
                                                "gfx_name": "ip discovery", "simd_count": "192"}),
}  # fmt: skip
DEFAULT_MODEL = "h100"
_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


def model_called(name: str) -> Model:
    """Return a model by its short name."""
    if name not in MODELS:
        raise LabError(f"no GPU model is called {name!r}; choose one of {', '.join(MODELS)}")
    return MODELS[name]


def gpu_settings(node: str, number: int, model: Model) -> dict[str, str]:
    """Return the settings of one GPU; the same node and number always get the same names."""
    digits = hashlib.sha256(f"{node}/{number}".encode()).hexdigest()
    uuid = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
    each = {
        **model.settings(),
        "pci": f"0000:{FIRST_BUS + number * BUS_STEP:02x}:00.0",
        "numa_node": str(number // 4 % 2),
        "serial": f"16503{int(digits[:8], 16) % 10**8:08d}",
    }
    if model.vendor == "nvidia":
        each["uuid"] = f"GPU-{uuid}"
    else:
        each["unique_id"] = f"0x{digits[:16]}"
    return {f"gpu.{number}.{key}": value for key, value in each.items()}


def machine_settings(node: str, models: Iterable[Model]) -> dict[str, str]:
    """Return the settings of a healthy machine with these GPUs."""
    chosen = tuple(models)
    if len(chosen) > MAX_GPUS:
        raise LabError(f"a simulated machine has at most {MAX_GPUS} GPUs, not {len(chosen)}")
    settings = {"nvswitches": "0", "secure_boot": "none", "kernel.headers": "present"}
    for number, model in enumerate(chosen):
        settings |= gpu_settings(node, number, model)
    return settings


def parse_assignments(words: Iterable[str]) -> dict[str, str]:
    """Return the settings in words like ``gpu.1.bar1_mib=0``."""
    settings: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not _KEY.fullmatch(key):
            raise LabError(f"{word!r} is no setting; write key=value, as in gpu.1.bar1_mib=0")
        if "\n" in value:
            raise LabError(f"the value of {key} has more than one line")
        settings[key] = value
    return settings


def parse(text: str) -> dict[str, str]:
    """Return the settings in a machine's file."""
    rows = (line.partition("=") for line in text.splitlines() if line and line[0] != "#")
    return {key: value for key, _, value in rows}


def render(settings: Mapping[str, str]) -> str:
    """Return settings as the machine's file."""
    return "".join(f"{key}={value}\n" for key, value in sorted(settings.items()))


def changed(settings: Mapping[str, str], wishes: Mapping[str, str]) -> dict[str, str]:
    """Return settings with wishes carried out; an empty value takes a setting away."""
    merged = {**settings, **wishes}
    return {key: value for key, value in merged.items() if value != ""}


def parse_counts(text: str) -> tuple[int, ...]:
    """Return how many GPUs the nodes have, which take the numbers in turn."""
    try:
        counts = tuple(int(word) for word in text.split(","))
    except ValueError:
        counts = ()
    if not counts or any(not 0 <= count <= MAX_GPUS for count in counts):
        raise LabError(f"{text!r} is no list of GPU counts; write 2 or 2,0 (at most {MAX_GPUS})")
    return counts


def gpus_of(number: int, counts: tuple[int, ...]) -> int:
    """Return how many GPUs a lab's node gets: nodes take the counts in turn."""
    return counts[(number - 1) % len(counts)] if counts else 0


def cards_of(settings: Mapping[str, str]) -> list[int]:
    """Return the numbers of the GPUs in a machine's settings."""
    found = {key.split(".")[1] for key in settings if key.startswith("gpu.") and key.count(".") > 1}
    return sorted(int(number) for number in found if number.isdigit())
