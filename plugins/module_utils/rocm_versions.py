# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases of ROCm and of AMD's driver fit each other, and the systems they are made for.

The table holds releases that are known to lie in AMD's repository. A release that is not in it is
refused: the folder of a new one may not be there yet (ROCm/ROCm issue 6156).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.plan_refusal import PlanError

_UBUNTU = ("ubuntu-22.04", "ubuntu-24.04")
_EL_2025 = ("el-8.10", "el-9.4", "el-9.6")
_SYSTEMS_7_0 = (*_UBUNTU, "debian-12", *_EL_2025)
_SYSTEMS_7_0_2 = (*_UBUNTU, "debian-12", "debian-13", *_EL_2025, "el-10.0")
_SYSTEMS_7_1_1 = (*_SYSTEMS_7_0_2, "el-9.7", "el-10.1")


class RocmError(PlanError):
    """ROCm cannot be had as asked for, and why. Nothing was changed."""


@dataclass(frozen=True)
class Release:
    """One release of ROCm: the driver that AMD made with it, and where its parts lie.

    ``graphics`` is the folder with the libraries of AMD's graphics stack; until 6.4 they lie beside
    the driver. ``systems`` are named as ``system_of`` names them.
    """

    rocm: str
    driver: str
    graphics: Optional[str]
    systems: tuple[str, ...]

    @property
    def series(self) -> str:
        """Return the first two numbers, such as 7.2."""
        return series_of(self.rocm)


#: Until 6.4 driver and ROCm carry one number; from 7.0 on the driver has its own.
#:
#: Pairs, and the systems of 7.x: conf.py and compatibility matrix of AMD's driver documentation
#: (ROCm/amdgpu-docs, 30.10.1, 30.10.2 and 30.30.3) and of its installation guide for 7.1.1 and
#: 7.2.1; systems of 6.2.2: ROCm/rocm-install-on-linux. That a folder is there: source lists which
#: users show in issues of ROCm/ROCm. 7.2.2 came before its driver 30.30.2, with which
#: it was announced, and AMD told people to take 30.30.1 (issue 6156).
RELEASES = (
    Release("6.2.2", "6.2.2", None, (*_UBUNTU, "el-8.9", "el-8.10", "el-9.3", "el-9.4")),
    Release("6.3.4", "6.3.4", None, _UBUNTU),
    Release("6.4.3", "6.4.3", None, (*_UBUNTU, "debian-12", *_EL_2025)),
    Release("6.4.4", "6.4.4", None, (*_UBUNTU, "debian-12", *_EL_2025)),
    Release("7.0", "30.10", "7.0", _SYSTEMS_7_0),
    Release("7.0.1", "30.10.1", "7.0.1", _SYSTEMS_7_0),
    Release("7.0.2", "30.10.2", "7.0.2", _SYSTEMS_7_0_2),
    Release("7.1", "30.20", "7.1", _SYSTEMS_7_0_2),
    Release("7.1.1", "30.20.1", "7.1.1", _SYSTEMS_7_1_1),
    Release("7.2", "30.30", "7.2", _SYSTEMS_7_1_1),
    Release("7.2.1", "30.30.1", "7.2.1", _SYSTEMS_7_1_1),
    Release("7.2.2", "30.30.1", "7.2.1", _SYSTEMS_7_1_1),
    Release("7.2.3", "30.30.3", "7.2.3", _SYSTEMS_7_1_1),
    Release("7.2.4", "30.30.4", "7.2.4", _SYSTEMS_7_1_1),
)

#: Which series of ROCm a series of the driver works with, as the compatibility matrices of the
#: driver's documentation say for 30.10.1 and 30.30.3; for the others only their own is known.
COMPATIBLE: Mapping[str, tuple[str, ...]] = {
    "6.2": ("6.2",),
    "6.3": ("6.3",),
    "6.4": ("6.4",),
    "30.10": ("6.2", "6.3", "6.4", "7.0"),
    "30.20": ("7.1",),
    "30.30": ("6.3", "6.4", "7.0", "7.1", "7.2"),
}

