# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a simulated machine, and which of them hold now.

/var/lib/lab-hardware/hardware.conf has lines ``key=value``. Those about what sits in the slots hold
from the next power-on, as on a real machine; faults, counters and temperatures hold at once.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

WISHED = Path("/var/lib/lab-hardware/hardware.conf")
RUN = Path("/run/lab-hardware")
BOOTED = RUN / "booted.conf"
DRIVER_VIEW = RUN / "nvidia.conf"
LOADED = RUN / "loaded"
KERNEL_LOG = RUN / "kernel.log"
KERNEL = platform.release()
MODULES = Path("/lib/modules") / KERNEL

# What only a power-on changes: the cards, their addresses and the room that the BIOS gave them.
COLD = frozenset(
    [
        "vendor",
        "model",
        "pci",
        "device_id",
        "subsystem_id",
        "class",
        "revision",
        "memory_mib",
        "bar1_mib",
        "bar0_is_64_bit",
        "architecture",
        "max_link_generation",
        "max_link_width",
        "slot_link_generation",
        "slot_link_width",
        "numa_node",
        "bound",
        "virtual",
        "uuid",
        "needs_realloc",
    ]
)
COLD_PREFIXES = ("nvswitches", "secure_boot", "integrated.")


def parse(text: str) -> dict[str, str]:
    """Return the settings in a text; comments and empty lines say nothing."""
    rows = (line.strip().partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in rows if key and not key.startswith("#")}


def render(settings: dict[str, str]) -> str:
    """Return settings as text, one a line."""
    return "".join(f"{key}={value}\n" for key, value in sorted(settings.items()))


def is_cold(key: str) -> bool:
    """Return whether a setting waits for the next power-on."""
    if key.startswith("gpu."):
        return key.split(".", 2)[-1] in COLD
    return key.startswith(COLD_PREFIXES)


def effective(booted: dict[str, str], wished: dict[str, str]) -> dict[str, str]:
    """Return what holds on a machine that was switched on with ``booted``."""
    return {
        **{key: value for key, value in booted.items() if is_cold(key)},
        **{key: value for key, value in wished.items() if not is_cold(key)},
    }


@dataclass(frozen=True)
class Card:
    """A GPU of the machine with its settings; ``number`` is that of its device file."""

    number: int
    values: dict[str, str]

    def get(self, name: str, default: str = "") -> str:
        """Return a setting of the card."""
        return self.values.get(name, default)

    def size(self, name: str) -> int:
        """Return a number, 0 where it is not set."""
        return int(self.get(name) or "0", 0)

    @property
    def vendor(self) -> str:
        """The vendor: nvidia or amd."""
        return self.get("vendor", "nvidia")

    @property
    def pci(self) -> str:
        """The PCI address as sysfs writes it."""
        return self.get("pci")

    @property
    def window_mib(self) -> int:
        """The room that the BIOS gave to the card's window, 0 where it had none."""
        if self.get("needs_realloc") == "yes" and not has_realloc():
            return 0
        return self.size("bar1_mib")


def cards(settings: dict[str, str]) -> list[Card]:
    """Return the GPUs by number."""
    found: dict[int, dict[str, str]] = {}
    for key, value in settings.items():
        head, _, rest = key.partition(".")
        number, _, name = rest.partition(".")
        if head == "gpu" and number.isdigit() and name:
            found.setdefault(int(number), {})[name] = value
    return [Card(number, found[number]) for number in sorted(found) if found[number].get("pci")]


def has_realloc() -> bool:
    """Return whether the kernel was told to give the cards their room itself.

    The lab's nodes share the kernel of the machine; what a node asks for stands in its boot loader.
    """
    for name in ("/boot/grub/grub.cfg", "/etc/default/grub"):
        path = Path(name)
        if path.exists() and "pci=realloc" in path.read_text(errors="replace"):
            return True
    return False


def now() -> dict[str, str]:
    """Return the settings that hold now."""
    wished = parse(WISHED.read_text()) if WISHED.exists() else {}
    return effective(parse(BOOTED.read_text()), wished) if BOOTED.exists() else wished


def log(*lines: str) -> None:
    """Add lines to the kernel log of the machine."""
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    with KERNEL_LOG.open("a") as handle:
        handle.writelines(f"[{uptime:12.6f}] {line}\n" for line in lines)
