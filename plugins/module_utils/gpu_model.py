# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's GPUs as values: what its PCI bus, its driver and its containers say of them.

Whatever is not known is None, never a guess. Nothing here reads anything.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Optional, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class Vendor(str, enum.Enum):
    """Who made a GPU."""

    NVIDIA = "nvidia"
    AMD = "amd"


class Health(str, enum.Enum):
    """How a GPU is: degraded still computes, failed does not."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True)
class Link:
    """A PCI Express link: what it runs at now, and the most that the device can.

    ``slot_generation`` and ``slot_width`` are the most that the port above the device can.
    """

    generation: Optional[int] = None
    width: Optional[int] = None
    max_generation: Optional[int] = None
    max_width: Optional[int] = None
    slot_generation: Optional[int] = None
    slot_width: Optional[int] = None


@dataclass(frozen=True)
class Bar:
    """A memory region of a PCI device; ``size_bytes`` is 0 where the BIOS found no room for it."""

    index: int
    size_bytes: int


@dataclass(frozen=True)
class PciGpu:
    """A GPU as the PCI bus shows it, with or without a driver.

    ``address`` is written as sysfs has it (0000:3b:00.0, lower case), ``device_id`` and
    ``subsystem_id`` as 0x20b5 and 0x10de1463. ``driver`` names the kernel module that holds the
    device (nvidia, nouveau, amdgpu, vfio-pci), ``is_integrated`` says that it is part of the
    processor, ``is_virtual`` that it is a share of a card that a hypervisor hands in.
    """

    address: str
    vendor: Vendor
    device_id: str
    subsystem_id: Optional[str] = None
    driver: Optional[str] = None
    is_integrated: bool = False
    is_virtual: bool = False
    link: Link = field(default_factory=Link)
    bars: tuple[Bar, ...] = ()
    numa_node: Optional[int] = None


@dataclass(frozen=True)
class MigDevice:
    """A part of a partitioned NVIDIA GPU, such as 1g.10gb."""

    uuid: Optional[str] = None
    profile: Optional[str] = None
    memory_mib: Optional[int] = None


@dataclass(frozen=True)
class Mig:
    """Whether a GPU is partitioned; ``pending`` is how it will be after its next reset."""

    enabled: Optional[bool] = None
    pending: Optional[bool] = None
    devices: tuple[MigDevice, ...] = ()


@dataclass(frozen=True)
class Ecc:
    """Memory errors. ``volatile_*`` count since the driver was loaded, ``aggregate_*`` for ever."""

    enabled: Optional[bool] = None
    pending: Optional[bool] = None
    volatile_corrected: Optional[int] = None
    volatile_uncorrected: Optional[int] = None
    aggregate_corrected: Optional[int] = None
    aggregate_uncorrected: Optional[int] = None


@dataclass(frozen=True)
class Remapping:
    """Rows of memory that were replaced by spare ones; older GPUs retire pages instead.

    ``pending``: a replacement waits for a reset of the GPU. ``failed``: no spare row was left.
    """

    corrected: Optional[int] = None
    uncorrected: Optional[int] = None
    pending: Optional[bool] = None
    failed: Optional[bool] = None
    retired_pages: Optional[int] = None


@dataclass(frozen=True)
class DriverGpu:
    """A GPU as its driver shows it (NVML, nvidia-smi, KFD, amd-smi, rocm-smi).

    ``index`` is the driver's own numbering, ``memory_mib`` the whole memory, temperatures are in
    degrees Celsius, powers in watts, clocks in MHz, ``utilization_percent`` is that of the compute
    units. ``throttle_reasons`` is NVML's bit mask of what keeps the clocks low now.
    ``error`` says in the driver's own words why a GPU that it lists does not answer. An AMD card
    may show itself as several devices: ``partition`` is its mode (SPX, DPX, TPX, QPX, CPX) and
    ``partitions`` the number of these devices.
    """

    index: int
    pci_address: Optional[str] = None
    model: Optional[str] = None
    uuid: Optional[str] = None
    memory_mib: Optional[int] = None
    link: Link = field(default_factory=Link)
    bar1_mib: Optional[int] = None
    mig: Mig = field(default_factory=Mig)
    ecc: Ecc = field(default_factory=Ecc)
    remapping: Remapping = field(default_factory=Remapping)
    persistence: Optional[bool] = None
    numa_node: Optional[int] = None
    architecture: Optional[str] = None
    temperature_c: Optional[int] = None
    power_w: Optional[float] = None
    power_limit_w: Optional[float] = None
    utilization_percent: Optional[int] = None
    memory_used_mib: Optional[int] = None
    memory_free_mib: Optional[int] = None
    sm_clock_mhz: Optional[int] = None
    memory_clock_mhz: Optional[int] = None
    throttle_reasons: Optional[int] = None
    error: Optional[str] = None
    partition: Optional[str] = None
    partitions: Optional[int] = None


@dataclass(frozen=True)
class DriverView:
    """What one interface of a driver answered.

    ``source`` is nvml, nvidia-smi, kfd, amd-smi or rocm-smi. ``error`` is why it gave no list of
    GPUs, in the words of the interface; then ``gpus`` is empty and means nothing.
    """

    source: str
    gpus: tuple[DriverGpu, ...] = ()
    driver_version: Optional[str] = None
    runtime_version: Optional[str] = None
    error: Optional[str] = None


@dataclass(frozen=True)
class Gpu:
    """One GPU of the node, PCI bus and driver joined by its PCI address.

    ``index`` is None where the driver does not list it, ``vendor`` and ``pci_address`` are always
    known. See PciGpu and DriverGpu for the units.
    """

    vendor: Vendor
    pci_address: str
    index: Optional[int] = None
    model: Optional[str] = None
    uuid: Optional[str] = None
    memory_mib: Optional[int] = None
    device_id: Optional[str] = None
    subsystem_id: Optional[str] = None
    kernel_driver: Optional[str] = None
    is_virtual: bool = False
    link: Link = field(default_factory=Link)
    bars: tuple[Bar, ...] = ()
    bar1_mib: Optional[int] = None
    mig: Mig = field(default_factory=Mig)
    ecc: Ecc = field(default_factory=Ecc)
    remapping: Remapping = field(default_factory=Remapping)
    persistence: Optional[bool] = None
    numa_node: Optional[int] = None
    architecture: Optional[str] = None
    temperature_c: Optional[int] = None
    power_w: Optional[float] = None
    power_limit_w: Optional[float] = None
    utilization_percent: Optional[int] = None
    memory_used_mib: Optional[int] = None
    memory_free_mib: Optional[int] = None
    sm_clock_mhz: Optional[int] = None
    memory_clock_mhz: Optional[int] = None
    throttle_reasons: Optional[int] = None
    health: Optional[Health] = None
    error: Optional[str] = None
    partition: Optional[str] = None
    partitions: Optional[int] = None


@dataclass(frozen=True)
class FabricManager:
    """The service that NVSwitch needs. ``version`` is that of its package."""

    version: Optional[str] = None
    active: Optional[bool] = None


@dataclass(frozen=True)
class Stack:
    """The software between a vendor's GPUs and what runs on them.

    ``loaded`` is the version of the kernel module that runs now, ``library`` that of the user-space
    library, ``package`` that of the installed package named ``package_name``: they differ after an
    upgrade without a boot. ``is_open`` says whether the loaded NVIDIA module is the open one.
    ``source`` is the interface that listed the GPUs, None when none did; then ``error`` says why.
    ``errors`` has the words of each interface that failed, by its name.
    """

    vendor: Vendor
    loaded: Optional[str] = None
    library: Optional[str] = None
    package: Optional[str] = None
    package_name: Optional[str] = None
    is_open: Optional[bool] = None
    runtime_version: Optional[str] = None
    toolkit: Optional[str] = None
    fabric_manager: FabricManager = field(default_factory=FabricManager)
    source: Optional[str] = None
    error: Optional[str] = None
    errors: Mapping[str, str] = field(default_factory=dict)
    driver_gpus: Optional[int] = None


@dataclass(frozen=True)
class ContainerView:
    """How many GPUs a container on the node sees, or why that could not be found out."""

    gpus: Optional[int] = None
    error: Optional[str] = None


@dataclass(frozen=True)
class GpuNode:
    """Everything about the GPUs of a node.

    ``gpus`` are those that compute; the integrated ones of the processor are in ``integrated``.
    ``stacks`` has one entry for each vendor in ``gpus`` or with a driver on the node.
    ``nvswitches`` counts NVSwitch bridges. ``nouveau_loaded`` and ``secure_boot`` are about the
    running kernel, ``kernel_headers`` about the files that building a module for ``kernel`` needs,
    ``module_signed`` about the NVIDIA or AMD module on disk. ``kernel_log`` has only the lines of
    this boot about GPUs. ``container`` is None where no container was asked.
    """

    gpus: tuple[Gpu, ...] = ()
    integrated: tuple[PciGpu, ...] = ()
    stacks: tuple[Stack, ...] = ()
    nvswitches: int = 0
    nouveau_loaded: Optional[bool] = None
    secure_boot: Optional[bool] = None
    module_signed: Optional[bool] = None
    kernel: Optional[str] = None
    kernel_headers: Optional[bool] = None
    kernel_log: tuple[str, ...] = ()
    container: Optional[ContainerView] = None

    @property
    def vendors(self) -> tuple[Vendor, ...]:
        """Return the vendors of the GPUs, NVIDIA first."""
        return tuple(v for v in Vendor if any(gpu.vendor is v for gpu in self.gpus))

    def of_vendor(self, vendor: Vendor) -> tuple[Gpu, ...]:
        """Return the GPUs of one vendor."""
        return tuple(gpu for gpu in self.gpus if gpu.vendor is vendor)

    def stack(self, vendor: Vendor) -> Optional[Stack]:
        """Return the software of one vendor, None where nothing of it was looked at."""
        return next((each for each in self.stacks if each.vendor is vendor), None)

    def to_facts(self) -> dict[str, Any]:
        """Return plain data for ``ansible_facts.gpu``, with what playbooks ask for most."""
        vendors = self.vendors
        return {
            **to_plain(self),
            "count": len(self.gpus),
            "usable_count": sum(gpu.index is not None and gpu.error is None for gpu in self.gpus),
            "vendor": vendors[0].value if vendors else None,
            "vendors": [vendor.value for vendor in vendors],
            "models": sorted({gpu.model for gpu in self.gpus if gpu.model}),
        }


def to_plain(value: Any) -> Any:
    """Return a value as JSON carries it: dataclasses as dicts, tuples as lists, enums by value."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(each) for each in value]
    return value


def from_plain(kind: type[T], values: Mapping[str, Any]) -> T:
    """Return the dataclass that ``to_plain`` made ``values`` from; unknown keys are left out."""
    hints = get_type_hints(kind)
    known = {name: _typed(hints[name], value) for name, value in values.items() if name in hints}
    return kind(**known)


def _typed(hint: Any, value: Any) -> Any:
    """Return ``value`` as the type that an annotation names."""
    if value is None:
        return None
    if get_origin(hint) is Union:
        return _typed(next(each for each in get_args(hint) if each is not type(None)), value)
    if get_origin(hint) is tuple:
        return tuple(_typed(get_args(hint)[0], each) for each in value)
    if isinstance(hint, type) and is_dataclass(hint):
        return from_plain(hint, value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    return value
