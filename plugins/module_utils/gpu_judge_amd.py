# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges AMD's driver: amdgpu, its computing side KFD, and ROCm.

Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.driver_range import (
    parse_version,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_case import (
    RAY_SEES_NONE,
    Case,
    Code,
    addresses,
    count_gpus,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_driver import (
    judge_headers,
    judge_secure_boot,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Stack, Vendor
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import (
    COMPATIBLE,
)

AMD = Vendor.AMD
#: Which release of AMD's driver a version of the amdgpu module belongs to, as the versions of its
#: packages show (amdgpu-dkms 6.14.14.30100000 is driver 30.10). Later rows win.
DRIVERS = (
    ((6, 7), "6.1"),
    ((6, 8), "6.2"),
    ((6, 10), "6.3"),
    ((6, 12), "6.4"),
    ((6, 14), "30.10"),
    ((6, 16), "30.20"),
    ((6, 16, 13), "30.30"),
)
#: Releases of ROCm in their order, with the driver that came with each. AMD promises that two
#: releases apart still work together (ROCm documentation, user and kernel-space support matrix).
RELEASES = (
    ("6.0", "6.0"),
    ("6.1", "6.1"),
    ("6.2", "6.2"),
    ("6.3", "6.3"),
    ("6.4", "6.4"),
    ("7.0", "30.10"),
    ("7.1", "30.20"),
    ("7.2", "30.30"),
)
APART = 2


def judge_amd(case: Case, stack: Stack) -> Iterator[Finding]:
    """Yield what is wrong with AMD's driver and with ROCm."""
    if not case.is_loaded(AMD):
        yield from _not_loaded(case, stack)
        return
    yield from _packages(case, stack)
    if not case.has_answered(AMD):
        yield _no_kfd(case, stack)
        return
    if stack.runtime_version is None:
        yield case.finding(
            Severity.WARNING,
            Code.ROCM_MISSING,
            "AMD's driver runs and ROCm is not installed on the node. Containers may bring their "
            "own. What runs on the node itself cannot compute, and a Ray without a container "
            "(ray_runtime=venv) would report 0 GPUs and give no reason.",
            seen="no /opt/rocm/.info/version",
            expected="ROCm in a version that goes with the driver",
            fix=case.playbook(),
            variable="rocm_version",
        )
        return
    yield from _pair(case, stack, stack.runtime_version)


def _not_loaded(case: Case, stack: Stack) -> Iterator[Finding]:
    gpus = case.free(AMD)
    if stack.package is None:
        yield case.finding(
            Severity.ERROR,
            Code.DRIVER_MISSING,
            f"The node has {count_gpus(len(gpus), 'AMD')}, and the module amdgpu is neither loaded "
            f"nor installed by AMD's package. {RAY_SEES_NONE}",
            seen="no module amdgpu, no package amdgpu-dkms",
            expected="the module amdgpu at each GPU",
            fix=case.playbook(),
            variable="rocm_driver_source",
        )
        return
    causes = [*judge_secure_boot(case, AMD), *judge_headers(case, AMD)]
    yield from causes
    if not causes:
        yield case.finding(
            Severity.ERROR,
            Code.DRIVER_NOT_LOADED,
            f"AMD's driver is installed and its kernel module is not loaded. {RAY_SEES_NONE}",
            seen=f"package {stack.package}, no module amdgpu",
            expected="the module amdgpu in /proc/modules",
            fix="modprobe amdgpu; dmesg | grep -i amdgpu | tail   (on the node; after an "
            f"installation: {case.boot()})",
        )


def _packages(case: Case, stack: Stack) -> Iterator[Finding]:
    loaded, package = parse_version(stack.loaded), parse_version(stack.package)
    # The package's version may go on after the module's: 6.14.14.30100000 holds 6.14.14.
    if loaded is None or package is None or package[: len(loaded)] == loaded:
        return
    yield case.finding(
        Severity.WARNING,
        Code.PACKAGE_MISMATCH,
        f"The package {stack.package_name or 'amdgpu-dkms'} has another version than the driver "
        "that runs. A boot is due.",
        seen=f"module {stack.loaded}, package {stack.package}",
        expected="one version",
        fix=case.boot(),
    )


def _no_kfd(case: Case, stack: Stack) -> Finding:
    words = "; ".join(f"{name}: {text}" for name, text in sorted(stack.errors.items()))
    return case.finding(
        Severity.ERROR,
        Code.KFD_MISSING,
        f"amdgpu is loaded, and its computing side (KFD) shows no list of GPUs "
        f"({addresses(case.free(AMD))} on the PCI bus). {RAY_SEES_NONE}",
        seen=words or stack.error or "no /sys/class/kfd/kfd/topology/nodes",
        expected="/dev/kfd and a node for each GPU",
        fix="ls -l /dev/kfd; dmesg | grep -iE 'amdgpu|kfd' | tail   (on the node)",
    )


def driver_release(loaded: Optional[str]) -> Optional[str]:
    """Return the release of AMD's driver that a module's version belongs to, None if unknown."""
    version = parse_version(loaded)
    if version is None:
        return None
    fits = [name for numbers, name in DRIVERS if version[:2] == numbers[:2] and version >= numbers]
    return fits[-1] if fits else None


def _pair(case: Case, stack: Stack, rocm: str) -> Iterator[Finding]:
    """Yield that driver and ROCm are further apart than AMD supports, if both are known."""
    driver, version = driver_release(stack.loaded), parse_version(rocm)
    if driver is None or version is None or len(version) < 2:
        return
    series = f"{version[0]}.{version[1]}"
    order = {name: place for place, (name, _driver) in enumerate(RELEASES)}
    made_for = {of: place for place, (_name, of) in enumerate(RELEASES)}
    if series not in order or abs(order[series] - made_for[driver]) <= APART:
        return
    if series in COMPATIBLE.get(driver, ()):
        return
    own = RELEASES[made_for[driver]][0]
    yield case.finding(
        Severity.WARNING,
        Code.ROCM_DRIVER_PAIR,
        f"ROCm {rocm} and AMD's driver {driver} are further apart than AMD supports.",
        seen=f"ROCm {rocm}, module amdgpu {stack.loaded} (driver {driver})",
        expected=f"ROCm {own}, or a release at most {APART} away from it",
        fix=case.playbook(),
        variable="rocm_version",
    )
