"""Claims about the rows that bus and driver make together."""

from __future__ import annotations

import json

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_join import join_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Bar,
    DriverGpu,
    DriverView,
    Ecc,
    Gpu,
    GpuNode,
    Health,
    Link,
    PciGpu,
    Stack,
    Vendor,
    from_plain,
    to_plain,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import (
    PciBus,
    read_bus,
)

from tests.unit.plugins.gpu_trees import read_fixture

NVIDIA = GpuNode(stacks=(Stack(Vendor.NVIDIA, loaded="580.95.05"),))
AMD = GpuNode(stacks=(Stack(Vendor.AMD),))
H100 = read_bus(read_fixture("hgx-h100-8"))
APU = read_bus(read_fixture("rtx5090-beside-apu"))


def h100(index: int, address: str) -> DriverGpu:
    return DriverGpu(index, address, model="NVIDIA H100 80GB HBM3", temperature_c=30)


def nvml(*gpus: DriverGpu) -> DriverView:
    return DriverView("nvml", gpus, driver_version="580.95.05", runtime_version="13.0")


def places(node: GpuNode) -> list[tuple[int | None, str]]:
    return [(gpu.index, gpu.pci_address) for gpu in node.gpus]


def two(vendor: Vendor = Vendor.NVIDIA) -> PciBus:
    return PciBus(
        gpus=(
            PciGpu("0000:3b:00.0", vendor, "0x20b5", driver="nvidia"),
            PciGpu("0000:5e:00.0", vendor, "0x20b5", driver="nvidia"),
        )
    )


def test_rows_follow_the_driver_and_meet_the_bus_by_address() -> None:
    view = nvml(h100(1, "00000000:53:00.0"), h100(0, "00000000:CA:00.0"))
    node = join_node(NVIDIA, PciBus(gpus=(H100.gpus[0], H100.gpus[7])), {Vendor.NVIDIA: [view]})
    assert node.gpus == (
        Gpu(
            vendor=Vendor.NVIDIA,
            pci_address="0000:ca:00.0",
            index=0,
            model="NVIDIA H100 80GB HBM3",
            device_id="0x2330",
            subsystem_id="0x10de16c1",
            kernel_driver="nvidia",
            link=Link(5, 16, 5, 16, 5, 16),
            bars=(Bar(0, 16777216), Bar(2, 137438953472), Bar(4, 33554432)),
            bar1_mib=131072,
            numa_node=1,
            architecture="hopper",
            temperature_c=30,
            health=Health.OK,
        ),
        node.gpus[1],
    )
    assert places(node) == [(0, "0000:ca:00.0"), (1, "0000:53:00.0")]
    (stack,) = node.stacks
    assert (stack.source, stack.driver_gpus, stack.runtime_version) == ("nvml", 2, "13.0")


def test_gpu_that_the_driver_does_not_list_comes_last_without_an_index() -> None:
    view = nvml(h100(0, "00000000:5E:00.0"))
    node = join_node(NVIDIA, two(), {Vendor.NVIDIA: [view]})
    assert places(node) == [(0, "0000:5e:00.0"), (None, "0000:3b:00.0")]
    assert node.gpus[1].health is Health.FAILED
    assert node.stacks[0].driver_gpus == 1


def test_gpu_that_only_the_driver_knows_stays_visible() -> None:
    node = join_node(NVIDIA, PciBus(), {Vendor.NVIDIA: [nvml(h100(0, "00000000:3B:00.0"))]})
    assert places(node) == [(0, "0000:3b:00.0")]
    assert node.gpus[0].device_id is None


def test_lost_gpu_is_the_one_that_is_missing() -> None:
    view = nvml(h100(0, "00000000:5E:00.0"), DriverGpu(1, error="GPU is lost"))
    node = join_node(NVIDIA, two(), {Vendor.NVIDIA: [view]})
    assert places(node) == [(0, "0000:5e:00.0"), (1, "0000:3b:00.0")]
    assert (node.gpus[1].error, node.gpus[1].health) == ("GPU is lost", Health.FAILED)


def test_of_several_lost_gpus_each_has_the_error_and_none_an_index() -> None:
    view = nvml(DriverGpu(0, error="GPU is lost"), DriverGpu(1, error="GPU is lost"))
    node = join_node(NVIDIA, two(), {Vendor.NVIDIA: [view]})
    assert places(node) == [(None, "0000:3b:00.0"), (None, "0000:5e:00.0")]
    assert [gpu.error for gpu in node.gpus] == ["GPU is lost", "GPU is lost"]


def test_lost_gpu_that_the_bus_does_not_show_stays_visible() -> None:
    view = nvml(h100(0, "00000000:3B:00.0"), DriverGpu(1, error="GPU is lost"))
    bus = PciBus(gpus=two().gpus[:1])
    node = join_node(NVIDIA, bus, {Vendor.NVIDIA: [view]})
    assert places(node) == [(0, "0000:3b:00.0"), (1, "")]


