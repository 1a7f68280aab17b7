# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an NVIDIA GPU node gets: whose driver stays, which one comes, what would have to go."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.driver_range import (
    Position,
    bound_problem,
    describe_range,
    parse_version,
    position,
    same_version,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    GpuNode,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_generation import (
    architecture,
    choose_kernel_module,
    kernel_modules,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_packages import (
    has_version,
    upstream,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.plan_refusal import PlanError

#: A driver's package is called like one and has a driver's version: 580.95.05, and not 1.17.8 as
#: the container toolkit has, nor 20220217 as Debian's helpers have.
_DRIVER_NAME = re.compile(
    r"(kmod-|lib|linux-(modules|objects)-)?(nvidia|cuda-drivers|cuda1|nvcuvid)"
)
_DRIVER_VERSION = re.compile(r"[3-9]\d\d\.\d+(\.\d+)?$")
#: Parts beside the driver that work with any of it, although some have versions like a driver's.
_BESIDE = re.compile(
    r"nvidia-(settings|prime|xconfig|modprobe|persistenced|firmware|installer-cleanup|imex)(-|$)"
)
_FABRIC = re.compile(r"nvidia-fabric-?manager")
_RUNFILE = re.compile(r"NVIDIA-Linux-[a-z0-9_]+-(\d{3}\.\d+(?:\.\d+)?)(?:-[a-z0-9-]+)?\.run$")


@dataclass(frozen=True)
class Wish:
    """What the role's inputs ask for."""

    source: str = "repository"
    branch: str = "580"
    version: Optional[str] = None
    lowest: Optional[str] = "530"
    highest: Optional[str] = "590"
    kernel_module: str = "auto"
    replace: bool = False
    fabric_manager: str = "auto"
    packages: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fabric_packages: Sequence[str] = ()
    companion_packages: Sequence[str] = ()
    header_packages: Sequence[str] = ()


@dataclass(frozen=True)
class Seen:
    """What the node shows. ``ours``: this role brought the driver, or began to.

    ``packages`` are all that are installed, by name; ``key_enrolled`` says whether the key with
    which modules are signed on this node is known to its firmware, None where there is no such key.
    """

    gpu: GpuNode
    packages: Mapping[str, str] = field(default_factory=dict)
    ours: bool = False
    has_runfile: bool = False
    key_enrolled: Optional[bool] = None


@dataclass(frozen=True)
class Plan:
    """What is going to be done.

    ``driver`` is install, or owner where the one that is there stays. ``going`` are packages that
    make way or change their version, ``yielding`` those that may go only where they stand in the
    way.
    """

    driver: str
    reason: str
    kernel_module: Optional[str] = None
    version: Optional[str] = None
    packages: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    going: tuple[str, ...] = ()
    yielding: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    uninstall_runfile: bool = False
    fabric_manager: bool = False


def driver_packages(packages: Mapping[str, str]) -> dict[str, str]:
    """Return the driver's packages among all that are installed, with their versions."""
    return {
        name: upstream(version)
        for name, version in sorted(packages.items())
        if _DRIVER_NAME.match(name)
        and _DRIVER_VERSION.match(upstream(version))
        and not _BESIDE.match(name)
    }


def runfile_version(path: str) -> Optional[str]:
    """Return 580.95.05 for NVIDIA-Linux-x86_64-580.95.05.run, None for another name."""
    found = _RUNFILE.search(path)
    return found[1] if found else None


def make_plan(wish: Wish, seen: Seen) -> Plan:
    """Return what to do; PlanError says why nothing can be done, and what to type."""
    ids = [gpu.device_id for gpu in seen.gpu.of_vendor(Vendor.NVIDIA) if gpu.device_id]
    _check_wish(wish)
    if wish.source == "existing":
        return _existing(wish, seen)
    if not seen.ours and _stays(wish, seen, ids):
        return Plan("owner", f"the driver {_present(seen)} that was here stays", version=None)
    module, problem = choose_kernel_module(ids, wish.kernel_module, wish.version or wish.branch)
    if module is None:
        raise _unfit(wish, problem)
    return _install(wish, seen, module)


def _unfit(wish: Wish, problem: str) -> PlanError:
    """Return the error about GPUs that the wanted module or branch does not drive."""
    text = f"{problem}. Nothing was changed"
    if problem.startswith("nvidia_kernel_module="):
        variable, fix = "nvidia_kernel_module", "nvidia_kernel_module=auto"
        return PlanError(text, "kernel-module-unfit", variable, fix)
    if problem.startswith("driver branch"):
        fix = "nvidia_driver_branch=580   (and no nvidia_driver_version)"
        return PlanError(text, "driver-branch-unfit", named(wish), fix)
    fix = "has_gpu=false   (for this node; or take out the GPU that is named)"
    return PlanError(text, "unsupported-generation", "has_gpu", fix)


def _install(wish: Wish, seen: Seen, module: str) -> Plan:
    """Return the plan for a driver that comes, or that this role brought."""
    wanted = wish.version or wish.branch
    names = tuple(wish.packages.get(module, ()))
    fabric = wish.fabric_manager == "present" or (
        wish.fabric_manager == "auto" and seen.gpu.nvswitches > 0
    )
    if fabric:
        names += tuple(wish.fabric_packages)
    going = _going(wish, seen, names, wanted)
    strange = bool(_versions(seen) or seen.has_runfile) and not seen.ours
    if strange and not wish.replace:
        raise PlanError(
            _explain_replacement(wish, seen, going, names),
            "driver-not-ours",
            "nvidia_replace_driver",
            "nvidia_replace_driver=true   (for this node; or bring its driver in order, with "
            "install_nvidia_driver=false)",
        )
    _check_secure_boot(seen)
    _check_names(wish, names)
    if fabric:
        _check_fabric_manager(wish, seen, wanted)
    headers = tuple(wish.header_packages) if seen.gpu.kernel_headers is False else ()
    beside = tuple(name for name in sorted(seen.packages) if _BESIDE.match(name))
    return Plan(
        driver="install",
        reason=f"driver {wanted} with the {module} kernel module",
        kernel_module=module,
        version=wanted,
        packages=names,
        companions=(*wish.companion_packages, *headers),
        going=going,
        yielding=beside,
        owners=() if seen.ours else beside,
        uninstall_runfile=strange and seen.has_runfile,
        fabric_manager=fabric,
    )


def _check_wish(wish: Wish) -> None:
    """Raise PlanError for inputs that contradict each other."""
    problem = bound_problem(wish.lowest, wish.highest)
    if problem:
        raise PlanError(
            f"nvidia_driver_min_version and nvidia_driver_max_version: {problem}. Nothing was "
            "changed",
            "range-invalid",
            "nvidia_driver_min_version",
            "nvidia_driver_min_version=530 nvidia_driver_max_version=590",
        )
    asked, name = wish.version or wish.branch, named(wish)
    version = parse_version(asked)
    if version is None:
        raise PlanError(
            f"{name} is '{asked}', expected such as 580.95.05 or 580",
            "value-invalid",
            name,
            "nvidia_driver_branch=580   (and no nvidia_driver_version)",
        )
    where = position(version, wish.lowest, wish.highest)
    if where is not Position.INSIDE:
        raise PlanError(
            f"{name} is {asked}, expected {describe_range(wish.lowest, wish.highest)} "
            "(nvidia_driver_min_version, nvidia_driver_max_version). Nothing was changed",
            "driver-choice-outside-range",
            name,
            f"nvidia_driver_branch=580   (or {_widened(version, where)}, if your software runs "
            "with it)",
        )


def named(wish: Wish) -> str:
    """Return the input that says which driver is wanted."""
    return "nvidia_driver_version" if wish.version else "nvidia_driver_branch"


def _widened(version: Sequence[int], where: Position) -> str:
    """Return the bound that lets a version in."""
    bound = "min" if where is Position.BELOW else "max"
    return f"nvidia_driver_{bound}_version={version[0]}"


def _versions(seen: Seen) -> list[str]:
    """Return the versions of the driver that is there, from what runs or else from packages."""
    stack = seen.gpu.stack(Vendor.NVIDIA)
    known = (stack.loaded, stack.library, stack.package) if stack else ()
    found = {each for each in known if each}
    return sorted(found or set(driver_packages(seen.packages).values()))


def _present(seen: Seen) -> str:
    return " and ".join(_versions(seen)) or "(none)"


def _outside(wish: Wish, seen: Seen) -> list[str]:
    """Return the versions that are there and that the range does not hold."""
    return [
        text
        for text in _versions(seen)
        if position(parse_version(text) or (0,), wish.lowest, wish.highest) is not Position.INSIDE
    ]


def _existing(wish: Wish, seen: Seen) -> Plan:
    """Return the plan for a driver that is the owner's business."""
    bounds = describe_range(wish.lowest, wish.highest)
    said = "nvidia_driver_source=existing (install_nvidia_driver=false)"
    if not _versions(seen):
        raise PlanError(
            f"{said}: saw no driver, expected {bounds}. Nothing was changed; install one yourself, "
            "or set install_nvidia_driver=true for this node",
            "driver-missing",
            "install_nvidia_driver",
            f"install_nvidia_driver=true   (for this node; or install a driver of {bounds} on it)",
        )
    if _outside(wish, seen):
        raise PlanError(
            f"{said}: saw driver {_present(seen)}, expected {bounds}. Nothing was changed; bring "
            "another one yourself, widen nvidia_driver_min_version and nvidia_driver_max_version, "
            "or set install_nvidia_driver=true and nvidia_replace_driver=true for this node",
            "driver-outside-range",
            "install_nvidia_driver",
            "install_nvidia_driver=true nvidia_replace_driver=true   (for this node; or bring "
            f"another driver of {bounds} on it)",
        )
    return Plan("owner", f"driver {_present(seen)} is the owner's")


def _stays(wish: Wish, seen: Seen, ids: Sequence[str]) -> bool:
    """Return whether there is a driver of the owner's that serves."""
    versions = _versions(seen)
    if not versions or _outside(wish, seen):
        return False
    if wish.version and not all(same_version(each, wish.version) for each in versions):
        return False
    stack = seen.gpu.stack(Vendor.NVIDIA)
    is_open = stack.is_open if stack else None
    # A GPU newer than the table is driven by a driver that serves, as far as is known here.
    known = [each for each in ids if architecture(each)]
    fitting = kernel_modules(known)
    if is_open is None or not known or (is_open and not fitting.open_problem):
        return True
    return is_open is False and not fitting.proprietary_problem


def _going(wish: Wish, seen: Seen, names: Sequence[str], wanted: str) -> tuple[str, ...]:
    """Return the driver's packages that make way or change their version; none if all is right."""
    others = {name for each in wish.packages.values() for name in each} - set(names)
    return tuple(
        name
        for name, version in driver_packages(seen.packages).items()
        if name in others or not has_version(version, wanted)
    )


def _explain_replacement(wish: Wish, seen: Seen, going: Sequence[str], names: Sequence[str]) -> str:
    coming = ", ".join(names) or "the driver of nvidia_runfile"
    files = "what nvidia-uninstall removes" if seen.has_runfile else "nothing"
    leaving = ", ".join(going) or files
    expected = wish.version or describe_range(wish.lowest, wish.highest)
    asked = wish.version or wish.branch
    return (
        f"this node has NVIDIA driver {_present(seen)}, expected {expected}. The plan: take away "
        f"or change {leaving}; install {coming} of {asked}; the node may need a boot then. Nothing "
        "was changed. Set nvidia_replace_driver=true for this node to do it, or bring the driver "
        "in order yourself and set install_nvidia_driver=false"
    )


def _check_secure_boot(seen: Seen) -> None:
    """Refuse a module that is built on the node where the firmware lets only signed ones in."""
    stack = seen.gpu.stack(Vendor.NVIDIA)
    runs = bool(stack and stack.loaded) or seen.gpu.module_signed is True
    if not seen.gpu.secure_boot or seen.key_enrolled or runs:
        return
    raise PlanError(
        "Secure Boot is on, and the kernel refuses modules that are built on this node until their "
        "key is enrolled. Nothing was changed. Switch Secure Boot off in the firmware, or make the "
        "key and enrol it: 'dkms generate_mok', 'mokutil --import /var/lib/dkms/mok.pub', boot, "
        "and say yes on the console; then run this again",
        "secure-boot-unsigned",
        fix="dkms generate_mok; mokutil --import /var/lib/dkms/mok.pub   (on the node; then boot "
        "it and confirm the key at its console, or switch Secure Boot off in the firmware)",
    )


def _check_names(wish: Wish, names: Sequence[str]) -> None:
    if not names and wish.source != "runfile":
        raise PlanError(
            f"nvidia_driver_source={wish.source}: no package names are known for this system. "
            "Nothing was changed; set nvidia_driver_source=repository or nvidia_driver_packages",
            "driver-packages-unknown",
            "nvidia_driver_source",
            "nvidia_driver_source=repository",
        )


def _check_fabric_manager(wish: Wish, seen: Seen, wanted: str) -> None:
    """Refuse a source without the fabric manager, where it is needed and not there either."""
    there = any(
        _FABRIC.match(name) and has_version(version, wanted)
        for name, version in seen.packages.items()
    )
    if wish.fabric_packages or there:
        return
    raise PlanError(
        f"nvidia_fabric_manager={wish.fabric_manager}: saw {seen.gpu.nvswitches} NVSwitch bridges "
        f"and no fabric manager of {wanted}, and nvidia_driver_source={wish.source} has none. "
        "Nothing was changed. Set nvidia_driver_source=repository, install "
        f"nvidia-fabricmanager of {wanted} yourself, or set nvidia_fabric_manager=absent",
        "fabric-manager-missing",
        "nvidia_fabric_manager",
        "nvidia_driver_source=repository   (or install nvidia-fabricmanager yourself, or "
        "nvidia_fabric_manager=absent)",
    )
