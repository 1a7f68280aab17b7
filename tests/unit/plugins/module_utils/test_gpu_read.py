"""Claims about reading the GPUs of a node, on file trees and scripts in place of a node's."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    FabricManager,
    GpuNode,
    Health,
    Stack,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import RawDevice
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_read import read_gpu_node

from tests.unit.plugins.gpu_hosts import ScriptHost, StillHost
from tests.unit.plugins.gpu_trees import FIXTURES, plant_devices, read_fixture

VERSION = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\n"
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
H100_SMI = (FIXTURES / "nvidia" / "h100-x8" / "nvidia-smi.txt").read_bytes()


@pytest.fixture
def host(tmp_path: Path) -> ScriptHost:
    """A host without programs; a test says which there are."""
    return ScriptHost(tmp_path / "bin")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file tree in which a test plants what the kernel shows."""
    return tmp_path / "root"


def write(root: Path, path: str, data: str | bytes) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data if isinstance(data, bytes) else data.encode())


def no_library(name: str) -> object:
    raise OSError(f"{name}: cannot open shared object file: No such file or directory")


def read(host: ScriptHost, root: Path, timeout: float | None = None) -> GpuNode:
    return read_gpu_node(host.command, str(root), timeout, no_library)


def stack(node: GpuNode) -> Stack:
    (only,) = node.stacks
    return only


@pytest.mark.parametrize("name", ["no-gpu", "server-consoles", "apu-of-tomorrow"])
def test_node_without_gpus_starts_no_program(root: Path, name: str) -> None:
    plant_devices(root, read_fixture(name))
    write(root, "sys/module/amdgpu/refcnt" if name == "apu-of-tomorrow" else "sys/module/x/y", "")
    node = read_gpu_node(Command(StillHost()), str(root))
    assert (node.gpus, node.stacks, node.kernel_log) == ((), (), ())


def test_empty_tree_is_a_node_of_which_nothing_is_known(root: Path) -> None:
    assert read_gpu_node(Command(StillHost()), str(root)) == GpuNode()


def test_whole_nvidia_node(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("hgx-h100-8"))
    write(root, "proc/sys/kernel/osrelease", "6.8.0-60-generic\n")
    write(root, "lib/modules/6.8.0-60-generic/build/Makefile", "")
    write(root, "proc/driver/nvidia/version", VERSION)
    write(root, "sys/module/nvidia/version", "580.95.05\n")
    write(root, SECURE_BOOT, b"\x06\x00\x00\x00\x01")
    write(root, "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.95.05", "")
    (root / "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1").symlink_to("libnvidia-ml.so.580.95.05")
    listing = FIXTURES / "system" / "debian13-cuda-repository" / "dpkg.txt"
    host.prints("dpkg-query", listing.read_bytes(), rc=1)
    host.prints("modinfo", "version: 580.95.05\nsig_id: PKCS#7\n")
    host.prints("systemctl", "LoadState=loaded\nActiveState=active\n")
    host.prints("dmesg", "[    0.0] Linux version 6.8\n[    5.1] NVRM: loading\n[    6.0] usb\n")
    host.prints("nvidia-smi", H100_SMI)
    node = read(host, root)
    assert [(gpu.index, gpu.pci_address) for gpu in node.gpus][::7] == [
        (0, "0000:53:00.0"),
        (7, "0000:ca:00.0"),
    ]
    assert {(gpu.model, gpu.health) for gpu in node.gpus} == {("NVIDIA H100 80GB HBM3", Health.OK)}
    assert replace(node, gpus=()) == GpuNode(
        stacks=(
            Stack(
                vendor=Vendor.NVIDIA,
                loaded="580.95.05",
                library="580.95.05",
                package="580.95.05",
                package_name="nvidia-open",
                is_open=True,
                runtime_version="13.0",
                toolkit="1.17.8",
                fabric_manager=FabricManager("580.95.05", True),
                source="nvidia-smi",
                errors={
                    "nvml": "libnvidia-ml.so.1 cannot be loaded: libnvidia-ml.so.1: cannot open"
                    " shared object file: No such file or directory"
                },
                driver_gpus=8,
            ),
        ),
        nvswitches=4,
        nouveau_loaded=False,
        secure_boot=True,
        module_signed=True,
        kernel="6.8.0-60-generic",
        kernel_headers=True,
        kernel_log=("[    5.1] NVRM: loading",),
    )


