# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node must be, as data: minima, free space, distributions. Every number has its source.

A machine sold with 16 GiB shows the kernel a little less, and a disk of 200 GiB gives file systems
a little less: ALLOWANCE of a minimum is forgiven. It is this collection's own number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Severity
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    HEAD,
    K3S_AGENT,
    K3S_SERVER,
    WORKER,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    K3S,
    K3S_HA,
    MANAGEMENT,
    RAY,
)

#: Groups of nodes by what they are for.
RAY_GROUPS = (HEAD, WORKER)
K3S_GROUPS = (K3S_SERVER, K3S_AGENT)

ALLOWANCE = 0.1

_GIB = 1024
#: Documents that write GB mean 10^9 bytes; in MiB.
_GB = 1_000_000_000 / (1024 * 1024)


@dataclass(frozen=True)
class Minimum:
    """The least that a source asks of the nodes in ``groups`` where one of ``profiles`` is wanted.

    ``cpus`` are processors that the system has online, ``memory_mib`` is all memory and
    ``disk_mib`` the disk that / lies on.
    """

    profiles: frozenset[str]
    groups: tuple[str, ...]
    source: str
    severity: Severity = Severity.WARNING
    cpus: Optional[int] = None
    memory_mib: Optional[int] = None
    disk_mib: Optional[int] = None


K3S_PROFILES = frozenset({K3S, K3S_HA, MANAGEMENT})

#: From the strictest to the mildest source, errors before warnings: of several that a node falls
#: short of, the first is told.
MINIMA = (
    # k3s does not refuse to start below its own figures, but it does not stay up either.
    Minimum(
        profiles=K3S_PROFILES,
        groups=(K3S_SERVER,),
        source="k3s documentation, Requirements: 2 GB for a server",
        severity=Severity.ERROR,
        memory_mib=int(2 * _GB),
    ),
    Minimum(
        profiles=K3S_PROFILES,
        groups=(K3S_AGENT,),
        source="k3s documentation, Requirements: 512 MB for an agent",
        severity=Severity.ERROR,
        memory_mib=512,
    ),
    # "Resource configuration": 200 GiB, at least 8 vCPU, at least 16 GiB. Ray runs with less.
    Minimum(
        profiles=frozenset({RAY}),
        groups=RAY_GROUPS,
        source="Neutree, Node requirements: 8 vCPU, 16 GiB, system disk 200 GiB",
        cpus=8,
        memory_mib=16 * _GIB,
        disk_mib=200 * _GIB,
    ),
    # "At-least 3 worker nodes with 40GB HDD and 8GB RAM".
    Minimum(
        profiles=frozenset({MANAGEMENT}),
        groups=(K3S_AGENT,),
        source="AIGr.id, Cluster requirements: 40 GB HDD, 8 GB RAM",
        memory_mib=int(8 * _GB),
        disk_mib=int(40 * _GB),
    ),
    # "2 cores, 4GB memory, 10GB storage space for Master and Worker".
    Minimum(
        profiles=frozenset({K3S, K3S_HA}),
        groups=K3S_GROUPS,
        source="ConvectHub, Hardware: 2 cores, 4 GB, 10 GB",
        cpus=2,
        memory_mib=int(4 * _GB),
        disk_mib=int(10 * _GB),
    ),
)

#: AIGr.id: "At-least 3 worker nodes"; its databases have three replicas on workers of their own.
MANAGEMENT_WORKERS = 3

#: MiB free before Ray is installed, by runtime, where its programs go: below the first it cannot
#: be (error), below the second a larger image of yours would not fit (warning). All four are this
#: collection's own. The image: its Python packages alone take 1.6 GiB (ray-project/ray#48874), and
#: Docker Engine keeps a layer twice while it unpacks it; images with CUDA take about 10 GiB. The
#: virtual environment of Ray 2.60 takes 0.4 GiB, and pip wants as much again.
RAY_SPACE_MIB = {"container": (4 * _GIB, 20 * _GIB), "venv": (1 * _GIB, 4 * _GIB)}

#: Part of a file system that may be used before Ray makes no more objects there
#: (local_fs_capacity_threshold of Ray, 0.95).
RAY_MOST_USED = 0.95

#: Part of a file system that must be free, or k3s' kubelet evicts pods (eviction-hard, as k3s
#: starts its kubelet: imagefs.available<5%,nodefs.available<5%).
K3S_LEAST_FREE = 0.05

#: Files that a file system must have room for, or a tenth of its own where that is less. This
#: collection's own number.
LEAST_INODES = 100_000

#: Part of the memory that Ray's object store takes by default (Ray, Memory Management).
OBJECT_STORE_PART = 0.3

#: MiB free that pip's builds and Ansible's modules want on /tmp, and any runtime at all. Our own.
TMP_MIB = {"venv": 1 * _GIB, "container": 64}

#: Distributions and versions of the support table, by the ID of os-release. Enterprise Linux is
#: told by its major version.
SUPPORTED: Mapping[str, tuple[str, ...]] = {
    "debian": ("12", "13"),
    "ubuntu": ("22.04", "24.04"),
    "rhel": ("8", "9", "10"),
    "rocky": ("8", "9", "10"),
    "almalinux": ("8", "9", "10"),
}
SUPPORT_TABLE = "Debian 12, 13, Ubuntu 22.04, 24.04, Rocky, RHEL or AlmaLinux 8, 9, 10"
#: Families whose package managers our roles know.
FAMILIES = ("Debian", "RedHat")
#: Machine types that Ray has wheels and images for.
ARCHITECTURES = ("x86_64", "aarch64")
#: The oldest kernel of the support table, that of Enterprise Linux 8.
OLDEST_KERNEL = (4, 18)

#: Seconds between a clock and the others: the first makes logs and leases disagree, from the
#: second on certificates and tokens count as not valid yet, or no more. Our own numbers.
CLOCK_WARNING_SECONDS = 2.0
CLOCK_ERROR_SECONDS = 60.0
