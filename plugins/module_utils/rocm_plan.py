# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role rocm installs on a node, planned from its inputs and from what the node is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_repository import (
    TOOLKIT,
    Wanted,
    repositories,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import (
    SUITES,
    RocmError,
    check_system,
    driver_for,
    release_of,
    same_release,
    system_of,
)

DRIVER = "amdgpu-dkms"
#: Kernels with which Ubuntu's releases began; a later one comes from the hardware enablement stack.
_UBUNTU_KERNELS = {"22.04": "5.15.", "24.04": "6.8."}


@dataclass(frozen=True)
class Inputs:
    """The role's inputs as far as they decide what is installed."""

    version: str
    driver_source: str
    packages: tuple[str, ...]
    repository_url: str
    toolkit_source: str
    container_engines: tuple[str, ...]
    driver_version: Optional[str] = None
    system: Optional[str] = None
    package_dir: Optional[str] = None
    toolkit_package_dir: Optional[str] = None
    toolkit_repository_url: Optional[str] = None
    toolkit_version: Optional[str] = None
    secure_boot_enrolled: bool = False

    @property
    def with_driver(self) -> bool:
        """Return whether the driver comes from here."""
        return self.driver_source == "repository"

    @property
    def with_toolkit(self) -> bool:
        """Return whether the container toolkit comes from here."""
        return bool(self.container_engines) and self.toolkit_source != "existing"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Inputs:
        """Return the inputs as the role's variables have them; empty texts count as not set.

        A version may come as a number, where YAML took 7.2 for one.
        """
        lists = ("packages", "container_engines")
        given: dict[str, Any] = {
            key: value if isinstance(value, bool) else str(value)
            for key, value in values.items()
            if value not in (None, "") and key not in lists
        }
        given.update({name: tuple(values.get(name) or ()) for name in lists})
        return cls(**given)


@dataclass(frozen=True)
class NodeFacts:
    """What was found out about the node before. None is what is not known."""

    os: Mapping[str, str]
    kernel: str = ""
    architecture: str = ""
    kernel_headers: Optional[bool] = None
    secure_boot: Optional[bool] = None
    amdgpu_loaded: bool = False
    rocm_version: Optional[str] = None

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> NodeFacts:
        """Return the node from ansible_facts, as node_probe and gpu_info fill them."""
        probed: Mapping[str, Any] = facts.get("gpu_cluster") or {}
        gpu: Mapping[str, Any] = facts.get("gpu") or {}
        stacks = [each for each in gpu.get("stacks") or () if each.get("vendor") == "amd"]
        held = [each.get("kernel_driver") for each in gpu.get("gpus") or ()]
        held += [each.get("driver") for each in gpu.get("integrated") or ()]
        return cls(
            os=probed.get("os") or {},
            kernel=gpu.get("kernel") or probed.get("kernel") or "",
            architecture=probed.get("architecture") or "",
            kernel_headers=gpu.get("kernel_headers"),
            secure_boot=gpu.get("secure_boot"),
            amdgpu_loaded="amdgpu" in held,
            rocm_version=stacks[0].get("runtime_version") if stacks else None,
        )


def plan(inputs: Inputs, node: NodeFacts) -> dict[str, Any]:
    """Return everything that the role brings, as plain data; RocmError says what cannot be.

    ``packages`` is what can be installed at once. ``toolkit_packages`` is the container toolkit,
    whose own package refuses to be installed before the driver is loaded.
    """
    system = inputs.system or system_of(node.os)
    wanted = _wanted(inputs, node, system)
    found = repositories(wanted)
    names = list(inputs.packages)
    if inputs.with_driver:
        names = [*kernel_packages(node, system), DRIVER, *names]
    if wanted.toolkit and node.amdgpu_loaded and not inputs.package_dir:
        names.append(TOOLKIT)
    return {
        "driver_version": wanted.driver,
        "rocm_version": wanted.release.rocm,
        "prefix": prefix_of(wanted.release.rocm),
        "key_url": found.key_url,
        "key_file": found.key_file,
        "files": dict(found.files),
        "packages": names,
        "toolkit_packages": [TOOLKIT] if inputs.with_toolkit else [],
    }


def prefix_of(version: str) -> str:
    """Return the folder of a release of ROCm; its name has three numbers always."""
    return f"/opt/rocm-{version}" + (".0" if version.count(".") == 1 else "")