def test_bare_node_with_gpus_says_why_nothing_lists_them(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("bar1-wiped"))
    write(root, "sys/module/nouveau/refcnt", "1\n")
    node = read(host, root)
    assert [(gpu.index, gpu.bar1_mib) for gpu in node.gpus] == [(None, 0), (None, 32768)]
    assert node.nouveau_loaded is True
    assert node.module_signed is None
    assert stack(node).error == (
        "nvml: libnvidia-ml.so.1 cannot be loaded: libnvidia-ml.so.1: cannot open shared object"
        " file: No such file or directory; nvidia-smi: the node has no such program"
    )


def test_hanging_nvidia_smi_is_given_up_and_named(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("t4-in-vm"))
    host.script("nvidia-smi", "exec sleep 600")
    assert stack(read(host, root, timeout=0.3)).errors["nvidia-smi"] == (
        "no answer within 0.3 s (a cold start takes 1 to 3 s for each GPU)"
    )


def test_where_nvml_hangs_nvidia_smi_is_not_asked(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("t4-in-vm"))
    host.prints("nvidia-smi", H100_SMI)
    node = read_gpu_node(host.command, str(root), 0.3, lambda _name: time.sleep(600))
    assert stack(node).source is None
    assert list(stack(node).errors) == ["nvml"]


def test_crash_of_nvml_leaves_nvidia_smi(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("hgx-h100-8"))
    host.prints("nvidia-smi", H100_SMI)
    node = read_gpu_node(host.command, str(root), None, lambda _name: os.abort())
    assert stack(node).source == "nvidia-smi"
    assert stack(node).errors == {"nvml": "ended by signal 6 before it answered"}


@pytest.mark.parametrize(
    ("out", "rc"),
    [
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b"\xff\xfe\x00garbage\x9d" * 50, 0, id="not-utf-8"),
        pytest.param(H100_SMI[: len(H100_SMI) // 3], 0, id="cut-short"),
        pytest.param(b"NVIDIA-SMI has failed because it couldn't communicate\n", 9, id="failed"),
    ],
)
def test_useless_answer_is_an_error_and_no_zero(
    host: ScriptHost, root: Path, out: bytes, rc: int
) -> None:
    plant_devices(root, read_fixture("hgx-h100-8"))
    host.prints("nvidia-smi", out, rc)
    node = read(host, root)
    assert stack(node).source is None
    assert stack(node).driver_gpus is None
    assert stack(node).errors["nvidia-smi"]
    assert len(node.gpus) == 8


def test_sixteen_gpus_are_sixteen(host: ScriptHost, root: Path) -> None:
    report = (FIXTURES / "nvidia" / "v100-x16" / "nvidia-smi.txt").read_text(encoding="utf-8")
    buses = re.findall(r'<gpu id="00000000:(..):00.0"', report)
    (card,) = read_fixture("t4-in-vm")
    plant_devices(root, [replace(card, address=f"0000:{bus.lower()}:00.0") for bus in buses])
    assert read(host, root).to_facts()["usable_count"] == 0
    host.prints("nvidia-smi", report)
    facts = read(host, root).to_facts()
    assert (facts["count"], facts["usable_count"]) == (16, 16)
    assert [gpu["index"] for gpu in facts["gpus"]] == list(range(16))


def test_loaded_driver_without_any_gpu_is_asked(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("no-gpu"))
    write(root, "sys/module/nvidia/version", "580.95.05\n")
    assert stack(read(host, root)).loaded == "580.95.05"


def test_foreign_bytes_everywhere_are_no_harm(host: ScriptHost, root: Path) -> None:
    bad = b"\xff\xfe\x80caf\xe9\x00\n"
    plant_devices(root, read_fixture("hgx-h100-8") + read_fixture("mi300x-8")[:2])
    for path in (root / "sys/devices").rglob("*"):
        if path.is_file() and path.name not in ("class", "vendor"):
            path.write_bytes(bad)
    for name in ("proc/driver/nvidia/version", "proc/sys/kernel/osrelease", SECURE_BOOT):
        write(root, name, bad)
    for name in ("sys/module/nvidia/version", "sys/module/amdgpu/version"):
        write(root, name, bad)
    write(root, "sys/class/kfd/kfd/topology/nodes/1/properties", bad)
    for name in ("dpkg-query", "rpm", "modinfo", "dmesg", "journalctl", "nvidia-smi"):
        host.prints(name, bad)
    for name in ("systemctl", "nvidia-ctk", "amd-ctk", "amd-smi", "rocm-smi"):
        host.prints(name, bad)
    facts = read(host, root).to_facts()
    assert facts["count"] == 9
    json.dumps(facts, ensure_ascii=False).encode("utf-8")


def test_device_that_vanishes_is_no_harm(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("t4-in-vm"))
    (root / "sys/bus/pci/devices/0000:3b:00.0").symlink_to("../../../devices/gone")
    assert [gpu.pci_address for gpu in read(host, root).gpus] == ["0000:00:1e.0"]


def test_ports_are_found_above_their_devices(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("rx7900xtx-in-x8-slot"))
    (gpu,) = read(host, root).gpus
    assert (gpu.link.width, gpu.link.max_width, gpu.link.slot_width) == (8, 16, 8)


def test_shares_for_guests_are_left_out(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("sriov-host-a40"))
    assert [gpu.pci_address for gpu in read(host, root).gpus] == ["0000:65:00.0"]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param(["acpi/x", "memmap/x"], False, id="no-efi"),
        pytest.param(["efi/systab"], None, id="variables-not-mounted"),
        pytest.param([], None, id="hidden"),
    ],
)
def test_secure_boot_is_off_only_where_that_is_sure(
    root: Path, entries: list[str], expected: bool | None
) -> None:
    (root / "sys/firmware").mkdir(parents=True)
    for entry in entries:
        write(root, f"sys/firmware/{entry}", "")
    assert read_gpu_node(Command(StillHost()), str(root)).secure_boot is expected


