# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs as amd-smi of ROCm 6 and 7 lists them in JSON.

ROCm 6 prints a list of objects, ROCm 7 puts most of them into ``gpu_data``; names of fields differ
from release to release, so each value is looked for under all the names that it had. Nothing here
runs anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import amd_generation
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import amd_values as read
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Ecc,
    Link,
)

SOURCE = "amd-smi"
STATIC_COMMAND = ("amd-smi", "static", "--json")
METRIC_COMMAND = ("amd-smi", "metric", "--json")

_SPLIT_MODES = frozenset({"DPX", "TPX", "QPX", "CPX"})
_Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Device:
    """What the three commands say of one device: a card, or a part of a split one."""

    index: int
    listed: _Row
    static: _Row
    metric: _Row

    @property
    def address(self) -> Optional[str]:
        return read.pci_address(self._written_address)

    @property
    def address_error(self) -> Optional[str]:
        return None if self.address else read.text_of(self._written_address)

    @property
    def _written_address(self) -> Any:
        return self.listed.get("bdf") or read.table(self.static, "bus").get("bdf")

    @property
    def asic(self) -> _Row:
        return read.table(self.static, "asic")

    @property
    def chip(self) -> Optional[int]:
        return read.serial(self.asic.get("asic_serial"))

    @property
    def device_id(self) -> str:
        return str(self.asic.get("device_id") or "")

    @property
    def mode(self) -> Optional[str]:
        found = read.table(self.static, "partition")
        # ROCm 7 renamed compute to accelerator.
        return read.text_of(found.get("accelerator_partition") or found.get("compute_partition"))

    @property
    def part(self) -> int:
        found = read.table(self.static, "partition").get("partition_id")
        return read.count(self.listed.get("partition_id", found)) or 0

    @property
    def card(self) -> tuple[str, int]:
        """Return what all parts of one card have in common, and no other card."""
        address = self.address or f"gpu {self.index}"
        if self.chip:
            return (address.rpartition(".")[0], self.chip)
        if self.part or self.mode in _SPLIT_MODES:
            return (address.rpartition(".")[0], 0)
        return (address, 0)


def parse_amd_smi(
    listing: str, static: str = "", metric: str = "", version: str = ""
) -> DriverView:
    """Return the cards that compute, from what four commands of amd-smi print.

    ``listing`` is that of ``list``; it is enough, and so is ``static``. What went to standard error
    belongs to the text: the tool says there why it failed. The graphics part of a processor is left
    out, and a card that is split into parts is one GPU. The temperature is that of the hottest
    spot of the chip, which is the one that its limits are about; the edge's where there is no
    other. The memory of a split card is unknown: no document says whether a part shows its share.
    """
    listed, fixed, now = _rows(listing), _rows(static), _rows(metric)
    indices = sorted({*listed, *fixed})
    if not indices and not (_is_empty(listing) or _is_empty(static)):
        reason = read.complaint(listing or static, "amd-smi --json")
        return DriverView(source=SOURCE, error=reason)
    devices = [
        _Device(index, listed.get(index, {}), fixed.get(index, {}), now.get(index, {}))
        for index in indices
    ]
    return DriverView(
        source=SOURCE,
        gpus=tuple(_gpu(parts) for parts in _cards(devices)),
        driver_version=_driver_version(devices),
        runtime_version=_runtime_version(version),
    )


def _rows(text: str) -> dict[int, _Row]:
    """Return the objects about GPUs by their number; processors are left out."""
    found = read.find_json(text)
    if isinstance(found, dict):
        found = found.get("gpu_data", [found])
    rows: dict[int, _Row] = {}
    for row in found if isinstance(found, list) else []:
        index = read.count(row.get("gpu")) if isinstance(row, dict) else None
        if index is not None:
            rows.setdefault(index, row)
    return rows


def _is_empty(text: str) -> bool:
    """Return whether the tool says that there is no GPU, which is an answer and no failure."""
    found = read.find_json(text)
    return text.strip() == "[]" or (isinstance(found, dict) and found.get("gpu_data") == [])


def _cards(devices: Iterable[_Device]) -> list[list[_Device]]:
    cards: dict[tuple[str, int], list[_Device]] = {}
    for device in devices:
        if not amd_generation.is_apu(device.device_id):
            cards.setdefault(device.card, []).append(device)
    return list(cards.values())