def test_first_interface_that_lists_gpus_counts() -> None:
    views = [
        DriverView("nvml", error="libnvidia-ml.so.1 cannot be loaded: not found"),
        DriverView("nvidia-smi", (h100(0, "00000000:3B:00.0"),), driver_version="580.95.05"),
    ]
    (stack,) = join_node(NVIDIA, two(), {Vendor.NVIDIA: views}).stacks
    assert (stack.source, stack.driver_gpus, stack.error) == ("nvidia-smi", 1, None)
    assert stack.errors == {"nvml": "libnvidia-ml.so.1 cannot be loaded: not found"}


def test_why_no_interface_lists_gpus_is_told() -> None:
    views = [
        DriverView("nvml", error="Driver Not Loaded (9)"),
        DriverView("nvidia-smi", error="NVIDIA-SMI has failed"),
    ]
    node = join_node(NVIDIA, two(), {Vendor.NVIDIA: views})
    (stack,) = node.stacks
    assert (stack.source, stack.driver_gpus) == (None, None)
    assert stack.error == "nvml: Driver Not Loaded (9); nvidia-smi: NVIDIA-SMI has failed"
    assert [(gpu.index, gpu.health) for gpu in node.gpus] == [(None, None), (None, None)]


def test_integrated_gpu_is_in_no_count() -> None:
    view = DriverView("kfd", (DriverGpu(0, "0000:7b:00.0"),))
    node = join_node(
        GpuNode(stacks=(Stack(Vendor.NVIDIA), Stack(Vendor.AMD))), APU, {Vendor.AMD: [view]}
    )
    assert places(node) == [(None, "0000:01:00.0")]
    assert [gpu.address for gpu in node.integrated] == ["0000:7b:00.0"]
    assert [stack.driver_gpus for stack in node.stacks] == [None, 0]


def test_later_interfaces_fill_what_the_first_leaves_open() -> None:
    views = [
        DriverView("kfd", (DriverGpu(0, "0000:3b:00.0", memory_mib=196592, uuid="GPU-1"),)),
        DriverView(
            "amd-smi",
            (
                DriverGpu(
                    4,
                    "0000:3b:00.0",
                    uuid="other",
                    memory_mib=1,
                    temperature_c=41,
                    ecc=Ecc(volatile_uncorrected=0),
                ),
            ),
            driver_version="6.12.12",
            runtime_version="6.4.1",
        ),
    ]
    node = join_node(AMD, two(Vendor.AMD), {Vendor.AMD: views})
    gpu = node.gpus[0]
    assert (gpu.index, gpu.uuid, gpu.memory_mib, gpu.temperature_c) == (0, "GPU-1", 196592, 41)
    assert (gpu.ecc, gpu.health) == (Ecc(volatile_uncorrected=0), Health.OK)
    (stack,) = node.stacks
    assert (stack.source, stack.loaded, stack.runtime_version) == ("kfd", None, "6.4.1")


def test_driver_version_is_the_loaded_one_where_proc_is_out_of_sight() -> None:
    node = join_node(GpuNode(stacks=(Stack(Vendor.NVIDIA),)), two(), {Vendor.NVIDIA: [nvml()]})
    assert node.stacks[0].loaded == "580.95.05"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param("GRID T4-16Q", True, id="vgpu"),
        pytest.param("NVIDIA A100-3-20C", True, id="vgpu-on-mig"),
        pytest.param("NVIDIA H100XM-80C", True, id="whole-card-as-vgpu"),
        pytest.param("GRID K520", False, id="card-with-grid-in-its-name"),
        pytest.param("NVIDIA A100-SXM4-80GB", False, id="card-with-dashes"),
        pytest.param("NVIDIA A100 80GB PCIe", False, id="card"),
        pytest.param("NVIDIA H100 NVL", False, id="nvl"),
    ],
)
def test_vgpu_is_known_by_the_name_of_its_type(model: str, expected: bool) -> None:
    view = nvml(DriverGpu(0, "00000000:3B:00.0", model=model))
    assert join_node(NVIDIA, two(), {Vendor.NVIDIA: [view]}).gpus[0].is_virtual is expected


def test_driver_knows_the_window_better_than_the_bus() -> None:
    view = nvml(DriverGpu(0, "0000:53:00.0", bar1_mib=65536))
    assert join_node(NVIDIA, H100, {Vendor.NVIDIA: [view]}).gpus[0].bar1_mib == 65536


def test_window_without_room_is_zero() -> None:
    bus = read_bus(read_fixture("bar1-wiped"))
    assert [gpu.bar1_mib for gpu in join_node(NVIDIA, bus, {}).gpus] == [0, 32768]


def test_amd_model_is_known_without_a_driver() -> None:
    (gpu, *_rest) = join_node(AMD, read_bus(read_fixture("mi300x-8")), {}).gpus
    assert (gpu.model, gpu.architecture) == ("AMD Instinct MI300X", "cdna3")


def test_joined_node_survives_json() -> None:
    node = join_node(NVIDIA, H100, {Vendor.NVIDIA: [nvml(h100(0, "0000:53:00.0"))]})
    assert from_plain(GpuNode, json.loads(json.dumps(to_plain(node)))) == node
