# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the stand-in packages and lays them out as the vendors' repositories are.

Runs in a container of the oldest node image, so that what it compiles runs on all of them.

    PYTHONPATH=/recipe python3 -m debs OUT KERNEL
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from . import amd, nvidia, toolkit
from .deb import LIBRARIES, MACHINE, Package, Signer, flat, suites

CUDA_FOLDERS = ("debian12", "debian13", "ubuntu2204", "ubuntu2404")
CUDA_KEYS = ("3bf863cc.pub", "8793F200.pub", "D42D0685.pub")


def run_file(version: str, built: Path, out: Path) -> None:
    """Make a driver that installs itself: a script with an archive behind it."""
    root = out.parent / f"run-{version}"
    for name, origin in (("libnvidia-ml.so", "nvml"), ("libcuda.so", "cuda")):
        _copy(built / origin, root / LIBRARIES / f"{name}.{version}")
    _copy(built / "smi", root / "usr/bin/nvidia-smi", 0o755)
    for form in ("open", "proprietary"):
        _copy(built / f"{form}.ko", root / f"kernel/{form}.ko")
    archive = shutil.make_archive(str(root), "gztar", root)
    head = (nvidia.FILES / "driver.run").read_text().replace("@VERSION@", version)
    file = out / version / f"NVIDIA-Linux-x86_64-{version}.run"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(head.encode() + Path(archive).read_bytes())
    file.chmod(0o755)


def _copy(origin: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(origin, target)
    target.chmod(mode)


def main() -> None:
    """Build everything below OUT/www."""
    out, kernel = Path(sys.argv[1]), sys.argv[2]
    work = Path("/tmp/build")  # noqa: S108 (a container of its own)
    www = out / "www"
    signer = Signer(work / "gnupg")
    (out / "fingerprint").write_text(signer.fingerprint)
    (out / "key.asc").write_text(signer.armored)
    found: list[Package] = nvidia.helpers(kernel)
    for version, cuda in nvidia.DRIVERS:
        built = nvidia.compile_driver(version, cuda, work / "driver")
        found += nvidia.packages(version, built)
        run_file(version, built, www / "tesla")
    first = www / "compute/cuda/repos" / CUDA_FOLDERS[0] / "x86_64"
    flat(first, "NVIDIA", found, signer, work / "deb")
    for name in CUDA_KEYS:
        (first / name).write_text(signer.armored)
    shutil.copyfile(signer.binary, first / "cuda-archive-keyring.gpg")
    for folder in CUDA_FOLDERS[1:]:
        (www / "compute/cuda/repos" / folder).symlink_to(CUDA_FOLDERS[0])
    container = www / "libnvidia-container"
    tools = [each for version in toolkit.VERSIONS for each in toolkit.packages(version)]
    flat(container / "stable/deb" / MACHINE, "https://nvidia.github.io/libnvidia-container",
         [*tools, *toolkit.predecessors()], signer, work / "deb")  # fmt: skip
    (container / "gpgkey").write_text(signer.armored)
    build_amd(www, signer, work)


def build_amd(www: Path, signer: Signer, work: Path) -> None:
    """Lay out AMD's repositories."""
    dkms = [nvidia.helpers("none")[0]]
    for version, driver, module, number in amd.RELEASES:
        drivers = [*amd.driver(driver, module, work / "amdgpu" / driver), *dkms]
        suites(www / "amdgpu" / driver / "ubuntu", amd.ORIGIN, amd.SUITES, "main", drivers, signer,
               work / "deb")  # fmt: skip
        suites(www / "rocm/apt" / version, amd.ORIGIN, amd.SUITES, "main",
               amd.rocm(version, number), signer, work / "deb")  # fmt: skip
        suites(www / "graphics" / version / "ubuntu", amd.ORIGIN, amd.SUITES, "main", [], signer,
               work / "deb")  # fmt: skip
    for path, version in (
        ("apt", amd.TOOLKITS[-1]),
        *((f"apt/{each}", each) for each in amd.TOOLKITS),
    ):
        suites(www / "amd-container-toolkit" / path, amd.ORIGIN, amd.SUITES, "main",
               amd.toolkit(version), signer, work / "deb")  # fmt: skip
    (www / "rocm/rocm.gpg.key").write_text(signer.armored)


if __name__ == "__main__":
    main()