def _gpu(parts: Sequence[_Device]) -> DriverGpu:
    first = parts[0]
    address = min((part.address for part in parts if part.address), default=None)
    target = read.text_of(first.asic.get("target_graphics_version"))
    architecture = amd_generation.target_architecture(target)
    power = read.number(_power(first.metric))
    return DriverGpu(
        index=first.index,
        pci_address=address,
        model=_model(first),
        uuid=read.uuid_of(first.chip) or read.text_of(first.listed.get("uuid")),
        memory_mib=_memory(first) if len(parts) == 1 else None,
        link=_link(first),
        ecc=_ecc(first),
        numa_node=read.count(read.table(first.static, "numa").get("node")),
        architecture=architecture or amd_generation.architecture(first.device_id),
        temperature_c=_temperature(first.metric),
        power_w=power,
        power_limit_w=_power_limit(first.static),
        utilization_percent=read.count(read.table(first.metric, "usage").get("gfx_activity")),
        memory_used_mib=_memory_part(parts, "used_vram"),
        memory_free_mib=_memory_part(parts, "free_vram"),
        error=first.address_error,
        partition=first.mode,
        partitions=len(parts) if first.mode else None,
    )


def _model(device: _Device) -> Optional[str]:
    name = read.text_of(device.asic.get("market_name"))
    if name and not name.startswith("0x"):
        return name
    product = read.text_of(read.table(device.static, "board").get("product_name"))
    return product or amd_generation.model_name(device.device_id)


def _memory(device: _Device) -> Optional[int]:
    size = read.mebibytes(read.table(device.static, "vram").get("size"))
    return size or read.mebibytes(read.table(device.metric, "mem_usage").get("total_vram"))


def _memory_part(parts: Sequence[_Device], name: str) -> Optional[int]:
    """Return used or free memory; that of a split card is unknown, as its whole memory is."""
    if len(parts) > 1:
        return None
    return read.mebibytes(read.table(parts[0].metric, "mem_usage").get(name))


def _link(device: _Device) -> Link:
    bus, pcie = read.table(device.static, "bus"), read.table(device.metric, "pcie")
    most = read.link_generation(bus.get("pcie_interface_version"))
    return Link(
        generation=read.link_generation(pcie.get("speed", pcie.get("current_speed"))),
        width=read.count(pcie.get("width", pcie.get("current_lanes"))),
        max_generation=most or read.link_generation(bus.get("max_pcie_speed")),
        max_width=read.count(bus.get("max_pcie_width", bus.get("max_pcie_lanes"))),
    )


def _ecc(device: _Device) -> Ecc:
    """Return the errors since the driver was loaded; AMD's driver keeps no older ones."""
    counts = read.table(device.metric, "ecc")
    return Ecc(
        enabled=_ecc_enabled(read.table(device.static, "ras").get("ecc_block_state")),
        volatile_corrected=read.count(
            counts.get("total_correctable_count", counts.get("total_correctable"))
        ),
        volatile_uncorrected=read.count(
            counts.get("total_uncorrectable_count", counts.get("total_uncorrectable"))
        ),
    )


def _ecc_enabled(blocks: Any) -> Optional[bool]:
    """Return whether the memory (block UMC) is watched; ROCm 6.0 wrote the blocks as a list."""
    if isinstance(blocks, list):
        rows = [row for row in blocks if isinstance(row, dict)]
        blocks = {str(row.get("block")): row.get("status") for row in rows}
    state = read.text_of(read.table(blocks).get("UMC"))
    return None if state is None else state.upper() == "ENABLED"


def _temperature(metric: _Row) -> Optional[int]:
    spots = read.table(metric, "temperature")
    found = [read.number(spots.get(name)) for name in ("hotspot", "junction", "edge")]
    known = [value for value in found if value is not None]
    return int(known[0]) if known else None


def _power(metric: _Row) -> Any:
    found = read.table(metric, "power")
    names = ("socket_power", "current_socket_power", "average_socket_power", "current_power")
    values = (found.get(name) for name in names)
    return next((value for value in values if read.number(value) is not None), None)


def _power_limit(static: _Row) -> Optional[float]:
    """Return the limit that is set now: of ROCm 7 (ppt0), of ROCm 6, of ROCm 6.0."""
    limits = read.table(static, "limit")
    values = (
        read.table(limits, "ppt0").get("socket_power_limit"),
        limits.get("socket_power"),
        limits.get("power"),
    )
    found = (read.number(value) for value in values)
    return next((value for value in found if value), None)


def _driver_version(devices: Iterable[_Device]) -> Optional[str]:
    tables = (read.table(device.static, "driver") for device in devices)
    versions = (read.text_of(each.get("version", each.get("driver_version"))) for each in tables)
    return next((version for version in versions if version), None)


def _runtime_version(text: str) -> Optional[str]:
    found = read.find_json(text)
    row = found[0] if isinstance(found, list) else found
    return read.text_of(read.table(row).get("rocm_version"))
