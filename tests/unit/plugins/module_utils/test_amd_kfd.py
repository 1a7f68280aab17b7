"""Claims about the GPUs in the KFD topology, on dumps of real nodes and composed ones."""

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_kfd import (
    KfdNode,
    gfx_target,
    integrated_addresses,
    parse_topology,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.amd_fixtures import kfd_nodes, names

NODES = "/sys/class/kfd/kfd/topology/nodes"

# Fixture, number of cards, and the first and the last of them.
CARDS = [
    pytest.param(
        "kfd-mi210",
        8,
        DriverGpu(
            index=0,
            pci_address="0000:63:00.0",
            model="AMD Instinct MI210",
            uuid="GPU-1901ead3a2ecd4a6",
            architecture="cdna2",
        ),
        DriverGpu(
            index=7,
            pci_address="0000:a3:00.0",
            model="AMD Instinct MI210",
            uuid="GPU-c34ec50444dd0a6d",
            architecture="cdna2",
        ),
        id="mi210-without-memory-files",
    ),
    pytest.param(
        "kfd-mi25-old-kernel",
        1,
        DriverGpu(
            index=0,
            pci_address="0000:19:00.0",
            uuid="GPU-c34ec50444dd0a6c",
            memory_mib=16368,
            architecture="gcn5",
        ),
        None,
        id="old-kernel-without-gfx-target-and-domain",
    ),
    pytest.param(
        "kfd-mi250x-two-dies",
        2,
        DriverGpu(
            index=0,
            pci_address="0000:0b:00.0",
            model="AMD Instinct MI250X",
            uuid="GPU-1901ead3a2ecd4a6",
            memory_mib=65520,
            architecture="cdna2",
        ),
        DriverGpu(
            index=1,
            pci_address="0000:0e:00.0",
            model="AMD Instinct MI250X",
            uuid="GPU-1901ead3a2ecd4a7",
            memory_mib=65520,
            architecture="cdna2",
        ),
        id="mi250x-is-two-gpus",
    ),
    pytest.param(
        "kfd-mi300x-spx",
        8,
        DriverGpu(
            index=0,
            pci_address="0000:05:00.0",
            model="AMD Instinct MI300X",
            uuid="GPU-e3aa140f9a5f9e31",
            memory_mib=196592,
            architecture="cdna3",
            partition="SPX",
            partitions=1,
        ),
        DriverGpu(
            index=7,
            pci_address="0000:e5:00.0",
            model="AMD Instinct MI300X",
            uuid="GPU-dd197ad1b50577f6",
            memory_mib=196592,
            architecture="cdna3",
            partition="SPX",
            partitions=1,
        ),
        id="mi300x-whole",
    ),
    pytest.param(
        "kfd-mi300x-cpx",
        8,
        DriverGpu(
            index=0,
            pci_address="0000:05:00.0",
            model="AMD Instinct MI300X",
            uuid="GPU-e3aa140f9a5f9e31",
            architecture="cdna3",
            partition="CPX",
            partitions=8,
        ),
        DriverGpu(
            index=56,
            pci_address="0000:e5:00.0",
            model="AMD Instinct MI300X",
            uuid="GPU-dd197ad1b50577f6",
            architecture="cdna3",
            partition="CPX",
            partitions=7,
        ),
        id="mi300x-split-in-eight-is-one-card-the-last-lacks-a-part",
    ),
    pytest.param(
        "kfd-mi308x-cpx",
        8,
        DriverGpu(
            index=0,
            pci_address="0000:0a:00.0",
            model="AMD Instinct MI308X",
            uuid="GPU-084cafeae17e7696",
            memory_mib=196592,
            architecture="cdna3",
            partition="CPX",
            partitions=4,
        ),
        DriverGpu(
            index=28,
            pci_address="0001:c9:00.0",
            model="AMD Instinct MI308X",
            uuid="GPU-5b460cb8a78b1fd3",
            memory_mib=196592,
            architecture="cdna3",
            partition="CPX",
            partitions=4,
        ),
        id="mi308x-split-in-four-has-the-memory-of-all-parts",
    ),
    pytest.param(
        "kfd-mi300x-dpx-high-bits",
        2,
        DriverGpu(
            index=0,
            pci_address="0000:05:00.0",
            model="AMD Instinct MI300X",
            uuid="GPU-e3aa140f9a5f9e31",
            memory_mib=196592,
            architecture="cdna3",
            partition="DPX",
            partitions=2,
        ),
        DriverGpu(
            index=2,
            pci_address="0000:27:00.0",
            model="AMD Instinct MI300X",
            uuid="GPU-e3aa140f9a5f9e32",
            memory_mib=196592,
            architecture="cdna3",
            partition="DPX",
            partitions=2,
        ),
        id="part-number-above-the-address",
    ),
    pytest.param(
        "kfd-mi300a",
        4,
        DriverGpu(
            index=0,
            pci_address="0000:01:00.0",
            model="AMD Instinct MI300A",
            uuid="GPU-7e8f7e20764e2714",
            memory_mib=64289,
            architecture="cdna3",
            partition="SPX",
            partitions=1,
        ),
        DriverGpu(
            index=3,
            pci_address="0003:01:00.0",
            model="AMD Instinct MI300A",
            uuid="GPU-7e8f7e20764e2717",
            memory_mib=64289,
            architecture="cdna3",
            partition="SPX",
            partitions=1,
        ),
        id="mi300a-computes-in-four-pci-domains",
    ),
    pytest.param(
        "kfd-rx7900xtx-beside-apu",
        1,
        DriverGpu(
            index=0,
            pci_address="0000:03:00.0",
            uuid="GPU-7cf529dea4b33bad",
            memory_mib=24560,
            architecture="rdna3",
        ),
        None,
        id="card-beside-apu-has-no-guessed-model",
    ),
    pytest.param(
        "kfd-apu-before-card",
        1,
        DriverGpu(
            index=1,
            pci_address="0000:03:00.0",
            uuid="GPU-7cf529dea4b33bad",
            memory_mib=24560,
            architecture="rdna3",
        ),
        None,
        id="apu-keeps-its-number",
    ),
    pytest.param(
        "kfd-not-utf-8",
        1,
        DriverGpu(
            index=0,
            pci_address="0000:63:00.0",
            model="AMD Instinct MI210",
            uuid="GPU-1901ead3a2ecd4a6",
            memory_mib=65520,
            architecture="cdna2",
        ),
        None,
        id="foreign-bytes-in-other-lines",
    ),
    pytest.param(
        "kfd-truncated",
        1,
        DriverGpu(
            index=0,
            model="AMD Instinct MI210",
            architecture="cdna2",
            error=f"{NODES}/1/properties has no location_id",
        ),
        None,
        id="half-an-address-is-no-address",
    ),
    pytest.param(
        "kfd-node-not-readable",
        2,
        DriverGpu(
            index=0,
            pci_address="0000:63:00.0",
            model="AMD Instinct MI210",
            uuid="GPU-1901ead3a2ecd4a6",
            memory_mib=65520,
            architecture="cdna2",
        ),
        DriverGpu(index=1, error=f"{NODES}/2/properties cannot be read or has no simd_count"),
        id="an-unreadable-gpu-is-no-silent-zero",
    ),
]


@pytest.mark.parametrize(("name", "count", "first", "last"), CARDS)
def test_each_card_is_listed_once(
    name: str, count: int, first: DriverGpu, last: Optional[DriverGpu]
) -> None:
    view = parse_topology(kfd_nodes(name), driver_version="6.16.6")
    assert (view.source, view.driver_version, view.error) == ("kfd", "6.16.6", None)
    assert len(view.gpus) == count
    assert view.gpus[0] == first
    assert view.gpus[-1] == (last or first)


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        pytest.param("kfd-apu-alone", {"0000:10:00.0"}, id="granite-ridge"),
        pytest.param("kfd-rx7900xtx-beside-apu", {"0000:7a:00.0"}, id="raphael-beside-card"),
        pytest.param("kfd-apu-before-card", {"0000:02:00.0"}, id="raphael-before-card"),
        pytest.param("kfd-apu-one-node", {"0000:00:01.0"}, id="kaveri-in-the-node-of-the-cores"),
        pytest.param("kfd-mi300a", set(), id="mi300a-is-not-hidden"),
        pytest.param("kfd-mi300x-cpx", set(), id="cards-only"),
        pytest.param("kfd-no-gpu", set(), id="no-gpu"),
        pytest.param("kfd-garbage", set(), id="garbage"),
    ],
)
def test_the_graphics_of_processors_are_told_apart(name: str, addresses: set[str]) -> None:
    assert integrated_addresses(kfd_nodes(name)) == addresses


