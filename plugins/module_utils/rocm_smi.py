# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs as rocm-smi of ROCm 5 and 6 lists them in JSON. Nothing here runs anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import amd_generation
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import amd_values as read
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Link,
)

SOURCE = "rocm-smi"
COMMAND = (
    "rocm-smi",
    "--showproductname",
    "--showuniqueid",
    "--showmeminfo",
    "vram",
    "--showbus",
    "--showdriverversion",
    "--showtemp",
    "--showpower",
    "--showmaxpower",
    "--showuse",
    "--json",
)

_CARD = re.compile(r"card([0-9]{1,4})")
_LINK = re.compile(r"[0-9]+ \(([0-9.]+)GT/s x([0-9]+)\)")
_MIB = 1 << 20


@dataclass(frozen=True)
class _Card:
    """The fields of one card; releases differ in upper and lower case, so names are lower case."""

    index: int
    fields: Mapping[str, Any]

    @property
    def address(self) -> Optional[str]:
        return read.pci_address(self.fields.get("pci bus"))

    @property
    def chip(self) -> Optional[int]:
        return read.serial(self.fields.get("unique id"))

    @property
    def device_id(self) -> str:
        # ROCm 4 has it in the place of the name, ROCm 5 the subsystem's id in that of the model.
        names = ("device id", "card series", "card model")
        written = (str(self.fields.get(name)) for name in names)
        return next((each for each in written if each.startswith("0x")), "")

    @property
    def card(self) -> tuple[str, int]:
        """Return what all parts of a split card have in common, and no other card."""
        address = self.address or f"card {self.index}"
        return (address.rpartition(".")[0], self.chip) if self.chip else (address, 0)


def parse_rocm_smi(text: str) -> DriverView:
    """Return the cards that compute, from what ``COMMAND`` prints.

    The graphics part of a processor is left out, and a card that is split into parts is one GPU.
    """
    found = read.table(read.find_json(text))
    cards = sorted((card for card in map(_card, found.items()) if card), key=lambda c: c.index)
    if not cards:
        return DriverView(source=SOURCE, error=read.complaint(text, "rocm-smi --json"))
    whole: dict[tuple[str, int], list[_Card]] = {}
    for card in cards:
        if not amd_generation.is_apu(card.device_id):
            whole.setdefault(card.card, []).append(card)
    return DriverView(
        source=SOURCE,
        gpus=tuple(_gpu(parts) for parts in whole.values()),
        driver_version=_driver_version(found),
    )


def _card(item: tuple[str, Any]) -> Optional[_Card]:
    name, fields = item
    match = _CARD.fullmatch(name)
    if not match or not isinstance(fields, Mapping):
        return None
    return _Card(int(match.group(1)), {str(key).lower(): each for key, each in fields.items()})


def _gpu(parts: list[_Card]) -> DriverGpu:
    first = parts[0]
    target = read.text_of(first.fields.get("gfx version"))
    by_target = amd_generation.target_architecture(target)
    architecture = by_target or amd_generation.architecture(first.device_id)
    splittable = architecture in ("cdna3", "cdna4")
    return DriverGpu(
        index=first.index,
        pci_address=min((part.address for part in parts if part.address), default=None),
        model=_model(first),
        uuid=read.uuid_of(first.chip),
        memory_mib=_memory(first) if len(parts) == 1 else None,
        link=_link(first.fields.get("pcie clock level")),
        architecture=architecture,
        temperature_c=_temperature(first.fields),
        power_w=_power(first.fields),
        # The second die of an MI250 says 0: the limit is that of the first.
        power_limit_w=read.number(first.fields.get("max graphics package power (w)")) or None,
        utilization_percent=read.count(first.fields.get("gpu use (%)")),
        partition=read.text_of(first.fields.get("compute partition")),
        partitions=len(parts) if splittable else None,
    )


def _model(card: _Card) -> Optional[str]:
    name = read.text_of(card.fields.get("card series") or card.fields.get("device name"))
    if name and not name.startswith("0x"):
        return name
    return amd_generation.model_name(card.device_id)


def _memory(card: _Card) -> Optional[int]:
    size = read.count(card.fields.get("vram total memory (b)"))
    return size // _MIB if size else None


def _link(level: Any) -> Link:
    match = _LINK.fullmatch(level.strip()) if isinstance(level, str) else None
    if not match:
        return Link()
    return Link(generation=read.link_generation(match.group(1)), width=read.count(match.group(2)))


def _temperature(fields: Mapping[str, Any]) -> Optional[int]:
    spots = ("junction", "edge")
    found = (read.number(fields.get(f"temperature (sensor {spot}) (c)")) for spot in spots)
    return next((int(value) for value in found if value is not None), None)


def _power(fields: Mapping[str, Any]) -> Optional[float]:
    names = (
        "current socket graphics package power (w)",
        "average graphics package power (w)",
    )
    found = (read.number(fields.get(name)) for name in names)
    return next((value for value in found if value is not None), None)


def _driver_version(found: Mapping[str, Any]) -> Optional[str]:
    fields = {str(key).lower(): each for key, each in read.table(found, "system").items()}
    return read.text_of(fields.get("driver version"))
