# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs that the compute part of the amdgpu driver (KFD) lists in sysfs.

Each directory of ``/sys/class/kfd/kfd/topology/nodes`` is a processor or a GPU, or one of the parts
that an Instinct card of the MI300 kind may be split into. Nothing here reads anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import amd_generation
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_values import uuid_of
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
)

NODES_DIRECTORY = "/sys/class/kfd/kfd/topology/nodes"
SOURCE = "kfd"

_PROPERTY = re.compile(r"([a-z_0-9]+) ([0-9]{1,20})")
_AMD = 0x1002
_MIB = 1 << 20
# Heaps of GPU memory: 1 where the processor can reach all of it, 2 where it cannot. Heap 0 is
# the memory of the processor (kfd_topology.h of the kernel).
_GPU_HEAPS = (1, 2)
# The card can be split in parts: the modes that AMD documents for MI300 and MI350.
_SPLITTABLE = ("cdna3", "cdna4")
_MODES = {1: "SPX", 2: "DPX", 3: "TPX", 4: "QPX"}


@dataclass(frozen=True)
class KfdNode:
    """The files of one topology node as they were read; an unreadable file is an empty text.

    ``mem_banks`` are the texts of ``mem_banks/<n>/properties``. The texts keep their line ends: the
    last line is left out where its end is missing, since its number may have been cut.
    """

    number: int
    properties: str
    gpu_id: str = ""
    mem_banks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part:
    """A node that computes: a whole GPU, or a part of one. ``index`` is its number in HIP."""

    index: int
    node: KfdNode
    values: Mapping[str, int]

    @property
    def unique_id(self) -> int:
        return self.values.get("unique_id", 0)

    @property
    def location(self) -> int:
        # Newer kernels keep the number of the part in bits 31:28, others in the function bits.
        return self.values.get("location_id", 0) & 0xFFFF

    @property
    def card(self) -> tuple[int, int, int]:
        """Return what all parts of one card have in common, and no other card."""
        domain = self.values.get("domain", 0)
        if self.unique_id:
            return (domain, self.location >> 3, self.unique_id)
        return (domain, self.location, 0)

    @property
    def device_id(self) -> str:
        number = self.values.get("device_id", 0)
        return f"0x{number:04x}" if number else ""

    @property
    def target(self) -> Optional[str]:
        return gfx_target(self.values.get("gfx_target_version", 0))

    @property
    def architecture(self) -> Optional[str]:
        by_target = amd_generation.target_architecture(self.target)
        return by_target or amd_generation.architecture(self.device_id)

    @property
    def is_integrated(self) -> bool:
        """Return whether this is the graphics part of a processor; MI300A computes and is not."""
        if amd_generation.is_apu(self.device_id) or amd_generation.is_apu_target(self.target):
            return True
        return self.values.get("cpu_cores_count", 0) > 0 and self.architecture != "cdna3"

    @property
    def memory_bytes(self) -> Optional[int]:
        banks = [_properties(text) for text in self.node.mem_banks]
        sizes = [
            bank["size_in_bytes"]
            for bank in banks
            if bank.get("heap_type") in _GPU_HEAPS and "size_in_bytes" in bank
        ]
        # Kernels before 5.16 say the size here too; later ones always write 0.
        return sum(sizes) or self.values.get("local_mem_size") or None


def parse_topology(nodes: Iterable[KfdNode], driver_version: Optional[str] = None) -> DriverView:
    """Return the cards that compute, one for each however many parts it is split into.

    ``index`` is the number of the card in HIP, of its first part where it is split. The graphics
    part of a processor is not among the cards (see ``integrated_addresses``), but has a number
    there. A GPU that the kernel lists and nobody can read has an error.
    """
    ordered = sorted(nodes, key=lambda node: node.number)
    error = _why_nothing(ordered)
    if error:
        return DriverView(source=SOURCE, driver_version=driver_version, error=error)
    cards = _cards(ordered)
    gpus = [_gpu(parts) for parts in cards if not parts[0].is_integrated]
    for index, node in enumerate(_unreadable_gpus(ordered), start=sum(map(len, cards))):
        error = f"{_path(node)} cannot be read or has no simd_count"
        gpus.append(DriverGpu(index=index, error=error))
    return DriverView(source=SOURCE, gpus=tuple(gpus), driver_version=driver_version)


