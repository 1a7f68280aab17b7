"""Claims about which PCI devices are GPUs, and what the bus tells of them."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Bar,
    Link,
    PciGpu,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import (
    PciBus,
    RawDevice,
    normal_address,
    parse_generation,
    parse_width,
    read_bus,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.gpu_trees import read_fixture


@pytest.mark.parametrize(
    ("name", "gpus", "integrated", "nvswitches"),
    [
        pytest.param("rtx3090-desktop", ["0000:01:00.0"], [], 0, id="sound-function-is-none"),
        pytest.param("rtx2080ti-usb-functions", ["0000:17:00.0"], [], 0, id="usb-functions"),
        pytest.param(
            "hgx-h100-8",
            [
                "0000:53:00.0",
                "0000:64:00.0",
                "0000:75:00.0",
                "0000:86:00.0",
                "0000:97:00.0",
                "0000:a8:00.0",
                "0000:b9:00.0",
                "0000:ca:00.0",
            ],
            [],
            4,
            id="nvswitches-are-counted-apart",
        ),
        pytest.param("bar1-wiped", ["0000:56:00.0", "0000:57:00.0"], [], 0, id="no-driver-needed"),
        pytest.param("t4-in-vm", ["0000:00:1e.0"], [], 0, id="nvidia-on-the-root-bus"),
        pytest.param(
            "rtx5090-beside-apu", ["0000:01:00.0"], ["0000:7b:00.0"], 0, id="apu-beside-a-card"
        ),
        pytest.param("apu-of-tomorrow", [], ["0000:c5:00.0"], 0, id="apu-by-its-slot"),
        pytest.param("apu-on-root-bus", [], ["0000:00:01.0"], 0, id="apu-by-its-id"),
        pytest.param("rx7900xtx-in-x8-slot", ["0000:2d:00.0"], [], 0, id="radeon-behind-bridges"),
        pytest.param(
            "mi300x-8",
            [
                "0000:05:00.0",
                "0000:26:00.0",
                "0000:46:00.0",
                "0000:65:00.0",
                "0000:85:00.0",
                "0000:a6:00.0",
                "0000:c6:00.0",
                "0000:e5:00.0",
            ],
            [],
            0,
            id="accelerator-class",
        ),
        pytest.param("mi250x-2-dies", ["0000:c1:00.0", "0000:c6:00.0"], [], 0, id="two-dies"),
        pytest.param(
            "mi300a-4",
            ["0000:01:00.0", "0001:41:00.0", "0002:81:00.0", "0003:c1:00.0"],
            [],
            0,
            id="mi300a-is-never-hidden",
        ),
        pytest.param("sriov-host-a40", ["0000:65:00.0"], [], 0, id="shares-for-guests-are-none"),
        pytest.param("server-consoles", [], [], 0, id="console-chips-are-none"),
        pytest.param(
            "gone-and-garbage", ["0000:3b:00.0", "0000:5e:00.0"], [], 0, id="strange-texts"
        ),
        pytest.param("no-gpu", [], [], 0, id="no-gpu"),
    ],
)
def test_gpus_of_the_bus(
    name: str, gpus: list[str], integrated: list[str], nvswitches: int
) -> None:
    bus = read_bus(read_fixture(name))
    assert [gpu.address for gpu in bus.gpus] == gpus
    assert [gpu.address for gpu in bus.integrated] == integrated
    assert all(gpu.is_integrated for gpu in bus.integrated)
    assert bus.nvswitches == nvswitches


def only(name: str) -> PciGpu:
    (gpu,) = read_bus(read_fixture(name)).gpus
    return gpu


def test_everything_that_the_bus_tells_of_a_card() -> None:
    assert only("rtx3090-desktop") == PciGpu(
        address="0000:01:00.0",
        vendor=Vendor.NVIDIA,
        device_id="0x2204",
        subsystem_id="0x10de1467",
        driver="nvidia",
        link=Link(1, 16, 4, 16, 4, 16),
        bars=(Bar(0, 16777216), Bar(1, 268435456), Bar(3, 33554432)),
        numa_node=None,
    )


def test_amd_card_has_its_memory_in_region_0() -> None:
    gpu = read_bus(read_fixture("mi300x-8")).gpus[7]
    assert gpu == PciGpu(
        address="0000:e5:00.0",
        vendor=Vendor.AMD,
        device_id="0x74a1",
        subsystem_id="0x100274a1",
        driver="amdgpu",
        link=Link(5, 16, 5, 16, 5, 16),
        bars=(Bar(0, 274877906944), Bar(2, 2097152), Bar(5, 524288)),
        numa_node=1,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("bar1-wiped", (Bar(0, 16777216), Bar(1, 0), Bar(3, 0)), id="wiped"),
        pytest.param("bar1-unset-flag", (Bar(0, 16777216), Bar(1, 0), Bar(3, 0)), id="unset"),
    ],
)
def test_a_card_without_room_shows_it(name: str, expected: tuple[Bar, ...]) -> None:
    assert read_bus(read_fixture(name)).gpus[0].bars == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("narrow-riser", Link(4, 8, 4, 16, 4, 16), id="half-of-the-lanes"),
        pytest.param("rx7900xtx-in-x8-slot", Link(4, 8, 4, 16, 4, 8), id="link-of-the-card"),
        pytest.param("t4-in-vm", Link(None, None, 3, 16, None, None), id="unknown-speed"),
        pytest.param("mi300x-share-in-guest", Link(5, 16, 5, 16, None, None), id="no-port-above"),
    ],
)
def test_link_is_that_between_card_and_slot(name: str, expected: Link) -> None:
    assert only(name).link == expected


def test_share_of_a_card_is_known_by_its_device_id() -> None:
    assert only("mi300x-share-in-guest").is_virtual
    assert not only("sriov-host-a40").is_virtual


def test_share_whose_card_is_out_of_sight_is_virtual() -> None:
    attributes = {"class": "0x030200", "vendor": "0x10de", "device": "0x2235"}
    share = RawDevice("0000:65:00.4", attributes, physical_function="0000:65:00.0")
    assert [gpu.is_virtual for gpu in read_bus([share]).gpus] == [True]


def test_holder_of_a_card_is_named() -> None:
    assert only("a100-for-vfio").driver == "vfio-pci"
    assert read_bus(read_fixture("bar1-wiped")).gpus[0].driver is None


def test_texts_that_no_kernel_writes_are_unknown() -> None:
    gone, garbage = read_bus(read_fixture("gone-and-garbage")).gpus
    assert gone.link == Link()
    assert gone.bars == (Bar(0, 16777216), Bar(1, 137438953472), Bar(3, 33554432))
    assert garbage == PciGpu(address="0000:5e:00.0", vendor=Vendor.NVIDIA, device_id="")


NAMES = [
    "class",
    "vendor",
    "device",
    "subsystem_vendor",
    "subsystem_device",
    "resource",
    "numa_node",
    "current_link_speed",
    "current_link_width",
    "max_link_speed",
    "max_link_width",
]


@given(
    texts=st.dictionaries(st.sampled_from(NAMES), st.text()),
    config=st.binary(max_size=64),
    loop=st.booleans(),
)
def test_no_text_does_harm(texts: dict[str, str], config: bytes, loop: bool) -> None:
    kind = {"class": "0x030000", "vendor": "0x1002", **texts}
    parent = "0000:3b:00.0" if loop else None
    bus = read_bus([RawDevice("0000:3b:00.0", kind, config, parent=parent)])
    assert len(bus.gpus) + len(bus.integrated) <= 1


def test_no_devices_are_no_gpus() -> None:
    assert read_bus([]) == PciBus()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2.5 GT/s PCIe", 1, id="1"),
        pytest.param("5 GT/s", 2, id="2-old-kernel"),
        pytest.param("8.0 GT/s PCIe", 3, id="3"),
        pytest.param("16.0 GT/s PCIe\n", 4, id="4"),
        pytest.param("32.0 GT/s PCIe", 5, id="5"),
        pytest.param("64.0 GT/s PCIe", 6, id="6"),
        pytest.param("Unknown", None, id="unknown"),
        pytest.param("Unknown speed", None, id="unknown-speed"),
        pytest.param("16.0", None, id="no-unit"),
        pytest.param("", None, id="empty"),
        pytest.param("\ufffd\ufffd GT/s", None, id="not-utf-8"),
    ],
)
def test_generation_of_a_speed(text: str, expected: int | None) -> None:
    assert parse_generation(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("16", 16, id="16"),
        pytest.param("0", None, id="no-link"),
        pytest.param("255", None, id="gone"),
        pytest.param("Unknown", None, id="word"),
        pytest.param("-1", None, id="negative"),
        pytest.param("\u0661\u0666", None, id="foreign-digits"),
        pytest.param("9" * 5000, None, id="endless"),
    ],
)
def test_width_of_a_link(text: str, expected: int | None) -> None:
    assert parse_width(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("00000000:3B:00.0", "0000:3b:00.0", id="nvml"),
        pytest.param("0000:3b:00.0\n", "0000:3b:00.0", id="sysfs"),
        pytest.param("3B:00.0", "0000:3b:00.0", id="without-domain"),
        pytest.param("0001:00:00.0", "0001:00:00.0", id="azure"),
        pytest.param("00010000:E1:00.0", "10000:e1:00.0", id="long-domain"),
        pytest.param("GPU-5f2a", None, id="uuid"),
        pytest.param("0000:3b:00", None, id="no-function"),
        pytest.param("", None, id="empty"),
    ],
)
def test_addresses_are_written_one_way(text: str, expected: str | None) -> None:
    assert normal_address(text) == expected
