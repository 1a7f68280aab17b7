# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AMD's kernel driver on a node: is it loaded, is it the installed one, does it need a boot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_versions import RocmError

#: AMD's guide gives these to whoever uses the GPUs: /dev/dri/render* and /dev/kfd belong to the
#: first, /dev/dri/card* to the second.
GROUPS = ("render", "video")
LINKER_FILE = "/etc/ld.so.conf.d/60-rackforge-rocm.conf"
#: Folders of the post-installation page of AMD's guide.
LIBRARIES = ("/opt/rocm/lib", "/opt/rocm/lib64")


@dataclass(frozen=True)
class Build:
    """One build of the module amdgpu: its version and the checksum of its sources.

    The module of the kernel itself has no version, and a checksum only where the distribution's
    kernels keep one.
    """

    version: Optional[str] = None
    checksum: Optional[str] = None

    def is_other(self, other: Build) -> bool:
        """Return whether two builds differ; a checksum that is not known tells nothing."""
        if self.version != other.version:
            return True
        return None not in (self.checksum, other.checksum) and self.checksum != other.checksum

    @property
    def name(self) -> str:
        """Return what to call it in a sentence."""
        return self.version or "of the kernel itself"


@dataclass(frozen=True)
class Driver:
    """What a node shows of amdgpu. ``packaged`` is the version of amdgpu-dkms, if installed.

    ``on_disk`` is what the running kernel would load, None where it has no amdgpu.
    """

    kernel: str
    running: Optional[Build] = None
    on_disk: Optional[Build] = None
    packaged: Optional[str] = None


@dataclass(frozen=True)
class Step:
    """What is to be done: ``load`` the module now, boot for ``reasons``."""

    load: bool = False
    reasons: tuple[str, ...] = field(default_factory=tuple)


def step_for(driver: Driver, wanted: bool, dry: bool = False) -> Step:
    """Return what makes the installed driver the running one; RocmError where nothing can.

    ``wanted`` says that it is AMD's own (amdgpu-dkms), ``dry`` that nothing was installed because
    this is a prediction.
    """
    if dry and wanted and driver.packaged is None:
        coming = "amdgpu-dkms would be installed, and the kernel runs the amdgpu "
        return Step(
            driver.running is None, (f"{coming}{driver.running.name}",) if driver.running else ()
        )
    built = _built(driver)
    if driver.packaged is not None and not built:
        raise RocmError(_not_built(driver))
    if driver.running is None:
        if driver.on_disk is None and not dry:
            raise RocmError(_no_module(driver, wanted))
        return Step(load=True)
    if driver.on_disk is None or not driver.running.is_other(driver.on_disk):
        return Step()
    return Step(
        reasons=(
            f"the kernel runs the amdgpu {driver.running.name}, installed is {_other(driver)}; "
            "it cannot be exchanged while it runs",
        )
    )


def _built(driver: Driver) -> bool:
    disk = driver.on_disk
    return disk is not None and disk.version == driver.packaged


def _other(driver: Driver) -> str:
    disk = driver.on_disk or Build()
    same = driver.running is not None and driver.running.version == disk.version
    return f"another build of {disk.name}" if same else disk.name


def _not_built(driver: Driver) -> str:
    seen = "no amdgpu" if driver.on_disk is None else f"the amdgpu {driver.on_disk.name}"
    return (
        f"amdgpu-dkms {driver.packaged} is installed, but kernel {driver.kernel} would load "
        f"{seen}: the module was not built for this kernel. Look at 'dkms status amdgpu' and at "
        "/var/lib/dkms/amdgpu/*/build/make.log on the node; when the kernel's headers were "
        f"missing, 'dkms autoinstall -k {driver.kernel}' builds it now"
    )


def _no_module(driver: Driver, wanted: bool) -> str:
    fix = (
        "see 'dkms status amdgpu' on the node"
        if wanted
        else "set rocm_driver_source=repository, or install the package that has it (on Ubuntu "
        f"linux-modules-extra-{driver.kernel})"
    )
    return f"kernel {driver.kernel} of this node has no module amdgpu, expected one; {fix}"


def is_blacklisted(configuration: str) -> bool:
    """Return whether ``modprobe --showconfig`` keeps amdgpu from being loaded at boot."""
    lines = (line.split() for line in configuration.splitlines())
    return any(words[:2] == ["blacklist", "amdgpu"] for words in lines)


def linker_text(folders: Iterable[str]) -> Optional[str]:
    """Return the file that makes ROCm's libraries known, None where there are none."""
    rows = "".join(f"{folder}\n" for folder in folders)
    return f"# Managed by rackforge.gpu_cluster\n{rows}" if rows else None


def members_of(line: str) -> frozenset[str]:
    """Return the members in a group's line, as ``getent group`` prints it."""
    names = line.strip().rpartition(":")[2].split(",") if ":" in line else []
    return frozenset(name for name in names if name)


def check_users(missing: Sequence[str]) -> None:
    """Refuse users that the node does not have."""
    if missing:
        raise RocmError(
            f"rocm_users names {', '.join(missing)}, who {'is' if len(missing) == 1 else 'are'} no "
            "user of this node; make them first (os_base_admin_users does), or correct the name"
        )
