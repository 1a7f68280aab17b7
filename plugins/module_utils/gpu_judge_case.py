# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is expected of a node's GPUs, the codes of what may be said, and how findings are made.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Gpu,
    GpuNode,
    Stack,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import lost_line

MODULE_NAMES = {Vendor.NVIDIA: "nvidia", Vendor.AMD: "amdgpu"}
MAKERS = {Vendor.NVIDIA: "NVIDIA", Vendor.AMD: "AMD"}
#: Kernel modules that hand a device to something else than computing on this node.
FOREIGN = frozenset({"vfio-pci", "pci-stub", "pciback", "xen-pciback", "nvgrace-gpu-vfio-pci"})
#: Kernel modules for displays, which take the place of the one that computes.
DISPLAY = {Vendor.NVIDIA: frozenset({"nouveau", "nova"}), Vendor.AMD: frozenset({"radeon"})}
RAY_SEES_NONE = "Ray would report 0 GPUs on this node and give no reason."
ADDRESSES_SHOWN = 8


class Code(str, enum.Enum):
    """What a finding is about; docs/gpu-findings.md explains each."""

    NO_GPU = "no-gpu"
    WRONG_VENDOR = "wrong-vendor"
    MIXED_VENDORS = "mixed-vendors"
    MIXED_MODELS = "mixed-models"
    INTEGRATED_IGNORED = "integrated-ignored"
    GPU_HELD_BY = "gpu-held-by"
    NOUVEAU_LOADED = "nouveau-loaded"
    BAR1_ZERO = "bar1-zero"
    LINK_NARROW = "link-narrow"
    LINK_SLOW = "link-slow"
    SLOT_LIMITS = "slot-limits"
    RANGE_INVALID = "range-invalid"
    DRIVER_MISSING = "driver-missing"
    DRIVER_NOT_LOADED = "driver-not-loaded"
    DRIVER_BELOW_RANGE = "driver-below-range"
    DRIVER_ABOVE_RANGE = "driver-above-range"
    DRIVER_VERSION_UNREADABLE = "driver-version-unreadable"
    LIBRARY_MISMATCH = "library-mismatch"
    PACKAGE_MISMATCH = "package-mismatch"
    DRIVER_NOT_ANSWERING = "driver-not-answering"
    DRIVER_INTERFACE_FAILED = "driver-interface-failed"
    UNSUPPORTED_GENERATION = "unsupported-generation"
    KERNEL_MODULE_UNFIT = "kernel-module-unfit"
    SECURE_BOOT_UNSIGNED = "secure-boot-unsigned"
    HEADERS_MISSING = "headers-missing"
    FABRIC_MANAGER_MISSING = "fabric-manager-missing"
    FABRIC_MANAGER_MISMATCH = "fabric-manager-mismatch"
    FABRIC_MANAGER_STOPPED = "fabric-manager-stopped"
    GPU_MISSING_IN_DRIVER = "gpu-missing-in-driver"
    GPU_NOT_ANSWERING = "gpu-not-answering"
    GPU_LOST = "gpu-lost"
    TOOLKIT_MISSING = "toolkit-missing"
    TOOLKIT_OLD = "toolkit-old"
    TOOLKIT_VERSION_UNREADABLE = "toolkit-version-unreadable"
    CONTAINER_FAILED = "container-failed"
    GPU_MISSING_IN_CONTAINER = "gpu-missing-in-container"
    ECC_UNCORRECTED = "ecc-uncorrected"
    ECC_OFF = "ecc-off"
    ECC_PENDING = "ecc-pending"
    REMAP_PENDING = "remap-pending"
    REMAP_FAILED = "remap-failed"
    PAGES_PENDING = "pages-pending"
    MIG_PENDING = "mig-pending"
    MIG_EMPTY = "mig-empty"
    PERSISTENCE_OFF = "persistence-off"
    XID = "xid"
    NVSWITCH_ERROR = "nvswitch-error"
    AMDGPU_HANG = "amdgpu-hang"
    AMDGPU_RAS = "amdgpu-ras"
    KFD_MISSING = "kfd-missing"
    ROCM_MISSING = "rocm-missing"
    ROCM_DRIVER_PAIR = "rocm-driver-pair"


