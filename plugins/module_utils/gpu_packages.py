# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a node's packages are GPU driver, fabric manager, toolkit and ROCm, and their versions.

Package names are those of NVIDIA's and AMD's repositories, Debian, Ubuntu, EL and RPM Fusion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Vendor

#: What is asked of the package managers; the answers are sorted out below.
NAME_PATTERNS = (
    "nvidia-*",
    "libnvidia-compute*",
    "libnvidia-ml1",
    "cuda-drivers*",
    "kmod-nvidia*",
    "akmod-nvidia*",
    "xorg-x11-drv-nvidia*",
    "amdgpu-dkms",
    "rocm-core",
    "amd-container-toolkit",
)
DPKG_QUERY = (
    "dpkg-query",
    "--show",
    "--showformat",
    "${db:Status-Abbrev}\t${Package}\t${Version}\n",
)
RPM_QUERY = ("rpm", "--query", "--all", "--queryformat", "ii \t%{NAME}\t%{VERSION}-%{RELEASE}\n")

_BRANCH = r"(-\d{3})?(-server)?(-open)?"
# Best first: what a person installs, what brings the kernel module, what brings the library. All of
# a driver's packages have the driver's version.
_DRIVERS: Mapping[Vendor, Sequence[str]] = {
    Vendor.NVIDIA: (
        rf"nvidia-driver{_BRANCH}|nvidia-open{_BRANCH}|cuda-drivers{_BRANCH}",
        rf"nvidia-headless{_BRANCH}",
        rf"nvidia-dkms{_BRANCH}|nvidia-kernel-dkms|nvidia-(kernel-open|open-kernel)-dkms"
        r"|a?kmod-nvidia(-[a-z0-9.-]+)?",
        rf"nvidia-driver-cuda|xorg-x11-drv-nvidia(-cuda)?|libnvidia-compute{_BRANCH}"
        rf"|nvidia-utils{_BRANCH}|libnvidia-ml1|nvidia-smi",
    ),
    Vendor.AMD: ("amdgpu-dkms",),
}
_FABRIC_MANAGER = r"nvidia-fabric-?manager(-\d{3})?"
_TOOLKITS = {
    Vendor.NVIDIA: ("nvidia-container-toolkit", "nvidia-container-toolkit-base"),
    Vendor.AMD: ("amd-container-toolkit",),
}

# A driver's branch has three digits: kernel-bound packages of Ubuntu have the kernel's version.
_DRIVER_VERSION = {Vendor.NVIDIA: r"\d{3}(\.\d+)+", Vendor.AMD: r"\d+(\.\d+)+"}
#: AMD appends the ROCm or driver release to the versions of its packages: 6.8.5.60200 is 6.8.5.
_AMD_RELEASE = re.compile(r"(?<=\d)\.\d{5,}$")


class Installed(NamedTuple):
    """An installed package and its version without epoch and revision."""

    name: str
    version: str


def parse_listing(listing: str) -> dict[str, str]:
    """Return the installed packages of ``DPKG_QUERY`` or ``RPM_QUERY`` with their versions.

    Packages that are removed but not purged, or only unpacked, are left out.
    """
    rows = (line.split("\t") for line in listing.splitlines())
    return {
        row[1].partition(":")[0]: upstream_version(row[2])
        for row in rows
        if len(row) == 3 and row[0][1:2] == "i" and row[2]
    }


def upstream_version(version: str) -> str:
    """Return the version without the packager's epoch and revision: 3:580.95.05-1 is 580.95.05."""
    without_epoch = re.sub(r"^\d+:", "", version.strip())
    return without_epoch.rpartition("-")[0] or without_epoch


def driver_package(packages: Mapping[str, str], vendor: Vendor) -> Optional[Installed]:
    """Return the package that is the driver, None where the driver came without a package."""
    for names in _DRIVERS[vendor]:
        found = [
            Installed(name, bare_version(version, vendor))
            for name, version in sorted(packages.items())
            if re.fullmatch(names, name)
            and re.fullmatch(_DRIVER_VERSION[vendor], bare_version(version, vendor))
        ]
        if found:
            return max(found, key=lambda each: _numbers(each.version))
    return None


def bare_version(version: str, vendor: Vendor) -> str:
    """Return a package's version as the driver itself tells it."""
    if vendor is Vendor.AMD:
        return _AMD_RELEASE.sub("", version)
    # Ubuntu's archive rebuilds the same driver as 580.95.05+dfsg or 580.95.05~repack.
    return re.split(r"[+~]", version, maxsplit=1)[0]


def fabric_manager_version(packages: Mapping[str, str]) -> Optional[str]:
    """Return the version of the fabric manager's package, None without one."""
    found = [
        bare_version(version, Vendor.NVIDIA)
        for name, version in packages.items()
        if re.fullmatch(_FABRIC_MANAGER, name)
    ]
    return max(found, key=_numbers, default=None)


def toolkit_version(packages: Mapping[str, str], vendor: Vendor) -> Optional[str]:
    """Return the version of the container toolkit's package, None without one."""
    return next((packages[name] for name in _TOOLKITS[vendor] if name in packages), None)


def rocm_package_version(packages: Mapping[str, str]) -> Optional[str]:
    """Return the version of ROCm by its package rocm-core, None without one."""
    version = packages.get("rocm-core")
    return bare_version(version, Vendor.AMD) if version else None


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d{1,9}", version)]
