# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for AMD's packages: the kernel's driver, ROCm's small tools, the container toolkit."""

from __future__ import annotations

from pathlib import Path

from .deb import Package
from .nvidia import FILES, module
from .toolkit import runtime, stand_in

#: ROCm, the driver that AMD made with it, the version that its module says, its number in packages.
RELEASES = (
    ("6.4.3", "6.4.3", "6.12.12", "60403"),
    ("7.0.2", "30.10.2", "6.14.14", "70002"),
    ("7.2.1", "30.30.1", "6.16.13", "70201"),
)
SUITES = ("jammy", "noble")
ORIGIN = "repo.radeon.com"
TOOLKITS = ("1.1.0", "1.2.0")


def driver(version: str, shown: str, out: Path) -> list[Package]:
    """Return the packages of AMD's driver for the kernel."""
    out.mkdir(parents=True, exist_ok=True)
    for name, signer in (("amdgpu", "DKMS module signing key"), ("amdgpu-unsigned", "")):
        module(out / f"{name}.ko", "GPL and additional rights", shown, signer)
    number = "".join(f"{int(word):02d}" for word in version.split("."))
    full = f"{shown}.{number}-2300000"
    source = f"usr/src/amdgpu-{full}"
    return [
        Package("amdgpu-dkms-firmware", f"1:{full}", machine="all"),
        Package("amdgpu-dkms", f"1:{full}", machine="all",
                depends=f"dkms, amdgpu-dkms-firmware (= 1:{full})",
                files={f"{source}/dkms.conf": f'PACKAGE_NAME="amdgpu"\nPACKAGE_VERSION="{full}"\n',
                       f"{source}/amdgpu.ko": out / "amdgpu.ko",
                       f"{source}/amdgpu-unsigned.ko": out / "amdgpu-unsigned.ko"},
                scripts={"postinst": f"[ \"$1\" = configure ] || exit 0\n"
                                     f"dkms add -m amdgpu -v {full}\n"
                                     f"dkms build -m amdgpu -v {full} || true\n"
                                     f"dkms install -m amdgpu -v {full} || true\n",
                         "prerm": f"dkms remove -m amdgpu -v {full} --all || true\n"}),
    ]  # fmt: skip


def rocm(version: str, number: str) -> list[Package]:
    """Return ROCm's small tools, and the name that brings the rest."""
    shown = f"{version}.{number}-1~24.04"
    home = f"opt/rocm-{version}"
    tool = stand_in("amd_smi.py", ROCM=version)
    core = f"rocm-core (= {shown})"
    return [
        Package("rocm-core", shown, files={f"{home}/.info/version": f"{version}-1\n"},
                scripts={"postinst": f"ln -sfn /{home} /opt/rocm\n",
                         "prerm": f'[ "$(readlink /opt/rocm)" != /{home} ] || rm -f /opt/rocm\n'}),
        Package("rocminfo", shown, depends=core,
                programs={f"{home}/bin/rocminfo": FILES / "rocminfo"},
                links={"usr/bin/rocminfo": f"/{home}/bin/rocminfo"}),
        Package("rocm-smi-lib", shown, depends=core, programs={f"{home}/bin/rocm-smi": tool},
                links={"usr/bin/rocm-smi": f"/{home}/bin/rocm-smi"}),
        Package("amd-smi-lib", shown, depends=core, programs={f"{home}/bin/amd-smi": tool},
                links={"usr/bin/amd-smi": f"/{home}/bin/amd-smi"}),
        Package("rocm", shown, depends=f"rocminfo (= {shown}), rocm-smi-lib (= {shown}), "
                                       f"amd-smi-lib (= {shown})"),
    ]  # fmt: skip


def toolkit(version: str) -> list[Package]:
    """Return AMD's container toolkit."""
    return [
        Package("amd-container-toolkit", version, depends="python3", programs={
            "usr/bin/amd-ctk": stand_in("amd_ctk.py", VERSION=version),
            "usr/bin/amd-container-runtime": runtime("amd-container-runtime",
                                                     "AMD_VISIBLE_DEVICES"),
        })
    ]  # fmt: skip
