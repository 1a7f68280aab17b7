# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that have an NVIDIA GPU open, and so keep its driver from being taken out."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterable

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links_sockets import (
    unit_and_container,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_work import (
    OTHER_NAMESPACE,
    Process,
)

#: Device files of the driver, of which one that is open keeps its module in use.
_DEVICE = re.compile(r"/dev/nvidia([0-9]+|ctl|-uvm|-modeset)")
#: Any device file of a GPU: only of a process that has one open it is asked where it lives.
_OF_A_GPU = re.compile(r"/dev/(nvidia|kfd)")
#: Letters of a container's identifier that are shown, as Docker Engine does.
_SHOWN = 12
#: The driver's own services, as the kernel shortens their names, and a program that soon ends.
DRIVER_OWN = frozenset({"nvidia-persiste", "nv-fabricmanage", "nvidia-smi"})


def read_text(path: str) -> str:
    """Return what a small file says, empty where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(65536).decode("utf-8", "replace").strip()
    except OSError:  # The process ended meanwhile.
        return ""


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:  # The file was closed meanwhile.
        return ""


def read_processes(proc: str = "/proc") -> list[Process]:
    """Return all processes that are there now; those of other users need root."""
    return [_read(proc, folder) for folder in sorted(glob.glob(f"{proc}/[0-9]*"))]


def _read(proc: str, folder: str) -> Process:
    open_files = tuple(_target(link) for link in glob.glob(f"{folder}/fd/*"))
    uses_gpu = any(_OF_A_GPU.match(path) for path in open_files)
    return Process(
        pid=int(os.path.basename(folder)),
        name=read_text(f"{folder}/comm"),
        command=" ".join(read_text(f"{folder}/cmdline").split("\0")).strip(),
        open_files=open_files,
        container=_container(proc, folder) if uses_gpu else "",
    )


def _container(proc: str, folder: str) -> str:
    """Return what is known of the container of a process, empty for one of the node itself."""
    cgroup, around = read_text(f"{folder}/cgroup"), read_text(f"{proc}/1/cgroup")
    _unit, identifier = unit_and_container(cgroup, around)
    if identifier:
        return identifier[:_SHOWN]
    own, node = _target(f"{folder}/ns/pid"), _target(f"{proc}/1/ns/pid")
    return OTHER_NAMESPACE if own and node and own != node else ""


def driver_users(
    processes: Iterable[Process], without: Collection[str] = DRIVER_OWN
) -> list[Process]:
    """Return the processes that keep the driver in use.

    Unlike before a boot, monitoring, screens and Ray's own processes count: they stand in the way
    of taking the module out, and nobody has asked the head for Ray's jobs.
    """
    return [
        process
        for process in processes
        if process.name not in without
        and any(_DEVICE.fullmatch(path) for path in process.open_files)
    ]
