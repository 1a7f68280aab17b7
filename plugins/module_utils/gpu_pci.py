# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs among the devices of a PCI bus, from what sysfs says of each device.

No driver is needed for any of it. A text that is missing, empty or strange is unknown: None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_generation import (
    is_apu,
    is_board_console,
    is_virtual_function,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_bars import parse_bars
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Link,
    PciGpu,
    Vendor,
)

#: Vendor ids of PCI: NVIDIA, and AMD's for graphics.
_VENDORS = {"0x10de": Vendor.NVIDIA, "0x1002": Vendor.AMD}
#: AMD's vendor id for processors and chipsets.
_AMD_PROCESSOR = "0x1022"
#: VGA, 3D and other display controllers. The audio, USB and USB-C functions of a card have others.
_DISPLAY_CLASSES = frozenset({"0x0300", "0x0302", "0x0380"})
#: Processing accelerators: Instinct MI200 and later.
_ACCELERATOR_CLASS = "0x1200"
#: NVSwitch shows as a bridge of the kind "other".
_BRIDGE_CLASS = "0x0680"

# Bridges on AMD's cards, between the slot and the GPU (pci.ids: Vega 10 and Navi 10 XL upstream and
# downstream ports). The GPU's own link ends there, so it says nothing about the slot.
_CARD_BRIDGES = frozenset(
    {("0x1022", "0x1470"), ("0x1022", "0x1471"), ("0x1002", "0x1478"), ("0x1002", "0x1479")}
)

# Transfers of a lane in GT/s, by generation of PCI Express.
_GENERATIONS = {"2.5": 1, "5": 2, "5.0": 2, "8": 3, "8.0": 3, "16.0": 4, "32.0": 5, "64.0": 6}

_ADDRESS = re.compile(r"(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])")
_ID = re.compile(r"0x[0-9a-f]{4}")
_CLASS = re.compile(r"(0x[0-9a-f]{4})[0-9a-f]{2}")


@dataclass(frozen=True)
class RawDevice:
    """A PCI device as sysfs shows it.

    ``attributes`` are the texts of its files by name, ``config`` the beginning of its configuration
    space, ``driver`` the kernel module that holds it, ``parent`` the address of the port above it,
    ``physical_function`` the address of the card that it is a share of.
    """

    address: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    config: bytes = b""
    driver: Optional[str] = None
    parent: Optional[str] = None
    physical_function: Optional[str] = None

    def text(self, name: str) -> str:
        """Return an attribute in lower case without white space around it, "" without one."""
        return self.attributes.get(name, "").strip().lower()

    @property
    def device_class(self) -> str:
        """Return class and subclass, such as 0x0302; "" when sysfs does not say."""
        found = _CLASS.fullmatch(self.text("class"))
        return found.group(1) if found else ""

    @property
    def slot(self) -> str:
        """Return the address without the function: what sits on one card or one chip."""
        return self.address.rpartition(".")[0]


@dataclass(frozen=True)
class PciBus:
    """What of a node's PCI bus concerns GPUs; ``integrated`` are those of its processor."""

    gpus: tuple[PciGpu, ...] = ()
    integrated: tuple[PciGpu, ...] = ()
    nvswitches: int = 0


def normal_address(text: str) -> Optional[str]:
    """Return a PCI address as sysfs writes it (0000:3b:00.0), None when it is not one.

    NVML writes 00000000:3B:00.0, some programs leave the domain 0 away.
    """
    found = _ADDRESS.fullmatch(text.strip().lower())
    if not found:
        return None
    domain, bus, device, function = found.groups()
    return f"{int(domain or '0', 16):04x}:{int(bus, 16):02x}:{int(device, 16):02x}.{function}"


def vendor_of(device: RawDevice) -> Optional[Vendor]:
    """Return who made a GPU, None for every other device."""
    if device.device_class in _DISPLAY_CLASSES or device.device_class == _ACCELERATOR_CLASS:
        return _VENDORS.get(device.text("vendor"))
    return None


def is_nvswitch(device: RawDevice) -> bool:
    """Return whether a device is one of NVIDIA's NVSwitch bridges."""
    return device.device_class == _BRIDGE_CLASS and device.text("vendor") == "0x10de"