def _wanted(inputs: Inputs, node: NodeFacts, system: str) -> Wanted:
    """Return what is to come from AMD's repositories, after everything was checked."""
    release, driver = release_of(inputs.version), None
    _check_toolkit_folder(inputs)
    _check_rocm(inputs, node)
    if inputs.with_driver or inputs.packages:
        _check_architecture(node)
        check_system(release, system, node.os.get("name", ""))
    if inputs.with_driver:
        _check_secure_boot(inputs, node)
        driver = driver_for(release, inputs.driver_version, system)
    online = not inputs.package_dir
    return Wanted(
        url=inputs.repository_url,
        release=release,
        system=system,
        driver=driver if online else None,
        rocm=online and bool(inputs.packages),
        toolkit=inputs.with_toolkit and inputs.toolkit_source == "repository",
        toolkit_url=inputs.toolkit_repository_url,
        toolkit_version=inputs.toolkit_version,
    )


def _check_toolkit_folder(inputs: Inputs) -> None:
    from_files = inputs.with_toolkit and inputs.toolkit_source == "packages"
    if from_files and not inputs.toolkit_package_dir:
        raise RocmError(
            "rocm_toolkit_source=packages, but rocm_toolkit_package_dir is not set. Nothing was "
            "changed; point it at the folder with the package of the AMD container toolkit",
            "value-missing",
            "rocm_toolkit_package_dir",
            "rocm_toolkit_package_dir=/srv/rocm-packages",
        )


def _check_architecture(node: NodeFacts) -> None:
    if node.architecture not in ("", "x86_64"):
        raise RocmError(
            f"this node is {node.architecture}, and AMD makes driver and ROCm for x86_64. Nothing "
            "was changed; set has_gpu=false for it",
            "rocm-system-unknown",
            "has_gpu",
            "has_gpu=false   (for this node)",
        )


def _check_rocm(inputs: Inputs, node: NodeFacts) -> None:
    seen = node.rocm_version
    if not inputs.packages or not seen or same_release(seen, inputs.version):
        return
    raise RocmError(
        f"ROCm {seen} is installed, and rocm_version is {inputs.version}; parts of two releases do "
        f"not work together. Nothing was changed; set rocm_version={seen} for this node, or "
        "rocm_packages=[] to leave its ROCm alone, or take it out first (reset.yml what "
        "provision.yml brought, amdgpu-uninstall what AMD's installer did)",
        "rocm-of-another-release",
        "rocm_version",
        f"rocm_version={seen}   (for this node; or rocm_packages=[] to leave its ROCm alone)",
    )


def _check_secure_boot(inputs: Inputs, node: NodeFacts) -> None:
    if node.secure_boot and not inputs.secure_boot_enrolled:
        raise RocmError(
            "Secure Boot is on, and the kernel would refuse the module that amdgpu-dkms builds "
            "here. Nothing was changed; enrol the key that DKMS signs with ('mokutil --import "
            "/var/lib/dkms/mok.pub', on Ubuntu 'update-secureboot-policy --enroll-key') and set "
            "rocm_secure_boot_enrolled=true, or use the kernel's own signed amdgpu with "
            "rocm_driver_source=existing",
            "secure-boot-unsigned",
            "rocm_secure_boot_enrolled",
            "rocm_secure_boot_enrolled=true   (once 'mokutil --import /var/lib/dkms/mok.pub' and "
            "a boot have enrolled the key; or rocm_driver_source=existing)",
        )


def kernel_packages(node: NodeFacts, system: str) -> list[str]:
    """Return the packages of the kernel that building and loading amdgpu-dkms needs.

    Headers of the running kernel are asked for only where they are missing. The package that
    brings those of later kernels comes too: without it a kernel update leaves the driver behind.
    """
    kernel, missing = node.kernel, node.kernel_headers is not True
    if not kernel:
        return []
    if system in SUITES:
        names = [f"linux-headers-{kernel}"] if missing else []
        if system.startswith("ubuntu"):
            names.append(f"linux-modules-extra-{kernel}")
        return names + _later_headers(kernel, system)
    names = [f"kernel-devel-{kernel}"]
    if system.partition("-")[2].split(".")[0] != "8":
        names.append(f"kernel-devel-matched-{kernel}")
    return names if missing else []


def _later_headers(kernel: str, system: str) -> list[str]:
    """Return the package that follows the kernel's updates, none for a kernel of another kind."""
    if system.startswith("debian"):
        found = re.search(r"-((?:cloud-)?amd64)$", kernel)
        return [f"linux-headers-{found[1]}"] if found else []
    if not kernel.endswith("-generic"):
        return []
    version = system.partition("-")[2]
    first = kernel.startswith(_UBUNTU_KERNELS[version])
    return ["linux-headers-generic" if first else f"linux-headers-generic-hwe-{version}"]


def as_plan(inputs: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan for inputs and facts as a playbook has them."""
    return plan(Inputs.from_dict(inputs), NodeFacts.from_facts(facts))
