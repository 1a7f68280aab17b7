"""Claims about a whole node with AMD GPUs: file tree and programs in, one value out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Union

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    GpuNode,
    Health,
    Stack,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_read import read_gpu_node

from tests.unit.plugins.module_utils.amd_fixtures import text, tree

Program = Union[str, Callable[[], str]]
NOT_LOADED = (
    "/sys/class/kfd/kfd/topology/nodes is missing or empty: the module amdgpu is not loaded"
)
# What amd-smi is asked, and the file of a fixture with the answer.
QUESTIONS = {
    "amd-smi static --json": "static.json",
    "amd-smi metric --json": "metric.json",
}


@dataclass
class Host:
    """A node whose programs print what the test says; it has no others."""

    programs: dict[str, Program] = field(default_factory=dict)

    def run_command(
        self, args: list[str], *_ignored: object, **_named: object
    ) -> tuple[int, str, str]:
        """Stand in for AnsibleModule.run_command."""
        answer = self.programs.get(" ".join(args), "")
        return 0, answer if isinstance(answer, str) else answer(), ""

    def get_bin_path(self, arg: str, *_ignored: object) -> Optional[str]:
        """Stand in for AnsibleModule.get_bin_path."""
        known = any(line.split()[0] == arg for line in self.programs)
        return f"/usr/bin/{arg}" if known else None


@dataclass
class Machine:
    """A file tree that a test fills, and the programs beside it."""

    root: Path
    host: Host = field(default_factory=Host)

    def write(self, path: str, content: str) -> None:
        """Write a file of the node."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode())

    def card(self, address: str, device: str, kind: str = "0x120000") -> None:
        """Plug in a device of AMD that amdgpu holds."""
        folder = f"/sys/bus/pci/devices/{address}"
        for name, content in {"class": kind, "vendor": "0x1002", "device": device}.items():
            self.write(f"{folder}/{name}", f"{content}\n")

    def topology(self, fixture: str) -> None:
        """Load amdgpu, which lists the GPUs of a fixture."""
        self.write("/sys/module/amdgpu/version", "6.16.6\n")
        for path, content in tree(fixture).items():
            self.write(f"/sys/class/kfd/kfd/topology/{path}", content)

    def amd_smi(self, fixture: str) -> None:
        """Install amd-smi, which prints what a fixture says."""
        self.host.programs.update({line: text(fixture, f) for line, f in QUESTIONS.items()})

    def read(self, timeout: float = 30.0) -> GpuNode:
        """Return what the collection sees."""
        return read_gpu_node(Command(self.host), str(self.root), timeout)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A node without GPUs and programs."""
    return Machine(tmp_path)


def amd_stack(node: GpuNode) -> Stack:
    stack = node.stack(Vendor.AMD)
    assert stack is not None
    return stack


MI308X = [
    "0000:0a:00.0",
    "0000:80:00.0",
    "0000:a4:00.0",
    "0000:c8:00.0",
    "0001:0b:00.0",
    "0001:81:00.0",
    "0001:a5:00.0",
    "0001:c9:00.0",
]


def test_eight_split_cards_are_eight_gpus_without_any_program(machine: Machine) -> None:
    for address in MI308X:
        machine.card(address, "0x74a2")
    machine.topology("kfd-mi308x-cpx")
    node = machine.read()
    assert [gpu.pci_address for gpu in node.gpus] == MI308X
    assert [gpu.index for gpu in node.gpus] == [0, 4, 8, 12, 16, 20, 24, 28]
    assert {gpu.model for gpu in node.gpus} == {"AMD Instinct MI308X"}
    assert {gpu.memory_mib for gpu in node.gpus} == {196592}
    assert {(gpu.partition, gpu.partitions) for gpu in node.gpus} == {("CPX", 4)}
    stack = amd_stack(node)
    assert (stack.source, stack.loaded, stack.driver_gpus) == ("kfd", "6.16.6", 8)
    assert (stack.error, stack.errors) == (None, {})


def test_facts_name_models_and_count_cards(machine: Machine) -> None:
    for address in MI308X:
        machine.card(address, "0x74a2")
    machine.topology("kfd-mi308x-cpx")
    facts = machine.read().to_facts()
    assert (facts["count"], facts["usable_count"], facts["vendor"]) == (8, 8, "amd")
    assert facts["models"] == ["AMD Instinct MI308X"]


def test_a_card_beside_the_graphics_of_the_processor(machine: Machine) -> None:
    machine.card("0000:03:00.0", "0x744c", "0x030000")
    machine.card("0000:7a:00.0", "0x164e", "0x030000")
    machine.topology("kfd-rx7900xtx-beside-apu")
    machine.amd_smi("amd-smi-warning-before-json")
    node = machine.read()
    assert [(gpu.pci_address, gpu.model) for gpu in node.gpus] == [
        ("0000:03:00.0", "AMD Radeon RX 7900 XTX")
    ]
    assert [gpu.address for gpu in node.integrated] == ["0000:7a:00.0"]
    assert amd_stack(node).driver_gpus == 1


def test_a_processor_that_computes_is_not_hidden(machine: Machine) -> None:
    for domain in range(4):
        machine.card(f"000{domain}:01:00.0", "0x74a0")
    machine.topology("kfd-mi300a")
    machine.amd_smi("amd-smi-6.2-mi300a")
    machine.write("/opt/rocm/.info/version", "6.2.1-112\n")
    node = machine.read()
    assert [gpu.pci_address for gpu in node.gpus] == [
        "0000:01:00.0",
        "0001:01:00.0",
        "0002:01:00.0",
        "0003:01:00.0",
    ]
    assert node.integrated == ()
    assert {(gpu.model, gpu.memory_mib) for gpu in node.gpus} == {("AMD Instinct MI300A", 64289)}
    # KFD names the GPU, amd-smi adds what only it knows.
    assert {(gpu.temperature_c, gpu.power_limit_w) for gpu in node.gpus} == {(36, 550.0)}
    assert {gpu.health for gpu in node.gpus} == {Health.OK}
    assert amd_stack(node).runtime_version == "6.2.1"


def test_a_driver_that_is_not_loaded_is_no_silent_zero(machine: Machine) -> None:
    machine.card("0000:63:00.0", "0x740f")
    machine.amd_smi("amd-smi-not-loaded")
    machine.host.programs["rocm-smi"] = ""
    node = machine.read()
    assert [(gpu.pci_address, gpu.index) for gpu in node.gpus] == [("0000:63:00.0", None)]
    stack = amd_stack(node)
    assert (stack.source, stack.driver_gpus) == (None, None)
    assert stack.errors == {
        "kfd": NOT_LOADED,
        "amd-smi": "Unable to get devices, driver not initialized (amdgpu not found in modules)",
        "rocm-smi": "rocm-smi --json printed nothing",
    }


def test_the_graphics_of_a_processor_alone_is_no_gpu_node(machine: Machine) -> None:
    machine.card("0000:10:00.0", "0x13c0", "0x030000")
    machine.topology("kfd-apu-alone")
    node = machine.read()
    assert node.gpus == ()
    assert [gpu.address for gpu in node.integrated] == ["0000:10:00.0"]
    assert node.to_facts()["vendor"] is None


def test_an_apu_that_no_table_knows_is_told_by_the_driver(machine: Machine) -> None:
    machine.card("0000:10:00.0", "0xfff1", "0x030000")
    machine.write("/sys/class/kfd/kfd/topology/nodes/1/gpu_id", "77\n")
    machine.write(
        "/sys/class/kfd/kfd/topology/nodes/1/properties",
        "simd_count 4\ngfx_target_version 110501\ndevice_id 65521\nlocation_id 4096\n",
    )
    node = machine.read()
    assert node.gpus == ()
    assert [gpu.address for gpu in node.integrated] == ["0000:10:00.0"]


def test_the_console_of_a_server_board_is_no_gpu(machine: Machine) -> None:
    machine.card("0000:09:00.0", "0x515e", "0x030000")
    node = machine.read()
    assert (node.gpus, node.integrated, node.stacks) == ((), (), ())


def test_a_gpu_that_the_kernel_does_not_let_anyone_read_has_the_error(machine: Machine) -> None:
    machine.card("0000:43:00.0", "0x740f")
    machine.card("0000:63:00.0", "0x740f")
    machine.topology("kfd-node-not-readable")
    node = machine.read()
    assert [(gpu.pci_address, gpu.error, gpu.health) for gpu in node.gpus] == [
        ("0000:63:00.0", None, None),
        (
            "0000:43:00.0",
            "/sys/class/kfd/kfd/topology/nodes/2/properties cannot be read or has no simd_count",
            Health.FAILED,
        ),
    ]


def test_one_of_two_dies_missing_in_the_driver_stays_visible(machine: Machine) -> None:
    for address in ("0000:0b:00.0", "0000:0e:00.0", "0000:11:00.0"):
        machine.card(address, "0x7408")
    machine.topology("kfd-mi250x-two-dies")
    node = machine.read()
    assert [(gpu.pci_address, gpu.index) for gpu in node.gpus] == [
        ("0000:0b:00.0", 0),
        ("0000:0e:00.0", 1),
        ("0000:11:00.0", None),
    ]
    assert amd_stack(node).driver_gpus == 2


def test_a_hanging_amd_smi_leaves_what_the_kernel_says(machine: Machine) -> None:
    def hang() -> str:
        time.sleep(600)
        return ""

    machine.card("0000:63:00.0", "0x740f")
    machine.topology("kfd-not-utf-8")
    machine.host.programs["amd-smi static --json"] = hang
    node = machine.read(timeout=0.2)
    assert [(gpu.model, gpu.memory_mib) for gpu in node.gpus] == [("AMD Instinct MI210", 65520)]
    assert list(amd_stack(node).errors) == ["amd-smi"]
    assert "no answer within 0.2 s" in amd_stack(node).errors["amd-smi"]


def test_memory_errors_that_only_amd_smi_counts_degrade_a_gpu(machine: Machine) -> None:
    for bus in ("05", "27"):
        machine.card(f"0000:{bus}:00.0", "0x74a1")
    machine.topology("kfd-mi300x-dpx-high-bits")
    machine.amd_smi("amd-smi-6.4-mi300x-cpx")
    node = machine.read()
    assert [(gpu.index, gpu.ecc.volatile_uncorrected, gpu.health) for gpu in node.gpus] == [
        (0, 0, Health.OK),
        (2, 1, Health.DEGRADED),
    ]
