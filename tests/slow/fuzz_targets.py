# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parsers of what GPUs' drivers and nodes print, each as a function of one text.

``SEPARATOR`` parts a text for a parser that reads several. Every function raises AssertionError
when an answer cannot be handed on, and must raise nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    amd_generation,
    gpu_log,
    gpu_packages,
    gpu_system,
    gpu_xid,
    nvidia_generation,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_kfd import (
    KfdNode,
    parse_topology,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_smi import parse_amd_smi
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_bars import parse_bars
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Vendor,
    from_plain,
    to_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import (
    RawDevice,
    read_bus,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_smi import parse_smi_xml
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.rocm_smi import parse_rocm_smi

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "gpu"
SEPARATOR = "\x1e"
#: No interface of a driver explains itself at greater length; more would flood a report.
MOST_ERROR = 1000


def hand_on(value: Any) -> None:
    """Check that a module could return the value: strict JSON, without loss."""
    json.dumps(to_plain(value), allow_nan=False)


def check_view(view: DriverView) -> None:
    """Check what every reader of a driver's view relies on."""
    hand_on(view)
    # One GPU stands for all: reading back is far slower than the parsers.
    for gpu in view.gpus[-1:]:
        assert from_plain(DriverGpu, to_plain(gpu)) == gpu
    assert view.error is None or (0 < len(view.error) <= MOST_ERROR and not view.gpus)
    numbers = [gpu.index for gpu in view.gpus]
    assert len(set(numbers)) == len(numbers), f"two GPUs have one number: {numbers}"
    assert all(number >= 0 for number in numbers), numbers
    for gpu in view.gpus:
        assert gpu.memory_mib is None or gpu.memory_mib >= 0, gpu.memory_mib
        assert gpu.error is None or gpu.error.strip(), "an error without words"


def read_smi(text: str) -> None:
    """Read a report of nvidia-smi."""
    check_view(parse_smi_xml(text))


def read_kfd(text: str) -> None:
    """Read a topology: files as ``head`` prints several, one after another."""
    files: dict[str, str] = {}
    for part in text.split("==> ")[1:]:
        name, _end, content = part.partition(" <==\n")
        files[name] = content
    folders = sorted({name.rpartition("/")[0] for name in files})
    nodes = [
        KfdNode(
            number,
            files.get(f"{folder}/properties", ""),
            files.get(f"{folder}/gpu_id", ""),
            tuple(each for name, each in files.items() if name.startswith(f"{folder}/mem_banks")),
        )
        for number, folder in enumerate(folders)
    ]
    check_view(parse_topology(nodes))


def read_amd_smi(text: str) -> None:
    """Read what the commands of amd-smi print."""
    check_view(parse_amd_smi(*text.split(SEPARATOR)[:4]))


def read_rocm_smi(text: str) -> None:
    """Read what rocm-smi prints."""
    check_view(parse_rocm_smi(text))


def read_pci(text: str) -> None:
    """Read devices in the form of tests/fixtures/gpu/pci."""
    devices = []
    for part in text.split("\n[")[:64]:
        address, _end, body = part.lstrip("[").partition("]\n")
        lines = [line.partition(" = ") for line in body.split("\n") if not line.startswith(" ")]
        attributes = {key.strip(): value for key, _equals, value in lines}
        resource = "\n".join(line for line in body.split("\n") if line.startswith(" "))
        attributes["resource"] = resource
        config = body.encode("utf-8", "replace")[:64]
        devices.append(
            RawDevice(
                address, attributes, config, attributes.get("driver"), attributes.get("parent")
            )
        )
        for vendor in Vendor:
            hand_on(parse_bars(resource, config, vendor))
    hand_on(read_bus(devices))


def read_system(text: str) -> None:
    """Read the small texts about modules, units and firmware."""
    hand_on(gpu_system.parse_nvidia_version(text))
    hand_on(gpu_system.first_version(text))
    hand_on(gpu_system.library_version(text))
    hand_on(gpu_system.secure_boot(text.encode("utf-8", "replace"), booted_with_efi=None))
    hand_on(gpu_system.is_signed(text))
    hand_on(gpu_system.parse_active(text))


def read_packages(text: str) -> None:
    """Read a list of installed packages."""
    packages = gpu_packages.parse_listing(text)
    for vendor in Vendor:
        hand_on(gpu_packages.driver_package(packages, vendor))
        hand_on(gpu_packages.toolkit_version(packages, vendor))
    hand_on(gpu_packages.fabric_manager_version(packages))
    hand_on(gpu_packages.rocm_package_version(packages))


def read_log(text: str) -> None:
    """Read a kernel log."""
    lines = gpu_log.gpu_lines([text], ["0000:3b:00.0"])
    hand_on((gpu_log.is_whole(text), lines))
    for each in (lines, text.splitlines()):
        hand_on([to_plain(event) for event in gpu_xid.parse_xids(each)])
        hand_on([to_plain(event) for event in gpu_xid.parse_switch_events(each)])
        hand_on((gpu_xid.last_about(each, "0000:3b:00.0"), gpu_xid.lost_line(each, "0000:3b:00.0")))
        hand_on(gpu_xid.bar_lines(list(each), "0000:3b:00.0"))


def read_ids(text: str) -> None:
    """Decide about GPUs by their device ids."""
    ids = text.split()[:16]
    for wanted in ("auto", "open", "proprietary", text[:8]):
        module, problem = nvidia_generation.choose_kernel_module(ids, wanted, text[:3])
        assert (module is None) == bool(problem), (module, problem)
    hand_on([amd_generation.is_apu(each) for each in ids])


TARGETS: Mapping[str, Callable[[str], None]] = {
    "nvidia-smi": read_smi,
    "kfd": read_kfd,
    "amd-smi": read_amd_smi,
    "rocm-smi": read_rocm_smi,
    "pci": read_pci,
    "system": read_system,
    "packages": read_packages,
    "kernel-log": read_log,
    "device-ids": read_ids,
}
_OWN_SAMPLES = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n",
    "libnvidia-ml.so.580.95.05",
    "LoadState=loaded\nActiveState=active\n",
    "signer:         DKMS module signing key\nsig_id:         PKCS#7\n",
    "0x2330 0x1eb8 0x2901 0x1db5 0x74a1",
    "nvidia-container-toolkit\t1.17.8-1\tinstall ok installed\n",
)


def samples() -> dict[str, list[str]]:
    """Return the texts from which inputs are made, by the parser that reads them."""
    found = {name: list(_texts(name)) for name in TARGETS}
    everything = [text for texts in found.values() for text in texts]
    return {name: texts or everything for name, texts in found.items()}


def _texts(target: str) -> Iterator[str]:
    """Yield the fixtures of a parser."""
    folders = {
        "nvidia-smi": "nvidia/*",
        "kfd": "amd/kfd-*",
        "amd-smi": "amd/amd-smi-*",
        "rocm-smi": "amd/rocm-smi-*",
        "pci": "pci/*",
        "system": "system/*",
        "packages": "system/*",
        "kernel-log": "system/*",
    }
    for folder in sorted(FIXTURES.glob(folders.get(target, "none"))):
        # list, static, metric: amd-smi's parser wants them in this order.
        files = sorted(folder.glob("*"), key=lambda file: _ORDER.get(file.stem, file.stem))
        texts = [_read(file) for file in files if file.is_file() and file.name != "origin.json"]
        yield SEPARATOR.join(texts)
    if target in ("system", "device-ids", "packages", "kernel-log"):
        yield from _OWN_SAMPLES


_ORDER = {"list": "1", "static": "2", "metric": "3", "version": "4"}


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "replace")
