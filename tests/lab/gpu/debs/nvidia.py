# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for the packages of NVIDIA's driver, named and cut as those of its repository.

The parts and their names are those that people list on Debian with that repository; what a part
has in it is as little as a test needs.
"""

from __future__ import annotations

from pathlib import Path

from .deb import LIBRARIES, Package, run

#: Driver version, CUDA version as the library says it.
DRIVERS = (
    ("525.147.05", 12000),
    ("580.95.05", 13000),
    ("580.105.08", 13000),
    ("590.48.01", 13010),
    ("610.43.02", 13030),
)
DKMS = "3.99+standin1"
RECIPE = Path("/recipe")
FILES = RECIPE / "debs/files"


def compile_driver(version: str, cuda: int, out: Path) -> Path:
    """Compile the library, the tool and the two forms of the module of one driver version."""
    folder = out / version
    folder.mkdir(parents=True, exist_ok=True)
    source = RECIPE / "src"
    words = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror")
    library = (f'-DLIBRARY_VERSION="{version}"', f"-DCUDA_VERSION={cuda}",
               f'-DCUDA_MAJOR="{cuda // 1000}"')  # fmt: skip
    shared = ("-fPIC", "-shared", "-fvisibility=hidden")
    run("gcc", *words, *shared, *library, "-Wl,-soname,libnvidia-ml.so.1", "-o",
        str(folder / "nvml"), str(source / "nvml.c"))  # fmt: skip
    run("gcc", *words, *shared, *library, "-Wl,-soname,libcuda.so.1", "-o",
        str(folder / "cuda"), str(source / "cuda.c"))  # fmt: skip
    run("gcc", *words, "-o", str(folder / "smi"), str(source / "nvidia_smi.c"), "-ldl")
    for form, text in (("open", "Dual MIT/GPL"), ("proprietary", "NVIDIA")):
        module(folder / f"{form}.ko", text, version, "DKMS module signing key")
        module(folder / f"{form}-unsigned.ko", text, version, "")
    return folder


def module(path: Path, text: str, version: str, signer: str) -> None:
    """Compile what modinfo reads of a module."""
    words = [f'-DMODULE_LICENSE="{text}"', f'-DMODULE_VERSION="{version}"']
    words += [f'-DMODULE_SIGNER="{signer}"'] if signer else []
    run("gcc", "-c", *words, str(RECIPE / "src/module.c"), "-o", str(path))


def packages(version: str, built: Path) -> list[Package]:
    """Return the packages of one driver version."""
    shown, branch = f"{version}-1", version.split(".")[0]
    same = f"(= {shown})"
    kernel = f"nvidia-kernel-dkms {same} | nvidia-kernel-open-dkms {same}"
    meta = {"nvidia-driver-libs": "", "firmware-nvidia-gsp": "", "nvidia-kernel-support": ""}
    found = [
        library("libnvidia-ml1", "libnvidia-ml.so", built / "nvml", version),
        library("libcuda1", "libcuda.so", built / "cuda", version),
        Package("nvidia-driver-cuda", shown, depends=(
            f"libcuda1 {same}, libnvidia-ml1 {same}, nvidia-persistenced {same}, "
            f"nvidia-modprobe {same}, nvidia-kernel-support {same}, {kernel}"
        ), programs={"usr/bin/nvidia-smi": built / "smi"}),
        Package("nvidia-driver", shown, depends=f"nvidia-driver-libs {same}, {kernel}"),
        *(Package(name, shown, depends=words) for name, words in meta.items()),
        Package("nvidia-modprobe", shown, depends="kmod",
                programs={"usr/bin/nvidia-modprobe": "#!/bin/sh\nexec modprobe nvidia\n"}),
        persistenced(shown),
        *(dkms_package(form, version, built) for form in ("open", "proprietary")),
        fabric_manager(version),
    ]  # fmt: skip
    if int(branch) >= 560:
        whole = f"nvidia-driver {same}, nvidia-driver-cuda {same}"
        found += [
            Package("nvidia-open", shown,
                    depends=f"nvidia-kernel-open-dkms {same}, {whole}", machine="all"),
            Package(f"nvidia-open-{branch}", shown, depends=f"nvidia-open {same}", machine="all"),
            pinning(branch, shown),
        ]  # fmt: skip
    found += [
        Package("cuda-drivers", shown, machine="all", depends=(
            f"nvidia-kernel-dkms {same}, nvidia-driver {same}, nvidia-driver-cuda {same}")),
        Package(f"cuda-drivers-{branch}", shown, depends=f"cuda-drivers {same}", machine="all"),
    ]  # fmt: skip
    return found


def library(name: str, stem: str, built: Path, version: str) -> Package:
    """Return the package of a library with the version in its file's name."""
    return Package(
        name, f"{version}-1", depends="libc6 (>= 2.34)",
        files={f"{LIBRARIES}/{stem}.{version}": built},
        links={f"{LIBRARIES}/{stem}.1": f"{stem}.{version}"},
        scripts={"postinst": "ldconfig\n", "postrm": "ldconfig\n"},
    )  # fmt: skip


