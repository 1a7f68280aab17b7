# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says of containers without GPUs, and of a driver that was changed."""

from __future__ import annotations

from tests.testinfra.gpu_faults import BOOT, NEWER, NO_RAY, PROVISION, GpuNode, finding


def container_failed(seen: str, fix: str) -> dict[str, str]:
    """Return the finding about a container that did not run."""
    return finding(
        "error",
        "container-failed",
        "A container that asks for every GPU did not run. The driver lists 2.",
        seen,
        "a container that sees 2 GPUs",
        fix,
    )


def test_node_without_nvidia_smi_is_told_where_it_comes_from(broken: GpuNode) -> None:
    with broken.program("/usr/bin/nvidia-smi", None):
        assert broken.judge(container="docker").findings == [
            container_failed(
                "the image could not be made: this node has no program nvidia-smi; name an image "
                "that has it in container_image",
                f"{PROVISION}   (it is part of the driver's packages; with a driver of your own, "
                "install it)",
            )
        ]


def test_gpu_that_is_missing_in_containers_only(broken: GpuNode) -> None:
    with broken.described("mv /dev/nvidia1 /dev/kept", "mv /dev/kept /dev/nvidia1"):
        assert broken.judge(container="docker").findings == [
            finding(
                "error",
                "gpu-missing-in-container",
                "A container that asks for every GPU sees 1, and the driver lists 2 (0000:3b:00.0 "
                "and 0000:43:00.0).",
                "1",
                "2",
                "nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml   (on the node: the "
                "list of devices is older than the driver's)",
            )
        ]


def test_list_of_devices_that_is_not_there(broken: GpuNode) -> None:
    with broken.described(":", "rm /var/run/cdi/nvidia.yaml"):
        assert broken.judge(container="docker").findings == [
            container_failed(
                "docker: Error response from daemon: CDI device injection failed: unresolvable CDI "
                "devices nvidia.com/gpu=all.",
                "nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml   (on the node; then "
                "look at nvidia-ctk cdi list)",
            )
        ]


def test_driver_that_is_not_loaded(broken: GpuNode) -> None:
    with broken.module_unloaded():
        assert broken.judge().findings == [
            finding(
                "error",
                "driver-not-loaded",
                f"NVIDIA's driver is installed and its kernel module is not loaded. {NO_RAY}",
                "package 580.105.08, library 580.105.08, no module nvidia",
                "the module nvidia in /proc/modules",
                "modprobe nvidia; dmesg | grep -iE 'nvrm|nvidia' | tail   (on the node; after an "
                f"installation: {BOOT})",
            )
        ]


def test_module_that_could_not_be_built_without_headers(broken: GpuNode) -> None:
    kernel = broken.run("uname -r").strip()
    module = f"/lib/modules/{kernel}/updates/dkms/nvidia.ko"
    with broken.module_unloaded(), broken.program(module, None):
        broken.set({"kernel.headers": "absent"})
        assert broken.judge().findings == [
            finding(
                "error",
                "headers-missing",
                "The files for building kernel modules are not installed for the running kernel. "
                "The driver's module cannot have been built for it.",
                f"no /lib/modules/{kernel}/build",
                f"the headers of kernel {kernel}",
                f"apt-get install linux-headers-{kernel}   (on EL: dnf install "
                f"kernel-devel-{kernel})",
            )
        ]


def test_nouveau_that_holds_the_gpus(broken: GpuNode) -> None:
    with broken.module_unloaded():
        broken.run("modprobe nouveau")
        assert broken.judge(container="docker").findings == [
            finding(
                "error",
                "gpu-held-by",
                "The display driver nouveau holds 2 GPUs. Nothing can compute there until the "
                "driver of the vendor takes its place, which needs a boot.",
                "nouveau at 0000:3b:00.0 and 0000:43:00.0",
                "the driver of the GPU's vendor",
                f"{PROVISION}   (it keeps the module from loading; then boot the node)",
                "install_nvidia_driver",
            )
        ]


def test_gpu_that_the_driver_does_not_list(broken: GpuNode) -> None:
    with broken.module_unloaded():
        broken.set({"gpu.1.fault": "missing"})
        broken.load()
        judged = broken.judge(container="docker")
        broken.unload()
        broken.set({})
    assert judged.gpu["container"] == {"gpus": 1, "error": None}
    assert judged.findings == [
        finding(
            "error",
            "gpu-missing-in-driver",
            "The PCI bus has 2 NVIDIA GPUs, and the driver lists 1. Missing: 0000:43:00.0.",
            "NVRM: GPU 0000:43:00.0: RmInitAdapter failed! (0x25:0x65:1457)",
            "2",
            "dmesg | grep -iE 'nvrm|nvidia|43:00.0'   (on the node)",
        )
    ]


def test_package_of_the_module_that_was_upgraded(broken: GpuNode) -> None:
    with broken.packages(f"{NEWER}-1", "nvidia-kernel-open-dkms"):
        assert broken.judge(max_version="580").findings == [
            finding(
                "error",
                "driver-above-range",
                "NVIDIA's driver 590.48.01 is newer than what this cluster supports. From the next "
                "boot on this one runs.",
                "590.48.01",
                "530 to 580, all of 580 included",
                f"{PROVISION} -e nvidia_driver_branch=580 -e nvidia_replace_driver=true   (or, if "
                "your software runs with this driver: nvidia_driver_max_version=590)",
                "nvidia_driver_max_version",
            ),
            finding(
                "warning",
                "package-mismatch",
                "The package nvidia-kernel-open-dkms has another version than the driver that "
                "runs. A boot is due.",
                "module 580.105.08, package 590.48.01",
                "one version",
                BOOT,
            ),
        ]


def test_upgrade_of_module_and_library_without_a_boot(broken: GpuNode) -> None:
    with broken.packages(f"{NEWER}-1", "nvidia-kernel-open-dkms", "libnvidia-ml1"):
        assert broken.judge(container="docker").findings == [
            finding(
                "error",
                "library-mismatch",
                "The kernel runs another version of NVIDIA's driver than the one whose library is "
                "installed. The driver was changed without a boot, and every program that asks it "
                f"fails. {NO_RAY}",
                "module 580.105.08, library 590.48.01, package 590.48.01",
                "one version",
                BOOT,
            )
        ]


def test_container_toolkit_with_known_holes(broken: GpuNode) -> None:
    names = ("nvidia-container-toolkit", "nvidia-container-toolkit-base")
    with broken.packages("1.16.1-1", *names):
        assert broken.judge(container="docker").findings == [
            finding(
                "error",
                "toolkit-old",
                "The NVIDIA container toolkit is too old. A container can break out to the node by "
                "CVE-2024-0132, CVE-2025-23359 and CVE-2025-23266.",
                "1.16.1",
                "1.17.8 or newer",
                PROVISION,
                "nvidia_toolkit_version",
            )
        ]