@pytest.mark.parametrize("name", ["kfd-no-gpu", "kfd-apu-alone", "kfd-apu-one-node"])
def test_a_node_without_cards_is_an_answer_and_no_error(name: str) -> None:
    assert parse_topology(kfd_nodes(name)) == DriverView(source="kfd")


def test_a_missing_topology_says_that_the_module_is_not_loaded() -> None:
    view = parse_topology([])
    assert view == DriverView(
        source="kfd", error=f"{NODES} is missing or empty: the module amdgpu is not loaded"
    )


def test_garbage_says_what_cannot_be_read() -> None:
    view = parse_topology(kfd_nodes("kfd-garbage"))
    assert view == DriverView(
        source="kfd",
        error=f"no file {NODES}/*/properties can be read, or none has a simd_count",
    )


def test_a_new_apu_is_known_by_its_target_though_its_id_is_not() -> None:
    text = "simd_count 4\ngfx_target_version 110501\nvendor_id 4098\ndevice_id 1\nlocation_id 256\n"
    nodes = [KfdNode(1, text, "77")]
    assert parse_topology(nodes).gpus == ()
    assert integrated_addresses(nodes) == {"0000:01:00.0"}


def test_two_shares_of_cards_without_a_serial_number_are_two_gpus() -> None:
    text = "simd_count 8\ndevice_id 29877\nlocation_id {}\nunique_id 0\n"
    view = parse_topology([KfdNode(n, text.format(0x0510 + n), "9") for n in (1, 2)])
    assert [gpu.pci_address for gpu in view.gpus] == ["0000:05:02.1", "0000:05:02.2"]
    assert [gpu.uuid for gpu in view.gpus] == [None, None]


