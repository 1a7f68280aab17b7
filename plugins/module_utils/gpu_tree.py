# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the kernel shows of a node's GPUs in /sys and /proc. A missing file is empty."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import amd_sysfs
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_kfd import (
    NODES_DIRECTORY,
    KfdNode,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import (
    RawDevice,
    normal_address,
    vendor_of,
)

_DEVICES = "/sys/bus/pci/devices"
#: The standard header of the configuration space; everybody may read it.
_CONFIG_BYTES = 64
_LARGEST_FILE = 1 << 20
_LINK = ("current_link_speed", "current_link_width", "max_link_speed", "max_link_width")
_GPU = ("subsystem_vendor", "subsystem_device", "resource", "numa_node")
#: Between a GPU and its slot lie at most the two bridges of its card.
_PORTS_ABOVE = 3


@dataclass(frozen=True)
class Tree:
    """The file tree of a node; ``root`` is another one than / in tests only."""

    root: str = "/"

    def path(self, path: str) -> str:
        """Return where a path of the node lies."""
        return os.path.join(self.root, path.lstrip("/"))

    def data(self, path: str, most: int = _LARGEST_FILE) -> Optional[bytes]:
        """Return the beginning of a file, None when it cannot be read."""
        try:
            with open(self.path(path), "rb", buffering=0) as file:
                return file.read(most)
        except (OSError, ValueError):
            return None

    def text(self, path: str) -> str:
        """Return the text of a file, "" when it cannot be read; foreign bytes are replaced."""
        return (self.data(path) or b"").decode("utf-8", "replace")

    def exists(self, path: str) -> bool:
        """Return whether there is such a file or folder."""
        return os.path.exists(self.path(path))

    def changed_ns(self, path: str) -> Optional[int]:
        """Return when a file changed last, None when there is none."""
        try:
            return os.stat(self.path(path)).st_mtime_ns
        except OSError:
            return None

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, none when it cannot be read."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []

    def link_name(self, path: str) -> Optional[str]:
        """Return the last part of what a link points to, None when there is no link."""
        try:
            return os.path.basename(os.readlink(self.path(path)))
        except OSError:
            return None

    def real_parts(self, path: str) -> list[str]:
        """Return the folders and the name under which a path really lies."""
        return os.path.realpath(self.path(path)).split(os.sep)


def read_devices(tree: Tree) -> list[RawDevice]:
    """Return the PCI devices of the node: kind and maker of all, more of GPUs and their slots."""
    kinds = {}
    for name in tree.names(_DEVICES):
        if normal_address(name) == name:
            kinds[name] = _device(tree, name, ("class", "vendor"))
    devices = dict(kinds)
    for device in kinds.values():
        if vendor_of(device) is not None:
            devices[device.address] = _gpu(tree, device)
            for port in _ports_above(tree, device.address):
                devices[port] = _device(tree, port, ("class", "vendor", "device", *_LINK))
    return list(devices.values())


def _device(tree: Tree, address: str, names: Iterable[str]) -> RawDevice:
    folder = f"{_DEVICES}/{address}"
    texts = {name: tree.text(f"{folder}/{name}") for name in names}
    return RawDevice(address, texts, parent=_parent(tree, address))


def _gpu(tree: Tree, kind: RawDevice) -> RawDevice:
    folder = f"{_DEVICES}/{kind.address}"
    texts = {name: tree.text(f"{folder}/{name}") for name in ("device", *_LINK, *_GPU)}
    return RawDevice(
        address=kind.address,
        attributes={**kind.attributes, **texts},
        config=tree.data(f"{folder}/config", _CONFIG_BYTES) or b"",
        driver=tree.link_name(f"{folder}/driver"),
        parent=kind.parent,
        physical_function=tree.link_name(f"{folder}/physfn"),
    )


def _parent(tree: Tree, address: str) -> Optional[str]:
    """Return the port above a device: the folder that its real folder lies in."""
    above = tree.real_parts(f"{_DEVICES}/{address}")[-2:-1]
    return normal_address(above[0]) if above else None


def _ports_above(tree: Tree, address: str) -> list[str]:
    ports: list[str] = []
    above = _parent(tree, address)
    while above and len(ports) < _PORTS_ABOVE and tree.exists(f"{_DEVICES}/{above}"):
        ports.append(above)
        above = _parent(tree, above)
    return ports


def read_kfd(tree: Tree) -> list[KfdNode]:
    """Return the processors and GPUs that the compute part of amdgpu lists."""
    names = [name for name in tree.names(NODES_DIRECTORY) if name.isascii()]
    numbers = [int(name) for name in names if name.isdigit()]
    return [_kfd_node(tree, number) for number in sorted(numbers)]


def _kfd_node(tree: Tree, number: int) -> KfdNode:
    folder = f"{NODES_DIRECTORY}/{number}"
    banks = [f"{folder}/mem_banks/{bank}/properties" for bank in tree.names(f"{folder}/mem_banks")]
    return KfdNode(
        number=number,
        properties=tree.text(f"{folder}/properties"),
        gpu_id=tree.text(f"{folder}/gpu_id"),
        mem_banks=tuple(tree.text(bank) for bank in banks),
    )


def read_amd_values(tree: Tree, address: str) -> dict[str, str]:
    """Return the texts of what amdgpu writes of a GPU, by the names in amd_sysfs."""
    folder = f"{_DEVICES}/{address}"
    texts = {name: tree.text(f"{folder}/{name}") for name in amd_sysfs.FILES}
    for sensors in tree.names(f"{folder}/hwmon")[:1]:
        for name in amd_sysfs.SENSORS:
            texts[name] = tree.text(f"{folder}/hwmon/{sensors}/{name}")
    return texts
