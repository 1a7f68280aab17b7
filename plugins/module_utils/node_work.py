# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a boot of a node, or the removal of its driver, would end."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

#: Device files that a program has open while it computes on a GPU.
_DEVICE = re.compile(r"/dev/(nvidia[0-9]+|kfd)")

#: Programs of the driver, of monitoring and of a desktop: they have GPUs open and are no work.
SERVICES = frozenset(
    {
        "nvidia-persiste",  # The kernel keeps 15 letters of a program's name.
        "nv-fabricmanage",
        "nv-hostengine",
        "dcgm-exporter",
        "dcgmi",
        "nvidia-device-p",  # nvidia-device-plugin, which k3s runs on every node with GPUs.
        "nvidia-smi",
        "rocm-smi",
        "amd-smi",
        "Xorg",
        "Xwayland",
        "gnome-shell",
        "kwin_wayland",
    }
)

#: Container and, with ".service", unit in which the exporter of the GPUs' vendor runs.
EXPORTER = "rackforge-gpu-exporter"
#: Containers of this collection: they may be ended, and come back by themselves.
OWN_CONTAINERS = ("ray", EXPORTER)
#: A process of which no more is known than that it is in some container.
OTHER_NAMESPACE = "another PID namespace"

#: Processes of Ray give themselves this title; its jobs are asked for at the head.
_RAY = "ray::"

#: Letters of a command that a message shows.
_SHOWN = 60


def _shortened(text: str) -> str:
    """Return the beginning of a command in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


@dataclass(frozen=True)
class Process:
    """A process, the device files that it has open, and the words of its command line.

    ``container`` is the name of the one that it is in, its identifier where no name is known,
    OTHER_NAMESPACE where neither is, and empty for a process of the node itself.
    """

    pid: int
    name: str
    command: str = ""
    open_files: tuple[str, ...] = ()
    container: str = ""

    @property
    def words(self) -> str:
        """Return the number, the beginning of the command line, and the container."""
        found = f"{self.pid} {_shortened(self.command or self.name)}"
        if not self.container:
            return found
        known = self.container != OTHER_NAMESPACE
        return f"{found} (in {'container ' if known else ''}{self.container})"

    def may_be_ended(self, own_containers: Collection[str]) -> bool:
        """Return whether it is in no container, or in one of ours: others are never touched."""
        return not self.container or self.container in own_containers


@dataclass(frozen=True)
class Machine:
    """What tells one machine from another; empty where it cannot be read."""

    machine_id: str = ""
    boot_id: str = ""

    def is_same(self, other: Machine) -> bool:
        """Return whether both are one machine; clones share a machine id, but no boot."""
        return bool(self.machine_id and self.boot_id) and self == other


@dataclass(frozen=True)
class Work:
    """What runs on a node. ``ray_active`` says whether ray.service runs there."""

    machine: Machine = Machine()
    ray_active: bool = False
    containers: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()


def gpu_processes(processes: Iterable[Process]) -> tuple[Process, ...]:
    """Return the processes that compute on a GPU, Ray's own and the driver's left out."""
    return tuple(
        process
        for process in processes
        if any(_DEVICE.fullmatch(path) for path in process.open_files)
        and process.name not in SERVICES
        and process.container != EXPORTER
        and not process.command.startswith(_RAY)
    )


def describe_jobs(jobs: Sequence[Mapping[str, Any]]) -> str:
    """Return the identifiers and commands of Ray's jobs."""
    rows = [(str(job.get("job_id")), _shortened(str(job.get("entrypoint") or ""))) for job in jobs]
    return "; ".join(" ".join(word for word in row if word) for row in rows)


def boot_obstacles(
    work: Work,
    control: Machine,
    connection: str,
    jobs: Optional[Sequence[Mapping[str, Any]]],
) -> list[str]:
    """Return why a node is not booted, a sentence each; nothing where a boot ends no work.

    ``jobs`` are those of Ray that have not ended, None where the head could not be asked.
    """
    found = []
    if connection == "local" or work.machine.is_same(control):
        found.append("this is the machine that Ansible runs on, boot it yourself")
    if jobs:
        found.append(f"Ray jobs have not ended: {describe_jobs(jobs)}")
    elif jobs is None and work.ray_active:
        found.append("ray.service runs here, and the head could not be asked for its jobs")
    if work.containers:
        found.append(f"containers of yours run: {', '.join(work.containers)}")
    if work.processes:
        shown = ", ".join(process.words for process in work.processes)
        found.append(f"programs of yours use a GPU: {shown}")
    return found