def read_bus(devices: Iterable[RawDevice]) -> PciBus:
    """Return the GPUs among the devices, in the order of their addresses.

    Left out: shares that a GPU of this node offers to virtual machines (SR-IOV; the card itself is
    listed), and the graphics chips that boards have for their console.
    """
    by_address = {each.address: each for each in devices}
    found = [
        _gpu(device, vendor, by_address)
        for _address, device in sorted(by_address.items())
        for vendor in [vendor_of(device)]
        if vendor and device.physical_function not in by_address and not _is_console(device)
    ]
    return PciBus(
        gpus=tuple(gpu for gpu in found if not gpu.is_integrated),
        integrated=tuple(gpu for gpu in found if gpu.is_integrated),
        nvswitches=sum(is_nvswitch(device) for device in by_address.values()),
    )


def _is_console(device: RawDevice) -> bool:
    return vendor_of(device) is Vendor.AMD and is_board_console(device.text("device"))


def _gpu(device: RawDevice, vendor: Vendor, others: Mapping[str, RawDevice]) -> PciGpu:
    """Return a device that is known to be a GPU as one."""
    return PciGpu(
        address=device.address,
        vendor=vendor,
        device_id=device.text("device") if _ID.fullmatch(device.text("device")) else "",
        subsystem_id=_subsystem(device),
        driver=device.driver,
        is_integrated=vendor is Vendor.AMD and is_integrated(device, others.values()),
        is_virtual=device.physical_function is not None
        or (vendor is Vendor.AMD and is_virtual_function(device.text("device"))),
        link=read_link(device, others),
        bars=parse_bars(device.text("resource"), device.config, vendor),
        numa_node=_count(device.text("numa_node")),
    )


def is_integrated(device: RawDevice, others: Iterable[RawDevice]) -> bool:
    """Return whether an AMD GPU is part of the processor.

    Either its device id is that of a processor's graphics, or it shares its slot with a function of
    an AMD processor (security, USB, sound): those have vendor 1022, while all functions of a
    graphics card have 1002. The second sign holds for processors that are younger than the table.
    Neither the width of its link (a processor claims 16 lanes) nor the size of its memory (a BIOS
    setting, up to most of the main memory) tells them apart. Accelerators are never integrated:
    MI300A is a processor that is bought to compute.
    """
    if device.device_class == _ACCELERATOR_CLASS:
        return False
    return is_apu(device.text("device")) or any(
        each.slot == device.slot and each.text("vendor") == _AMD_PROCESSOR for each in others
    )


def read_link(device: RawDevice, others: Mapping[str, RawDevice]) -> Link:
    """Return the link between a card and its slot."""
    end = _end_at_slot(device, others)
    slot = others.get(end.parent or "", RawDevice(""))
    return Link(
        generation=parse_generation(end.text("current_link_speed")),
        width=parse_width(end.text("current_link_width")),
        max_generation=parse_generation(end.text("max_link_speed")),
        max_width=parse_width(end.text("max_link_width")),
        slot_generation=parse_generation(slot.text("max_link_speed")),
        slot_width=parse_width(slot.text("max_link_width")),
    )


def _end_at_slot(device: RawDevice, others: Mapping[str, RawDevice]) -> RawDevice:
    """Return the part of a card that the slot sees: its own bridge, or the GPU itself."""
    end = device
    # Two bridges make a card; a device cannot be below itself, so this ends.
    for _bridge in range(2):
        above = others.get(end.parent or "")
        if above and (above.text("vendor"), above.text("device")) in _CARD_BRIDGES:
            end = above
    return end


def parse_generation(speed: str) -> Optional[int]:
    """Return the generation of PCI Express for ``16.0 GT/s PCIe``, None for ``Unknown speed``."""
    number, _space, unit = speed.strip().lower().partition(" ")
    return _GENERATIONS.get(number) if unit.startswith("gt/s") else None


def parse_width(text: str) -> Optional[int]:
    """Return the number of lanes; None when it is not told, which sysfs also writes 0 or 255."""
    lanes = _count(text)
    return lanes if lanes and lanes <= 32 else None


def _subsystem(device: RawDevice) -> Optional[str]:
    """Return vendor and device of the subsystem in one number, such as 0x10de1463.

    NVML prints them the other way round: 0x146310DE.
    """
    ids = [device.text("subsystem_device"), device.text("subsystem_vendor")]
    if not all(_ID.fullmatch(each) for each in ids):
        return None
    return f"0x{ids[1][2:]}{ids[0][2:]}"


def _count(text: str) -> Optional[int]:
    """Return a number from 0 on, None for everything else; sysfs writes -1 for "not known"."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
