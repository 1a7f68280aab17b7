"""Claims about reading NVML, made against a library that answers as a test says."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import nvml_abi as abi
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Ecc,
    Link,
    Mig,
    MigDevice,
    Remapping,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvml import read_nvml

from tests.unit.plugins.module_utils.nvml_library import (
    INSUFFICIENT_SIZE,
    LOST,
    NOT_FOUND,
    RESET,
    UNKNOWN,
    Answer,
    Code,
    Library,
    callback,
)

H100: Mapping[str, Answer] = {
    "nvmlDeviceGetName": (b"NVIDIA H100 80GB HBM3",),
    "nvmlDeviceGetUUID": (b"GPU-1",),
    "nvmlDeviceGetPciInfo_v3": (b"0000:3B:00.0", 0, 0x3B, 0, 0x233010DE, 0, b"00000000:3B:00.0"),
    "nvmlDeviceGetMemoryInfo_v2": (abi.MEMORY_V2_VERSION, 85520809984, 2**29, 2**36, 2**33),
    "nvmlDeviceGetBAR1MemoryInfo": (137438953472, 0, 0),
    "nvmlDeviceGetCurrPcieLinkGeneration": (4,),
    "nvmlDeviceGetCurrPcieLinkWidth": (8,),
    "nvmlDeviceGetGpuMaxPcieLinkGeneration": (5,),
    "nvmlDeviceGetMaxPcieLinkGeneration": (3,),
    "nvmlDeviceGetMaxPcieLinkWidth": (16,),
    "nvmlDeviceGetMigMode": (0, 1),
    "nvmlDeviceGetEccMode": (1, 0),
    "ecc:corrected:volatile": (2**40,),
    "ecc:uncorrected:volatile": (2,),
    "ecc:corrected:aggregate": (3,),
    "ecc:uncorrected:aggregate": (4,),
    "nvmlDeviceGetRemappedRows": (5, 6, 1, 0),
    "nvmlDeviceGetPersistenceMode": (1,),
    "nvmlDeviceGetNumaNodeId": (1,),
    "nvmlDeviceGetArchitecture": (9,),
    "nvmlDeviceGetTemperature": (31,),
    "nvmlDeviceGetPowerUsage": (68570,),
    "nvmlDeviceGetEnforcedPowerLimit": (700000,),
    "nvmlDeviceGetUtilizationRates": (42, 7),
    "clock:sm": (1980,),
    "clock:memory": (2619,),
    "nvmlDeviceGetCurrentClocksThrottleReasons": (0x44,),
}
READ_H100 = DriverGpu(
    index=0,
    pci_address="0000:3b:00.0",
    model="NVIDIA H100 80GB HBM3",
    uuid="GPU-1",
    memory_mib=81559,
    link=Link(generation=4, width=8, max_generation=5, max_width=16),
    bar1_mib=131072,
    mig=Mig(enabled=False, pending=True),
    ecc=Ecc(True, False, 2**40, 2, 3, 4),
    remapping=Remapping(5, 6, True, False),
    persistence=True,
    numa_node=1,
    architecture="hopper",
    temperature_c=31,
    power_w=68.57,
    power_limit_w=700.0,
    utilization_percent=42,
    memory_used_mib=8192,
    memory_free_mib=65536,
    sm_clock_mhz=1980,
    memory_clock_mhz=2619,
    throttle_reasons=0x44,
)


def read(library: Library) -> DriverView:
    return read_nvml(lambda _name: library)


def one(changes: Mapping[str, Answer], *without: str) -> DriverGpu:
    """Return what is read of an H100 with other answers."""
    answers = {key: value for key, value in {**H100, **changes}.items() if key not in without}
    (gpu,) = read(Library([answers])).gpus
    return gpu


def test_every_value_of_a_gpu_is_read() -> None:
    assert read(Library([H100])).gpus == (READ_H100,)


def test_the_versions_of_driver_and_cuda_are_read() -> None:
    library = Library(
        system={
            "nvmlSystemGetDriverVersion": (b"580.95.05",),
            "nvmlSystemGetCudaDriverVersion_v2": (13000,),
        }
    )
    assert read(library) == DriverView("nvml", (), "580.95.05", "13.0")


@pytest.mark.parametrize(
    ("system", "absent", "expected"),
    [
        pytest.param({"nvmlSystemGetCudaDriverVersion_v2": (12080,)}, [], "12.8", id="minor"),
        pytest.param(
            {
                "nvmlSystemGetCudaDriverVersion_v2": 12,
                "nvmlSystemGetCudaDriverVersion": (12020,),
            },
            [],
            "12.2",
            id="no-libcuda",
        ),
        pytest.param(
            {"nvmlSystemGetCudaDriverVersion": (11040,)},
            ["nvmlSystemGetCudaDriverVersion_v2"],
            "11.4",
            id="old-library",
        ),
        pytest.param({"nvmlSystemGetCudaDriverVersion_v2": (0,)}, [], None, id="zero"),
    ],
)
def test_the_cuda_version_has_a_second_source(
    system: dict[str, Answer], absent: list[str], expected: str | None
) -> None:
    library = Library(system=system, absent=frozenset(absent))
    assert read(library).runtime_version == expected


def test_sixteen_gpus_keep_their_numbers() -> None:
    assert [gpu.index for gpu in read(Library([H100] * 16)).gpus] == list(range(16))


def test_a_driver_without_gpus_is_an_empty_list_and_no_error() -> None:
    view = read(Library())
    assert (view.gpus, view.error) == ((), None)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(9, "nvmlInit_v2 answered 9: Driver Not Loaded", id="driver-not-loaded"),
        pytest.param(18, "nvmlInit_v2 answered 18: Driver/library version mismatch", id="mismatch"),
        pytest.param(4, "nvmlInit_v2 answered 4: Insufficient Permissions", id="no-permission"),
        pytest.param(
            12, "nvmlInit_v2 answered 12: NVML Shared Library Not Found", id="no-second-library"
        ),
        pytest.param(999, "nvmlInit_v2 answered 999: Unknown Error", id="unknown"),
        pytest.param(77, "nvmlInit_v2 answered 77: other", id="a-code-of-the-future"),
    ],
)
def test_a_library_that_does_not_start_is_an_error_with_code_and_words(
    code: int, expected: str
) -> None:
    assert read(Library(system={"nvmlInit_v2": code})) == DriverView("nvml", error=expected)


def test_a_missing_library_is_an_error_that_names_it() -> None:
    def load(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    assert read_nvml(load).error == (
        "libnvidia-ml.so.1 cannot be loaded: libnvidia-ml.so.1: "
        "cannot open shared object file: No such file or directory"
    )


def test_a_library_that_is_none_is_an_error() -> None:
    library = Library(absent=frozenset(abi.SIGNATURES))
    expected = "nvmlInit_v2 answered 13: this function is not in libnvidia-ml.so.1"
    assert read(library).error == expected


def test_a_library_without_explanations_still_names_the_code() -> None:
    library = Library(system={"nvmlInit_v2": 9}, absent=frozenset({"nvmlErrorString"}))
    assert read(library).error == "nvmlInit_v2 answered 9: no explanation"


def test_a_list_that_cannot_be_counted_is_an_error() -> None:
    library = Library(absent=frozenset({"nvmlDeviceGetCount_v2"}))
    expected = "nvmlDeviceGetCount_v2 answered 13: this function is not in libnvidia-ml.so.1"
    assert (read(library).error, library.ended) == (expected, 1)


def test_the_library_is_shut_down_once() -> None:
    library = Library([H100, LOST])
    read(library)
    assert library.ended == 1


def test_a_library_that_did_not_start_is_not_shut_down() -> None:
    library = Library(system={"nvmlInit_v2": 9})
    read(library)
    assert library.ended == 0


def test_a_failing_shutdown_loses_nothing() -> None:
    assert read(Library([H100], system={"nvmlShutdown": 999})).gpus == (READ_H100,)


def test_a_gpu_without_a_handle_keeps_its_number() -> None:
    assert read(Library([H100, LOST, H100])).gpus == (
        READ_H100,
        DriverGpu(index=1, error="GPU is lost"),
        replace(READ_H100, index=2),
    )


@pytest.mark.parametrize(
    ("function", "code", "expected"),
    [
        pytest.param("nvmlDeviceGetMemoryInfo_v2", LOST, "GPU is lost", id="lost"),
        pytest.param("nvmlDeviceGetTemperature", LOST, "GPU is lost", id="lost-at-a-sensor"),
        pytest.param("ecc:uncorrected:volatile", RESET, "GPU requires reset", id="reset"),
        pytest.param("nvmlDeviceGetUUID", UNKNOWN, "Unknown Error", id="unknown-uuid"),
        pytest.param("nvmlDeviceGetPowerUsage", UNKNOWN, None, id="unknown-power-is-a-sensor"),
        pytest.param("nvmlDeviceGetPowerUsage", 4, None, id="no-permission-for-a-sensor"),
    ],
)
def test_what_makes_a_whole_gpu_an_error(function: str, code: int, expected: str | None) -> None:
    assert one({function: code}).error == expected


def test_the_first_failure_of_a_gpu_is_the_one_that_is_told() -> None:
    changes = {"nvmlDeviceGetUUID": LOST, "nvmlDeviceGetTemperature": RESET}
    assert one(changes).error == "GPU is lost"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        pytest.param((0,), None, id="none"),
        pytest.param((1,), "GPU recovery action: Reset", id="reset"),
        pytest.param((2,), "GPU recovery action: Reboot", id="reboot"),
        pytest.param((4,), None, id="drain-and-reset-still-computes"),
    ],
)
def test_a_gpu_that_the_driver_wants_to_restart_is_an_error(
    action: tuple[int], expected: str | None
) -> None:
    library = Library([H100])

    def fields(_handle: int, count: int, address: int) -> int:
        asked = abi.FieldValue.from_address(address)
        assert (count, asked.field) == (1, 230)
        asked.code, asked.number = 0, action[0] | 0xABCD << 32
        return 0

    name = "nvmlDeviceGetFieldValues"
    library.functions[name] = callback(abi.SIGNATURES[name], fields)
    assert read(library).gpus[0].error == expected


def test_what_is_not_supported_is_unknown() -> None:
    assert read(Library([{}])).gpus == (DriverGpu(index=0),)


def test_functions_that_an_old_library_lacks_are_unknown() -> None:
    names = {"nvmlDeviceGetNumaNodeId", "nvmlDeviceGetArchitecture", "nvmlDeviceGetRemappedRows"}
    (gpu,) = read(Library([H100], absent=frozenset(names))).gpus
    assert (gpu.numa_node, gpu.architecture, gpu.remapping, gpu.error) == (
        None,
        None,
        Remapping(),
        None,
    )


def test_memory_is_asked_for_in_the_old_form_too() -> None:
    old = {"nvmlDeviceGetMemoryInfo": (25447170048, 0, 0)}
    assert one(old, "nvmlDeviceGetMemoryInfo_v2").memory_mib == 24268


def test_the_most_of_the_link_is_asked_for_in_the_old_form_too() -> None:
    assert one({}, "nvmlDeviceGetGpuMaxPcieLinkGeneration").link.max_generation == 3


def test_a_link_of_zero_is_unknown() -> None:
    assert one({"nvmlDeviceGetCurrPcieLinkWidth": (0,)}).link.width is None


def test_a_region_without_room_is_zero_and_not_unknown() -> None:
    assert one({"nvmlDeviceGetBAR1MemoryInfo": (0, 0, 0)}).bar1_mib == 0


def test_an_address_is_put_together_where_its_text_is_missing() -> None:
    numbers = (b"", 0x10000, 0x3B, 0x1F, 0x233010DE, 0, b"")
    assert one({"nvmlDeviceGetPciInfo_v3": numbers}).pci_address == "10000:3b:1f.0"


def test_text_that_is_not_utf_8_is_read_with_marks() -> None:
    assert one({"nvmlDeviceGetName": (b"H\xff100",)}).model == "H\ufffd100"


def test_an_architecture_of_the_future_is_unknown() -> None:
    assert one({"nvmlDeviceGetArchitecture": (99,)}).architecture is None


def test_ecc_that_is_not_there_counts_nothing() -> None:
    assert one({}, "nvmlDeviceGetEccMode").ecc == Ecc()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param(
            {
                "nvmlDeviceGetRetiredPages:0": (3, Code(INSUFFICIENT_SIZE)),
                "nvmlDeviceGetRetiredPages:1": (2, Code(INSUFFICIENT_SIZE)),
                "nvmlDeviceGetRetiredPagesPendingStatus": (1,),
            },
            Remapping(pending=True, retired_pages=5),
            id="some",
        ),
        pytest.param(
            {
                "nvmlDeviceGetRetiredPages:0": (0,),
                "nvmlDeviceGetRetiredPages:1": (0,),
                "nvmlDeviceGetRetiredPagesPendingStatus": (0,),
            },
            Remapping(pending=False, retired_pages=0),
            id="none",
        ),
        pytest.param({}, Remapping(), id="not-supported"),
    ],
)
def test_older_gpus_retire_pages(answers: dict[str, Answer], expected: Remapping) -> None:
    assert one(answers, "nvmlDeviceGetRemappedRows").remapping == expected


def test_the_parts_of_a_partitioned_gpu_are_read() -> None:
    gpu = {**H100, "nvmlDeviceGetMigMode": (1, 1), "nvmlDeviceGetMaxMigDeviceCount": (7,)}
    part = {
        "nvmlDeviceGetName": (b"NVIDIA H100 80GB HBM3 MIG 3g.40gb",),
        "nvmlDeviceGetUUID": (b"MIG-1",),
        "nvmlDeviceGetMemoryInfo_v2": (abi.MEMORY_V2_VERSION, 40448 * 2**20, 0, 0, 0),
    }
    nameless = {"nvmlDeviceGetName": (b"NVIDIA H100 80GB HBM3",)}
    (read_gpu,) = read(Library([gpu], parts=[part, NOT_FOUND, nameless])).gpus
    assert read_gpu.mig == Mig(
        True, True, (MigDevice("MIG-1", "3g.40gb", 40448), MigDevice(None, None, None))
    )


@pytest.mark.parametrize(
    ("structure", "size"),
    [
        pytest.param(abi.PciInfo, 68, id="pci-info"),
        pytest.param(abi.Memory, 24, id="memory"),
        pytest.param(abi.MemoryV2, 40, id="memory-v2"),
        pytest.param(abi.Bar1Memory, 24, id="bar1"),
        pytest.param(abi.Utilization, 8, id="utilization"),
        pytest.param(abi.FieldValue, 40, id="field-value"),
    ],
)
def test_structures_are_as_large_as_nvml_h_has_them(
    structure: type[ctypes.Structure], size: int
) -> None:
    assert ctypes.sizeof(structure) == size


def test_the_second_memory_structure_says_what_it_is() -> None:
    assert abi.MEMORY_V2_VERSION == 0x02000028