def integrated_addresses(nodes: Iterable[KfdNode]) -> frozenset[str]:
    """Return the PCI addresses of the GPUs that are only the graphics part of a processor."""
    return frozenset(_address(parts) for parts in _cards(nodes) if parts[0].is_integrated)


def gfx_target(version: int) -> Optional[str]:
    """Return the name of a target: 90402 is gfx942, 90010 is gfx90a, 110000 is gfx1100."""
    if version <= 0:
        return None
    major, minor, step = version // 10000, version // 100 % 100, version % 100
    return f"gfx{major}{minor:x}{step:x}"


def _why_nothing(nodes: Sequence[KfdNode]) -> Optional[str]:
    if not nodes:
        return f"{NODES_DIRECTORY} is missing or empty: the module amdgpu is not loaded"
    if not any("simd_count" in _properties(node.properties) for node in nodes):
        return f"no file {NODES_DIRECTORY}/*/properties can be read, or none has a simd_count"
    return None


def _cards(nodes: Iterable[KfdNode]) -> list[list[_Part]]:
    """Return the parts of each card, the cards in the order in which the kernel lists them."""
    cards: dict[tuple[int, int, int], list[_Part]] = {}
    index = 0
    for node in sorted(nodes, key=lambda each: each.number):
        values = _properties(node.properties)
        if values.get("simd_count", 0) > 0 and values.get("vendor_id", _AMD) == _AMD:
            part = _Part(index, node, values)
            cards.setdefault(part.card, []).append(part)
            index += 1
    return list(cards.values())


def _unreadable_gpus(nodes: Iterable[KfdNode]) -> list[KfdNode]:
    """Return the nodes that may be GPUs and whose properties are missing or garbage."""
    return [
        node
        for node in nodes
        if "simd_count" not in _properties(node.properties) and node.gpu_id.strip() != "0"
    ]


def _path(node: KfdNode) -> str:
    return f"{NODES_DIRECTORY}/{node.number}/properties"


def _gpu(parts: Sequence[_Part]) -> DriverGpu:
    first = parts[0]
    has_address = "location_id" in first.values
    sizes = [part.memory_bytes for part in parts]
    splittable = first.architecture in _SPLITTABLE
    return DriverGpu(
        index=first.index,
        pci_address=_address(parts) if has_address else None,
        model=amd_generation.exact_model_name(first.device_id),
        uuid=uuid_of(first.unique_id),
        memory_mib=sum(size or 0 for size in sizes) // _MIB if all(sizes) else None,
        architecture=first.architecture,
        error=None if has_address else f"{_path(first.node)} has no location_id",
        partition=_mode(parts) if splittable else None,
        partitions=len(parts) if splittable else None,
    )


def _address(parts: Sequence[_Part]) -> str:
    """Return the PCI address of the card; the functions above its own are those of its parts."""
    location = min(part.location for part in parts)
    domain = parts[0].values.get("domain", 0)
    return f"{domain:04x}:{location >> 8:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"


def _mode(parts: Sequence[_Part]) -> Optional[str]:
    """Return how the card is split: CPX has one compute die in each part."""
    if len(parts) > 1 and parts[0].values.get("num_xcc") == 1:
        return "CPX"
    return _MODES.get(len(parts))


def _properties(text: str) -> dict[str, int]:
    """Return the numbers of a properties file; lines of another form are left out."""
    whole, _, _ = text.rpartition("\n")
    matches = (_PROPERTY.fullmatch(line.strip()) for line in whole.split("\n"))
    return {match.group(1): int(match.group(2)) for match in matches if match}
