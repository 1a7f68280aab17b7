# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's GPUs as NVML answers: the driver's own library, called without any other package.

A function that a driver or a GPU does not have is an unknown value, a GPU that is lost or needs a
reset is a row with its error, and a library that does not start is a view with its error.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple, Optional, Union

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
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import normal_address
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_text import (
    RECOVERIES,
    recovery,
)

SOURCE = "nvml"
_MIB = 1024 * 1024


class NvmlError(Exception):
    """A function of NVML answered with a code other than success."""

    def __init__(self, function: str, code: int, words: str) -> None:
        super().__init__(f"{function} answered {code}: {words}")
        self.code = code
        self.words = words


class Nvml:
    """Calls functions of the library and turns their codes into NvmlError."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function; raise NvmlError unless it succeeds."""
        function = getattr(self._library, name, None)
        if function is None:
            words = f"this function is not in {abi.LIBRARY}"
            raise NvmlError(name, abi.FUNCTION_NOT_FOUND, words)
        function.argtypes = abi.SIGNATURES[name]
        function.restype = ctypes.c_int
        code = function(*arguments)
        if code != abi.SUCCESS:
            raise NvmlError(name, code, self._words(code))

    def _words(self, code: int) -> str:
        """Return what NVML says of a code."""
        function = getattr(self._library, "nvmlErrorString", None)
        if function is None:
            return "no explanation"
        function.argtypes = (ctypes.c_int,)
        function.restype = ctypes.c_char_p
        return _decoded(function(code)) or "no explanation"