def dkms_package(form: str, version: str, built: Path) -> Package:
    """Return the package that builds the kernel module: a copy of one that is ready, by dkms."""
    name, other = "nvidia-kernel-open-dkms", "nvidia-kernel-dkms"
    if form == "proprietary":
        name, other = other, name
    source = f"usr/src/nvidia-{version}"
    return Package(
        name, f"{version}-1", depends=f"dkms, nvidia-kernel-support (= {version}-1)",
        fields={"Conflicts": other, "Replaces": other, "Provides": "nvidia-kernel"},
        files={f"{source}/dkms.conf": (
                   f'PACKAGE_NAME="nvidia"\nPACKAGE_VERSION="{version}"\n'
                   'BUILT_MODULE_NAME[0]="nvidia"\nDEST_MODULE_LOCATION[0]="/updates/dkms"\n'
                   'AUTOINSTALL="yes"\n'),
               f"{source}/nvidia.ko": built / f"{form}.ko",
               f"{source}/nvidia-unsigned.ko": built / f"{form}-unsigned.ko"},
        scripts={
            "postinst": f"[ \"$1\" = configure ] || exit 0\ndkms add -m nvidia -v {version}\n"
                        f"dkms build -m nvidia -v {version} || true\n"
                        f"dkms install -m nvidia -v {version} || true\n",
            "prerm": f"dkms remove -m nvidia -v {version} --all || true\n",
        },
    )  # fmt: skip


def persistenced(shown: str) -> Package:
    """Return the package of the daemon that keeps the driver's state."""
    unit = (
        "[Unit]\nDescription=NVIDIA Persistence Daemon (stand-in)\nWants=syslog.target\n"
        "ConditionPathExists=/dev/nvidiactl\n\n[Service]\n"
        "Type=forking\nPIDFile=/run/nvidia-persistenced/nvidia-persistenced.pid\nRestart=always\n"
        "ExecStart=/usr/bin/nvidia-persistenced --persistence-mode\n"
        "ExecStopPost=/bin/rm -rf /run/nvidia-persistenced\n"
        "ExecStopPost=/bin/rm -f /run/lab-hardware/persistence\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    return Package(
        "nvidia-persistenced", shown, depends="adduser | passwd",
        files={"usr/lib/systemd/system/nvidia-persistenced.service": unit},
        programs={"usr/bin/nvidia-persistenced": FILES / "nvidia-persistenced"},
        scripts={"postinst": "systemctl daemon-reload || true\n"
                             "systemctl enable --now nvidia-persistenced.service || true\n",
                 "prerm": "[ \"$1\" = remove ] || exit 0\n"
                          "systemctl disable --now nvidia-persistenced.service || true\n",
                 "postrm": "systemctl daemon-reload || true\n"},
    )  # fmt: skip


def fabric_manager(version: str) -> Package:
    """Return the package of NVSwitch's service, whose name lost its branch with 580."""
    branch = version.split(".")[0]
    unit = (
        "[Unit]\nDescription=NVIDIA fabric manager service (stand-in)\n\n[Service]\n"
        "Type=forking\nPIDFile=/run/nvidia-fabricmanager/nv-fabricmanager.pid\n"
        "ExecStart=/usr/bin/nv-fabricmanager -c /usr/share/nvidia/nvswitch/fabricmanager.cfg\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    text = (FILES / "nv-fabricmanager").read_text().replace("@VERSION@", version)
    return Package(
        "nvidia-fabricmanager" if int(branch) >= 580 else f"nvidia-fabricmanager-{branch}",
        f"{version}-1",
        fields={"Provides": "fabricmanager"},
        files={"usr/lib/systemd/system/nvidia-fabricmanager.service": unit,
               "usr/share/nvidia/nvswitch/fabricmanager.cfg": "LOG_LEVEL=4\n"},
        programs={"usr/bin/nv-fabricmanager": text},
        scripts={"postinst": "systemctl daemon-reload || true\n",
                 "prerm": "systemctl disable --now nvidia-fabricmanager.service || true\n",
                 "postrm": "systemctl daemon-reload || true\n"},
    )  # fmt: skip


def pinning(branch: str, shown: str) -> Package:
    """Return the package that keeps the driver on its branch."""
    names = ("cuda-drivers* firmware-nvidia-gsp libcuda1* libnvidia-* nvidia-driver* "
             "nvidia-fabricmanager* nvidia-kernel-* nvidia-modprobe nvidia-open* "
             "nvidia-persistenced")  # fmt: skip
    text = f"Package: {names}\nPin: version {branch}.*\nPin-Priority: 1000\n"
    return Package(f"nvidia-driver-pinning-{branch}", shown, machine="all",
                   fields={"Provides": "nvidia-driver-pinning",
                           "Conflicts": "nvidia-driver-pinning"},
                   files={"etc/apt/preferences.d/nvidia-driver-pinning": text})  # fmt: skip


def helpers(kernel: str) -> list[Package]:
    """Return what the distribution would bring: dkms, and the headers of this very kernel."""
    headers = f"usr/src/linux-headers-{kernel}"
    return [
        Package("dkms", DKMS, depends="kmod", machine="all",
                programs={"usr/sbin/dkms": FILES / "dkms"},
                scripts={"postrm": "rm -rf /var/lib/dkms\n"}),
        Package(f"linux-headers-{kernel}", "1+standin1",
                files={f"{headers}/Makefile": "# stand-in\n", f"{headers}/.config": "\n",
                       f"{headers}/include/generated/autoconf.h": "\n"},
                links={f"lib/modules/{kernel}/build": f"/{headers}"}),
    ]  # fmt: skip
