# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads everything about the GPUs of this node. Reads only; what cannot be read is None."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    gpu_log,
    gpu_packages,
    gpu_system,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_kfd import (
    integrated_addresses,
    parse_topology,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_ask import (
    amd_views,
    listing,
    nvidia_views,
    output,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_join import join_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverView,
    FabricManager,
    GpuNode,
    Stack,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import (
    PciBus,
    read_bus,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_tree import (
    Tree,
    read_devices,
    read_kfd,
)

_MODULES = {Vendor.NVIDIA: "nvidia", Vendor.AMD: "amdgpu"}
_TOOLKIT_PROGRAMS = {Vendor.NVIDIA: "nvidia-ctk", Vendor.AMD: "amd-ctk"}
_FABRIC_MANAGER_UNIT = "nvidia-fabricmanager.service"

# Where distributions and NVIDIA's own installer put the 64-bit library (Debian, Ubuntu, EL). Others
# beside it are for 32-bit programs and may be of another version.
_LIBRARY_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
)
_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_FIRMWARE = "/sys/firmware"


@dataclass(frozen=True)
class _Reader:
    """What the parts below have in common: the node, and how long its drivers may take."""

    command: Command
    tree: Tree
    timeout: Optional[float]
    load: Callable[[str], Any]

    def limit(self, bus: PciBus, vendor: Vendor) -> float:
        """Return the seconds that an interface of a vendor's driver gets for its answer."""
        if self.timeout is not None:
            return self.timeout
        return gpu_system.answer_limit_seconds(sum(gpu.vendor is vendor for gpu in bus.gpus))


def read_gpu_node(
    command: Command,
    root: str = "/",
    timeout: Optional[float] = None,
    load: Callable[[str], Any] = ctypes.CDLL,
) -> GpuNode:
    """Return the GPUs of this node and the software that drives them.

    ``timeout`` is how many seconds each interface of a driver may take, None for 3 s a GPU and 2 s
    more. ``root`` and ``load`` are for tests: another file tree, another loader of libraries. No
    program is started on a node without a GPU and without the driver of one.
    """
    reader = _Reader(command, Tree(root), timeout, load)
    bus = _with_kfd(reader.tree, read_bus(read_devices(reader.tree)))
    vendors = [vendor for vendor in Vendor if _concerns(reader.tree, bus, vendor)]
    packages = _packages(command) if vendors else {}
    node = replace(
        _system(reader.tree),
        stacks=tuple(_stack(reader, vendor, bus, packages) for vendor in vendors),
        module_signed=_module_signed(command, vendors),
        kernel_log=_kernel_log(command, bus) if vendors else (),
    )
    return join_node(node, bus, {vendor: _views(reader, vendor, bus) for vendor in vendors})


def _with_kfd(tree: Tree, bus: PciBus) -> PciBus:
    """Return the bus with the GPUs among the integrated ones of which the driver says so."""
    if not any(gpu.vendor is Vendor.AMD for gpu in bus.gpus):
        return bus
    known = integrated_addresses(read_kfd(tree))
    found = [replace(gpu, is_integrated=True) for gpu in bus.gpus if gpu.address in known]
    return replace(
        bus,
        gpus=tuple(gpu for gpu in bus.gpus if gpu.address not in known),
        integrated=tuple(sorted((*bus.integrated, *found), key=lambda gpu: gpu.address)),
    )


def _concerns(tree: Tree, bus: PciBus, vendor: Vendor) -> bool:
    """Return whether a vendor has GPUs here, or a driver loaded and not for the processor's."""
    if any(gpu.vendor is vendor for gpu in bus.gpus):
        return True
    explained = any(gpu.vendor is vendor for gpu in bus.integrated)
    return tree.exists(f"/sys/module/{_MODULES[vendor]}") and not explained


def _system(tree: Tree) -> GpuNode:
    """Return what files say of the node itself."""
    kernel = tree.text("/proc/sys/kernel/osrelease").strip() or None
    firmware = tree.names(_FIRMWARE)
    modules_known = tree.exists("/sys/module")
    return GpuNode(
        nouveau_loaded=tree.exists("/sys/module/nouveau") if modules_known else None,
        # Without any entry the folder is hidden, as in many containers.
        secure_boot=gpu_system.secure_boot(
            tree.data(_SECURE_BOOT), "efi" in firmware if firmware else None
        ),
        kernel=kernel,
        kernel_headers=tree.exists(f"/lib/modules/{kernel}/build/Makefile") if kernel else None,
    )


def _packages(command: Command) -> dict[str, str]:
    """Return the packages about GPUs, by whichever package managers the node has."""
    return {
        name: version
        for query in (gpu_packages.RPM_QUERY, gpu_packages.DPKG_QUERY)
        for name, version in gpu_packages.parse_listing(
            listing(command, [*query, *gpu_packages.NAME_PATTERNS])
        ).items()
    }


def _stack(reader: _Reader, vendor: Vendor, bus: PciBus, packages: Mapping[str, str]) -> Stack:
    """Return the software of a vendor, before its driver is asked."""
    driver = gpu_packages.driver_package(packages, vendor)
    toolkit = gpu_packages.toolkit_version(packages, vendor)
    if toolkit is None:
        told = output(reader.command, [_TOOLKIT_PROGRAMS[vendor], "--version"])
        toolkit = gpu_system.first_version(told or "")
    stack = Stack(
        vendor=vendor,
        package=driver.version if driver else None,
        package_name=driver.name if driver else None,
        toolkit=toolkit,
    )
    if vendor is Vendor.NVIDIA:
        return _nvidia_stack(reader, stack, bus, packages)
    return _amd_stack(reader.tree, stack, packages)


def _nvidia_stack(reader: _Reader, stack: Stack, bus: PciBus, packages: Mapping[str, str]) -> Stack:
    loaded = gpu_system.parse_nvidia_version(reader.tree.text("/proc/driver/nvidia/version"))
    version = gpu_system.first_version(reader.tree.text("/sys/module/nvidia/version"))
    fabric_manager = gpu_packages.fabric_manager_version(packages)
    return replace(
        stack,
        loaded=loaded.version or version,
        is_open=loaded.is_open,
        library=_library_version(reader.tree),
        fabric_manager=FabricManager(
            version=fabric_manager,
            active=_fabric_manager_runs(reader.command)
            if fabric_manager or bus.nvswitches
            else None,
        ),
    )


def _amd_stack(tree: Tree, stack: Stack, packages: Mapping[str, str]) -> Stack:
    """Return AMD's software. The amdgpu of the kernel itself has no version: that stays None."""
    rocm = gpu_system.first_version(tree.text("/opt/rocm/.info/version"))
    return replace(
        stack,
        loaded=gpu_system.first_version(tree.text("/sys/module/amdgpu/version")),
        runtime_version=rocm or gpu_packages.rocm_package_version(packages),
    )


def _library_version(tree: Tree) -> Optional[str]:
    files = (tree.real_parts(f"{folder}/libnvidia-ml.so.1")[-1] for folder in _LIBRARY_FOLDERS)
    versions = (gpu_system.library_version(name) for name in files)
    return next((version for version in versions if version), None)


def _fabric_manager_runs(command: Command) -> Optional[bool]:
    properties = ["--property", "LoadState,ActiveState"]
    told = output(command, ["systemctl", "show", _FABRIC_MANAGER_UNIT, *properties])
    return gpu_system.parse_active(told) if told is not None else None


def _module_signed(command: Command, vendors: Sequence[Vendor]) -> Optional[bool]:
    """Return whether the kernel modules on disk are signed; None where there is none."""
    told = [output(command, ["modinfo", _MODULES[vendor]]) for vendor in vendors]
    signed = [gpu_system.is_signed(text) for text in told if text is not None]
    return all(signed) if signed else None


def _kernel_log(command: Command, bus: PciBus) -> tuple[str, ...]:
    """Return the kernel's lines about GPUs; from the journal too when dmesg lost the beginning."""
    recent = output(command, ["dmesg"]) or ""
    logs = [recent]
    if not gpu_log.is_whole(recent):
        journal = ["journalctl", "--dmesg", "--boot", "--no-pager", "--quiet"]
        logs.insert(0, output(command, [*journal, "--output=short-monotonic"]) or "")
    return gpu_log.gpu_lines(logs, [gpu.address for gpu in bus.gpus])


def _views(reader: _Reader, vendor: Vendor, bus: PciBus) -> list[DriverView]:
    """Return what the interfaces of a vendor's driver answer, the preferred one first."""
    limit = reader.limit(bus, vendor)
    if vendor is Vendor.NVIDIA:
        return nvidia_views(reader.command, limit, reader.load)
    topology = parse_topology(read_kfd(reader.tree))
    if any(gpu.vendor is Vendor.AMD for gpu in bus.gpus):
        return [topology, *amd_views(reader.command, limit)]
    return [topology]