def test_kernel_headers_must_be_populated(root: Path) -> None:
    write(root, "proc/sys/kernel/osrelease", "6.8.0\n")
    (root / "lib/modules/6.8.0/build").mkdir(parents=True)
    assert read_gpu_node(Command(StillHost()), str(root)).kernel_headers is False


def test_refused_kernel_log_is_empty(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("t4-in-vm"))
    host.script("dmesg", "echo 'dmesg: read kernel buffer failed' >&2; exit 1")
    host.script("journalctl", "exit 1")
    assert read(host, root).kernel_log == ()


def test_toolkit_without_a_package_is_asked_itself(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("t4-in-vm"))
    host.prints("nvidia-ctk", "NVIDIA Container Toolkit CLI version 1.18.1\ncommit: 0\n")
    assert stack(read(host, root)).toolkit == "1.18.1"


def test_library_for_32_bit_programs_does_not_count(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("t4-in-vm"))
    for folder, version in (("i386-linux-gnu", "535.183.01"), ("x86_64-linux-gnu", "580.95.05")):
        write(root, f"usr/lib/{folder}/libnvidia-ml.so.{version}", "")
        link = root / f"usr/lib/{folder}/libnvidia-ml.so.1"
        link.symlink_to(f"libnvidia-ml.so.{version}")
    assert stack(read(host, root)).library == "580.95.05"


def test_library_of_debian_is_found_behind_its_alternatives(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("t4-in-vm"))
    write(root, "usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.535.183.01", "")
    current = root / "usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.1"
    current.symlink_to("libnvidia-ml.so.535.183.01")
    (root / "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1").symlink_to(current)
    assert stack(read(host, root)).library == "535.183.01"


def test_gpu_is_integrated_where_the_driver_says_so(host: ScriptHost, root: Path) -> None:
    card = {"class": "0x030000", "vendor": "0x1002", "device": "0x1fff"}
    plant_devices(root, [RawDevice("0000:c5:00.0", card, driver="amdgpu")])
    write(
        root,
        "sys/class/kfd/kfd/topology/nodes/1/properties",
        "cpu_cores_count 0\nsimd_count 4\nvendor_id 4098\ndevice_id 8191\nlocation_id 50432\n"
        "domain 0\ngfx_target_version 100306\n",
    )
    node = read(host, root)
    assert node.gpus == ()
    assert [gpu.address for gpu in node.integrated] == ["0000:c5:00.0"]