def test_memory_of_a_part_that_is_unknown_leaves_that_of_the_card_unknown() -> None:
    text = "simd_count 8\nlocation_id {}\nunique_id 5\ngfx_target_version 90402\n"
    bank = "heap_type 2\nsize_in_bytes 1073741824\n"
    nodes = [KfdNode(1, text.format(256), "1", (bank,)), KfdNode(2, text.format(257), "2")]
    assert [gpu.memory_mib for gpu in parse_topology(nodes).gpus] == [None]
    assert [gpu.memory_mib for gpu in parse_topology(nodes[:1]).gpus] == [1024]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param(90402, "gfx942", id="mi300"),
        pytest.param(90010, "gfx90a", id="hexadecimal-step"),
        pytest.param(90500, "gfx950", id="mi350"),
        pytest.param(100306, "gfx1036", id="raphael"),
        pytest.param(110000, "gfx1100", id="navi-31"),
        pytest.param(110501, "gfx1151", id="strix-halo"),
        pytest.param(0, None, id="processor"),
    ],
)
def test_gfx_target(version: int, expected: Optional[str]) -> None:
    assert gfx_target(version) == expected


@pytest.mark.parametrize("name", names("kfd"))
def test_no_cut_of_a_topology_raises_or_invents_an_address(name: str) -> None:
    whole = {gpu.pci_address for gpu in parse_topology(kfd_nodes(name)).gpus}
    for node in kfd_nodes(name)[:4]:
        for end in range(0, len(node.properties), 3):
            cut = KfdNode(node.number, node.properties[:end], node.gpu_id, node.mem_banks)
            for gpu in parse_topology([cut]).gpus:
                found = gpu.pci_address
                # Without its line a PCI domain is 0, and a part cannot know its first function.
                assert found is None or {found[5:-2]} <= {a[5:-2] for a in whole if a}


@given(st.text(), st.text(), st.lists(st.text(), max_size=2))
def test_any_text_makes_a_view(properties: str, gpu_id: str, banks: list[str]) -> None:
    nodes = [KfdNode(0, properties, gpu_id, tuple(banks)), KfdNode(1, "simd_count 0\n", "0")]
    assert parse_topology(nodes).error is None


PROPERTIES = [
    "simd_count",
    "vendor_id",
    "device_id",
    "location_id",
    "domain",
    "unique_id",
    "num_xcc",
    "gfx_target_version",
    "cpu_cores_count",
    "local_mem_size",
]


@given(st.dictionaries(st.sampled_from(PROPERTIES), st.integers(0, 2**64)))
def test_any_numbers_make_a_view(values: dict[str, int]) -> None:
    text = "".join(f"{name} {value}\n" for name, value in values.items())
    assert parse_topology([KfdNode(1, text, "1")]).source == "kfd"
