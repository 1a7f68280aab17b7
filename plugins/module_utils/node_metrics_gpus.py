# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the GPUs of this node in a way that may be repeated every few seconds.

``gpu_read`` reads more and asks more programs. Here NVML is asked and, of AMD's GPUs, files of the
kernel. Nothing is asked of a driver that is not loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import gpu_system
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_join import join_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverView,
    GpuNode,
    Stack,
    Vendor,
    from_plain,
    to_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import (
    PciBus,
    read_bus,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_tree import (
    Tree,
    read_devices,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_state import (
    Installed,
)

_MODULES = {Vendor.NVIDIA: "nvidia", Vendor.AMD: "amdgpu"}
_DATABASES = (
    "/var/lib/dpkg/status",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite-wal",
    "/var/lib/rpm/Packages",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
)
_LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
)
#: Seconds that a driver gets, however many GPUs it starts anew: runs must not pile up.
_LONGEST_ANSWER = 60.0


class NoAnswerError(Exception):
    """A driver did not answer in time."""


@dataclass(frozen=True)
class GpuSource:
    """Where GPUs are read. ``lock`` is a file that a process holds which asks NVML."""

    command: Command
    tree: Tree
    lock: str

    def bus(self) -> tuple[PciBus, tuple[Vendor, ...]]:
        """Return the GPUs on the bus, and the vendors that have GPUs or a driver here."""
        bus = read_bus(read_devices(self.tree))
        if any(gpu.vendor is Vendor.AMD for gpu in bus.gpus):
            bus = self._without_integrated(bus)
        return bus, tuple(vendor for vendor in Vendor if self._concerns(bus, vendor))

    def _without_integrated(self, bus: PciBus) -> PciBus:
        from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_kfd import (
            integrated_addresses,
        )
        from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_tree import (
            read_kfd,
        )

        known = integrated_addresses(read_kfd(self.tree))
        return replace(bus, gpus=tuple(gpu for gpu in bus.gpus if gpu.address not in known))

    def _concerns(self, bus: PciBus, vendor: Vendor) -> bool:
        if any(gpu.vendor is vendor for gpu in bus.gpus):
            return True
        explained = any(gpu.vendor is vendor for gpu in bus.integrated)
        return self._is_loaded(vendor) and not explained

    def _is_loaded(self, vendor: Vendor) -> bool:
        return self.tree.exists(f"/sys/module/{_MODULES[vendor]}")

    def installed(self, vendors: Sequence[Vendor], known: Installed) -> Installed:
        """Return the driver packages; of unchanged package databases what is known already."""
        key = f"{','.join(vendors)} {self._databases()}"
        if not vendors or key == known.key:
            return replace(known, key=key) if vendors else Installed()
        from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import gpu_packages

        packages: dict[str, str] = {}
        for query in (gpu_packages.RPM_QUERY, gpu_packages.DPKG_QUERY):
            if self.command.find(query[0]) is not None:
                told = self.command.run([*query, *gpu_packages.NAME_PATTERNS]).out
                packages.update(gpu_packages.parse_listing(told))
        drivers = {vendor: gpu_packages.driver_package(packages, vendor) for vendor in vendors}
        return Installed(key, {v.value: found.version for v, found in drivers.items() if found})

    def _databases(self) -> str:
        times = (self.tree.changed_ns(path) for path in _DATABASES)
        return " ".join("-" if time is None else str(time) for time in times)

    def node(
        self,
        bus: PciBus,
        vendors: Sequence[Vendor],
        packages: Mapping[str, str],
        log: Sequence[str],
    ) -> tuple[GpuNode, str]:
        """Return the GPUs, and why a driver did not answer in time ("" when all did)."""
        found = {vendor: self._view(vendor, bus) for vendor in vendors}
        node = GpuNode(
            stacks=tuple(self._stack(vendor, packages.get(vendor.value)) for vendor in vendors),
            kernel_log=tuple(log),
        )
        views = {vendor: [view] for vendor, (view, _late) in found.items()}
        late = "; ".join(view.error or "" for view, is_late in found.values() if is_late)
        return join_node(node, bus, views), late

    def _stack(self, vendor: Vendor, package: Optional[str]) -> Stack:
        version = self.tree.text(f"/sys/module/{_MODULES[vendor]}/version")
        stack = Stack(vendor, loaded=gpu_system.first_version(version), package=package)
        if vendor is not Vendor.NVIDIA:
            return stack
        loaded = gpu_system.parse_nvidia_version(self.tree.text("/proc/driver/nvidia/version"))
        names = (self.tree.real_parts(f"{each}/libnvidia-ml.so.1")[-1] for each in _LIBRARIES)
        versions = (gpu_system.library_version(name) for name in names)
        return replace(
            stack,
            loaded=loaded.version or stack.loaded,
            library=next((version for version in versions if version), None),
        )

    def _view(self, vendor: Vendor, bus: PciBus) -> tuple[DriverView, bool]:
        """Return what a driver says, and whether it did not answer in time."""
        if not self._is_loaded(vendor):
            name = _MODULES[vendor]
            return DriverView(vendor.value, error=f"the kernel module {name} is not loaded"), False
        if vendor is Vendor.AMD:
            return self._amd(), False
        limit = gpu_system.answer_limit_seconds(sum(gpu.vendor is vendor for gpu in bus.gpus))
        return self._nvidia(min(limit, _LONGEST_ANSWER))

    def _nvidia(self, limit: float) -> tuple[DriverView, bool]:
        from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.bounded import (
            BoundedError,
            call_bounded,
        )

        try:
            return from_plain(DriverView, call_bounded(self._ask_nvml, limit)), False
        except BoundedError as problem:
            return DriverView("nvml", error=f"NVML: {problem}"), True

    def _ask_nvml(self) -> Any:
        """Return NVML's answer; run in a process of its own, which may never end."""
        import fcntl

        from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvml import read_nvml

        # Held until this process ends. One that hangs in the driver would otherwise be joined by
        # another one in each run.
        with open(self.lock, "w", encoding="ascii") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = "an earlier question to the driver has not come back yet"
                raise NoAnswerError(message) from None
            return to_plain(read_nvml())

    def _amd(self) -> DriverView:
        from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import amd_kfd
        from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_sysfs import (
            with_sysfs,
        )
        from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_tree import (
            read_amd_values,
            read_kfd,
        )

        view = amd_kfd.parse_topology(read_kfd(self.tree))
        gpus = tuple(
            with_sysfs(gpu, read_amd_values(self.tree, gpu.pci_address or "")) for gpu in view.gpus
        )
        return replace(view, gpus=gpus)
