# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of NVML's binary interface that is called: numbers, structures and signatures.

All numbers are those of NVIDIA's public header nvml.h (NVML API reference); they have not changed
since they were introduced. Every function returns a code, 0 is success.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

LIBRARY = "libnvidia-ml.so.1"

SUCCESS = 0
INSUFFICIENT_SIZE = 7
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
UNKNOWN = 999

FEATURE_ENABLED = 1
TEMPERATURE_GPU = 0
#: nvmlClockType_t.
CLOCK_SM, CLOCK_MEMORY = 1, 2
CORRECTED, UNCORRECTED = 0, 1
VOLATILE, AGGREGATE = 0, 1
#: Why a page was retired: several corrected errors, or one that could not be corrected.
RETIREMENT_CAUSES = (0, 1)
#: NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, drivers from 570 on.
RECOVERY_ACTION = 230
#: Long enough for every text of NVML: 96 is its largest (name and UUID, second version).
TEXT_BYTES = 96

#: nvmlDeviceArchitecture_t.
ARCHITECTURES: Mapping[int, str] = {
    2: "kepler",
    3: "maxwell",
    4: "pascal",
    5: "volta",
    6: "turing",
    7: "ampere",
    8: "ada",
    9: "hopper",
    10: "blackwell",
    13: "rubin",
}


class PciInfo(ctypes.Structure):
    """nvmlPciInfo_t, third version: 68 bytes."""

    _fields_ = (
        ("bus_id_legacy", ctypes.c_char * 16),
        ("domain", ctypes.c_uint),
        ("bus", ctypes.c_uint),
        ("device", ctypes.c_uint),
        ("device_id", ctypes.c_uint),
        ("subsystem_id", ctypes.c_uint),
        ("bus_id", ctypes.c_char * 32),
    )


class Memory(ctypes.Structure):
    """nvmlMemory_t: 24 bytes, in bytes."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class MemoryV2(ctypes.Structure):
    """nvmlMemory_v2_t: 40 bytes; ``version`` says to the library which structure it is."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("total", ctypes.c_ulonglong),
        ("reserved", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class Bar1Memory(ctypes.Structure):
    """nvmlBAR1Memory_t: 24 bytes, in bytes."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class Utilization(ctypes.Structure):
    """nvmlUtilization_t: 8 bytes, in percent."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class FieldValue(ctypes.Structure):
    """nvmlFieldValue_t: 40 bytes; ``code`` says whether this field was answered."""

    _fields_ = (
        ("field", ctypes.c_uint),
        ("scope", ctypes.c_uint),
        ("timestamp", ctypes.c_longlong),
        ("latency", ctypes.c_longlong),
        ("kind", ctypes.c_uint),
        ("code", ctypes.c_int),
        # A union of 8 bytes; the fields that are read here are unsigned integers.
        ("number", ctypes.c_ulonglong),
    )


#: NVML_STRUCT_VERSION: the size of the structure, and the number of its version in the top byte.
MEMORY_V2_VERSION = ctypes.sizeof(MemoryV2) | (2 << 24)

_HANDLE = ctypes.c_void_p
_TEXT = ctypes.c_char_p
_UINT = ctypes.c_uint
_UINT_OUT = ctypes.POINTER(ctypes.c_uint)
_INT_OUT = ctypes.POINTER(ctypes.c_int)
_LONG_OUT = ctypes.POINTER(ctypes.c_ulonglong)
_HANDLE_OUT = ctypes.POINTER(ctypes.c_void_p)
_ONE_NUMBER = (_HANDLE, _UINT_OUT)
_TWO_NUMBERS = (_HANDLE, _UINT_OUT, _UINT_OUT)

#: The arguments of each function.
SIGNATURES: Mapping[str, tuple[Any, ...]] = {
    "nvmlInit_v2": (),
    "nvmlShutdown": (),
    "nvmlSystemGetDriverVersion": (_TEXT, _UINT),
    "nvmlSystemGetCudaDriverVersion": (_INT_OUT,),
    "nvmlSystemGetCudaDriverVersion_v2": (_INT_OUT,),
    "nvmlDeviceGetCount_v2": (_UINT_OUT,),
    "nvmlDeviceGetHandleByIndex_v2": (_UINT, _HANDLE_OUT),
    "nvmlDeviceGetName": (_HANDLE, _TEXT, _UINT),
    "nvmlDeviceGetUUID": (_HANDLE, _TEXT, _UINT),
    "nvmlDeviceGetPciInfo_v3": (_HANDLE, ctypes.POINTER(PciInfo)),
    "nvmlDeviceGetMemoryInfo": (_HANDLE, ctypes.POINTER(Memory)),
    "nvmlDeviceGetMemoryInfo_v2": (_HANDLE, ctypes.POINTER(MemoryV2)),
    "nvmlDeviceGetBAR1MemoryInfo": (_HANDLE, ctypes.POINTER(Bar1Memory)),
    "nvmlDeviceGetCurrPcieLinkGeneration": _ONE_NUMBER,
    "nvmlDeviceGetCurrPcieLinkWidth": _ONE_NUMBER,
    "nvmlDeviceGetGpuMaxPcieLinkGeneration": _ONE_NUMBER,
    "nvmlDeviceGetMaxPcieLinkGeneration": _ONE_NUMBER,
    "nvmlDeviceGetMaxPcieLinkWidth": _ONE_NUMBER,
    "nvmlDeviceGetMigMode": _TWO_NUMBERS,
    "nvmlDeviceGetMaxMigDeviceCount": _ONE_NUMBER,
    "nvmlDeviceGetMigDeviceHandleByIndex": (_HANDLE, _UINT, _HANDLE_OUT),
    "nvmlDeviceGetEccMode": _TWO_NUMBERS,
    "nvmlDeviceGetTotalEccErrors": (_HANDLE, _UINT, _UINT, _LONG_OUT),
    "nvmlDeviceGetRemappedRows": (_HANDLE, _UINT_OUT, _UINT_OUT, _UINT_OUT, _UINT_OUT),
    "nvmlDeviceGetRetiredPages": (_HANDLE, _UINT, _UINT_OUT, _LONG_OUT),
    "nvmlDeviceGetRetiredPagesPendingStatus": _ONE_NUMBER,
    "nvmlDeviceGetPersistenceMode": _ONE_NUMBER,
    "nvmlDeviceGetNumaNodeId": _ONE_NUMBER,
    "nvmlDeviceGetArchitecture": _ONE_NUMBER,
    "nvmlDeviceGetTemperature": (_HANDLE, _UINT, _UINT_OUT),
    "nvmlDeviceGetPowerUsage": _ONE_NUMBER,
    "nvmlDeviceGetEnforcedPowerLimit": _ONE_NUMBER,
    "nvmlDeviceGetFieldValues": (_HANDLE, ctypes.c_int, ctypes.POINTER(FieldValue)),
    "nvmlDeviceGetClockInfo": (_HANDLE, _UINT, _UINT_OUT),
    "nvmlDeviceGetCurrentClocksThrottleReasons": (_HANDLE, _LONG_OUT),
    "nvmlDeviceGetUtilizationRates": (_HANDLE, ctypes.POINTER(Utilization)),
}