class _Memory(NamedTuple):
    """A GPU's memory in MiB. What the driver keeps for itself is neither used nor free."""

    total: Optional[int] = None
    used: Optional[int] = None
    free: Optional[int] = None

    @classmethod
    def of(cls, found: Union[abi.Memory, abi.MemoryV2]) -> _Memory:
        """Return what one of NVML's structures says."""
        return cls(*(int(each) // _MIB for each in (found.total, found.used, found.free)))


class Device:
    """One GPU, or one part of it, and why it does not answer (``error``), if so."""

    def __init__(self, nvml: Nvml, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle
        self.error: Optional[str] = None

    def ask(self, name: str, *arguments: Any, essential: bool = False) -> bool:
        """Return whether a function answered.

        Lost and reset-required are about the whole GPU. An unknown error is, where every GPU that
        works answers (``essential``): some boards have it for a sensor that they lack.
        """
        try:
            self._nvml.call(name, self._handle, *arguments)
        except NvmlError as error:
            self._note(error, essential)
            return False
        return True

    def _note(self, error: NvmlError, essential: bool) -> None:
        """Remember the first answer that says that the GPU as a whole does not work."""
        fatal = (abi.GPU_IS_LOST, abi.RESET_REQUIRED, *((abi.UNKNOWN,) if essential else ()))
        if error.code in fatal and self.error is None:
            self.error = error.words

    def text(self, name: str) -> Optional[str]:
        """Return a text, None where the GPU has none."""
        buffer = ctypes.create_string_buffer(abi.TEXT_BYTES)
        answered = self.ask(name, buffer, abi.TEXT_BYTES, essential=True)
        return (_decoded(buffer.value) or None) if answered else None

    def number(self, name: str, *arguments: Any) -> Optional[int]:
        """Return a number, None where the GPU has none."""
        value = ctypes.c_uint()
        return value.value if self.ask(name, *arguments, ctypes.byref(value)) else None

    def enabled(self, name: str) -> Optional[bool]:
        """Return whether a feature is on, None where the GPU does not have it."""
        value = self.number(name)
        return None if value is None else value == abi.FEATURE_ENABLED

    def modes(self, name: str) -> tuple[Optional[bool], Optional[bool]]:
        """Return whether a mode is on now and after the next reset."""
        current, pending = ctypes.c_uint(), ctypes.c_uint()
        if not self.ask(name, ctypes.byref(current), ctypes.byref(pending)):
            return None, None
        return current.value == abi.FEATURE_ENABLED, pending.value == abi.FEATURE_ENABLED

    def memory(self) -> _Memory:
        """Return the memory; drivers before 510 know the first version only."""
        second = abi.MemoryV2(version=abi.MEMORY_V2_VERSION)
        if self.ask("nvmlDeviceGetMemoryInfo_v2", ctypes.byref(second)):
            return _Memory.of(second)
        first = abi.Memory()
        if self.ask("nvmlDeviceGetMemoryInfo", ctypes.byref(first), essential=True):
            return _Memory.of(first)
        return _Memory()

    def address(self) -> Optional[str]:
        """Return the PCI address."""
        found = abi.PciInfo()
        if not self.ask("nvmlDeviceGetPciInfo_v3", ctypes.byref(found), essential=True):
            return None
        numbers = f"{found.domain:x}:{found.bus:02x}:{found.device:02x}.0"
        return normal_address(_decoded(found.bus_id)) or normal_address(numbers)

    def retired(self, cause: int) -> Optional[int]:
        """Return how many pages were retired for a cause.

        Asked without room for their addresses, NVML says that the room is too small, and how many
        there are.
        """
        count = ctypes.c_uint(0)
        name = "nvmlDeviceGetRetiredPages"
        try:
            self._nvml.call(name, self._handle, cause, ctypes.byref(count), None)
        except NvmlError as error:
            if error.code != abi.INSUFFICIENT_SIZE:
                self._note(error, essential=False)
                return None
        return count.value

    def part(self, index: int) -> Optional[Device]:
        """Return a MIG device of this GPU, None where the place is empty."""
        handle = ctypes.c_void_p()
        found = self.ask("nvmlDeviceGetMigDeviceHandleByIndex", index, ctypes.byref(handle))
        return Device(self._nvml, handle) if found else None


def read_nvml(load: Callable[[str], Any] = ctypes.CDLL) -> DriverView:
    """Return the driver's GPUs, or why NVML gives no list of them."""
    try:
        nvml = Nvml(load(abi.LIBRARY))
        nvml.call("nvmlInit_v2")
    except OSError as error:
        return DriverView(SOURCE, error=f"{abi.LIBRARY} cannot be loaded: {error}")
    except NvmlError as error:
        return DriverView(SOURCE, error=str(error))
    try:
        return _view(nvml)
    except NvmlError as error:
        return DriverView(SOURCE, error=str(error))
    finally:
        _shut_down(nvml)


def _shut_down(nvml: Nvml) -> None:
    try:
        nvml.call("nvmlShutdown")
    except NvmlError:
        return  # everything that was asked for has been read


def _view(nvml: Nvml) -> DriverView:
    count = ctypes.c_uint()
    nvml.call("nvmlDeviceGetCount_v2", ctypes.byref(count))
    return DriverView(
        SOURCE,
        gpus=tuple(_gpu(nvml, index) for index in range(count.value)),
        driver_version=_driver_version(nvml),
        runtime_version=_cuda_version(nvml),
    )


def _driver_version(nvml: Nvml) -> Optional[str]:
    buffer = ctypes.create_string_buffer(abi.TEXT_BYTES)
    try:
        nvml.call("nvmlSystemGetDriverVersion", buffer, abi.TEXT_BYTES)
    except NvmlError:
        return None
    return _decoded(buffer.value) or None


def _cuda_version(nvml: Nvml) -> Optional[str]:
    """Return "13.0" for 13000; the second version fails where libcuda is not installed."""
    for name in ("nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion"):
        number = ctypes.c_int()
        try:
            nvml.call(name, ctypes.byref(number))
        except NvmlError:
            continue
        if number.value > 0:
            return f"{number.value // 1000}.{number.value % 1000 // 10}"
    return None


def _gpu(nvml: Nvml, index: int) -> DriverGpu:
    """Return one GPU; one without a handle is its number and its error."""
    handle = ctypes.c_void_p()
    try:
        nvml.call("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle))
    except NvmlError as error:
        return DriverGpu(index=index, error=error.words)
    device = Device(nvml, handle)
    memory = device.memory()
    return DriverGpu(
        index=index,
        pci_address=device.address(),
        model=device.text("nvmlDeviceGetName"),
        uuid=device.text("nvmlDeviceGetUUID"),
        memory_mib=memory.total,
        memory_used_mib=memory.used,
        memory_free_mib=memory.free,
        link=_link(device),
        bar1_mib=_bar1_mib(device),
        mig=_mig(device),
        ecc=_ecc(device),
        remapping=_remapping(device),
        persistence=device.enabled("nvmlDeviceGetPersistenceMode"),
        numa_node=device.number("nvmlDeviceGetNumaNodeId"),
        architecture=abi.ARCHITECTURES.get(device.number("nvmlDeviceGetArchitecture") or 0),
        temperature_c=device.number("nvmlDeviceGetTemperature", abi.TEMPERATURE_GPU),
        power_w=_watts(device.number("nvmlDeviceGetPowerUsage")),
        power_limit_w=_watts(device.number("nvmlDeviceGetEnforcedPowerLimit")),
        utilization_percent=_utilization(device),
        sm_clock_mhz=device.number("nvmlDeviceGetClockInfo", abi.CLOCK_SM),
        memory_clock_mhz=device.number("nvmlDeviceGetClockInfo", abi.CLOCK_MEMORY),
        throttle_reasons=_throttle_reasons(device),
        # Evaluated last: the calls above find it out.
        error=device.error or _recovery(device),
    )


def _recovery(device: Device) -> Optional[str]:
    """Return that the driver asks for a reset or a reboot, None where it does not."""
    asked = abi.FieldValue(field=abi.RECOVERY_ACTION, code=abi.UNKNOWN)
    if not device.ask("nvmlDeviceGetFieldValues", 1, ctypes.byref(asked)):
        return None
    # The union is wider than the number: its upper half is not always written.
    number = int(asked.number) & 0xFFFFFFFF
    return recovery(RECOVERIES.get(number)) if asked.code == abi.SUCCESS else None


def _link(device: Device) -> Link:
    """Return the PCIe link; 0, as virtual GPUs answer, is no generation and no width."""
    most = device.number("nvmlDeviceGetGpuMaxPcieLinkGeneration")
    return Link(
        generation=device.number("nvmlDeviceGetCurrPcieLinkGeneration") or None,
        width=device.number("nvmlDeviceGetCurrPcieLinkWidth") or None,
        max_generation=most or device.number("nvmlDeviceGetMaxPcieLinkGeneration") or None,
        max_width=device.number("nvmlDeviceGetMaxPcieLinkWidth") or None,
    )


def _bar1_mib(device: Device) -> Optional[int]:
    found = abi.Bar1Memory()
    if not device.ask("nvmlDeviceGetBAR1MemoryInfo", ctypes.byref(found)):
        return None
    return int(found.total) // _MIB


def _mig(device: Device) -> Mig:
    enabled, pending = device.modes("nvmlDeviceGetMigMode")
    if not enabled:
        return Mig(enabled, pending)
    most = device.number("nvmlDeviceGetMaxMigDeviceCount") or 0
    parts = (device.part(index) for index in range(most))
    return Mig(enabled, pending, tuple(_mig_device(part) for part in parts if part))


def _mig_device(part: Device) -> MigDevice:
    """Return a part; its profile stands in its name ("NVIDIA A100-SXM4-40GB MIG 1g.5gb")."""
    profile = (part.text("nvmlDeviceGetName") or "").partition(" MIG ")[2].strip()
    return MigDevice(part.text("nvmlDeviceGetUUID"), profile or None, part.memory().total)


def _ecc(device: Device) -> Ecc:
    enabled, pending = device.modes("nvmlDeviceGetEccMode")
    if enabled is None:
        return Ecc()
    return Ecc(
        enabled,
        pending,
        volatile_corrected=_ecc_errors(device, abi.CORRECTED, abi.VOLATILE),
        volatile_uncorrected=_ecc_errors(device, abi.UNCORRECTED, abi.VOLATILE),
        aggregate_corrected=_ecc_errors(device, abi.CORRECTED, abi.AGGREGATE),
        aggregate_uncorrected=_ecc_errors(device, abi.UNCORRECTED, abi.AGGREGATE),
    )


def _ecc_errors(device: Device, kind: int, counter: int) -> Optional[int]:
    count = ctypes.c_ulonglong()
    answered = device.ask("nvmlDeviceGetTotalEccErrors", kind, counter, ctypes.byref(count))
    return count.value if answered else None


def _remapping(device: Device) -> Remapping:
    """Return the replaced rows; GPUs before Ampere retire pages instead."""
    rows = [ctypes.c_uint() for _ in range(4)]
    retired = _retired_pages(device)
    if device.ask("nvmlDeviceGetRemappedRows", *map(ctypes.byref, rows)):
        corrected, uncorrected, pending, failed = (row.value for row in rows)
        return Remapping(corrected, uncorrected, bool(pending), bool(failed), retired)
    pending_pages = device.enabled("nvmlDeviceGetRetiredPagesPendingStatus")
    return Remapping(pending=pending_pages, retired_pages=retired)


def _retired_pages(device: Device) -> Optional[int]:
    counts = [device.retired(cause) for cause in abi.RETIREMENT_CAUSES]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _utilization(device: Device) -> Optional[int]:
    found = abi.Utilization()
    answered = device.ask("nvmlDeviceGetUtilizationRates", ctypes.byref(found))
    return int(found.gpu) if answered else None


def _throttle_reasons(device: Device) -> Optional[int]:
    found = ctypes.c_ulonglong()
    answered = device.ask("nvmlDeviceGetCurrentClocksThrottleReasons", ctypes.byref(found))
    return found.value if answered else None


def _watts(milliwatts: Optional[int]) -> Optional[float]:
    return None if milliwatts is None else milliwatts / 1000


def _decoded(text: Optional[bytes]) -> str:
    return (text or b"").decode("utf-8", "replace").strip()