@dataclass(frozen=True)
class Expectation:
    """What a node's GPUs are judged against; a bound that is None bounds nothing.

    ``vendor`` None judges the vendors that are found. Without ``driver_required`` only the hardware
    is judged, as before an installation. ``container_mode`` is cdi, legacy or amd.
    """

    min_version: Optional[str] = "530"
    max_version: Optional[str] = "590"
    vendor: Optional[Vendor] = None
    expect_gpus: bool = True
    driver_required: bool = True
    toolkit_min_version: Optional[str] = "1.17.8"
    container: bool = False
    container_mode: str = "cdi"


@dataclass(frozen=True)
class Case:
    """A node beside what is expected of it."""

    node: GpuNode
    expected: Expectation
    host: str
    #: Groups or hosts that a run of provision.yml needs beside the node.
    leads: tuple[str, ...] = ()

    @property
    def vendors(self) -> tuple[Vendor, ...]:
        """Return the vendors whose GPUs are judged."""
        wanted = self.expected.vendor
        return tuple(vendor for vendor in self.node.vendors if wanted in (None, vendor))

    def gpus(self, vendor: Vendor) -> tuple[Gpu, ...]:
        """Return the GPUs of a vendor."""
        return self.node.of_vendor(vendor)

    def held(self, vendor: Vendor) -> tuple[Gpu, ...]:
        """Return the GPUs that another kernel module than the vendor's holds."""
        return tuple(
            gpu for gpu in self.gpus(vendor) if gpu.kernel_driver in FOREIGN | DISPLAY[vendor]
        )

    def free(self, vendor: Vendor) -> tuple[Gpu, ...]:
        """Return the GPUs that the vendor's driver can have."""
        held = self.held(vendor)
        return tuple(gpu for gpu in self.gpus(vendor) if gpu not in held)

    def usable(self, vendor: Vendor) -> tuple[Gpu, ...]:
        """Return the GPUs that the driver lists and that answer."""
        return tuple(g for g in self.gpus(vendor) if g.index is not None and g.error is None)

    def stack(self, vendor: Vendor) -> Stack:
        """Return a vendor's software, an empty one where nothing of it was found."""
        return self.node.stack(vendor) or Stack(vendor)

    def is_loaded(self, vendor: Vendor) -> bool:
        """Return whether the vendor's kernel module runs.

        The amdgpu that comes with the kernel has no version; that it holds a GPU shows it.
        """
        if self.stack(vendor).loaded is not None:
            return True
        return any(gpu.kernel_driver == MODULE_NAMES[vendor] for gpu in self.gpus(vendor))

    def has_answered(self, vendor: Vendor) -> bool:
        """Return whether an interface of the driver listed the GPUs."""
        stack = self.stack(vendor)
        return stack.source is not None and stack.error is None

    def is_lost(self, gpu: Gpu) -> bool:
        """Return whether a GPU was on the bus and is not reachable any more.

        One that answers again since the kernel logged its loss is not lost.
        """
        words = (gpu.error or "").lower()
        if "is lost" in words or "fallen off" in words:
            return True
        answers = gpu.index is not None and gpu.error is None
        return not answers and lost_line(self.node.kernel_log, gpu.pci_address) is not None

    def playbook(self, name: str = "provision.yml") -> str:
        """Return the command line that runs a playbook on this node, and on what it joins."""
        limit = ",".join([*self.leads, self.host])
        return f"ansible-playbook -i inv.ini playbooks/{name} --limit {limit}"

    def boot(self) -> str:
        """Return the command line that boots this node."""
        return f"ansible -i inv.ini {self.host} --become -m ansible.builtin.reboot"

    def finding(
        self,
        severity: Severity,
        code: Code,
        message: str,
        seen: str = "",
        expected: str = "",
        fix: str = "",
        variable: str = "",
    ) -> Finding:
        """Return a finding about this node."""
        return Finding(severity, code.value, self.host, message, seen, expected, fix, variable)


def name_gpu(gpu: Gpu) -> str:
    """Return a GPU's address, with its model where that is known."""
    place = gpu.pci_address or f"number {gpu.index}"
    return f"{place} ({gpu.model})" if gpu.model else place


def addresses(gpus: Iterable[Gpu]) -> str:
    """Return "0000:3b:00.0 and 0000:af:00.0"."""
    return join_names([gpu.pci_address for gpu in gpus], most=ADDRESSES_SHOWN)


def count_gpus(count: int, maker: str = "") -> str:
    """Return "1 GPU" or "3 NVIDIA GPUs"."""
    noun = f"{maker} GPU".strip()
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
