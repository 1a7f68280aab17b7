# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row for each GPU, from what the PCI bus and the interfaces of its driver say of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    amd_generation,
    nvidia_generation,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_bars import window_bytes
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_health import health_of
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Gpu,
    GpuNode,
    PciGpu,
    Stack,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import (
    PciBus,
    normal_address,
)

_MIB = 1 << 20

#: Names of vGPU types end in memory and series (NVIDIA vGPU user guide): GRID T4-16Q, A100D-1-10C.
_VGPU_NAME = re.compile(r"-\d{1,3}[ABCQ](?: ME)?$")

#: What a row of Gpu takes from DriverGpu as it is.
_OF_DRIVER = (
    "model",
    "uuid",
    "memory_mib",
    "bar1_mib",
    "mig",
    "ecc",
    "remapping",
    "persistence",
    "numa_node",
    "architecture",
    "temperature_c",
    "power_w",
    "power_limit_w",
    "utilization_percent",
    "memory_used_mib",
    "memory_free_mib",
    "sm_clock_mhz",
    "memory_clock_mhz",
    "throttle_reasons",
    "error",
    "partition",
    "partitions",
)

Views = Mapping[Vendor, Sequence[DriverView]]


def join_node(node: GpuNode, bus: PciBus, views: Views) -> GpuNode:
    """Return ``node``, which has the facts of the system, with its GPUs and what their drivers say.

    Of each vendor, the first view that lists GPUs counts; later ones only add what it leaves open.
    """
    best = {vendor: best_view(answers) for vendor, answers in views.items()}
    hidden = {gpu.address for gpu in bus.integrated}
    lists = {vendor: _rows(view, hidden) for vendor, view in best.items()}
    gpus = [
        replace(gpu, health=health_of(gpu, lists.get(vendor) is not None, node.kernel_log))
        for vendor in Vendor
        for gpu in _join(vendor, bus, lists.get(vendor) or ())
    ]
    return replace(
        node,
        gpus=tuple(gpus),
        integrated=bus.integrated,
        nvswitches=bus.nvswitches,
        stacks=tuple(
            _stack(stack, views.get(stack.vendor, ()), best.get(stack.vendor), hidden)
            for stack in node.stacks
        ),
    )


def best_view(views: Sequence[DriverView]) -> Optional[DriverView]:
    """Return the first view that lists GPUs, completed from the others; None without one."""
    answers = [view for view in views if view.error is None]
    if not answers:
        return None
    first, *others = answers
    gpus = first.gpus
    for other in others:
        known = {_address(gpu): gpu for gpu in other.gpus if _address(gpu)}
        gpus = tuple(complete(gpu, known.get(_address(gpu))) for gpu in gpus)
    filled = [first, *others]
    return replace(
        first,
        gpus=gpus,
        driver_version=next((x.driver_version for x in filled if x.driver_version), None),
        runtime_version=next((x.runtime_version for x in filled if x.runtime_version), None),
    )


def complete(value: Any, other: Optional[Any]) -> Any:
    """Return a dataclass with what it does not know taken from another one of its kind."""
    if other is None:
        return value
    changes = {}
    for each in fields(value):
        mine, theirs = getattr(value, each.name), getattr(other, each.name)
        if is_dataclass(mine) and is_dataclass(theirs):
            changes[each.name] = complete(mine, theirs)
        elif mine is None or mine == ():
            changes[each.name] = theirs
    return replace(value, **changes)


def _address(gpu: DriverGpu) -> Optional[str]:
    return normal_address(gpu.pci_address) if gpu.pci_address else None


def _rows(view: Optional[DriverView], hidden: set[str]) -> Optional[list[DriverGpu]]:
    """Return the GPUs that a driver lists without those of the processor, None without a list."""
    if view is None:
        return None
    return [gpu for gpu in view.gpus if _address(gpu) not in hidden]


def _join(vendor: Vendor, bus: PciBus, rows: Sequence[DriverGpu]) -> list[Gpu]:
    """Return the GPUs of one vendor by the driver's index; those it does not list come last.

    A GPU that only the driver knows stays visible. One without an address (it does not answer) is
    the one that is missing, where only one is; of several, each gets the error.
    """
    on_bus = {gpu.address: gpu for gpu in bus.gpus if gpu.vendor is vendor}
    placed = {address: row for row in rows for address in [_address(row)] if address}
    lost = [row for row in rows if not _address(row)]
    missing = [address for address in on_bus if address not in placed]
    if len(lost) == len(missing) == 1:
        placed[missing.pop()] = lost.pop()
    words = "; ".join(sorted({row.error for row in lost if row.error})) or None
    gpus = [_gpu(vendor, address, on_bus.get(address), row) for address, row in placed.items()]
    gpus += [
        replace(_gpu(vendor, address, on_bus[address], None), error=words) for address in missing
    ]
    if not missing:
        gpus += [_gpu(vendor, "", None, row) for row in lost]
    return sorted(gpus, key=lambda gpu: (gpu.index is None, gpu.index or 0, gpu.pci_address))


def _gpu(vendor: Vendor, address: str, pci: Optional[PciGpu], row: Optional[DriverGpu]) -> Gpu:
    """Return one GPU; the bus knows its own values best, the driver all others."""
    gpu = Gpu(vendor=vendor, pci_address=address)
    if row is not None:
        values = {name: getattr(row, name) for name in _OF_DRIVER}
        gpu = replace(gpu, index=row.index, link=row.link, **values)
    if pci is not None:
        gpu = replace(
            gpu,
            device_id=pci.device_id or None,
            subsystem_id=pci.subsystem_id,
            kernel_driver=pci.driver,
            is_virtual=pci.is_virtual,
            bars=pci.bars,
            link=complete(pci.link, gpu.link),
            numa_node=pci.numa_node if pci.numa_node is not None else gpu.numa_node,
        )
    return _derive(gpu)


def _derive(gpu: Gpu) -> Gpu:
    """Return a GPU with what its device id, its regions and its name tell besides."""
    is_nvidia = gpu.vendor is Vendor.NVIDIA
    window = window_bytes(gpu.bars) if is_nvidia else None
    by_id = nvidia_generation if is_nvidia else amd_generation
    return replace(
        gpu,
        model=gpu.model or (None if is_nvidia else amd_generation.model_name(gpu.device_id or "")),
        architecture=gpu.architecture or by_id.architecture(gpu.device_id or ""),
        bar1_mib=window // _MIB if gpu.bar1_mib is None and window is not None else gpu.bar1_mib,
        is_virtual=gpu.is_virtual or bool(_VGPU_NAME.search(gpu.model or "")),
    )


def _stack(
    stack: Stack, views: Sequence[DriverView], best: Optional[DriverView], hidden: set[str]
) -> Stack:
    """Return the software of a vendor with what the interfaces of its driver answered."""
    errors = {view.source: view.error for view in views if view.error is not None}
    if best is None:
        why = "; ".join(f"{source}: {error}" for source, error in errors.items())
        return replace(stack, error=why or None, errors=errors)
    loaded = stack.loaded
    if loaded is None and stack.vendor is Vendor.NVIDIA:
        # amdgpu of the kernel has no version of its own, whatever AMD's programs call so.
        loaded = best.driver_version
    return replace(
        stack,
        loaded=loaded,
        runtime_version=stack.runtime_version or best.runtime_version,
        source=best.source,
        errors=errors,
        driver_gpus=len(_rows(best, hidden) or ()),
    )
