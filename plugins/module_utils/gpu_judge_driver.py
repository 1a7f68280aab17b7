# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges NVIDIA's driver: is it there, in range, of one version, and does it answer.

Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.driver_range import (
    Position,
    bound_problem,
    describe_range,
    parse_version,
    position,
    same_version,
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
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Stack, Vendor

NVIDIA = Vendor.NVIDIA


def judge_secure_boot(case: Case, vendor: Vendor) -> Iterator[Finding]:
    """Yield that Secure Boot refuses the driver's module, or may refuse it once it is built."""
    node = case.node
    if not node.secure_boot or case.is_loaded(vendor) or node.module_signed:
        return
    if node.module_signed is None and case.expected.driver_required:
        return  # There is no module that could be refused.
    is_there = node.module_signed is False
    yield case.finding(
        Severity.ERROR if is_there else Severity.WARNING,
        Code.SECURE_BOOT_UNSIGNED,
        "Secure Boot is on, and the driver's kernel module is not signed with a key that the "
        "firmware knows: the kernel does not load it."
        if is_there
        else "Secure Boot is on. A driver module that is built on this node is loaded only if it "
        "is signed with a key that the firmware knows.",
        seen="Secure Boot on" + (", module without a signature" if is_there else ""),
        expected="a module signed with an enrolled key, or Secure Boot off",
        fix="mokutil --import /var/lib/dkms/mok.pub   (on the node; then boot it and confirm the "
        "key at its console, or switch Secure Boot off in the BIOS)",
    )


def judge_headers(case: Case, vendor: Vendor) -> Iterator[Finding]:
    """Yield that no module can be built for the running kernel."""
    node = case.node
    if node.kernel_headers is not False:
        return
    loaded = case.is_loaded(vendor)
    yield case.finding(
        Severity.NOTE if loaded else Severity.ERROR,
        Code.HEADERS_MISSING,
        "The files for building kernel modules are not installed for the running kernel. "
        + (
            "The loaded module does not need them; its next version does, unless it comes built."
            if loaded
            else "The driver's module cannot have been built for it."
        ),
        seen=f"no /lib/modules/{node.kernel or 'KERNEL'}/build",
        expected=f"the headers of kernel {node.kernel or 'that runs'}",
        fix=f"apt-get install linux-headers-{node.kernel or '$(uname -r)'}   (on EL: dnf install "
        f"kernel-devel-{node.kernel or '$(uname -r)'})",
    )


def judge_installed(case: Case, stack: Stack) -> Iterator[Finding]:
    """Yield why NVIDIA's driver does not run; nothing when it does."""
    if case.is_loaded(NVIDIA):
        return
    gpus = case.free(NVIDIA)
    if stack.package is None and stack.library is None:
        yield case.finding(
            Severity.ERROR,
            Code.DRIVER_MISSING,
            f"The node has {count_gpus(len(gpus), 'NVIDIA')} and no NVIDIA driver. {RAY_SEES_NONE}",
            seen="no kernel module nvidia, no libnvidia-ml.so.1, no driver package",
            expected=f"a driver of version "
            f"{describe_range(case.expected.min_version, case.expected.max_version)}",
            fix=f"{case.playbook()}   (with install_nvidia_driver=true; or install a driver "
            "yourself)",
            variable="install_nvidia_driver",
        )
        return
    causes = [*judge_secure_boot(case, NVIDIA)]
    if case.node.module_signed is None:  # Headers are what a module that is there does not need.
        causes += judge_headers(case, NVIDIA)
    yield from causes
    if not causes:
        yield case.finding(
            Severity.ERROR,
            Code.DRIVER_NOT_LOADED,
            f"NVIDIA's driver is installed and its kernel module is not loaded. {RAY_SEES_NONE}",
            seen=f"package {stack.package or 'unknown'}, library {stack.library or 'unknown'}, no "
            "module nvidia",
            expected="the module nvidia in /proc/modules",
            fix="modprobe nvidia; dmesg | grep -iE 'nvrm|nvidia' | tail   (on the node; after an "
            f"installation: {case.boot()})",
        )


def judge_range(case: Case, stack: Stack) -> Iterator[Finding]:
    """Yield which of the driver's versions lie outside the range, or cannot be read."""
    low, high = case.expected.min_version, case.expected.max_version
    problem = bound_problem(low, high)
    if problem:
        yield case.finding(
            Severity.ERROR,
            Code.RANGE_INVALID,
            f"The range of driver versions cannot be judged: {problem}.",
            seen=f"nvidia_driver_min_version={low}, nvidia_driver_max_version={high}",
            expected="branches or versions such as 530 and 590, or 535.104.05",
            fix="nvidia_driver_min_version=530 nvidia_driver_max_version=590   (in the inventory)",
            variable="nvidia_driver_min_version",
        )
        return
    runs = stack.loaded or stack.library or stack.package
    yield from _one_version(case, runs, "")
    if stack.loaded and same_version(stack.loaded, stack.package) is False:
        yield from _one_version(case, stack.package, " From the next boot on this one runs.")


def _one_version(case: Case, text: Optional[str], when: str) -> Iterator[Finding]:
    if text is None:
        return
    low, high = case.expected.min_version, case.expected.max_version
    version = parse_version(text)
    if version is None:
        yield case.finding(
            Severity.WARNING,
            Code.DRIVER_VERSION_UNREADABLE,
            "The driver's version cannot be read, so it was not compared with the range.",
            seen=repr(text[:80]),
            expected="a version such as 580.95.05",
            fix="cat /proc/driver/nvidia/version; nvidia-smi --version   (on the node)",
        )
        return
    where = position(version, low, high)
    if where is Position.INSIDE:
        return
    too_old = where is Position.BELOW
    yield case.finding(
        Severity.ERROR,
        Code.DRIVER_BELOW_RANGE if too_old else Code.DRIVER_ABOVE_RANGE,
        f"NVIDIA's driver {text} is {'older' if too_old else 'newer'} than what this cluster "
        f"supports.{when}",
        seen=text,
        expected=describe_range(low, high),
        fix=f"{case.playbook()} -e nvidia_driver_branch=580 -e nvidia_replace_driver=true   (or, "
        "if your software runs with this driver: "
        + (
            f"nvidia_driver_min_version={version[0]})"
            if too_old
            else f"nvidia_driver_max_version={version[0]})"
        ),
        variable="nvidia_driver_min_version" if too_old else "nvidia_driver_max_version",
    )


def judge_agreement(case: Case, stack: Stack) -> Iterator[Finding]:
    """Yield that module, library and package are not of one version: a boot is due."""
    loaded = stack.loaded
    if loaded is None:
        return
    if same_version(loaded, stack.library) is False:
        yield case.finding(
            Severity.ERROR,
            Code.LIBRARY_MISMATCH,
            "The kernel runs another version of NVIDIA's driver than the one whose library is "
            "installed. The driver was changed without a boot, and every program that asks it "
            f"fails. {RAY_SEES_NONE}",
            seen=f"module {loaded}, library {stack.library}, package {stack.package or 'unknown'}",
            expected="one version",
            fix=case.boot(),
        )
    elif same_version(loaded, stack.package) is False:
        yield case.finding(
            Severity.WARNING,
            Code.PACKAGE_MISMATCH,
            f"The package {stack.package_name or 'of the driver'} has another version than the "
            "driver that runs. A boot is due.",
            seen=f"module {loaded}, package {stack.package}",
            expected="one version",
            fix=case.boot(),
        )


def has_library_mismatch(stack: Stack) -> bool:
    """Return whether a changed library explains that the driver does not answer."""
    return same_version(stack.loaded, stack.library) is False


def judge_fabric_manager(case: Case, stack: Stack) -> Iterator[Finding]:
    """Yield what is wrong with the service that GPUs behind NVSwitch need to compute."""
    manager, loaded = stack.fabric_manager, stack.loaded
    if case.node.nvswitches < 1:
        return
    needs = (
        f"This node has {case.node.nvswitches} NVSwitch"
        f"{'' if case.node.nvswitches == 1 else 'es'}: until the fabric manager runs, programs "
        "fail with 'system not yet initialized'."
    )
    if manager.version is None and not manager.active:
        yield case.finding(
            Severity.ERROR,
            Code.FABRIC_MANAGER_MISSING,
            f"{needs} It is not installed.",
            seen="no package nvidia-fabricmanager",
            expected=f"nvidia-fabricmanager {loaded or 'of the version of the driver'}",
            fix=f"{case.playbook()} -e nvidia_fabric_manager=present",
            variable="nvidia_fabric_manager",
        )
        return
    if same_version(manager.version, loaded) is False:
        yield case.finding(
            Severity.ERROR,
            Code.FABRIC_MANAGER_MISMATCH,
            f"{needs} It starts only with a driver of exactly its own version.",
            seen=f"fabric manager {manager.version}, driver {loaded}",
            expected=f"fabric manager {loaded}",
            fix=f"{case.playbook()} -e nvidia_driver_version={loaded}",
            variable="nvidia_driver_version",
        )
    elif manager.active is False:
        yield case.finding(
            Severity.ERROR,
            Code.FABRIC_MANAGER_STOPPED,
            f"{needs} It does not run.",
            seen="nvidia-fabricmanager.service is not active",
            expected="active",
            fix="systemctl enable --now nvidia-fabricmanager.service; journalctl -u "
            "nvidia-fabricmanager -n 20   (on the node)",
        )


def judge_answer(case: Case, stack: Stack) -> Iterator[Finding]:
    """Yield in the driver's own words why it gave no list of GPUs."""
    if not case.is_loaded(NVIDIA) or has_library_mismatch(stack):
        return
    words = [f"{name}: {text}" for name, text in sorted(stack.errors.items())]
    if not case.has_answered(NVIDIA):
        yield case.finding(
            Severity.ERROR,
            Code.DRIVER_NOT_ANSWERING,
            "NVIDIA's driver is loaded and gives no list of its GPUs "
            f"({addresses(case.free(NVIDIA))} on the PCI bus). {RAY_SEES_NONE}",
            seen="; ".join(words) or stack.error or "no interface of the driver could be asked",
            expected="a list of GPUs from libnvidia-ml.so.1 or nvidia-smi",
            fix="nvidia-smi; dmesg | grep -iE 'nvrm|nvidia' | tail   (on the node; a driver that "
            f"hangs needs a boot: {case.boot()})",
        )
    elif stack.source != "nvml" and "nvml" in stack.errors:
        yield case.finding(
            Severity.WARNING,
            Code.DRIVER_INTERFACE_FAILED,
            f"{stack.source} lists the GPUs, and the library NVML does not. Ray asks NVML. "
            f"{RAY_SEES_NONE}",
            seen=f"nvml: {stack.errors['nvml']}",
            expected="a list of GPUs from libnvidia-ml.so.1",
            fix="ldconfig -p | grep libnvidia-ml.so.1   (on the node; it belongs to the driver's "
            "packages)",
        )