#: Suites of AMD's apt repositories. There is none for Debian: AMD's guide takes Ubuntu's.
SUITES: Mapping[str, str] = {
    "ubuntu-22.04": "jammy",
    "ubuntu-24.04": "noble",
    "debian-12": "jammy",
    "debian-13": "noble",
}


def series_of(version: str) -> str:
    """Return the first two numbers of a version."""
    return ".".join(version.split(".")[:2])


def same_release(one: str, other: str) -> bool:
    """Return whether two versions are one release: 7.2 writes itself 7.2.0 in some places."""
    return _numbers(one) == _numbers(other)


def _numbers(version: str) -> tuple[str, ...]:
    numbers = version.split("-")[0].split(".")
    while len(numbers) > 1 and numbers[-1] == "0":
        numbers.pop()
    return tuple(numbers)


def system_of(system: Mapping[str, str]) -> str:
    """Return the name that the table has for an operating system, as node_probe describes it."""
    name = "el" if system.get("family") == "RedHat" else system.get("id", "")
    return f"{name}-{system.get('version_id', '')}"


def release_of(version: str) -> Release:
    """Return a release of ROCm; RocmError lists those that are known."""
    found = next((each for each in RELEASES if same_release(each.rocm, version)), None)
    if found is None:
        raise RocmError(
            f"rocm_version is '{version}', expected one of "
            f"{', '.join(each.rocm for each in RELEASES)}. Nothing was changed",
            "rocm-version-unknown",
            "rocm_version",
            f"rocm_version={closest(version)}",
        )
    return found


def closest(version: str) -> str:
    """Return the newest known release that is not above ``version``, else the nearest."""
    wanted = [int(part) for part in re.findall(r"[0-9]{1,6}", version)]
    if not wanted:
        return RELEASES[-1].rocm
    below = [each.rocm for each in RELEASES if [int(n) for n in each.rocm.split(".")] <= wanted]
    return below[-1] if below else RELEASES[0].rocm


def drivers_for(release: Release) -> tuple[str, ...]:
    """Return the drivers that work with a release, its own one first."""
    fitting = {
        each.driver: None
        for each in RELEASES
        if release.series in COMPATIBLE[series_of(each.driver)]
    }
    return tuple(dict.fromkeys([release.driver, *fitting]))


def driver_for(release: Release, asked: Optional[str], system: str) -> str:
    """Return the driver to install: the asked one where it fits, else the release's own."""
    if not asked:
        return release.driver
    fitting = [name for name in drivers_for(release) if _made_for(name, system)]
    if f"{asked}0" in fitting:  # YAML reads 30.20 without quotes as the number 30.2.
        return f"{asked}0"
    if asked not in fitting:
        raise RocmError(
            f"rocm_driver_version is '{asked}', which is not known to work with ROCm "
            f"{release.rocm} on {system}, expected one of {', '.join(fitting)}. Nothing was "
            "changed; leave rocm_driver_version out for the first of them",
            "rocm-driver-pair",
            "rocm_driver_version",
            f"rocm_driver_version={fitting[0]}" if fitting else "",
        )
    return asked


def _made_for(driver: str, system: str) -> bool:
    return any(each.driver == driver and system in each.systems for each in RELEASES)


def check_system(release: Release, system: str, name: str) -> None:
    """Refuse a system that AMD does not make a release for, and say which release would do."""
    if system in release.systems:
        return
    others = [each.rocm for each in RELEASES if system in each.systems]
    instead = (
        f"set rocm_version to one that knows {system}: {', '.join(others)}"
        if others
        else "use a system of the list, have rocm_driver_source=existing and rocm_packages=[], or "
        "set rocm_system to the nearest one of the list and test it well"
    )
    raise RocmError(
        f"this node has {name or system} ({system}), and AMD makes ROCm {release.rocm} for "
        f"{', '.join(release.systems)}. Nothing was changed; {instead}",
        "rocm-system-unknown",
        "rocm_version",
        f"rocm_version={others[-1]}" if others else "",
    )
