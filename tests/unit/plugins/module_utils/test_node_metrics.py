"""Claims about what a node tells of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.exposition import exposition
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Ecc,
    Gpu,
    GpuNode,
    Health,
    Remapping,
    Stack,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import XidEvent
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics import (
    GpuReading,
    NodeReading,
    gpu_families,
    has_mismatch,
    node_families,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.test_exposition import read

H100 = Gpu(
    vendor=Vendor.NVIDIA,
    pci_address="0000:1b:00.0",
    index=0,
    model="NVIDIA H100 80GB HBM3",
    uuid="GPU-1",
    device_id="0x2330",
    temperature_c=33,
    power_w=116.5,
    power_limit_w=700.0,
    utilization_percent=98,
    memory_used_mib=70000,
    memory_free_mib=11008,
    sm_clock_mhz=1980,
    memory_clock_mhz=2619,
    throttle_reasons=0x48,
    ecc=Ecc(True, True, 1, 2, 3, 4),
    remapping=Remapping(5, 6, True, False),
    health=Health.OK,
)
LOST = Gpu(
    vendor=Vendor.NVIDIA,
    pci_address="0000:43:00.0",
    device_id="0x2330",
    error="GPU is lost",
    health=Health.FAILED,
)
NODE = GpuNode(gpus=(H100,), stacks=(Stack(Vendor.NVIDIA, loaded="580.95.05"),))
LONG = (
    '{gpu="0",UUID="GPU-1",pci_bus_id="00000000:1B:00.0",device="nvidia0",'
    'modelName="NVIDIA H100 80GB HBM3",Hostname="n1",DCGM_FI_DRIVER_VERSION="580.95.05"}'
)
SHORT = (
    '{gpu="0",UUID="GPU-1",pci_bus_id="00000000:1B:00.0",modelName="NVIDIA H100 80GB HBM3",%s="%s"}'
)


def told(reading: GpuReading) -> dict[str, float]:
    return read(exposition(gpu_families(reading)))


def test_a_gpu_is_told_under_the_names_and_labels_of_dcgm_exporter() -> None:
    values = told(GpuReading(NODE, 1, "n1", events=[]))
    dcgm = {name: value for name, value in values.items() if name.startswith("DCGM")}
    assert dcgm == {
        f"DCGM_FI_DEV_GPU_TEMP{LONG}": 33,
        f"DCGM_FI_DEV_POWER_USAGE{LONG}": 116.5,
        f"DCGM_FI_DEV_POWER_MGMT_LIMIT{LONG}": 700,
        f"DCGM_FI_DEV_GPU_UTIL{LONG}": 98,
        f"DCGM_FI_DEV_FB_USED{LONG}": 70000,
        f"DCGM_FI_DEV_FB_FREE{LONG}": 11008,
        f"DCGM_FI_DEV_SM_CLOCK{LONG}": 1980,
        f"DCGM_FI_DEV_MEM_CLOCK{LONG}": 2619,
        f"DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{LONG}": 0x48,
        f"DCGM_FI_DEV_ECC_SBE_VOL_TOTAL{LONG}": 1,
        f"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL{LONG}": 2,
        f"DCGM_FI_DEV_ECC_SBE_AGG_TOTAL{LONG}": 3,
        f"DCGM_FI_DEV_ECC_DBE_AGG_TOTAL{LONG}": 4,
        f"DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS{LONG}": 5,
        f"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS{LONG}": 6,
        f"DCGM_FI_DEV_ROW_REMAP_FAILURE{LONG}": 0,
        f"DCGM_FI_DEV_ROW_REMAP_PENDING{LONG}": 1,
        f"DCGM_FI_DEV_XID_ERRORS{LONG}": 0,
    }


def test_beside_dcgm_exporter_only_our_own_values_are_told() -> None:
    values = told(GpuReading(NODE, 1, "n1", events=[], dcgm=False))
    assert not [name for name in values if name.startswith("DCGM")]
    assert values["gpu_cluster_gpus_usable"] == 1


def test_what_is_not_known_is_left_out() -> None:
    gpu = Gpu(vendor=Vendor.AMD, pci_address="0000:1b:00.0", index=0, temperature_c=40)
    names = {name.partition("{")[0] for name in told(GpuReading(GpuNode(gpus=(gpu,)), 1))}
    assert names == {
        "DCGM_FI_DEV_GPU_TEMP",
        "gpu_cluster_gpus_present",
        "gpu_cluster_gpus_usable",
        "gpu_cluster_gpu_state",
    }


def test_a_lost_gpu_is_counted_as_present_and_not_as_usable() -> None:
    node = GpuNode(gpus=(H100, LOST))
    values = told(GpuReading(node, present=2, expected=3))
    counts = {name: value for name, value in values.items() if "_gpus_" in name}
    assert counts == {
        "gpu_cluster_gpus_expected": 3,
        "gpu_cluster_gpus_present": 2,
        "gpu_cluster_gpus_usable": 1,
    }
    failed = '{gpu="",UUID="",pci_bus_id="00000000:43:00.0",modelName="",state="failed"}'
    assert values[f"gpu_cluster_gpu_state{failed}"] == 1
    assert values["gpu_cluster_gpu_state" + SHORT % ("state", "ok")] == 1


def test_gpus_that_were_not_looked_at_are_not_told_to_be_none() -> None:
    assert told(GpuReading(expected=2)) == {"gpu_cluster_gpus_expected": 2}


@pytest.mark.parametrize(
    ("mask", "thermal", "power", "hardware"),
    [
        pytest.param(0x1, 0, 0, 0, id="idle"),
        pytest.param(0x20, 1, 0, 0, id="heat-by-software"),
        pytest.param(0x48, 1, 0, 1, id="heat-by-hardware"),
        pytest.param(0x4, 0, 1, 0, id="power-limit"),
        pytest.param(0x88, 0, 1, 1, id="power-brake"),
    ],
)
def test_the_mask_becomes_three_reasons(mask: int, thermal: int, power: int, hardware: int) -> None:
    node = GpuNode(gpus=(replace(H100, throttle_reasons=mask),))
    values = told(GpuReading(node, 1))
    name = "gpu_cluster_gpu_throttled" + SHORT
    assert [values[name % ("reason", each)] for each in ("thermal", "power", "hardware")] == [
        thermal,
        power,
        hardware,
    ]


def test_xid_events_are_counted_and_the_last_one_is_named() -> None:
    events = [
        XidEvent("0000:1b:00.0", 79, 1, ""),
        XidEvent("0000:1b:00.0", 48, 3, ""),
        XidEvent("0000:99:00.0", 13, 1, ""),
    ]
    values = told(GpuReading(NODE, 1, "n1", events=events))
    count = 'gpu_cluster_gpu_xid_count{gpu="%s",pci_bus_id="00000000:%s:00.0",xid="%s"}'
    assert values[count % ("0", "1B", "48")] == 3
    assert values[count % ("0", "1B", "79")] == 1
    assert values[count % ("", "99", "13")] == 1
    assert values[f"DCGM_FI_DEV_XID_ERRORS{LONG}"] == 48


def test_an_unreadable_log_is_not_told_as_a_log_without_events() -> None:
    assert not [name for name in told(GpuReading(NODE, 1, events=None)) if "xid" in name.lower()]


def test_a_node_tells_of_driver_boot_certificates_and_the_run_itself() -> None:
    reading = NodeReading(
        stacks=(Stack(Vendor.NVIDIA, "580.95.05", "580.105.08", "580.105.08"),),
        reboot_required=True,
        certificates={"/b.crt": 2.0, "/a.crt": 1.0},
        errors={"gpu": False, "certificates": True},
        finished=1795399041.8581,
        duration=0.25,
    )
    info = 'vendor="nvidia",loaded="580.95.05",installed="580.105.08",library="580.105.08"'
    assert read(exposition(node_families(reading))) == {
        f"gpu_cluster_driver_info{{{info}}}": 1,
        'gpu_cluster_driver_mismatch{vendor="nvidia"}': 1,
        "gpu_cluster_reboot_required": 1,
        'gpu_cluster_certificate_not_after_seconds{path="/a.crt"}': 1,
        'gpu_cluster_certificate_not_after_seconds{path="/b.crt"}': 2,
        "gpu_cluster_collector_last_run_timestamp_seconds": 1795399041.858,
        "gpu_cluster_collector_duration_seconds": 0.25,
        'gpu_cluster_collector_error{part="gpu"}': 0,
        'gpu_cluster_collector_error{part="certificates"}': 1,
    }


@pytest.mark.parametrize(
    ("loaded", "library", "package", "expected"),
    [
        pytest.param("580.95.05", "580.95.05", "580.95.05", False, id="one-version"),
        pytest.param("580.95.05", "580.105.08", "580.105.08", True, id="upgraded"),
        pytest.param("580.95.05", "580.95.05", "580.105.08", True, id="package-only"),
        pytest.param("580.95.05", None, None, None, id="nothing-to-compare"),
        pytest.param(None, "580.95.05", "580.95.05", None, id="not-loaded"),
    ],
)
def test_a_loaded_driver_of_another_version_is_a_mismatch(
    loaded: str | None, library: str | None, package: str | None, expected: bool | None
) -> None:
    assert has_mismatch(Stack(Vendor.NVIDIA, loaded, library, package)) is expected


GPUS = st.builds(
    Gpu,
    vendor=st.sampled_from(Vendor),
    pci_address=st.one_of(st.just(""), st.text(max_size=12), st.just("0000:1b:00.0")),
    index=st.one_of(st.none(), st.integers(0, 2)),
    model=st.one_of(st.none(), st.text()),
    uuid=st.one_of(st.none(), st.text()),
    temperature_c=st.one_of(st.none(), st.integers()),
    power_w=st.one_of(st.none(), st.floats()),
    throttle_reasons=st.one_of(st.none(), st.integers(0, 2**64)),
    health=st.one_of(st.none(), st.sampled_from(Health)),
)


@given(st.lists(GPUS, max_size=4), st.text())
def test_whatever_drivers_say_the_text_can_be_read(gpus: list[Gpu], hostname: str) -> None:
    told(GpuReading(GpuNode(gpus=tuple(gpus)), len(gpus), hostname, events=[]))
